"""Images whose labels are of pixels and of the whole: a data set that a tiny network can learn."""

from pathlib import Path
from typing import Any

import numpy as np
from evaluation_toys import Little
from torch import Tensor

from mtlattack.data.writing import (
    DEPTH_LABEL,
    PreparedWriter,
    answers_label,
    classes_label,
    number_label,
    segmentation_label,
)
from mtlattack.tasks import Classification, Depth, MultiLabel, Scalar, Segmentation, Task

TASKS: dict[str, Task] = {
    "segmentation": Segmentation(3),
    "depth": Depth(),
    "classification": Classification(3),
    "multilabel": MultiLabel(2),
    "scalar": Scalar("m²"),
}


def write_whole(path: Path, count: int = 8, size: tuple[int, int] = (24, 32)) -> Path:
    """One colour fills most of an image and is its class; the scalar is its brightness, the labels what else there is.

    The second image of a split has no label of the whole.
    """
    colours = np.array([[220, 30, 30], [30, 220, 30], [30, 30, 220]], np.uint8)
    labels = {
        "segmentation": segmentation_label(3),
        "depth": DEPTH_LABEL,
        "classification": classes_label(Classification, ["red", "green", "blue"]),
        "multilabel": answers_label(["left", "dark"]),
        "scalar": number_label(Scalar("m²")),
    }
    header: dict[str, Any] = {"name": "whole", "size": size, "license": "MIT", "citation": "none"}
    with PreparedWriter(path, **header) as writer:
        for split, seed in (("train", 0), ("test", 1000)):
            writer.add_split(split, [f"{split}-{i}" for i in range(count)], labels)
            for row in range(count):
                draw = np.random.default_rng(seed + row)
                main, light, left = row % 3, draw.uniform(0.4, 1), bool(draw.integers(0, 2))
                classes = np.full(size, main)
                classes[:, : size[1] // 4 if left else 0] = (main + 1) % 3
                known = row != 1
                arrays = {
                    "image": (light * colours[classes]).astype(np.uint8),
                    "segmentation": classes.astype(np.uint8),
                    "depth": (1000 * (1 + classes)).astype(np.uint16),
                    "classification": np.array(main if known else -1, np.int16),
                    "multilabel": np.array([left, light < 0.7] if known else [-1, -1], np.int8),
                    "scalar": np.array(10 * light if known else np.nan, np.float32),
                }
                writer.write(split, row, arrays)
    return path


class Whole(Little):
    """The little network; heads of whole images see the mean feature."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.stem(images)
        pooled = features.mean(3, keepdim=True).mean(2, keepdim=True)
        return {
            name: head(features) if self.tasks[name].dense else head(pooled).flatten(1)
            for name, head in self.heads.items()
        }
