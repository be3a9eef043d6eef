"""Small networks: a ResNet of a few thousand weights on three tasks."""

from typing import Any

import torch
from torch import Tensor

from mtlattack.models import MultiTaskNetwork, create_network
from mtlattack.tasks import Depth, Normals, Segmentation, Task

TASKS: dict[str, Task] = {task.name: task for task in (Segmentation(4), Depth(), Normals())}
TINY = {"channels": [8, 12, 16, 24], "stem_width": 8}


def tiny_config(layout: str = "shared", **fields: Any) -> dict[str, Any]:
    """A description of a network of five stages; `fields` replace or add."""
    tasks = [task.config() for task in TASKS.values()]
    return {
        "tasks": tasks, "backbone": "resnet10t", "backbone_options": TINY, "layout": layout, "head_width": 8, **fields,
    }  # fmt: skip


def tiny_network(layout: str = "shared", seed: int = 0, **fields: Any) -> MultiTaskNetwork:
    """An untrained network in eval mode."""
    torch.manual_seed(seed)
    return create_network(tiny_config(layout, **fields)).eval()


def random_images(batch: int = 2, height: int = 32, width: int = 48, seed: int = 0) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))
