"""Gradients to aggregate, made to order: no model, every loss linear in the image."""

import torch
from torch import Tensor

from mtlattack.attacks.aggregators import Aggregator
from mtlattack.attacks.gradients import TaskGradients

GRAM = ["average", "cagrad", "mgda", "nash", "pcgrad", "ta-moo", "upgrad"]


def gradients_of(gradients: Tensor, losses: Tensor | None = None, memory: dict | None = None) -> TaskGradients:
    """What an aggregator is given where ∇L_i are `[B, T, 3, H, W]` and the losses `[B, T]` (1 by default)."""
    losses = torch.ones(gradients.shape[:2]) if losses is None else losses
    image = torch.zeros_like(gradients[:, 0]).requires_grad_()
    rises = (image[:, None] * gradients).sum((2, 3, 4))
    values = losses + rises
    return TaskGradients(image, values.unbind(1), {} if memory is None else memory, lambda name, noted: None)


def direction_of(aggregator: Aggregator, gradients: Tensor, losses: Tensor | None = None) -> Tensor:
    """Its direction at a climb's first step, `[B, N]` float64."""
    return aggregator.direction(gradients_of(gradients, losses)).flatten(1).double()


def some_gradients(tasks: int, batch: int = 6, size: int = 4, spread: float = 0.5, common: float = 0.0) -> Tensor:
    """Random `[B, T, 3, H, W]`, lengths spread over orders of magnitude, more alike with `common`."""
    generator = torch.Generator().manual_seed(100 * tasks + size)
    shape = (batch, tasks, 3, size, size)
    gradients = torch.randn(shape, generator=generator) + common * torch.randn(
        (batch, 1, 3, size, size), generator=generator
    )
    return gradients * 10 ** (spread * torch.randn((batch, tasks, 1, 1, 1), generator=generator))


def unit(values: Tensor) -> Tensor:
    """Rows `[B, N]` at length 1, zeros as they are."""
    norms = values.norm(dim=1, keepdim=True)
    return values / torch.where(norms > 0, norms, 1)
