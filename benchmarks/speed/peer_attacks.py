"""The contestants: our attacks on the summed loss and those of other libraries, told to spend K gradient passes."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import adv_lib.attacks.auto_pgd as adv_lib_apgd
import foolbox
import torch
import torchattacks
from peer_models import PassCounter, SummedLossClassifier
from torch import Tensor

from mtlattack.attacks import create_attack
from mtlattack.data import Batch

PACKAGES = ("torchattacks", "foolbox", "adv-lib", "eagerpy")
_FIRST_STEP = 2.5  # × ε/K, what our PGD takes

Work = Callable[[], Tensor]


@dataclass(frozen=True)
class Job:
    """What each contestant is given: a model with its batch, as it is and as a classifier, ε, `steps` and a seed."""

    model: PassCounter
    classifier: SummedLossClassifier
    batch: Batch
    eps: float
    steps: int
    seed: int


@dataclass(frozen=True)
class Contestant:
    """An attack. `build` makes what runs it once; with K gradient passes to spend it makes K − `surplus` steps."""

    name: str
    kind: str
    build: Callable[[Job], Work]
    surplus: int = 0

    @property
    def ours(self) -> bool:
        return self.name.startswith("mtlattack")


def _ours(name: str, **options: Any) -> Callable[[Job], Work]:
    def build(job: Job) -> Work:
        attack = create_attack(name, eps=job.eps, steps=job.steps, seed=job.seed, **options)
        return lambda: attack(job.model, job.batch.images, job.batch.targets, job.batch.ids)

    return build


def _torchattacks_pgd(job: Job) -> Work:
    alpha = _FIRST_STEP * job.eps / job.steps
    attack = torchattacks.PGD(job.classifier, eps=job.eps, alpha=alpha, steps=job.steps, random_start=True)
    return lambda: attack(job.batch.images, job.classifier.labels())


def _foolbox_pgd(job: Job) -> Work:
    device = job.batch.images.device
    model = foolbox.PyTorchModel(job.classifier, bounds=(0, 1), device=device)
    attack = foolbox.attacks.LinfPGD(rel_stepsize=_FIRST_STEP / job.steps, steps=job.steps, random_start=True)
    # Calling the attack adds a forward pass that asks whether the images are fooled; `run` is the attack alone.
    return lambda: attack.run(
        model, job.batch.images, foolbox.criteria.Misclassification(job.classifier.labels()), epsilon=job.eps
    )


def _torchattacks_apgd(job: Job) -> Work:
    attack = torchattacks.APGD(job.classifier, norm="Linf", eps=job.eps, steps=job.steps, loss="ce", seed=job.seed)
    # Called, it returns the clean image of every image that is not misclassified.
    return lambda: attack.perturb(job.batch.images, job.classifier.labels(), best_loss=True)[1]


def _adv_lib_apgd(job: Job) -> Work:
    images = job.batch.images
    eps = torch.full((len(images),), job.eps, device=images.device)
    # What `apgd(…, best_loss=True)` calls; but that one forgets to hand `n_iter` on and always makes 100 steps.
    return lambda: adv_lib_apgd._apgd(
        job.classifier, images, job.classifier.labels(), eps, float("inf"), n_iter=job.steps, loss_function="ce"
    )[0]


CONTESTANTS = (
    Contestant("mtlattack pgd-total", "pgd", _ours("pgd-total")),
    Contestant("torchattacks PGD", "pgd", _torchattacks_pgd),
    Contestant("foolbox LinfPGD", "pgd", _foolbox_pgd),
    Contestant("mtlattack apgd-total", "apgd", _ours("apgd-total")),
    Contestant("mtlattack decay-total", "apgd", _ours("decay-total")),
    Contestant("APGD as published", "apgd", _ours("apgd-total", halve_steadily=False)),
    Contestant("torchattacks APGD", "apgd", _torchattacks_apgd, surplus=1),
    Contestant("adv-lib APGD", "apgd", _adv_lib_apgd, surplus=1),
)
# For time alone: as many steps as ours make, at one gradient pass more.
TIMED = (
    *CONTESTANTS,
    Contestant("torchattacks APGD, K steps", "apgd", _torchattacks_apgd),
    Contestant("adv-lib APGD, K steps", "apgd", _adv_lib_apgd),
)


def ours_of(kind: str) -> list[Contestant]:
    """Our attacks of a kind, which its peers are held against, in time the first alone."""
    return [contestant for contestant in CONTESTANTS if contestant.kind == kind and contestant.ours]


def peer_versions() -> dict[str, str]:
    """Versions of the other libraries."""
    return {name: version(name) for name in PACKAGES}
