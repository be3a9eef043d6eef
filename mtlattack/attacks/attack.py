"""What an attack is: called on a model and a batch, it gives images that hurt the model's tasks."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mtlattack.attacks.checks import check_ids
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.posing import posed
from mtlattack.attacks.problem import Problem
from mtlattack.attacks.threat import Threat
from mtlattack.tasks import Goal, Model, TaskMap


@dataclass(frozen=True)
class Result:
    """Adversarial images `[B, 3, H, W]`, and by name what the attack noted of each image, `[B]`."""

    images: Tensor
    diagnostics: dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Attack(ABC):
    """Called on a model and a batch, gives images that hurt the model's tasks, inside a threat.

    The result of an image depends on the image, its targets, its id and the seed: not on its batch.
    """

    threat: Threat
    seed: int = 0

    @property
    @abstractmethod
    def name(self) -> str:
        """The name that `create_attack` takes."""

    @property
    def white_box(self) -> bool:
        """Whether it follows the gradients of the model on the image that it changes."""
        return True

    @abstractmethod
    def perturb(self, problem: Problem, noise: Noise) -> Result:
        """Points inside the threat, for a problem that is checked and models that are in eval mode."""

    @abstractmethod
    def cost(self, num_tasks: int) -> Cost:
        """Forward and backward passes for each image on a model of so many tasks."""

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """Everything but name, threat and seed that `create_attack` needs to make it again; plain JSON types."""

    def goals(self, tasks: TaskMap) -> dict[str, Goal]:
        """What it leads the predictions of a model with these tasks to, by task; nothing where it leads away from the
        truth. InputError where its target does not fit them."""
        return {}

    def check_model(self, model: Model, images: Tensor) -> None:  # noqa: B027 - most look at predictions alone
        """InputError for a model that lacks what the attack looks at, with one forward pass of some images
        `[B, 3, H, W]` at most."""

    def cost_with_search(self, num_tasks: int) -> Cost:
        """The same where another model searches: what it scored and the model has not yet is scored once more."""
        return self.cost(num_tasks)

    def __call__(
        self,
        model: Model,
        images: Tensor,
        targets: Mapping[str, Tensor],
        ids: Sequence[str | int] | Tensor | None = None,
        *,
        search: Model | None = None,
    ) -> Tensor:
        """Adversarial images for `images` (`[B, 3, H, W]` float32 in [0, 1]), same shape, detached, inside the threat.

        `model` is any callable with `tasks`; an `nn.Module` runs in eval mode and is left exactly as it was.
        `targets` hold one tensor a task of the model, batch first. `ids` name the images for the random start (their
        positions by default). `search`, a cheaper copy of the model, gives the gradients in its place; which of the
        finished points is best stays the model's to say. InputError for images, targets, ids or a task that do not fit.
        """
        return self.run(model, images, targets, ids, search=search).images

    def run(
        self,
        model: Model,
        images: Tensor,
        targets: Mapping[str, Tensor],
        ids: Sequence[str | int] | Tensor | None = None,
        *,
        search: Model | None = None,
    ) -> Result:
        """As calling it, with what it noted of each image beside the adversarial images."""
        with posed(model, images, targets, search) as problem:
            self.threat.check(images)
            result = self.perturb(problem, Noise(self.seed, check_ids(ids, len(images))))
            return Result(self.threat.settle(problem.images, result.images.detach()), result.diagnostics)

    def config(self) -> dict[str, Any]:
        """What `create_attack` needs to make this attack again, defaults spelled out; plain JSON types."""
        return {"name": self.name, **self.threat.config(), "seed": self.seed, **self.options()}

    def __str__(self) -> str:
        return f"{self.name} ({self.threat})"
