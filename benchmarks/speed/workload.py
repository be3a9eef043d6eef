"""What is measured: a named network, untrained, on one batch of random images and labels, and what runs on it."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar
from unittest.mock import patch

import torch
from t_backward import t_backward_pgd
from torch import Tensor

from mtlattack.attacks import create_attack
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.models import (
    GraphedModel,
    MultiTaskNetwork,
    PreparedModel,
    create_network,
    lower_precision,
    prepare_for_attack,
)
from mtlattack.models.prepared import frozen
from mtlattack.tasks import EdgeTexture, Task, create_task, list_tasks
from mtlattack.tasks.registry import TASKS
from mtlattack.training.recipes import load_recipe

EPS = 8 / 255
RECIPE = "rooms-resnet10t.shared"
CLASSES = 13

_LIGHT = {"head": "light", "head_width": 128}
_ATROUS = {"head": "atrous", "head_width": 256}
# Fields of a network's description; `@16` is the output stride where it is not 8.
NETWORKS: dict[str, Mapping[str, Any]] = {
    "resnet34": {"backbone": "resnet34", "output_stride": 8, **_LIGHT},
    "resnet34-atrous": {"backbone": "resnet34", "output_stride": 8, **_ATROUS},
    "zoo": load_recipe(RECIPE).network,
    **{
        f"{name}@16": {"backbone": name, "output_stride": 16, **_LIGHT} for name in ("resnet18", "resnet34", "resnet50")
    },
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One cell of a benchmark; plain values, so that it can travel to another process."""

    network: str
    tasks: int
    height: int
    width: int
    batch: int
    steps: int
    device: str
    threads: int
    seed: int

    @property
    def title(self) -> str:
        """E.g. `resnet34 T=3 120×160`."""
        return f"{self.network} T={self.tasks} {self.height}×{self.width}"

    def config(self) -> dict[str, Any]:
        """Plain JSON types; `Case(**config)` makes it again."""
        return asdict(self)


class Workload:
    """The network of a case in eval mode, its prepared copies, one batch, and the things to do with them.

    Models are made when they are first asked for: `plain` as anyone would have it, its parameters wanting gradients;
    `prepared` in float32; `search` in bfloat16; `graphed`, on a CUDA device alone.
    """

    def __init__(self, case: Case) -> None:
        torch.manual_seed(case.seed)
        torch.set_num_threads(case.threads)
        self.case = case
        self.device = torch.device(case.device)
        size = (case.height, case.width)
        self.plain: MultiTaskNetwork = create_network(_description(case)).to(self.device).eval()
        self.images = torch.rand(case.batch, 3, *size).to(self.device)
        self.targets = {
            name: _random_target(task, case.batch, size).to(self.device) for name, task in self.plain.tasks.items()
        }

    @cached_property
    def prepared(self) -> PreparedModel:
        """What the library attacks: frozen, folded, channels-last."""
        return prepare_for_attack(self.plain, self.images)

    @cached_property
    def search(self) -> PreparedModel:
        """The prepared model with weights in bfloat16."""
        return lower_precision(self.prepared)

    @cached_property
    def graphed(self) -> GraphedModel:
        """The prepared model with its passes on the batch recorded as CUDA graphs, whether that pays or not."""
        return GraphedModel(self.prepared, self.images)

    def floor(self, model: torch.nn.Module | GraphedModel, passes: int) -> Callable[[], None]:
        """So many forward passes, each with one input gradient of the summed losses."""

        def run() -> None:
            for _ in range(passes):
                image = self.images.detach().requires_grad_()
                torch.autograd.grad(self._losses(model, image), [image])

        return run

    def floor_keeping_all(self, passes: int) -> Callable[[], None]:
        """The floor of the prepared model, every map kept for the backward pass as torch's own layers keep it."""
        floor = self.floor(self.prepared, passes)

        def run() -> None:
            with patch.object(frozen, "_LARGE", sys.maxsize):
                floor()

        return run

    def countable_floor(self) -> None:
        """One pass of the floor in a form that operations can be counted of."""
        torch.autograd.backward(self._losses(self.prepared, self.images.clone().requires_grad_()))

    def countable_signsum(self) -> None:
        """One step of signsum in such a form: the losses go back one by one."""
        for loss in self._losses(self.prepared, self.images.clone().requires_grad_()):
            loss.backward(retain_graph=True)

    def forward(self, model: torch.nn.Module, passes: int) -> Callable[[], None]:
        """So many forward passes with their losses, nothing kept for a backward pass."""

        def run() -> None:
            with torch.no_grad():
                for _ in range(passes):
                    self._losses(model, self.images)

        return run

    def attack(
        self, name: str, model: torch.nn.Module | GraphedModel, steps: int, search: PreparedModel | None = None
    ) -> Callable[[], Tensor]:
        """A whole attack of so many steps; `search` gives the gradients if given."""
        attack = create_attack(name, eps=EPS, steps=steps, seed=self.case.seed)
        return lambda: attack(model, self.images, self.targets, search=search)

    def t_backward(self, steps: int) -> Callable[[], Tensor]:
        """So many steps of the T-backward formulation on the plain model, as long as those of `pgd` in 20."""
        size = 2.5 * EPS / 20
        return lambda: t_backward_pgd(self.plain, self.images, self.targets, eps=EPS, step_size=size, steps=steps)

    def _losses(self, model: torch.nn.Module | GraphedModel, images: Tensor) -> list[Tensor]:
        """One number a task, summed over the images; one forward pass."""
        predictions = model(images)
        return [task.loss(predictions[name], self.targets[name]).sum() for name, task in self.plain.tasks.items()]


@TASKS.register("map_a")
@dataclass(frozen=True)
class MapA(EdgeTexture):
    """A tenth kind, to have eleven: a network predicts each kind once."""

    kind: ClassVar[str] = "map_a"


@TASKS.register("map_b")
@dataclass(frozen=True)
class MapB(EdgeTexture):
    """An eleventh kind."""

    kind: ClassVar[str] = "map_b"


def task_kinds() -> list[str]:
    """Every kind of task of pixels that there is, those of the recipe first."""
    first = load_recipe(RECIPE).tasks
    dense = [kind for kind in list_tasks() if TASKS.get(kind).dense]
    return [*first, *(kind for kind in dense if kind not in first)]


def _description(case: Case) -> dict[str, Any]:
    if case.network not in NETWORKS:
        raise UnknownNameError("network", case.network, NETWORKS)
    kinds = task_kinds()
    if not 1 <= case.tasks <= len(kinds):
        raise InputError(f"{case.tasks} tasks, expected 1 to {len(kinds)}: {', '.join(kinds)}")
    options = {"segmentation": {"classes": CLASSES}}
    tasks = [create_task(kind, **options.get(kind, {})).config() for kind in kinds[: case.tasks]]
    return {**NETWORKS[case.network], "tasks": tasks}


def _random_target(task: Task, batch: int, size: tuple[int, int]) -> Tensor:
    """Labels without an invalid pixel: what predictions in (0, 1] say, as labels."""
    return task.as_label(1 - torch.rand(batch, task.channels, *size))
