"""APGD of other libraries on a multi-task model, as attacks of ours: their steps, our images, judge and evidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import ClassVar

import adv_lib.attacks.auto_pgd as adv_lib_apgd
import torch
import torchattacks
from peer_models import PassCounter, SummedLossClassifier, choose_scale, summed_losses
from torch import Tensor, nn

from mtlattack.attacks import create_aggregator
from mtlattack.attacks.attack import Result
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.problem import Problem
from mtlattack.attacks.standalone import ATTACKS, StandaloneAttack
from mtlattack.tasks import LOSS_FLOOR, Task

# By what factor the loss of the worst clean image may grow; `check_never_flipped` says so if it grew more.
HEADROOM = 100.0


class _InProportion:
    """A task whose loss is divided by that of the clean image, `[B]`."""

    def __init__(self, task: Task, clean: Tensor) -> None:
        self.task, self.clean = task, clean

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        return self.task.loss(prediction, target) / self.clean


class _Relative(nn.Module):
    """A model with its tasks in proportion to their clean losses."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        clean = Objective(problem, create_aggregator("total")).losses(problem.images).clamp_min(LOSS_FLOOR)
        self.model = problem.model
        pairs = zip(problem.tasks.items(), clean.unbind(1), strict=True)
        self.tasks = {name: _InProportion(task, own) for (name, task), own in pairs}

    def forward(self, images: Tensor) -> Mapping[str, Tensor]:
        return self.model(images)


@dataclass(frozen=True, kw_only=True)
class PeerAttack(StandaloneAttack):
    """APGD on a classifier (`SummedLossClassifier`) whose cross entropy is the mean relative loss of the model."""

    norms: ClassVar[tuple[str, ...]] = ("linf",)

    steps: int = 100
    """Gradient passes: both take one before the first step."""

    def perturb(self, problem: Problem, noise: Noise) -> Result:
        counter = PassCounter(_Relative(problem))  # type: ignore[arg-type]
        with torch.no_grad():
            clean = summed_losses(counter, problem.images, problem.targets)
        classifier = SummedLossClassifier(counter, problem.targets, choose_scale(clean, HEADROOM))
        with torch.enable_grad():
            points = self.search(classifier, problem.images)
        classifier.check_never_flipped()
        return Result(self.threat.ball(problem.images).project(points.detach()), {})

    def search(self, classifier: SummedLossClassifier, images: Tensor) -> Tensor:
        """What the library finds."""
        raise NotImplementedError

    def cost(self, num_tasks: int) -> Cost:
        return Cost(self.steps + 1, self.steps)


@ATTACKS.register("torchattacks-apgd")
@dataclass(frozen=True, kw_only=True)
class TorchattacksAPGD(PeerAttack):
    """`torchattacks.APGD`, which is that of AutoAttack."""

    kind: ClassVar[str] = "torchattacks-apgd"

    def search(self, classifier: SummedLossClassifier, images: Tensor) -> Tensor:
        attack = torchattacks.APGD(
            classifier, norm="Linf", eps=self.threat.eps, steps=self.steps - 1, loss="ce", seed=self.seed
        )
        # Called, it returns the clean image of every image that is not misclassified.
        return attack.perturb(images, classifier.labels(), best_loss=True)[1]


@ATTACKS.register("adv-lib-apgd")
@dataclass(frozen=True, kw_only=True)
class AdvLibAPGD(PeerAttack):
    """APGD of adversarial-library."""

    kind: ClassVar[str] = "adv-lib-apgd"

    def search(self, classifier: SummedLossClassifier, images: Tensor) -> Tensor:
        eps = torch.full((len(images),), self.threat.eps, device=images.device)
        # What `apgd(…, best_loss=True)` calls; but that one forgets to hand `n_iter` on and always makes 100 steps.
        return adv_lib_apgd._apgd(
            classifier, images, classifier.labels(), eps, float("inf"), n_iter=self.steps - 1, loss_function="ce"
        )[0]


NAMES = [TorchattacksAPGD.kind, AdvLibAPGD.kind]
VERSIONS = {name: version(name) for name in ("torchattacks", "adv-lib")}
