"""Whether normals point where depth says they do, for cameras whose field of view is not known: by signs alone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtlattack.data.sources.geometry import Intrinsics, normals_from_depth
from mtlattack.data.sources.normals import Vectors
from mtlattack.errors import InputError

_STEEP = 0.3
"""A component below this says little about its sign: noise could have turned it."""
_ENOUGH = 200
_AGREEMENT = 0.75
_FACING = 0.8


def toward_camera(images: Sequence[Vectors], where: str) -> int:
    """The sign of z that means "toward the camera" in these normals: nearly all have it, as visible surfaces face us.

    InputError, with `where`, if neither sign has 80 % of the pixels that are not edge-on.
    """
    z = np.concatenate([image[..., 2].ravel() for image in images])
    z = z[np.abs(z) > 0.1]
    positive = float((z > 0).mean()) if z.size else 0.0
    if 1 - _FACING < positive < _FACING:
        raise InputError(f"{where}: {100 * positive:.0f} % of the normals have z > 0, expected nearly all or none")
    return 1 if positive >= _FACING else -1


def check_signs(normals: Sequence[Vectors], depths: Sequence[NDArray[np.floating]], where: str, frame: str) -> None:
    """InputError if normals in our frame have other signs than depth gives them; `where` goes before it.

    Args:
        normals: images `[H, W, 3]` in our frame, 0, 0, 0 for none.
        depths: z-depth `[H, W]` of the same images in any unit, ≤ 0 for none.
        where: which files these are.
        frame: what the files' channels were taken for.

    Nothing is said where fewer than 200 pixels are steep enough to tell.
    """
    for axis, (share, count) in sign_agreement(normals, depths).items():
        if count >= _ENOUGH and share < _AGREEMENT:
            raise InputError(
                f"{where}: the normals' {axis} has the sign that depth gives it in {100 * share:.0f} % of {count}"
                f" pixels, expected nearly all; their channels were read as {frame} (x right, y down, z forward)"
            )


def sign_agreement(normals: Sequence[Vectors], depths: Sequence[NDArray[np.floating]]) -> dict[str, tuple[float, int]]:
    """How often each component has the sign that depth gives it: the share, and the number of pixels that tell.

    A wrong field of view stretches the x and y of normals derived from depth, but turns no sign: a plane's inverse
    depth is a·u + b·v + c, and the scale of u and v is only that of a and b.
    """
    hits, seen = np.zeros(3), np.zeros(3)
    for given, depth in zip(normals, depths, strict=True):
        height, width = depth.shape
        rows, columns = np.arange(0, height, height // 64 + 1), np.arange(0, width, width // 64 + 1)
        camera = Intrinsics(width, width, (width - 1) / 2, (height - 1) / 2)
        window = max(3, height // 40 | 1)  # odd, and about as wide as NYUv2's 21 of 480 pixels
        derived = normals_from_depth(depth, camera, rows, columns, window)
        some = given[np.ix_(rows, columns)]
        steep = (np.abs(some) > _STEEP) & (np.abs(derived) > _STEEP)
        same = steep & ((some > 0) == (derived > 0))
        hits += same.sum((0, 1))
        seen += steep.sum((0, 1))
    return {axis: (float(hits[k] / max(seen[k], 1)), int(seen[k])) for k, axis in enumerate("xyz")}
