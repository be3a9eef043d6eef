"""What is measured: one network on one batch, attacks, and the passes that they are held against."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from mtlattack.attacks import Attack, create_attack
from mtlattack.errors import InputError
from mtlattack.models import create_network
from mtlattack.tasks import Segmentation, Task, create_task
from mtlattack.training.recipes import load_recipe

EPS = 8 / 255


@dataclass(frozen=True)
class Case:
    """One cell of the benchmark; plain values, so that it can travel to another process."""

    recipe: str
    backbone: str | None
    tasks: int
    classes: int
    height: int
    width: int
    batch: int
    steps: int
    device: str
    threads: int
    seed: int

    @property
    def title(self) -> str:
        """E.g. `T=3 120×160`."""
        return f"T={self.tasks} {self.height}×{self.width}"

    def config(self) -> dict[str, Any]:
        """Plain JSON types; `Case(**config)` makes it again."""
        return asdict(self)


class Workload:
    """The network of a case, frozen and in eval mode, one batch, and the things to do with them."""

    def __init__(self, case: Case) -> None:
        torch.manual_seed(case.seed)
        torch.set_num_threads(case.threads)
        self.case = case
        self.device = torch.device(case.device)
        self.model = create_network(_network_config(case)).to(self.device).eval().requires_grad_(False)
        size = (case.height, case.width)
        self.images = torch.rand(case.batch, 3, *size).to(self.device)
        self.targets = {
            name: _random_target(task, case.batch, size).to(self.device) for name, task in self.model.tasks.items()
        }

    def attack(self, name: str) -> Attack:
        """The attack by name, at the case's number of steps."""
        return create_attack(name, eps=EPS, steps=self.case.steps, seed=self.case.seed)

    def attacking(self, name: str) -> Callable[[], None]:
        """What runs the whole attack on the batch."""
        attack = self.attack(name)

        def run() -> None:
            attack(self.model, self.images, self.targets)

        return run

    def forward(self) -> None:
        """One forward pass with its losses, nothing kept for a backward pass."""
        with torch.no_grad():
            self._loss(self.images)

    def forward_backward(self) -> None:
        """The floor: one forward pass and one input gradient of the summed losses."""
        image = self.images.detach().requires_grad_()
        torch.autograd.grad(self._loss(image), [image])

    def floor_passes(self) -> None:
        """As many floor passes as the attacks have steps."""
        for _ in range(self.case.steps):
            self.forward_backward()

    def synchronise(self) -> None:
        """Wait for the device: until then nothing has been measured."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()

    def _loss(self, images: Tensor) -> Tensor:
        predictions = self.model(images)
        losses = [task.loss(predictions[name], self.targets[name]).sum() for name, task in self.model.tasks.items()]
        return torch.stack(losses).sum()


def _network_config(case: Case) -> Mapping[str, Any]:
    """The recipe's network on the first tasks that the recipe names; another backbone takes its own widths."""
    recipe = load_recipe(case.recipe)
    if not 1 <= case.tasks <= len(recipe.tasks):
        raise InputError(f"recipe {case.recipe} has {len(recipe.tasks)} tasks, {case.tasks} were asked for")
    kinds = recipe.tasks[: case.tasks]
    tasks = [create_task(kind, **({"classes": case.classes} if kind == "segmentation" else {})) for kind in kinds]
    other = {"backbone": case.backbone, "backbone_options": {}} if case.backbone else {}
    return {**recipe.network, **other, "tasks": [task.config() for task in tasks]}


def _random_target(task: Task, batch: int, size: tuple[int, int]) -> Tensor:
    """Labels without an invalid pixel: classes, metres, unit vectors, or values in [0, 1]."""
    if isinstance(task, Segmentation):
        return torch.randint(task.classes, (batch, *size))
    if task.kind == "normals":
        return torch.nn.functional.normalize(torch.randn(batch, 3, *size), dim=1)
    values = torch.rand(batch, *size)
    return 0.5 + 9.5 * values if task.kind == "depth" else values
