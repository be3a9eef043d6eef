"""Arithmetic image by image: choices, and norms that neither overflow nor lose small gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtlattack.lazily import torch

if TYPE_CHECKING:
    from torch import Tensor


def per_image(values: Tensor) -> Tensor:
    """One number an image, `[B]`, shaped to meet images `[B, C, H, W]`: `[B, 1, 1, 1]`."""
    return values.view(-1, 1, 1, 1)


def overwrite(images: Tensor, where: Tensor, others: Tensor) -> None:
    """Write `others` over those of `images` where `where` `[B]` is true, in place; `[B, C, H, W]` and finite both."""
    # By a product: torch.where takes several times as long on a CPU.
    weight = per_image(where.to(images.dtype))
    images.mul_(1 - weight).addcmul_(others, weight)


def norm(values: Tensor, order: float) -> Tensor:
    """The norm of each image of `[B, C, H, W]`, `[B]`, the same whatever else is in the batch."""
    # By channel first: the sum over a lone image, and over that alone, would be split over the threads.
    channels = torch.linalg.vector_norm(values.flatten(2), ord=order, dim=2)
    length: Tensor = torch.linalg.vector_norm(channels, ord=order, dim=1)
    return length


def normalise(values: Tensor, order: float) -> Tensor:
    """Each image of `[B, C, H, W]` divided by its own norm of this order; an image of zeros stays zero."""
    scaled = at_most_one(values)
    length = per_image(norm(scaled, order))
    return scaled / torch.where(length > 0, length, 1.0)


def at_most_one(values: Tensor) -> Tensor:
    """Each image of `[B, C, H, W]` divided by its largest magnitude, so that no small square is lost."""
    largest = per_image(values.abs().flatten(1).amax(1))
    return values / torch.where(largest > 0, largest, 1.0)
