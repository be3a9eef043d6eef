"""TA-MOO: the shortest combination of the gradients, drawn toward tasks that are not hurt enough yet."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.aggregators.gram import GramAggregator, exact
from mtlattack.attacks.aggregators.nonnegative import shortest
from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.gradients import TaskGradients
from mtlattack.attacks.options import check_number
from mtlattack.tasks import LOSS_FLOOR


@AGGREGATORS.register("ta-moo")
@dataclass(frozen=True, kw_only=True)
class TaskOriented(GramAggregator):
    """argmin ‖Σ w_i g_i‖² + γ‖w − u‖² over w ≥ 0, Σw = 1 (Bui et al. 2023, arXiv 2304.13229), u equal on the tasks that
    are not achieved yet and zero on the others; equal on all where all are.

    ‖w − u‖² is what the paper's two terms ask for: little weight on achieved tasks, equal weight on the rest. There a
    task is achieved when the image is misclassified; a dense task has no such point, so here it is once its loss is
    more than 1 + `goal` times that at the start of the climb. The longest g_i of an image has length 1, which gives
    `gamma` its unit. The paper takes ten gradient steps on a softmax's logits a step; this is the minimum itself.
    T backward passes a step.
    """

    kind: ClassVar[str] = "ta-moo"
    ascends_only: ClassVar[str] = "it favours the tasks whose losses have risen least, here those nearest their targets"

    gamma: float = 1.0
    goal: float = 1.0

    def __post_init__(self) -> None:
        check_number("gamma", self.gamma, 0)
        check_number("goal", self.goal, 0)

    def weights(self, gram: Tensor, gradients: TaskGradients) -> Tensor:
        losses = exact(gradients.losses)
        start = gradients.memory.setdefault("ta-moo start", losses)
        present = gram.diagonal(dim1=1, dim2=2) > 0
        open_tasks = present & (losses <= (1 + self.goal) * start.clamp_min(LOSS_FLOOR))
        wanted = torch.where(open_tasks.any(1, keepdim=True), open_tasks, present).to(gram)
        wanted = wanted / wanted.sum(1, keepdim=True).clamp_min(1)
        # On the simplex ‖w − u‖² is quadratic in w: the Gram matrix of the vectors e_i − u.
        apart = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device) - wanted[:, None]
        pull = (apart[:, :, None] * apart[:, None]).sum(3) * (present[:, :, None] & present[:, None])
        return shortest(gram + self.gamma * pull)
