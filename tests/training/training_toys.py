"""A tiny data set that a tiny network can learn, and the recipe for it."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from mtlattack.data import Batch
from mtlattack.data.writing import DEPTH_LABEL, NORMALS_LABEL, PreparedWriter, segmentation_label
from mtlattack.models import MultiTaskNetwork, create_network
from mtlattack.tasks import Segmentation, create_task

SIZE = (24, 32)
RECIPE = """
name = "toy"
data = "{data}"
tasks = ["segmentation", "depth", "normals"]
epochs = 2
batch_size = 4
precision = "float32"
{more}

[network]
backbone = "resnet10t"
backbone_options = {{ channels = [8, 8, 8, 8], stem_width = 8{options} }}
output_stride = 16
head_width = 8
"""


def write_data(path: Path, count: int = 10) -> Path:
    """Images whose colours tell class, depth and normals; a frame of invalid labels around them."""
    colours = np.array([[220, 30, 30], [30, 220, 30], [30, 30, 220]], np.uint8)
    normals = np.array([[0, 0, -127], [127, 0, 0], [0, 127, 0]], np.int8)
    labels = {"segmentation": segmentation_label(["a", "b", "c"]), "depth": DEPTH_LABEL, "normals": NORMALS_LABEL}
    header: dict[str, Any] = {"name": "toy", "size": SIZE, "license": "MIT", "citation": "none"}
    with PreparedWriter(path, **header) as writer:
        writer.add_split("train", [f"image-{i}" for i in range(count)], labels)
        for row in range(count):
            draw = np.random.default_rng(row)
            classes = np.kron(draw.integers(0, 3, (3, 4)), np.ones((8, 8), int))
            arrays = {
                "image": colours[classes] - draw.integers(0, 30, (*SIZE, 3)).astype(np.uint8),
                "segmentation": classes.astype(np.uint8),
                "depth": (1000 * (classes + 1)).astype(np.uint16),
                "normals": normals[classes],
            }
            for name, invalid in (("segmentation", 255), ("depth", 0), ("normals", 0)):
                arrays[name][[0, -1]] = invalid
            writer.write("train", row, arrays)
    return path


def write_recipe(folder: Path, data: Path, more: str = "", options: str = "") -> str:
    """Path of a recipe; `more` replaces or adds fields, `options` adds backbone options."""
    lines = RECIPE.format(data=data, more="", options=options).splitlines()
    replaced = {line.partition("=")[0].strip() for line in more.splitlines()}
    kept = [line for line in lines if line.partition("=")[0].strip() not in replaced]
    path = folder / "recipe.toml"
    path.write_text("\n".join([*more.splitlines(), *kept]))
    return str(path)


def toy_network() -> MultiTaskNetwork:
    """An untrained network for the toy data."""
    torch.manual_seed(0)
    config = {"backbone": "resnet10t", "backbone_options": {"channels": [8, 8, 8, 8], "stem_width": 8}}
    tasks = [Segmentation(classes=3), create_task("depth"), create_task("normals")]
    return create_network({**config, "output_stride": 16, "head_width": 8, "tasks": [t.config() for t in tasks]})


def toy_batch(count: int = 4) -> Batch:
    """Random images with random labels."""
    draw = torch.Generator().manual_seed(1)
    normals = torch.nn.functional.normalize(torch.randn(count, 3, *SIZE, generator=draw), dim=1)
    targets = {
        "segmentation": torch.randint(0, 3, (count, *SIZE), generator=draw),
        "depth": 1 + torch.rand(count, *SIZE, generator=draw),
        "normals": normals,
    }
    return Batch([f"image-{i}" for i in range(count)], torch.rand(count, 3, *SIZE, generator=draw), targets)
