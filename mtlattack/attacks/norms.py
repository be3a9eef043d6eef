"""Per-image norms that neither overflow nor lose small gradients."""

import torch
from torch import Tensor


def per_image(values: Tensor) -> Tensor:
    """One number an image, `[B]`, shaped to meet images `[B, C, H, W]`: `[B, 1, 1, 1]`."""
    return values.view(-1, 1, 1, 1)


def normalise(values: Tensor, order: float) -> Tensor:
    """Each image of `[B, C, H, W]` divided by its own norm of this order; an image of zeros stays zero."""
    # Dividing by the largest entry first keeps squares of tiny gradients from vanishing.
    largest = per_image(values.abs().flatten(1).amax(1))
    scaled = values / torch.where(largest > 0, largest, 1.0)
    norm = per_image(torch.linalg.vector_norm(scaled.flatten(1), ord=order, dim=1))
    return scaled / torch.where(norm > 0, norm, 1.0)
