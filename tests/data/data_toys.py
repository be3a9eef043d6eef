"""Small prepared files of random content, with a label of every kind."""

from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mtlattack.data.writing import (
    DEPTH_LABEL,
    NORMALS_LABEL,
    Label,
    PreparedWriter,
    answers_label,
    classes_label,
    number_label,
    segmentation_label,
)
from mtlattack.tasks import Classification, Scalar

SIZE = (12, 16)
CLASSES = ("wall", "floor", "lamp")
LABELS = {
    "segmentation": segmentation_label(CLASSES),
    "segmentation5": Label("uint8", attributes={"classes": 5, "ignore": 255}),
    "depth": DEPTH_LABEL,
    "normals": NORMALS_LABEL,
    "edge_texture": Label("uint16", attributes={"scale": 1 / 1000}),
    "keypoints2d": Label("uint16", attributes={"scale": 1 / 2000}),
    "depth_euclidean": Label("uint16", attributes={"scale": 1 / 512, "unit": "metre", "invalid": 0}),
    "inverse_depth": Label("uint16", attributes={"scale": 1e-4, "unit": "1/metre", "invalid": 0}),
    "reshading": Label("uint16", attributes={"scale": 1 / 255, "invalid": 65535}),
    "principal_curvature": Label("int16", (2,), {"scale": 1 / 128, "invalid": -32768}),
    "classification": classes_label(Classification, ("kitchen", "hall", "bath", "attic")),
    "multilabel": answers_label(3),
    "scalar": number_label(Scalar("m²")),
}

Arrays = dict[str, np.ndarray[Any, Any]]


def toy_arrays(seed: int) -> Arrays:
    """One image with all labels in the stored form, some pixels unlabelled in each."""
    draw = np.random.default_rng(seed)
    normals = draw.normal(size=(*SIZE, 3))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    arrays: Arrays = {
        "image": draw.integers(0, 256, (*SIZE, 3)).astype(np.uint8),
        "segmentation": draw.integers(0, 3, SIZE).astype(np.uint8),
        "segmentation5": draw.integers(0, 5, SIZE).astype(np.uint8),
        "depth": draw.integers(500, 9000, SIZE).astype(np.uint16),
        "normals": np.rint(normals * 127).astype(np.int8),
        "edge_texture": draw.integers(0, 1001, SIZE).astype(np.uint16),
        "keypoints2d": draw.integers(0, 2001, SIZE).astype(np.uint16),
        "depth_euclidean": draw.integers(500, 64500, SIZE).astype(np.uint16),
        "inverse_depth": draw.integers(1, 9000, SIZE).astype(np.uint16),
        "reshading": draw.integers(0, 256, SIZE).astype(np.uint16),
        "principal_curvature": draw.integers(-127, 129, (*SIZE, 2)).astype(np.int16),
        "classification": np.array(draw.integers(-1, 4), np.int16),
        "multilabel": draw.integers(-1, 2, 3).astype(np.int8),
        "scalar": np.array(draw.choice([np.nan, 2.5, 30.0], p=[0.2, 0.4, 0.4]), np.float32),
    }
    arrays["segmentation"][0] = arrays["segmentation5"][1] = 255
    arrays["depth"][2] = arrays["normals"][3] = arrays["depth_euclidean"][4] = arrays["inverse_depth"][5] = 0
    arrays["reshading"][6], arrays["principal_curvature"][7] = 65535, -32768
    return arrays


def toy_ids(count: int, split: str) -> list[str]:
    return [f"{split}-{number}" for number in range(count)]


def write_toy(path: Path, count: int = 5, compression: int = 4) -> Path:
    """A prepared file of `count` training images and `count` test images."""
    header: dict[str, Any] = {"name": "toy", "size": SIZE, "license": "MIT", "citation": "none"}
    with PreparedWriter(path, **header, compression=compression) as writer:
        for first, split in ((0, "train"), (1000, "test")):
            writer.add_split(split, toy_ids(count, split), LABELS)
            for row in range(count):
                writer.write(split, row, toy_arrays(first + row))
    return path


def count_reads(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, Any]]:
    """From here on, how often each place of each data set of any file is read, by `(name, place)`."""
    reads: Counter[tuple[str, Any]] = Counter()
    read = h5py.Dataset.__getitem__

    def counting(stored: h5py.Dataset, place: Any, *more: Any) -> Any:
        reads[stored.name, place if isinstance(place, int) else str(place)] += 1
        return read(stored, place, *more)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counting)
    return reads
