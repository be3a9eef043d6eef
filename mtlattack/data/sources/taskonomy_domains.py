"""What the numbers in Taskonomy's files mean, and how they are stored in a prepared file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlattack.data.account import Drop
from mtlattack.data.labels import IGNORE
from mtlattack.data.sources.encode import encode_normals
from mtlattack.data.sources.files import Size, check_classes, read_gray, read_image
from mtlattack.data.sources.normals import Frame, read_normals, read_vectors, unit_normals
from mtlattack.data.writing import Label, normals_label, segmentation_label
from mtlattack.errors import InputError

Raw = NDArray[Any]
Holes = NDArray[np.bool_]

CLASSES = (
    "background", "bottle", "chair", "couch", "potted plant", "bed", "dining table", "toilet", "tv", "microwave",
    "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase",
)  # fmt: skip
"""What the numbers 1 to 17 of `segment_semantic` mean; 0 is "uncertain", which is no class but no label."""
DEPTH_LIMIT = 64_500
"""Depth from here on marks pixels where the scanned mesh has a hole."""
EDGE_CLIP, KEYPOINT_CLIP = 0.08, 0.005
"""Shares of 2¹⁶ that count as 1: edge_texture and keypoints2d are min(p / 2¹⁶, clip) / clip."""
_HOLE = "hole in the scan"
_HOLE_SHADE, _HOLE_CURVATURE = 65535, -32768


@dataclass(frozen=True)
class Domain:
    """A domain of Taskonomy: the label it becomes, and how its file is read and its numbers are turned.

    `read` gives the file's numbers, `convert` makes stored ones of those of the picked pixels; it is told the path, for
    messages, and where the mesh has holes.
    """

    label_name: str
    label: Label
    read: Callable[[Path, Size], Raw]
    convert: Callable[[Path, Raw, Holes, Drop, Drop], Raw]


def read_wide(path: Path, size: Size) -> Raw:
    """An image of one channel and 16 bits; InputError for 8."""
    raw = read_gray(path, size=size)
    if raw.dtype != np.uint16:
        raise InputError(f"{path} has 8 bits, expected 16")
    return raw


def _read_classes(path: Path, size: Size) -> Raw:
    raw = read_gray(path, size=size)
    check_classes(path, raw, len(CLASSES) + 1, IGNORE)
    return raw


def _read_colour(path: Path, size: Size) -> Raw:
    return read_image(path, size=size)


def _classes(path: Path, raw: Raw, holes: Holes, none: Drop, drop: Drop) -> Raw:
    none("uncertain", (raw == 0) | (raw == IGNORE))
    return np.where((raw == 0) | (raw == IGNORE), IGNORE, raw.astype(np.int64) - 1).astype(np.uint8)


def _distance(path: Path, raw: Raw, holes: Holes, none: Drop, drop: Drop) -> Raw:
    none(_HOLE, raw >= DEPTH_LIMIT)
    return np.where(raw < DEPTH_LIMIT, raw, 0).astype(np.uint16)


def _clipped(clip: float) -> Callable[[Path, Raw, Holes, Drop, Drop], Raw]:
    def convert(path: Path, raw: Raw, holes: Holes, none: Drop, drop: Drop) -> Raw:
        return np.rint(65535 * np.minimum(raw / 2**16, clip) / clip).astype(np.uint16)

    return convert


def _reshading(path: Path, raw: Raw, holes: Holes, none: Drop, drop: Drop) -> Raw:
    none(_HOLE, holes)
    if int(np.ptp(raw, axis=-1).max()) > 2:
        raise InputError(f"{path} has colours, expected the three channels of reshading to be equal")
    return np.where(holes, _HOLE_SHADE, raw[..., 0].astype(np.int64)).astype(np.uint16)


def _curvature(path: Path, raw: Raw, holes: Holes, none: Drop, drop: Drop) -> Raw:
    none(_HOLE, holes)
    # 127 is flat; 128 steps up and 127 down stay within [−1, 1].
    return np.where(holes[..., None], _HOLE_CURVATURE, raw[..., :2].astype(np.int64) - 127).astype(np.int16)


def _read_vectors(path: Path, size: Size) -> Raw:
    read_normals(path, size)  # A file without any is none of normals.
    return read_vectors(path, size)


def domains(frame: Frame) -> dict[str, Domain]:
    """All domains that are read besides rgb, by name; `frame` is that of `normal`."""

    def normals(path: Path, raw: Raw, holes: Holes, none: Drop, drop: Drop) -> Raw:
        none(_HOLE, holes)
        # What is a hole is told once.
        unit = unit_normals(np.where(holes[..., None], 0, raw), none=lambda rule, w: none(rule, w & ~holes), drop=drop)
        return encode_normals(frame.to_ours(unit))

    distance = Label("uint16", attributes={"scale": 1 / 512, "unit": "metre", "invalid": 0})
    heat = Label("uint16", attributes={"scale": 1 / 65535})
    shade = Label("uint16", attributes={"scale": 1 / 255, "invalid": _HOLE_SHADE})
    curvature = Label("int16", (2,), {"scale": 1 / 128, "invalid": _HOLE_CURVATURE})
    published = normals_label(derived=False, source_frame=frame.text)
    return {
        "segment_semantic": Domain("segmentation", segmentation_label(CLASSES), _read_classes, _classes),
        "depth_zbuffer": Domain("depth", distance, read_wide, _distance),
        "depth_euclidean": Domain("depth_euclidean", distance, read_wide, _distance),
        "normal": Domain("normals", published, _read_vectors, normals),
        "edge_texture": Domain("edge_texture", heat, read_wide, _clipped(EDGE_CLIP)),
        "keypoints2d": Domain("keypoints2d", heat, read_wide, _clipped(KEYPOINT_CLIP)),
        "reshading": Domain("reshading", shade, _read_colour, _reshading),
        "principal_curvature": Domain("principal_curvature", curvature, _read_colour, _curvature),
    }


NAMES = tuple(domains(Frame("x,y,z")))
"""The domains that are read besides rgb."""
