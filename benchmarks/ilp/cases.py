"""Real gradients, and the programs over them that are solved."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtlattack.attacks.ilp import Program
from mtlattack.data import join_batches, load_dataset
from mtlattack.errors import InputError
from mtlattack.models import create_model

CELLS = 8
# Those that the dual solver leaves room to improve on: the offline mode takes part.
BUDGETED = ("sparse 10 %", "sparse 200", "regional 16 of 64", "regional 2 of 64")


def relative_gains(name: str, data: str | Path, count: int, size: tuple[int, int], eps: float, seed: int) -> Tensor:
    """∇L_i/L_i `[N, T, 3, H, W]` of a zoo model's tasks at random points of the ε-balls around the first test images,
    the middle `size` of each. InputError if the images are smaller."""
    model = create_model(name).eval()
    images = load_dataset(data, "test", tasks=model.tasks, limit=count)
    parts = []
    generator = torch.Generator().manual_seed(seed)
    for i in range(len(images)):
        batch = join_batches([images[i]])
        noise = 2 * torch.rand(batch.images.shape, generator=generator) - 1
        point = (batch.images + eps * noise).clamp(0, 1).requires_grad_()
        predictions = model(point)
        losses = [task.loss(predictions[kind], batch.targets[kind]).log().sum() for kind, task in model.tasks.items()]
        parts.append(torch.stack([torch.autograd.grad(loss, point, retain_graph=True)[0] for loss in losses], 1))
    gains = torch.cat(parts)
    height, width = gains.shape[3:]
    if height < size[0] or width < size[1]:
        raise InputError(f"images of {name} are {height}×{width}, smaller than {size[0]}×{size[1]}")
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    return gains[..., top : top + size[0], left : left + size[1]].contiguous()


def kinds(tasks: int, size: tuple[int, int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and options of the programs for so many tasks; regions are the cells of an 8 × 8 raster."""
    rows, columns = (np.arange(length) * CELLS // length for length in size)
    raster = rows[:, None] * CELLS + columns
    pixels = size[0] * size[1]
    cell = pixels // CELLS**2
    yield "max–min", {}
    yield "protected", {"protected": tuple(i == 0 for i in range(tasks))}
    yield BUDGETED[0], {"budgets": (round(0.1 * pixels),)}
    yield BUDGETED[1], {"budgets": (min(200, pixels),)}
    yield BUDGETED[2], {"budgets": (max(1, cell // 4),) * CELLS**2, "regions": raster}
    yield BUDGETED[3], {"budgets": (max(1, cell // 32),) * CELLS**2, "regions": raster}


def programs(gains: Tensor) -> Iterator[tuple[str, Program]]:
    """Every kind of program over these gains."""
    for name, options in kinds(gains.shape[1], (gains.shape[3], gains.shape[4])):
        yield name, Program(gains=gains, **options)


def images_of(program: Program, rows: slice) -> Program:
    """The same program for some of its images."""
    return Program(
        gains=program.gains[rows],
        objective=program.objective,
        budgets=program.budgets,
        regions=program.regions,
        protected=program.protected,
    )
