"""An attack: threat × aggregator × step rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mtlattack.attacks.aggregators import Aggregator
from mtlattack.attacks.checks import check_ids, check_images, check_targets, tasks_of
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.guard import undisturbed
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.objective import Model, Objective
from mtlattack.attacks.steps import StepRule
from mtlattack.attacks.threat import Threat


@dataclass(frozen=True)
class Attack:
    """Called on a model and a batch, gives images that hurt the model's tasks; named `<step>-<aggregator>`.

    The result of an image depends on the image, its targets, its id and the seed: not on its batch.
    """

    threat: Threat
    aggregator: Aggregator
    step: StepRule
    seed: int = 0

    @property
    def name(self) -> str:
        """E.g. `apgd-dgba` or `pgd-single:depth`."""
        return f"{self.step.kind}-{self.aggregator.name}"

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
        tasks = tasks_of(model)
        check_images(images)
        check_targets(tasks, targets, len(images))
        noise = Noise(self.seed, check_ids(ids, len(images)))
        with torch.inference_mode(False), torch.enable_grad(), undisturbed(model), undisturbed(search):
            truth = {name: _plain(targets[name].to(images.device)) for name in tasks}
            objective = Objective(model, tasks, truth, self.aggregator, search)
            ball = self.threat.ball(images.clone().detach())
            return self.step.run(objective, ball, noise).detach()

    def cost(self, num_tasks: int) -> Cost:
        """Forward and backward passes for each image on a model of so many tasks."""
        return self.step.cost(self.aggregator.backward_passes(num_tasks))

    def cost_with_search(self, num_tasks: int) -> Cost:
        """The same where another model searches: what it scored and the model has not yet is scored once more."""
        cost = self.cost(num_tasks)
        return Cost(cost.forward + self.step.searched_points, cost.backward)

    def config(self) -> dict[str, Any]:
        """What `create_attack` needs to make this attack again, defaults spelled out; plain JSON types."""
        return {
            "name": self.name,
            "norm": self.threat.norm,
            "eps": float(self.threat.eps),
            "seed": self.seed,
            **self.step.config(self.threat.eps),
        }

    def __str__(self) -> str:
        return f"{self.name} ({self.threat})"


def _plain(tensor: Tensor) -> Tensor:
    """A tensor made in inference mode cannot be saved for a backward pass; its copy can."""
    return tensor.clone() if tensor.is_inference() else tensor.detach()
