"""Weighted sums whose weights depend on what came before in the climb."""

from abc import abstractmethod
from dataclasses import dataclass

from torch import Tensor

from mtlattack.attacks.aggregators.base import LinearAggregator
from mtlattack.attacks.gradients import Memory, TaskGradients


@dataclass(frozen=True, kw_only=True)
class RememberingAggregator(LinearAggregator):
    """Σ_i w_i ∇L_i in one backward pass, w made of the losses now and of what is kept in the climb's memory."""

    @abstractmethod
    def next_weights(self, losses: Tensor, memory: Memory) -> Tensor:
        """Weights `[B, T]` for this step from its losses `[B, T]`; keeps in `memory` what the next step needs."""

    def weights(self, losses: Tensor) -> Tensor:
        """The weights of a climb's first step."""
        return self.next_weights(losses, {})

    def direction(self, gradients: TaskGradients) -> Tensor:
        return gradients.weighted(self.next_weights(gradients.losses, gradients.memory))
