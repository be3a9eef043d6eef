"""What a criterion is: other losses to take gradients of than those that count in the end."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from mtlattack.tasks import Task


@dataclass(frozen=True)
class Criterion(ABC):
    """A loss to climb in place of a task's own. Composes with any aggregator.

    The task's own still says which point is best and how tasks are balanced, unless the criterion `judges`: then its
    loss, which must be non-negative and the same at any `progress`, takes the place of the task's own in everything.
    """

    # Whether it makes sense of losses that are to fall, toward a target.
    descends: ClassVar[bool] = False
    kind: ClassVar[str]
    judges: ClassVar[bool] = False

    @abstractmethod
    def loss(self, task: Task, prediction: Tensor, target: Tensor, progress: float) -> Tensor:
        """Differentiable loss per image, `[B]`, of a climb whose share `progress` in [0, 1) is done."""
