"""A vision model's frozen features as a table of related tasks: what a whole image is about, from pooled features."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mtlattack.data import Batch, PreparedDataset, load_dataset, loader
from mtlattack.errors import InputError
from mtlattack.models import MultiTaskNetwork, resolve_model
from mtlattack.poisoning.losses import Array
from mtlattack.poisoning.tasks import Kind, TaskSet, make_tasks
from mtlattack.tasks import Depth, InverseDepth, Segmentation, Task, undisturbed

_BATCH = 16
_LEAST_SHARE = 0.05
"""Of the images: a class that fills more or less of fewer makes no task."""


@dataclass(frozen=True)
class Scenes:
    """Images with pooled features `[N, C]` and labels of the whole image by task `[N]`."""

    kind: Kind
    features: Array
    labels: dict[str, Array]

    def tasks(self) -> TaskSet:
        """Every task over all images."""
        points = [(self.features, labels) for labels in self.labels.values()]
        return make_tasks(self.kind, points, list(self.labels), [np.arange(len(self.features))] * len(points))


def scene_tasks(data: str, model: str, splits: Sequence[str], kind: Kind, limit: int | None = None) -> TaskSet:
    """Tasks of whole images, on a model's features: see `read_scenes`; data and model by name or path; of several
    splits the tasks that all of them have."""
    network = shared_network(model)
    labelled = {name: task for name, task in network.tasks.items() if isinstance(task, _LABELLED)}
    if len(set(splits)) < len(splits):
        raise InputError(f"splits {', '.join(splits)}, expected each once")
    parts = [read_scenes(network, load_dataset(data, each, tasks=labelled, limit=limit), kind) for each in splits]
    names = [name for name in parts[0].labels if all(name in part.labels for part in parts)]
    labels = {name: np.concatenate([part.labels[name] for part in parts]) for name in names}
    return Scenes(kind, np.concatenate([part.features for part in parts]), labels).tasks()


def shared_network(model: str) -> MultiTaskNetwork:
    """The model, in eval mode; InputError for one without features that its tasks share."""
    network, name = resolve_model(model)
    if not isinstance(network, MultiTaskNetwork):
        raise InputError(f"{name} is a {type(network).__name__}, expected a network of ours with shared features")
    return network.eval()


_LABELLED: tuple[type[Task], ...] = (Segmentation, Depth, InverseDepth)


def read_scenes(network: MultiTaskNetwork, dataset: PreparedDataset, kind: Kind) -> Scenes:
    """Pooled features of all images, and labels: of numbers each depth's mean and the share of every class that at
    least 5 % of the images show; of classes, for every class that fills most of at least 5 % of the images and not of
    all but 5 %, whether it does. InputError where no such task is left."""
    pooled, shares, means = [], [], {name: [] for name in _depths(dataset)}  # type: ignore[var-annotated]
    segmentation = next((t for t in dataset.tasks.values() if isinstance(t, Segmentation)), None)
    with undisturbed(network), torch.no_grad():
        for batch in _batches(dataset):
            pooled.append(pool(network, batch.images).double().numpy())
            for name, of_images in means.items():
                of_images.append(_mean_depth(batch.targets[name]))
            if segmentation is not None:
                shares.append(_class_shares(batch.targets[segmentation.name], segmentation))
    labels = {f"mean {name}": np.concatenate(found) for name, found in means.items()} if kind is Kind.REGRESSION else {}
    if segmentation is not None:
        names = dataset.class_names(segmentation.name) or [str(c) for c in range(segmentation.classes)]
        labels |= _class_labels(np.concatenate(shares), names, kind)
    if not labels:
        raise InputError(f"{dataset.name} {dataset.split}: no {kind} of whole images in these labels")
    known = np.isfinite(np.column_stack(list(labels.values()))).all(1)
    features = np.concatenate(pooled)
    return Scenes(kind, features[known], {name: values[known] for name, values in labels.items()})


def pool(network: MultiTaskNetwork, images: Tensor) -> Tensor:
    """Means over the pixels of the deepest feature that all tasks share, `[B, C]`."""
    return network.shared_features(images).mean((2, 3))


def _depths(dataset: PreparedDataset) -> list[str]:
    return [name for name, task in dataset.tasks.items() if isinstance(task, Depth | InverseDepth)]


def _batches(dataset: PreparedDataset) -> Iterator[Batch]:
    yield from loader(dataset, _BATCH)


def _mean_depth(target: Tensor) -> Array:
    """Over the valid pixels, `[B]`; NaN without any."""
    valid = target.isfinite() & (target > 0)
    sums = torch.where(valid, target, 0).double().sum((1, 2))
    return (sums / valid.sum((1, 2))).numpy()


def _class_shares(target: Tensor, task: Segmentation) -> Array:
    """Of the labelled pixels, `[B, classes]`."""
    counts = torch.stack([(target == c).sum((1, 2)) for c in range(task.classes)], 1).double()
    return (counts / counts.sum(1, keepdim=True)).numpy()


def _class_labels(shares: Array, names: list[str], kind: Kind) -> dict[str, Array]:
    if kind is Kind.REGRESSION:
        shown = {f"share {name}": column for name, column in zip(names, shares.T, strict=True)}
        return {name: column for name, column in shown.items() if np.mean(column > 0) >= _LEAST_SHARE}
    if np.isnan(shares).all():
        return {}
    most, unlabelled = shares.argmax(1), np.isnan(shares).any(1)
    dominant = {name: np.where(unlabelled, np.nan, most == c) for c, name in enumerate(names)}
    return {
        f"mostly {name}": column
        for name, column in dominant.items()
        if _LEAST_SHARE <= column[~unlabelled].mean() <= 1 - _LEAST_SHARE
    }
