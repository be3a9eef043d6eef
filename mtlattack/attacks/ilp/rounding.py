"""From a mixture of the tasks to a step: its signs, on the best pixels of each region."""

import torch
from torch import Tensor


def thresholds(worth: Tensor, budgets: tuple[int, ...]) -> Tensor:
    """Between the k_r-th largest and the next of each region's pixels, from `[B, R, S]` to `[B, R]`.

    0 where a region's budget is 0 or its size S.
    """
    most = min(max(budgets) + 1, worth.shape[2])
    best = worth.topk(most, 2).values
    budget = torch.tensor(budgets, device=worth.device)
    last = (budget - 1).clamp_min(0)[:, None].expand(len(worth), -1, 1)
    between = (best.gather(2, last) + best.gather(2, (last + 1).clamp_max(most - 1)))[..., 0] / 2
    return torch.where((budget > 0) & (budget < worth.shape[2]), between, 0)


def chosen(worth: Tensor, budgets: tuple[int, ...] | None) -> Tensor:
    """Which are the k_r largest of each region's pixels, the first ones of equals, `[B, R, S]` booleans."""
    if budgets is None:
        return torch.ones_like(worth, dtype=torch.bool)
    order = worth.argsort(dim=2, descending=True, stable=True)
    rank = torch.arange(worth.shape[2], device=worth.device)
    best = (rank < torch.tensor(budgets, device=worth.device)[:, None]).expand_as(order)
    return torch.zeros_like(best).scatter(2, order, best)
