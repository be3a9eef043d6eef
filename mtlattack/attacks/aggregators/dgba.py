"""DGBA: dynamic gradient balancing."""

from typing import ClassVar

from torch import Tensor

from mtlattack.attacks.aggregators.base import NEAREST_FIRST, LinearAggregator, log_score
from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.tasks import LOSS_FLOOR


@AGGREGATORS.register("dgba")
class DynamicGradientBalancing(LinearAggregator):
    """Ascend the mean relative loss change: weights 1/L_i of the current losses (Zhang et al., arXiv 2305.12066).

    The paper's integer program max_δ δᵀ Σ_i ∇L_i/L_i over δ_j ∈ {−ε, 0, ε} has the closed form ε·sign(Σ_i ∇L_i/L_i),
    and Σ_i ∇L_i/L_i = ∇ Σ_i log L_i, which is the score.
    """

    kind: ClassVar[str] = "dgba"
    ascends_only: ClassVar[str] = NEAREST_FIRST

    def weights(self, losses: Tensor) -> Tensor:
        return 1 / losses.clamp_min(LOSS_FLOOR)

    def score(self, losses: Tensor) -> Tensor:
        return log_score(losses)
