"""Who takes part in a transfer: models made ready, each as far as the data have labels for its tasks."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from mtlattack.data import Batch
from mtlattack.errors import InputError
from mtlattack.evaluation.calls import compare_calls
from mtlattack.evaluation.crafting import no_autocast
from mtlattack.evaluation.environment import describe_model
from mtlattack.evaluation.preparation import Preparation, prepare
from mtlattack.models import Layout, networks_in
from mtlattack.tasks import Model, TaskMap


@dataclass(frozen=True)
class Party:
    """A model by its name: `tasks` are those of it that the data have labels for, `description` is for the plan."""

    name: str
    tasks: TaskMap
    prepared: Preparation
    description: dict[str, Any]
    calls: dict[str, Any] | None
    networks: int = 1

    def targets(self, batch: Batch) -> dict[str, Tensor]:
        """Labels of its own tasks alone."""
        return {name: batch.targets[name] for name in self.tasks}


class _Restricted:
    """A model that is asked for some of its tasks, and shown images in the size that it takes."""

    def __init__(self, model: Model, tasks: TaskMap, size: tuple[int, int] | None) -> None:
        self.model, self.tasks, self.size = model, tasks, size

    def __call__(self, images: Tensor) -> Mapping[str, Tensor]:
        return self._back(self.model(self._shown(images)), images)

    def shared_features(self, images: Tensor) -> Tensor:
        """Those of the images as it is shown them; InputError if it has none."""
        return self.model.shared_features(self._shown(images))  # type: ignore[attr-defined,no-any-return]

    def with_shared_features(self, images: Tensor) -> tuple[Mapping[str, Tensor], Any]:
        """Predictions in the images' size, and the features that they come from; InputError if it cannot say."""
        predictions, features = self.model.with_shared_features(self._shown(images))  # type: ignore[attr-defined]
        return self._back(predictions, images), features

    def _shown(self, images: Tensor) -> Tensor:
        return images if self.size is None else resized(images, self.size)

    def _back(self, predictions: Mapping[str, Tensor], images: Tensor) -> Mapping[str, Tensor]:
        if self.size is None:
            return predictions
        size = tuple(images.shape[-2:])
        # Of the whole image there is nothing to be brought back.
        return {name: resized(value, size) if value.ndim == 4 else value for name, value in predictions.items()}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


def resized(values: Tensor, size: tuple[int, ...]) -> Tensor:
    """`[B, C, H, W]` in another size, bilinear, differentiable."""
    return F.interpolate(values, size=list(size), mode="bilinear", align_corners=False)


def join(name: str, model: Model, labelled: TaskMap, first: Batch, resize: bool) -> Party:
    """A model made ready with some of its images.

    InputError for one none of whose tasks is `labelled`, and unless `resize` for one that takes (`input_size`) another
    size than the images have.
    """
    tasks = {task: each for task, each in model.tasks.items() if labelled.get(task) == each}
    if not tasks:
        raise InputError(f"{name} predicts {', '.join(model.tasks)}; of none of these the data have labels")
    height, width = first.images.shape[-2:]
    size = getattr(model, "input_size", None)
    size = None if size is None or tuple(size) == (height, width) else (int(size[0]), int(size[1]))
    if size is not None and not resize:
        raise InputError(
            f"{name} takes images of {size[0]}x{size[1]}, the data are {height}x{width}: "
            "let it be shown them in its own size with --resize, or leave it out"
        )
    with naming(name), no_autocast(first.images.device):
        shown = first if size is None else replace(first, images=resized(first.images, size))
        prepared = prepare(model, shown, "float32")
        if size is not None or len(tasks) < len(model.tasks):
            seen: Any = _Restricted(prepared.judge, tasks, size)
            prepared = replace(prepared, judge=seen, search=seen)
        calls = compare_calls(prepared.judge, first.images, {task: first.targets[task] for task in tasks})
    description = describe_model(model, name) | {"tasks": list(tasks), "sharing": _sharing(model, list(tasks))}
    networks = networks_in(model)
    description |= ({"input_size": list(size)} if size else {}) | ({"networks": networks} if networks > 1 else {})
    return Party(name, tasks, prepared, description, calls, networks)


def common_tasks(parties: Iterable[Party]) -> TaskMap:
    """The tasks that all of them have, in the order of the first; InputError where there is none."""
    parties = list(parties)
    common = {name: task for name, task in parties[0].tasks.items() if all(p.tasks.get(name) == task for p in parties)}
    if not common:
        what = "; ".join(f"{party.name}: {', '.join(party.tasks)}" for party in parties)
        raise InputError(f"the models have no task in common that the data have labels for ({what})")
    return common


def left_out(models: Mapping[str, Model], common: TaskMap) -> list[str]:
    """What does not count, a sentence a model."""
    rest = {name: [task for task in model.tasks if task not in common] for name, model in models.items()}
    why = "not all models predict it, or the data have no label for it"
    return [f"{', '.join(tasks)} of {name}: {why}" for name, tasks in rest.items() if tasks]


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Which model a mistake is about."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def _sharing(model: Model, tasks: list[str]) -> dict[str, Any] | None:
    """The layout, and by pair of tasks the share of the stages that both have in common; None where there is none."""
    layout = getattr(model, "layout", None)
    if not isinstance(layout, Layout):
        return None
    depth = [[layout.separation(one, other) / layout.stages for other in tasks] for one in tasks]
    return {"layout": str(layout), "degree": layout.sharing_degree, "depth": depth}
