"""What an attack climbs: one model on one batch, seen through an aggregator."""

from collections.abc import Collection, Mapping
from typing import Protocol

import torch
from torch import Tensor

from mtlattack.attacks.aggregators.base import Aggregator
from mtlattack.attacks.checks import check_predictions
from mtlattack.attacks.constants import lost_at
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.criteria.base import Criterion
from mtlattack.attacks.gradients import Memory, TaskGradients
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.problem import Problem
from mtlattack.errors import InputError
from mtlattack.tasks import LOSS_FLOOR, Model, Task, mean_loss, predict


class View(Protocol):
    """Another look at the images, differentiable, and the way back for what the model says of it."""

    def image(self, points: Tensor) -> Tensor:
        """What the model is shown, `[B, 3, H, W]`."""

    def prediction(self, prediction: Tensor) -> Tensor:
        """A prediction `[B, channels, H, W]` for that, aligned with the image as it was."""


class Objective:
    """The aggregated losses of a problem as a function of the images.

    `diagnostics` collects, for each image `[B]`, the largest value of what was noted: `vanished` is 1 where the first
    gradient of a climb was zero. `noise` is what an aggregator draws from for its images (by default as for seed 0 and
    their positions).
    """

    def __init__(
        self,
        problem: Problem,
        aggregator: Aggregator,
        criterion: Criterion | None = None,
        noise: Noise | None = None,
    ) -> None:
        self._problem = aggregator.problem(problem, noise or Noise(0, range(len(problem.images))))
        self._aggregator, self._criterion = aggregator, criterion
        tasks = self._problem.tasks
        self._tasks = {name: tasks[name] for name in aggregator.tasks(list(tasks))}
        # What the clean losses do not take is spent by now.
        self._forward = aggregator.opening.forward - aggregator.relative_to_clean
        self._backward = aggregator.opening.backward
        self._memory: Memory = {}
        self._step, self._steps = 0, 1
        self.diagnostics: dict[str, Tensor] = {}
        self._unit: Tensor | None = None
        if aggregator.relative_to_clean:
            self._unit = self.losses(self._problem.images).clamp_min(LOSS_FLOOR)
        elif aggregator.relative_to_constant:
            self._unit = lost_at(self._tasks, problem.targets)

    @property
    def spent(self) -> Cost:
        """Passes so far."""
        return Cost(self._forward, self._backward)

    @property
    def flat_at_clean(self) -> bool:
        """Whether the clean image has no gradient to follow."""
        return self._aggregator.flat_at_clean

    def begin(self, steps: int, memory: Memory | None = None) -> None:
        """A climb of so many gradient passes starts: what was remembered of the last one is forgotten, unless it goes
        on with a `memory`, which it then adds to."""
        self._memory, self._step, self._steps = {} if memory is None else memory, 0, steps

    def gradient(self, points: Tensor, view: View | None = None) -> tuple[Tensor, Tensor]:
        """Score `[B]` and direction of ascent `[B, 3, H, W]` at `points`, both as the search sees them, through a view
        if there is one: one forward pass, and what the aggregator says in backward passes."""
        losses, direction = self.ascent(points, view)
        return self._aggregator.score(losses), direction

    def ascent(self, points: Tensor, view: View | None = None) -> tuple[Tensor, Tensor]:
        """As `gradient`, with the losses `[B, T]` in place of their score."""
        losses, gradients = self._look(points, view)
        direction = self._aggregator.direction(gradients)
        self._looked(gradients, direction)
        return losses, direction

    def task_gradients(self, points: Tensor) -> Tensor:
        """∇L_i of each task that the aggregator looks at, `[B, T, 3, H, W]`, as the search sees them: one forward and T
        backward passes."""
        _, gradients = self._look(points, None)
        stacked = gradients.stacked()
        self._looked(gradients, stacked)
        return stacked

    def score(self, points: Tensor) -> Tensor:
        """Score `[B]` at `points` by the model itself: one forward pass."""
        return self._aggregator.score(self.losses(points))

    def losses(self, points: Tensor) -> Tensor:
        """Losses `[B, T]` of the tasks that the aggregator looks at, by the model itself: one forward pass."""
        with torch.no_grad():
            return stack(self._losses(self._predict(self._problem.model, points)))

    def judged(self, points: Tensor, score: Tensor) -> Tensor:
        """The model's own score `[B]` at points to which the search gave `score`: nothing to do where both are one."""
        return score if self._problem.search is self._problem.model else self.score(points)

    def _look(self, points: Tensor, view: View | None) -> tuple[Tensor, TaskGradients]:
        """Losses `[B, T]`, and the gradients to be had of what is followed."""
        with torch.enable_grad():
            image = points.detach().requires_grad_()
            predictions = self._predict(self._problem.search, image, view)
            losses = self._losses(predictions)
            followed = self._criticised(predictions, losses)
            return stack(losses), TaskGradients(image, followed, self._memory, self._note)

    def _looked(self, gradients: TaskGradients, directions: Tensor) -> None:
        """Count what the look has spent, and note where the first of a climb had no direction."""
        self._backward += gradients.passes
        if self._step == 0:
            self._note("vanished", (~directions.flatten(1).any(1)).float())
        self._step += 1

    def _predict(self, model: Model, image: Tensor, view: View | None = None) -> Mapping[str, Tensor]:
        self._forward += 1
        predictions = predict(model, image if view is None else view.image(image))
        check_predictions(predictions, self._tasks)
        # One head that is cut off is a finding, and its gradient zero; a model without any is a mistake.
        if image.requires_grad and not any(prediction.requires_grad for prediction in predictions.values()):
            raise InputError("no loss has a gradient: the model is not differentiable in its images")
        return {name: predictions[name] if view is None else view.prediction(predictions[name]) for name in self._tasks}

    def _losses(self, predictions: Mapping[str, Tensor]) -> list[Tensor]:
        targets, batch = self._problem.targets, len(self._problem.images)
        if self._criterion is not None and self._criterion.judges:
            losses = self._by(self._criterion, predictions)
        else:
            losses = [task.loss(predictions[name], targets[name]) for name, task in self._tasks.items()]
        for name, loss in zip(self._tasks, losses, strict=True):
            if loss.shape != (batch,):
                raise InputError(f"{name}: loss has shape {tuple(loss.shape)}, expected one an image: ({batch},)")
        return self._in_proportion(losses)

    def _criticised(self, predictions: Mapping[str, Tensor], losses: list[Tensor]) -> list[Tensor]:
        """The losses whose gradients are followed: those that judge, or what a criterion makes of them."""
        if self._criterion is None or self._criterion.judges:
            return losses
        return self._in_proportion(self._by(self._criterion, predictions))

    def _by(self, criterion: Criterion, predictions: Mapping[str, Tensor]) -> list[Tensor]:
        targets, progress = self._problem.targets, self._step / self._steps

        def of(name: str, task: Task) -> Tensor:
            def loss(each: Task, prediction: Tensor) -> Tensor:
                return criterion.loss(each, prediction, targets[name], progress)

            return mean_loss(task, predictions[name], loss)

        return [of(name, task) for name, task in self._tasks.items()]

    def _in_proportion(self, losses: list[Tensor]) -> list[Tensor]:
        """To the losses of the clean image or of a constant answer, where the aggregator wants them so."""
        if self._unit is None:
            return losses
        return [loss / unit for loss, unit in zip(losses, self._unit.unbind(1), strict=True)]

    def _note(self, name: str, values: Tensor) -> None:
        known = self.diagnostics.get(name)
        self.diagnostics[name] = values if known is None else torch.maximum(known, values)


class Descent(Objective):
    """The same, upside down: what a step rule climbs here leads the losses down, to a target's labels.

    The losses of the tasks that are `kept` count as those of the clean image while they are below: they are not to
    rise, and nothing is spent on making them fall. For these it takes a forward pass more, unless the aggregator does.
    """

    def __init__(
        self,
        problem: Problem,
        aggregator: Aggregator,
        criterion: Criterion | None = None,
        noise: Noise | None = None,
        *,
        kept: Collection[str] = (),
    ) -> None:
        self._floors: dict[str, Tensor] = {}
        super().__init__(problem, aggregator, criterion, noise)
        held = [name for name in self._tasks if name in kept]
        if held:
            clean = self.losses(self._problem.images) if self._unit is None else torch.ones_like(self._unit)
            self._floors = {name: clean[:, place] for place, name in enumerate(self._tasks) if name in held}

    def ascent(self, points: Tensor, view: View | None = None) -> tuple[Tensor, Tensor]:
        """Losses `[B, T]`, and the direction in which the aggregator says that they fall."""
        losses, direction = super().ascent(points, view)
        return losses, -direction

    def gradient(self, points: Tensor, view: View | None = None) -> tuple[Tensor, Tensor]:
        """Minus the aggregator's score, and the direction in which it falls."""
        score, direction = super().gradient(points, view)
        return -score, direction

    def score(self, points: Tensor) -> Tensor:
        """Minus the aggregator's score `[B]`, by the model itself."""
        return -super().score(points)

    def _in_proportion(self, losses: list[Tensor]) -> list[Tensor]:
        losses = super()._in_proportion(losses)
        floors = [self._floors.get(name) for name in self._tasks]
        # Not `maximum`, which at the clean image passes half of the gradient.
        return [
            loss if floor is None else torch.where(loss > floor, loss, floor)
            for loss, floor in zip(losses, floors, strict=True)
        ]


def stack(losses: list[Tensor]) -> Tensor:
    """Values of T losses `[B]`, `[B, T]`, cut off from the graph."""
    return torch.stack([loss.detach().float() for loss in losses], 1)
