"""WGD: plain gradients weighted by how far each loss has come."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.aggregators.remembering import RememberingAggregator
from mtlattack.attacks.gradients import Memory
from mtlattack.tasks import LOSS_FLOOR


@AGGREGATORS.register("wgd")
@dataclass(frozen=True, kw_only=True)
class WeightedGradient(RememberingAggregator):
    """Follow Σ_i ρ_i ∇L_i with ρ_i = L̃_i / mean_j L̃_j, L̃_i = L_i/L_i(start of the climb) (Ghamizi et al. 2022,
    arXiv 2110.15053).

    Taken literally, as here, it favours the tasks hurt most already, against its stated aim: see wgd-inverse. The ρ_i
    are free of units but multiply plain gradients, so as for total the task with the largest ones dominates, and the
    score is Σ_i L_i. One backward pass a step.
    """

    kind: ClassVar[str] = "wgd"

    def next_weights(self, losses: Tensor, memory: Memory) -> Tensor:
        rates = self.rates(losses, memory)
        return rates / rates.mean(1, keepdim=True)

    def rates(self, losses: Tensor, memory: Memory) -> Tensor:
        """L̃_i `[B, T]`; 1 at the start of a climb, and for a loss that is and stays zero."""
        losses = losses.clamp_min(LOSS_FLOOR)
        return losses / memory.setdefault("wgd start", losses)

    def score(self, losses: Tensor) -> Tensor:
        return losses.sum(1)


@AGGREGATORS.register("wgd-inverse")
@dataclass(frozen=True, kw_only=True)
class InverseWeightedGradient(WeightedGradient):
    """As wgd with 1/ρ_i in place of ρ_i, again of mean 1: favours the tasks that are hurt least, WGD's stated aim."""

    kind: ClassVar[str] = "wgd-inverse"

    def rates(self, losses: Tensor, memory: Memory) -> Tensor:
        return 1 / super().rates(losses, memory)
