"""What combines gradients by their inner products alone: T×T numbers an image, whatever its size."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from mtlattack.attacks.aggregators.base import Aggregator, log_score
from mtlattack.attacks.gradients import TaskGradients
from mtlattack.attacks.norms import norm
from mtlattack.tasks import LOSS_FLOOR

# A sum this much shorter than its longest part is what rounding left of parts that cancel: it points nowhere.
_CANCELLED = 1e-6


@dataclass(frozen=True, kw_only=True)
class GramAggregator(Aggregator):
    """Σ_i w_i g_i, the weights a function of the Gram matrix ⟨g_i, g_j⟩ of an image; T backward passes a step.

    The g_i are *relative* gradients ∇L_i/L_i = ∇ log L_i, so that no task dominates by its unit, and what is ascended,
    the score, is Σ_i log L_i. Papers state these methods for plain gradients of losses that share a scale. A task
    without gradient on an image counts as absent there. Parts that cancel but for rounding give zero.
    """

    @abstractmethod
    def weights(self, gram: Tensor, gradients: TaskGradients) -> Tensor:
        """Weights `[B, T]` of the relative gradients, of any common scale, from their Gram matrix `[B, T, T]`
        (float64, the longest gradient of an image has length 1, one that is zero has a row and column of zeros)."""

    def direction(self, gradients: TaskGradients) -> Tensor:
        units, lengths = unit_gradients(gradients.stacked(), gradients.losses)
        cosines = inner_products(units)
        longest = lengths.amax(1, keepdim=True)
        lengths = lengths / torch.where(longest > 0, longest, 1.0)
        gram = cosines * lengths[:, :, None] * lengths[:, None]
        parts = self.weights(gram, gradients) * lengths
        largest = parts.abs().amax(1, keepdim=True)
        parts = parts / torch.where(largest > 0, largest, 1.0)
        squared = (parts[:, :, None] * cosines * parts[:, None]).sum((1, 2))
        parts = parts * (squared > _CANCELLED**2)[:, None]
        return combined(parts.to(device=units.device, dtype=units.dtype), units)

    def score(self, losses: Tensor) -> Tensor:
        return log_score(losses)

    def backward_passes(self, num_tasks: int) -> int:
        return num_tasks


def unit_gradients(stacked: Tensor, losses: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients `[B, T, 3, H, W]` divided by their l2 norms, zeros where they are zero, and the norms of the relative
    gradients ∇L_i/L_i `[B, T]`, float64: neither a tiny nor a huge gradient is lost."""
    largest = stacked.abs().flatten(2).amax(2)
    scaled = stacked / torch.where(largest > 0, largest, 1.0)[..., None, None, None]
    norms = norm(scaled.flatten(0, 1), 2).view_as(largest)
    units = scaled / torch.where(norms > 0, norms, 1.0)[..., None, None, None]
    return units, exact(largest) * exact(norms) / exact(losses).clamp_min(LOSS_FLOOR)


def inner_products(units: Tensor) -> Tensor:
    """⟨u_i, u_j⟩ of `[B, T, 3, H, W]`, `[B, T, T]` float64, rounded for each image as if it were alone."""
    tasks = units.shape[1]
    rows = [exact(units[:, i]) for i in range(tasks)]
    # Row sums first: a reduction to a single number would be split among threads by how many images there are.
    pairs = {(i, j): (rows[i] * rows[j]).sum(3).flatten(1).sum(1) for i in range(tasks) for j in range(i + 1)}
    return torch.stack([torch.stack([pairs[max(i, j), min(i, j)] for j in range(tasks)], 1) for i in range(tasks)], 1)


def combined(parts: Tensor, gradients: Tensor) -> Tensor:
    """Σ_i p_i g_i for `[B, T]` and `[B, T, 3, H, W]`, task by task in a fixed order."""
    total = torch.zeros_like(gradients[:, 0])
    for i in range(gradients.shape[1]):
        total = torch.addcmul(total, parts[:, i, None, None, None], gradients[:, i])
    return total


def unit_diagonal(gram: Tensor) -> tuple[Tensor, Tensor]:
    """The matrix of cosines `[B, T, T]`, 1 on its diagonal also where a gradient is zero, and 1/length `[B, T]`, zero
    where the length is."""
    squared = gram.diagonal(dim1=1, dim2=2)
    inverse = torch.where(squared > 0, squared, 1.0).rsqrt() * (squared > 0)
    cosines = gram * inverse[:, :, None] * inverse[:, None]
    return cosines + torch.diag_embed(1 - cosines.diagonal(dim1=1, dim2=2)), inverse


def exact(values: Tensor) -> Tensor:
    """As float64, on the host where the device has none: Apple's MPS."""
    return (values.cpu() if values.device.type == "mps" else values).double()
