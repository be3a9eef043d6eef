"""What a criterion is: other losses to take gradients of than those that count in the end."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from mtlattack.tasks import Task


@dataclass(frozen=True)
class Criterion(ABC):
    """A loss to climb in place of a task's own, which still says which point is best. Composes with any aggregator."""

    kind: ClassVar[str]

    @abstractmethod
    def loss(self, task: Task, prediction: Tensor, target: Tensor, progress: float) -> Tensor:
        """Differentiable loss per image, `[B]`, of a climb whose share `progress` in [0, 1) is done."""
