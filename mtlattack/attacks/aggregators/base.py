"""What an aggregator is: T losses become one direction of ascent, and one score an image."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from torch import Tensor

from mtlattack.attacks.cost import Cost
from mtlattack.attacks.gradients import TaskGradients
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.problem import Problem
from mtlattack.tasks import LOSS_FLOOR, Model


@dataclass(frozen=True, kw_only=True)
class Aggregator(ABC):
    """How the losses of the tasks it looks at are balanced against each other, image by image.

    The dataclass fields of an aggregator are the options that it takes, all but `task`, which is part of its name.
    """

    kind: ClassVar[str]
    needs_task: ClassVar[bool] = False
    # Threat norms that it is made for; None: any.
    norms: ClassVar[tuple[str, ...] | None] = None
    # Whether it sees L_i(x')/L_i(x) in place of the losses L_i(x'): one forward pass more a run.
    relative_to_clean: ClassVar[bool] = False
    # Whether it sees them in proportion to the losses at which tasks have no skill left, `constants.lost_at`.
    relative_to_constant: ClassVar[bool] = False
    # Whether it balances losses of tasks, which a criterion can change and a threshold can be set for.
    looks_at_tasks: ClassVar[bool] = True
    # Whether the clean image has no gradient, so that a climb must start elsewhere.
    flat_at_clean: ClassVar[bool] = False
    # Why its descent leads to no target; empty where `-direction` and `-score` do.
    ascends_only: ClassVar[str] = "it is stated for losses that rise"

    @property
    def name(self) -> str:
        """The name that `create_aggregator` takes."""
        return self.kind

    @classmethod
    def why_no_target(cls) -> str:
        """The reason why it leads to no target; empty where it does."""
        return cls.ascends_only if cls.looks_at_tasks else "it looks at no task"

    @property
    def opening(self) -> Cost:
        """Passes before the first gradient, for what the clean images are compared by."""
        return Cost(int(self.relative_to_clean), 0)

    def tasks(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those of a model's tasks that it looks at (T of them); the others cost no backward pass."""
        return tuple(names)

    def problem(self, problem: Problem, noise: Noise) -> Problem:
        """What it sees of the problem: all of it as it is, unless it looks at something else than the tasks.

        What is drawn for that belongs to an image: it comes from `noise`.
        """
        return problem

    def check_model(self, model: Model, images: Tensor) -> None:  # noqa: B027 - most look at predictions alone
        """InputError for a model that lacks what it looks at, with one forward pass of some images at most."""

    def config(self) -> dict[str, Any]:
        """Its options, plain JSON types."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "task"}

    @abstractmethod
    def score(self, losses: Tensor) -> Tensor:
        """What it ascends, from losses `[B, T]` to `[B]`: by this the best point and the best restart are kept."""

    @abstractmethod
    def direction(self, gradients: TaskGradients) -> Tensor:
        """The direction of ascent, `[B, 3, H, W]`; its length has no meaning."""

    @abstractmethod
    def backward_passes(self, num_tasks: int) -> int:
        """Backward passes a step for a model of so many tasks."""


NEAREST_FIRST = "its weights 1/L grow without bound for the task that arrives first, and the others are forgotten"


class LinearAggregator(Aggregator):
    """A weighted sum of the task gradients: one backward pass of Σ_i w_i L_i, whatever the number of tasks."""

    @abstractmethod
    def weights(self, losses: Tensor) -> Tensor:
        """Weights `[B, T]` from detached losses `[B, T]`, per image."""

    def direction(self, gradients: TaskGradients) -> Tensor:
        return gradients.weighted(self.weights(gradients.losses))

    def backward_passes(self, num_tasks: int) -> int:
        return 1


def log_score(losses: Tensor) -> Tensor:
    """Σ_i log L_i, `[B, T]` to `[B]`: no task can dominate by its scale."""
    return losses.clamp_min(LOSS_FLOOR).log().sum(1)
