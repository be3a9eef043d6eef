"""What an attack climbs: one model on one batch, seen through an aggregator."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from mtlattack.attacks.aggregators.base import Aggregator
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.gradients import TaskGradients
from mtlattack.errors import InputError
from mtlattack.tasks import Task

Model = Callable[[Tensor], Mapping[str, Tensor]]


class Objective:
    """The aggregated losses of `model` against `targets` (one a task, batch first) as a function of the images.

    `search` gives the gradients: the model itself, or a cheaper copy of it whose scores only guide the climb.
    """

    def __init__(
        self,
        model: Model,
        tasks: Mapping[str, Task],
        targets: Mapping[str, Tensor],
        aggregator: Aggregator,
        search: Model | None = None,
    ) -> None:
        self._model, self._search = model, model if search is None else search
        self._aggregator = aggregator
        self._tasks = {name: tasks[name] for name in aggregator.tasks(list(tasks))}
        self._targets = targets
        self._forward = self._backward = 0

    @property
    def spent(self) -> Cost:
        """Passes so far."""
        return Cost(self._forward, self._backward)

    def gradient(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Score `[B]` and direction of ascent `[B, 3, H, W]` at `points`, both as the search sees them: one forward
        pass, and what the aggregator says in backward passes."""
        with torch.enable_grad():
            image = points.detach().requires_grad_()
            gradients = TaskGradients(image, self._losses(self._search, image))
        direction = self._aggregator.direction(gradients)
        self._backward += gradients.passes
        return self._aggregator.score(gradients.losses), direction

    def score(self, points: Tensor) -> Tensor:
        """Score `[B]` at `points` by the model itself: one forward pass."""
        with torch.no_grad():
            losses = self._losses(self._model, points)
            return self._aggregator.score(torch.stack([loss.float() for loss in losses], 1))

    def judged(self, points: Tensor, score: Tensor) -> Tensor:
        """The model's own score `[B]` at points to which the search gave `score`: nothing to do where both are one."""
        return score if self._search is self._model else self.score(points)

    def _losses(self, model: Model, image: Tensor) -> list[Tensor]:
        self._forward += 1
        predictions = model(image)
        missing = [name for name in self._tasks if name not in predictions]
        if missing:
            raise InputError(f"the model predicts {', '.join(predictions)}, not its task {missing[0]!r}")
        losses = [task.loss(predictions[name], self._targets[name]) for name, task in self._tasks.items()]
        for name, loss in zip(self._tasks, losses, strict=True):
            if loss.shape != image.shape[:1]:
                raise InputError(f"{name}: loss has shape {tuple(loss.shape)}, expected one an image: ({len(image)},)")
        return losses
