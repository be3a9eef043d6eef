"""MIN-MAX: the weights go to the tasks that are hurt least."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.aggregators.remembering import RememberingAggregator
from mtlattack.attacks.gradients import Memory
from mtlattack.attacks.options import check_number, check_positive


@AGGREGATORS.register("minmax")
@dataclass(frozen=True, kw_only=True)
class MinMax(RememberingAggregator):
    """Ascend Σ_i w_i r_i of the relative losses r_i = L_i(x')/L_i(x) while w descends it on the simplex:
    w ← Π(w − (r + γ(w − 1/T))/β), from w = 1/T (APGDA: Wang et al. 2021, arXiv 1906.03563, alg. 1; Guo et al. 2025).

    The score is the least r_i. `beta` is one over the step of w, `gamma` holds w near equal weights. A task whose loss
    is zero, as on an image without its labels, counts as absent there. One backward pass a step, one more forward pass
    a run.
    """

    kind: ClassVar[str] = "minmax"
    ascends_only: ClassVar[str] = "it favours the tasks whose losses have risen least, here those nearest their targets"
    relative_to_clean: ClassVar[bool] = True

    beta: float = 40.0
    gamma: float = 3.5

    def __post_init__(self) -> None:
        check_positive("beta", self.beta)
        check_number("gamma", self.gamma, 0)

    def next_weights(self, losses: Tensor, memory: Memory) -> Tensor:
        present = losses > 0
        equal = present / present.sum(1, keepdim=True).clamp_min(1)
        before = memory.get("minmax weights", equal)
        memory["minmax weights"] = now = onto_simplex(
            before - (losses + self.gamma * (before - equal)) / self.beta, present
        )
        return now

    def score(self, losses: Tensor) -> Tensor:
        least = torch.where(losses > 0, losses, torch.inf).amin(1)
        return torch.where(least.isfinite(), least, 0.0)


def onto_simplex(values: Tensor, present: Tensor) -> Tensor:
    """The nearest point of {w ≥ 0, Σw = 1} to each row of `[B, T]`, zero where `present` is false; zeros where nothing
    is present. Exact, by sorting (Held, Wolfe & Crowder 1974)."""
    kept = torch.where(present, values, -torch.inf)
    # A shift changes nothing but how much of large values is lost to rounding.
    top = kept.amax(1, keepdim=True)
    kept = kept - torch.where(top.isfinite(), top, 0.0)
    falling = kept.sort(1, descending=True).values
    counts = torch.arange(1, values.shape[1] + 1, device=values.device)
    excess = (torch.where(falling.isfinite(), falling, 0.0).cumsum(1) - 1) / counts
    support = (falling > excess).sum(1, keepdim=True)
    threshold = excess.gather(1, (support - 1).clamp_min(0))
    return (kept - threshold).clamp_min(0)
