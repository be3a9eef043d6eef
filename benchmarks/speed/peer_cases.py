"""What is attacked: a network on one batch of images, with all that a contestant needs."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from peer_attacks import Contestant, Job, Work
from peer_models import PassCounter, SummedLossClassifier, choose_scale, summed_losses
from torch import Tensor

from mtlattack.data import Batch, load_dataset, loader
from mtlattack.models import PreparedModel, create_model, create_network, prepare_for_attack
from mtlattack.tasks import create_task

TRAINED = "rooms-resnet10t.shared"
LARGER = "resnet34"
_LARGER_BATCH, _LARGER_SIZE, _LARGER_CLASSES = 8, (120, 160), 13


@dataclass(frozen=True)
class Setting:
    """What holds for every contestant: K gradient passes (≥ 2), ε, head-room of S, seed."""

    passes: int
    eps: float
    headroom: float
    seed: int


@dataclass(frozen=True)
class Passes:
    """Forward and backward passes of one attack, counted."""

    forward: int
    backward: int

    def __str__(self) -> str:
        return f"{self.forward}+{self.backward}"


class Arena:
    """One prepared model and one batch, on which every contestant runs under the same setting."""

    def __init__(self, prepared: PreparedModel, batch: Batch, setting: Setting) -> None:
        self.prepared, self.batch, self.setting = prepared, batch, setting
        self._model = PassCounter(prepared)
        self.clean = self.losses(batch.images)
        scale = choose_scale(self.clean, setting.headroom)
        self.classifier = SummedLossClassifier(self._model, batch.targets, scale)

    def first_image(self) -> "Arena":
        """The same with the first image alone."""
        targets = {name: target[:1] for name, target in self.batch.targets.items()}
        return Arena(self.prepared, Batch(self.batch.ids[:1], self.batch.images[:1], targets), self.setting)

    def losses(self, images: Tensor) -> Tensor:
        """Summed loss of each image, `[B]` float64."""
        with torch.no_grad():
            return summed_losses(self._model, images, self.batch.targets)

    def cross_entropy_error(self) -> float:
        """How far S times the cross entropy of a clean image is from its summed loss, at most, relative."""
        with torch.no_grad():
            logits = self.classifier(self.batch.images)
        values = torch.nn.functional.cross_entropy(logits, self.classifier.labels(), reduction="none")
        return float((values.double() * self.classifier.scale / self.clean - 1).abs().max())

    def work(self, contestant: Contestant) -> Work:
        """What runs the contestant once."""
        steps = self.setting.passes - contestant.surplus
        job = Job(self._model, self.classifier, self.batch, self.setting.eps, steps, self.setting.seed)
        return contestant.build(job)

    def count(self, work: Work) -> Passes:
        """The passes that the work spends."""
        forwards, backwards = self._model.forwards, self._model.backwards
        work()
        return Passes(self._model.forwards - forwards, self._model.backwards - backwards)


def trained_arenas(images: int, batch_size: int, setting: Setting, device: torch.device) -> Iterator[Arena]:
    """The shipped model on the first `images` test images of rooms, batch by batch."""
    model = create_model(TRAINED)
    prepared: PreparedModel | None = None
    for batch in loader(load_dataset("rooms", split="test", tasks=model.tasks, limit=images), batch_size):
        here = batch.to(device)
        prepared = prepared or prepare_for_attack(model, here.images)
        yield Arena(prepared, here, setting)


def larger_arena(setting: Setting, device: torch.device) -> Arena:
    """An untrained dilated ResNet-34 with three tasks on random images: for time, which does not ask for strength."""
    torch.manual_seed(setting.seed)
    tasks = [create_task("segmentation", classes=_LARGER_CLASSES), create_task("depth"), create_task("normals")]
    config = {"backbone": LARGER, "output_stride": 8, "head": "light", "head_width": 48}
    model = create_network({**config, "tasks": [task.config() for task in tasks]})
    shape = (_LARGER_BATCH, *_LARGER_SIZE)
    images = torch.rand(_LARGER_BATCH, 3, *_LARGER_SIZE)
    targets = {
        "segmentation": torch.randint(_LARGER_CLASSES, shape),
        "depth": 0.5 + 9.5 * torch.rand(shape),
        "normals": torch.nn.functional.normalize(torch.randn(_LARGER_BATCH, 3, *_LARGER_SIZE), dim=1),
    }
    batch = Batch([str(i) for i in range(_LARGER_BATCH)], images, targets).to(device)
    return Arena(prepare_for_attack(model, batch.images), batch, setting)
