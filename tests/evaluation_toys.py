"""A tiny untrained network, models that misbehave, and evidence made by hand."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from mtlattack.analysis import Run
from mtlattack.evidence import Evidence, Outcome
from mtlattack.models import MultiTaskNetwork, create_network
from mtlattack.tasks import Task, TaskMap

TINY = {
    "backbone": "resnet10t",
    "backbone_options": {"channels": [8, 8, 16, 16], "stem_width": 8},
    "output_stride": 16,
    "head_width": 8,
}


def tiny_network(tasks: TaskMap, seed: int = 0) -> MultiTaskNetwork:
    """An untrained network, the same for the same seed, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return create_network({"tasks": [task.config() for task in tasks.values()], **TINY}).eval()


class Little(nn.Module):
    """A convolution, a batch norm and a head a task: what a runner needs of a network, made ready in no time."""

    def __init__(self, tasks: TaskMap, seed: int = 0) -> None:
        super().__init__()
        self.tasks = tasks
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
            self.heads = nn.ModuleDict({name: nn.Conv2d(8, task.channels, 1) for name, task in tasks.items()})
        self.eval()

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.stem(images)
        return {name: head(features) for name, head in self.heads.items()}


def every_fourth_pixel(source: Path, path: Path) -> Path:
    """A copy of a prepared file with a quarter of its rows and columns."""
    shutil.copy(source, path)
    with h5py.File(path, "r+") as file:
        for side in ("height", "width"):
            file.attrs[side] //= 4
        for split in file.values():
            for name, stored in list(split.items()):
                if stored.ndim > 1:
                    values, attributes = stored[:, ::4, ::4], dict(stored.attrs)
                    del split[name]
                    split.create_dataset(name, data=values).attrs.update(attributes)
    return path


# Calls before the first batch: two images and their negatives, one by one, by the copy that is compared with and by the
# folded one, and torch.fx's trace between; then a batch twice, two of its images alone, and one for its gradient.
PREPARING = 14


@dataclass
class Calls:
    """Counts the calls of a model and of all its copies; call number `fail_at` is to fail."""

    count: int = 0
    fail_at: int = -1

    def __deepcopy__(self, memo: object) -> "Calls":
        return self


class Fickle(nn.Module):
    """Counts its calls, raises when told so, and predicts NaN for task `spoil` on images that were attacked."""

    def __init__(self, network: MultiTaskNetwork | Little, fail_at: int = -1, spoil: str = "") -> None:
        super().__init__()
        self.network, self.tasks, self.spoil = network, network.tasks, spoil
        self.calls = Calls(fail_at=fail_at)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        self.calls.count += 1
        if self.calls.count == self.calls.fail_at:
            raise RuntimeError("out of patience")
        predictions: dict[str, Tensor] = self.network(images)
        if self.spoil and _attacked(images):
            predictions[self.spoil] = torch.full_like(predictions[self.spoil], torch.nan)
        return predictions


def _attacked(images: Tensor) -> bool:
    """Whether some image is off the 256 grey levels: no clean image is."""
    levels = images * 255
    return bool((levels - levels.round()).abs().max() > 0.1)


def outcome(losses: ArrayLike, **statistics: ArrayLike) -> Outcome:
    """An outcome `[N, T]` with statistics by task `[N, S]`."""
    loss_array = np.asarray(losses, np.float64)
    images = len(loss_array)
    arrays = {name: np.asarray(values, np.float64) for name, values in statistics.items()}
    return Outcome(loss_array, arrays, np.zeros((images, 4)), np.full((images, 3), np.nan), np.zeros(images))


def random_outcome(tasks: TaskMap, images: int, rng: np.random.Generator, factor: float = 1.0) -> Outcome:
    """What a network might do; errors and losses grow with `factor`."""
    statistics = {}
    for name, task in tasks.items():
        values = rng.uniform(1, 2, (images, len(task.statistics_names))) * factor
        values[:, 0] = 100
        statistics[name] = values
    return outcome(rng.uniform(0.5, 2, (images, len(tasks))) * factor, **statistics)


def hand_evidence(
    tasks: Sequence[Task], clean: Outcome, attacked: Mapping[str, Outcome], eps: Sequence[float] = (4 / 255,)
) -> Run:
    """A finished run whose outcomes are given, the attacks by name, each once for every ε."""
    configs: list[dict[str, Any]] = [{"name": name, "norm": "linf", "eps": e} for e in eps for name in attacked]
    plan = {
        "suite": {"name": "quick", "version": 1, "overrides": {}},
        "model": {"name": "nyuv2-resnet10t.separate", "sha256": "0" * 64, "parameters": 1234567},
        "data": {"name": "rooms", "split": "test", "images": len(clean.losses), "fingerprint": "1" * 64},
        "tasks": [task.config() for task in tasks],
        "attacks": [{"config": config, "forward_passes": 11, "backward_passes": 10} for config in configs],
        "seed": 0,
        "batch_size": 16,
        "environment": {"device": "cpu"},
    }
    ids = [f"{i:04d}" for i in range(len(clean.losses))]
    by_name = {task.name: task for task in tasks}
    return Run(plan, {"started": "now"}, ids, by_name, clean, [attacked[config["name"]] for config in configs])


def assert_equal(evidence: Evidence, expected: Evidence) -> None:
    """Every number of two runs to the last bit."""
    pairs = zip([evidence.clean, *evidence.attacked], [expected.clean, *expected.attacked], strict=True)
    for one, other in pairs:
        np.testing.assert_array_equal(one.losses, other.losses)
        np.testing.assert_array_equal(one.perturbation, other.perturbation)
        for name, values in one.statistics.items():
            np.testing.assert_array_equal(values, other.statistics[name])
