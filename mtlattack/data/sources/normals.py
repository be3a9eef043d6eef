"""Surface normals that others publish: reading them, and finding out which way their axes point.

Papers and readmes seldom say which channel is which axis. Depth says it: normals that are derived from it lie in our
frame (x right, y down, z forward, facing the camera), so the published ones must agree with them, and of the 48 ways
to name three axes with signs only the right one does.
"""

from collections.abc import Iterable, Iterator
from itertools import permutations, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtlattack.data.account import Drop, unseen
from mtlattack.data.sources.files import read_image, read_npy
from mtlattack.errors import InputError

Vectors = NDArray[np.float64]
"""`[…, 3]`; 0, 0, 0 where there is no normal."""

AUTO = "auto"
CHECKED_IMAGES = 8
LENGTHS = (0.8, 1.2)
"""Shorter or longer is no normal: 8 bits change a length by 1 %."""
_MARK = 0.9
_SHORT = 0.1
"""What has three equal components beyond the first (white, black), or is shorter than the second (grey), marks that
there is no normal."""
_MOST_DEGREES = 15.0
"""Median angle to the derived normals: right frames have 2 to 5, wrong ones 25 and more."""
_MARGIN, _SLACK = 1.5, 0.02
"""How far above the best frame's mean loss 1 − cos, times and plus, another frame still fits."""


class Frame:
    """What the channels of published normals are in our frame: a text such as "x,z,-y", in the channels' order."""

    def __init__(self, text: str) -> None:
        self.text = text
        axes = [part.strip() for part in text.split(",")]
        if sorted(axis.removeprefix("-") for axis in axes) != ["x", "y", "z"]:
            raise InputError(f"frame {text!r}, expected {AUTO} or the axes of three channels, such as x,z,-y")
        self.channels = [next(k for k, axis in enumerate(axes) if axis.endswith(ours)) for ours in "xyz"]
        self.signs = np.array([-1.0 if axes[k].startswith("-") else 1.0 for k in self.channels])

    def to_ours(self, vectors: Vectors) -> Vectors:
        """The vectors with x right, y down and z forward."""
        ours: Vectors = vectors[..., self.channels] * self.signs
        return ours

    def agreement(self, products: NDArray[np.float64]) -> float:
        """Mean cosine between given and derived normals, from the mean products `[ours, given]` of components."""
        return float((products[range(3), self.channels] * self.signs).sum())


FRAMES = [
    Frame(",".join(sign + axis for sign, axis in zip(signs, axes, strict=True)))
    for axes in permutations("xyz")
    for signs in product(("", "-"), repeat=3)
]
"""All 48, mirrored ones too."""


def read_normals(path: Path, size: tuple[int, int], lengths: tuple[float, float] = LENGTHS) -> Vectors:
    """Normals `[H, W, 3]` in the frame they are published in, of length 1, or 0, 0, 0 where there is none.

    InputError names the file, also if it holds none at all but other vectors.
    """
    raw = read_vectors(path, size)
    normals = unit_normals(raw, lengths)
    if raw.any() and not normals.any():
        raise InputError(f"{path} holds no vectors of length 1: {lengths[0]:g} to {lengths[1]:g} are taken")
    return normals


def read_vectors(path: Path, size: tuple[int, int]) -> Vectors:
    """What a file of normals holds, `[H, W, 3]`: an array vectors, an image (v + 1) · 127.5. InputError names it."""
    if path.suffix == ".npy":
        raw = read_npy(path, shape=(*size, 3)).astype(np.float64)
    else:
        raw = read_image(path, size=size) / 127.5 - 1
    return raw


def unit_normals(
    raw: Vectors, lengths: tuple[float, float] = LENGTHS, none: Drop = unseen, drop: Drop = unseen
) -> Vectors:
    """Vectors as `read_vectors` gives them, of length 1, or 0, 0, 0 where there is none.

    There is none where a vector is (next to) zero or not finite, or an image is grey, white or black, of which `none`
    is told, and where its length is not between `lengths`, of which `drop` is told.
    """
    length = np.linalg.norm(np.nan_to_num(raw, nan=0.0, posinf=0.0, neginf=0.0), axis=-1, keepdims=True)
    equal = (np.ptp(raw, axis=-1, keepdims=True) < 0.02) & (np.abs(raw[..., :1]) > _MARK)
    absent = (length < _SHORT) | equal | ~np.isfinite(raw).all(-1, keepdims=True)
    known = (length > lengths[0]) & (length < lengths[1]) & ~absent
    none("zero, not finite, or grey, white, black", absent[..., 0])
    drop(f"length not {lengths[0]:g} to {lengths[1]:g}", (~known & ~absent)[..., 0])
    return np.divide(raw, length, out=np.zeros(raw.shape), where=known)


def choose_frame(frame: str, pairs: Iterable[tuple[Vectors, Vectors]], where: Path) -> Frame:
    """The frame of published normals, checked against derived ones: `frame`, or the one that fits if it is "auto".

    `pairs` are the published and the derived normals of some images, both `[…, 3]`, 0, 0, 0 for none; `where` is what
    the message calls the published ones. InputError if they disagree grossly, and if another frame fits much better.
    """
    wanted = None if frame == AUTO else Frame(frame)
    given, derived = _known(pairs)
    if not len(given):
        raise InputError(f"{where}: the first images have no normals to tell their frame by")
    products = derived.T @ given / len(given)
    first, second = sorted(FRAMES, key=lambda candidate: -candidate.agreement(products))[:2]
    chosen = wanted or first
    degrees = _median_degrees(chosen.to_ours(given), derived)
    best_degrees = _median_degrees(first.to_ours(given), derived)
    if best_degrees > _MOST_DEGREES:
        raise InputError(
            f"{where}: in no frame do the normals agree with those derived from depth: a median of {best_degrees:.0f} "
            f"degrees apart in the best, {first.text}, expected at most {_MOST_DEGREES:.0f}"
        )
    # Losses, not agreements, are compared: the best frame's own noise is the measure.
    best, chosen_loss, second_loss = (1 - x.agreement(products) for x in (first, chosen, second))
    limit = _MARGIN * best + _SLACK
    if wanted is None and second_loss < limit:
        raise InputError(
            f"{where}: the first images do not tell whether the normals' frame is {first.text} or {second.text}; say it"
        )
    if degrees > _MOST_DEGREES or chosen_loss > limit:
        raise InputError(
            f"{where}: the normals are not in the frame {chosen.text}: a median of {degrees:.0f} degrees from those "
            f"derived from depth; {first.text} fits ({best_degrees:.0f} degrees)"
        )
    return chosen


def _known(pairs: Iterable[tuple[Vectors, Vectors]]) -> tuple[Vectors, Vectors]:
    """Both normals `[P, 3]` of the pixels that have both."""

    def both() -> Iterator[tuple[Vectors, Vectors]]:
        for given, derived in pairs:
            known = given.any(-1) & derived.any(-1)
            yield given[known], derived[known]

    parts = list(both())
    empty = np.zeros((0, 3))
    return np.concatenate([empty, *(a for a, _ in parts)]), np.concatenate([empty, *(b for _, b in parts)])


def _median_degrees(a: Vectors, b: Vectors) -> float:
    return float(np.degrees(np.median(np.arccos(np.clip((a * b).sum(-1), -1, 1)))))
