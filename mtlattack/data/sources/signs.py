"""Whether normals point where depth says they do, for cameras whose field of view is not known: by signs alone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtlattack.data.sources.geometry import Intrinsics, normals_from_depth
from mtlattack.data.sources.normals import FRAMES, Frame, Vectors
from mtlattack.errors import InputError

AGREEMENT = 0.6
"""The share of the pixels at which a component has the right sign, at least: a wrong sign turns a share s into 1 − s,
a wrong axis gives about a half, and noisy depth may leave a right frame at 70 %."""
_MARGIN = 0.1
"""By how much another frame's worst axis must be better before it is said to be the right one."""
_STEEP = 0.3
"""A component below this says little about its sign: noise could have turned it."""
_ENOUGH = 200
_FACING = 0.8
_EDGE_ON = 0.1


def toward_camera(images: Sequence[Vectors], where: str) -> int:
    """The sign of z that means "toward the camera" in these normals: nearly all have it, as visible surfaces face us.

    InputError, with `where`, if neither sign has 80 % of the pixels that are not edge-on.
    """
    positive = _share_positive(images)
    if 1 - _FACING < positive < _FACING:
        raise InputError(
            f"{where}: {100 * positive:.0f} % of the normals have z > 0, expected at least {100 * _FACING:.0f} % or "
            f"at most {100 * (1 - _FACING):.0f} %"
        )
    return 1 if positive >= _FACING else -1


def check_facing(images: Sequence[Vectors], where: str, frame: str, agreement: float = AGREEMENT) -> None:
    """InputError unless at least this share of published normals face the camera, read in this `frame`."""
    ours = [Frame(frame).to_ours(image) for image in images]
    facing = 1 - _share_positive(ours)
    if any(image.any() for image in ours) and facing < agreement:
        raise InputError(
            f"{where}: read as {frame} (x right, y down, z forward), {100 * facing:.1f} % of the normals face the "
            f"camera (z < 0), expected at least {100 * agreement:g} % (agreement = {agreement:g}); "
            f"with the sign of z turned {100 * (1 - facing):.1f} % do"
        )


def check_signs(
    normals: Sequence[Vectors],
    depths: Sequence[NDArray[np.floating]],
    where: str,
    frame: str,
    agreement: float = AGREEMENT,
) -> None:
    """InputError if published normals, read in this `frame`, have other signs than depth gives them.

    The message says in how many per cent of the pixels that tell each axis is right, in this frame and in the best of
    all 48, and how the others do.

    Args:
        normals: images `[H, W, 3]` as they are published, 0, 0, 0 for none.
        depths: z-depth `[H, W]` of the same images in any unit, ≤ 0 for none.
        where: which files these are; goes before the message.
        frame: what the files' channels are taken for.
        agreement: the share of the pixels at which each axis must have the sign that depth gives it.

    Nothing is said of an axis that fewer than 200 pixels are steep enough to tell.
    """
    if agreement == 0:
        return
    table = _SignTable(normals, depths)
    chosen, ranked = Frame(frame), sorted(FRAMES, key=lambda each: -table.worst(each))
    best, share = ranked[0], table.worst(chosen)
    if share >= agreement and table.worst(best) <= share + _MARGIN:
        return
    tried = [f"{each.text} {100 * table.worst(each):.0f} %" for each in ranked if table.worst(each) >= 0.5]
    raise InputError(
        f"{where}: read as {frame} (x right, y down, z forward), the normals have the signs that depth gives them at "
        f"{table.describe(chosen)} of the steep pixels, expected at least {100 * agreement:g} % on each axis "
        f"(agreement = {agreement:g}) and no frame that is {100 * _MARGIN:.0f} % better; the best of all 48 is "
        f"{best.text} with {table.describe(best)}. By their worst axis: {', '.join(tried) or 'none'}; the other "
        f"{len(FRAMES) - len(tried)} have less than half of the pixels"
    )


def sign_agreement(normals: Sequence[Vectors], depths: Sequence[NDArray[np.floating]]) -> dict[str, tuple[float, int]]:
    """How often each component has the sign that depth gives it: the share, and the number of pixels that tell.

    Normals are in our frame here.
    """
    table = _SignTable(normals, depths)
    shares, counts = table.shares(Frame("x,y,z"))
    return {axis: (float(shares[k]), int(counts[k])) for k, axis in enumerate("xyz")}


class _SignTable:
    """How often each channel of published normals has the sign of each of our axes, as depth gives it.

    A wrong field of view stretches the x and y of normals derived from depth, but turns no sign: a plane's inverse
    depth is a·u + b·v + c, and the scale of u and v is only that of a and b.
    """

    def __init__(self, normals: Sequence[Vectors], depths: Sequence[NDArray[np.floating]]) -> None:
        self._hits, self._seen = np.zeros((3, 3)), np.zeros((3, 3))
        for given, depth in zip(normals, depths, strict=True):
            height, width = depth.shape
            rows, columns = np.arange(0, height, height // 64 + 1), np.arange(0, width, width // 64 + 1)
            camera = Intrinsics(width, width, (width - 1) / 2, (height - 1) / 2)
            window = max(3, height // 40 | 1)  # odd, and about as wide as NYUv2's 21 of 480 pixels
            derived = normals_from_depth(depth, camera, rows, columns, window)[..., :, None]
            some = given[np.ix_(rows, columns)][..., None, :]
            steep = (np.abs(some) > _STEEP) & (np.abs(derived) > _STEEP)
            self._hits += (steep & ((some > 0) == (derived > 0))).sum((0, 1))
            self._seen += steep.sum((0, 1))

    def shares(self, frame: Frame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """By axis the share of the pixels with the right sign, and how many tell.

        Where a channel is steep at less than half as many of the axis' steep pixels as another one, it is another axis:
        the share is 0.
        """
        axes = range(3)
        seen, most = self._seen[axes, frame.channels], self._seen.max(1)
        same = self._hits[axes, frame.channels] / np.maximum(seen, 1)
        return np.where(2 * seen < most, 0, np.where(frame.signs > 0, same, 1 - same)), most

    def worst(self, frame: Frame) -> float:
        """The least share of the axes of which enough pixels tell; 1 where there is none."""
        shares, most = self.shares(frame)
        return float(np.where(most >= _ENOUGH, shares, 1.0).min())

    def describe(self, frame: Frame) -> str:
        """The shares of the axes, in words."""
        shares, seen = self.shares(frame)
        return ", ".join(
            f"{axis} {100 * s:.1f} %" for axis, s, n in zip("xyz", shares, seen, strict=True) if n >= _ENOUGH
        )


def _share_positive(images: Sequence[Vectors]) -> float:
    """Of the normals that are not edge-on the share with z > 0."""
    z = np.concatenate([image[..., 2].ravel() for image in images])
    z = z[np.abs(z) > _EDGE_ON]
    return float((z > 0).mean()) if z.size else 0.0
