"""Augmentation of an image together with its labels: what is done to a pixel is done to what it means."""

import hashlib
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from mtlattack.data import Batch
from mtlattack.tasks import Task, TaskMap

Labels = dict[str, Tensor]


@dataclass(frozen=True)
class Augmentation:
    """Random mirror, zoom (crop and enlarge by up to `zoom`) and colour jitter (by up to `colour`)."""

    mirror: bool = True
    zoom: float = 1.5
    colour: float = 0.2

    def __call__(
        self, image: Tensor, labels: Labels, tasks: TaskMap, generator: torch.Generator
    ) -> tuple[Tensor, Labels]:
        """An image `[3, H, W]` in [0, 1] and its labels, changed at random; the given tensors are not."""
        u = torch.rand(9, generator=generator)
        if u[0] < 0.75:
            factor = 1 + (self.zoom - 1) * float(u[1])
            image, labels = zoom(image, labels, tasks, factor, (float(u[2]), float(u[3])))
        if self.mirror and u[4] < 0.5:
            image, labels = mirror(image, labels, tasks)
        gain, shift = 1 + self.colour * (2 * u[5:8] - 1), self.colour * (u[8] - 0.5)
        return (image * gain.view(3, 1, 1) + shift).clamp(0, 1), labels


class AugmentedDataset(Dataset[Batch]):
    """A data set whose images change with `epoch`, by (seed, epoch, image id) alone: not by order or worker."""

    def __init__(self, dataset: Dataset[Batch], tasks: TaskMap, augmentation: Augmentation, seed: int) -> None:
        self.dataset, self.tasks, self.augmentation, self.seed = dataset, dict(tasks), augmentation, seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, position: int) -> Batch:
        batch = self.dataset[position]
        digest = hashlib.sha256(f"{self.seed}:{self.epoch}:{batch.ids[0]}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
        labels = {name: batch.targets[name][0] for name in self.tasks}
        image, labels = self.augmentation(batch.images[0], labels, self.tasks, generator)
        return Batch(batch.ids, image[None], {name: label[None] for name, label in labels.items()})


def mirror(image: Tensor, labels: Labels, tasks: TaskMap) -> tuple[Tensor, Labels]:
    """Left-right mirror; the x component of normals changes its sign.

    Curvatures have no direction, and reshading's light is at the camera: they are only flipped.
    """
    return image.flip(-1), {name: tasks[name].mirrored(label) for name, label in labels.items()}


def zoom(
    image: Tensor, labels: Labels, tasks: TaskMap, factor: float, position: tuple[float, float]
) -> tuple[Tensor, Labels]:
    """Crop a window of 1/`factor` of the sides at a relative `position` and enlarge it to the full size.

    Things look `factor` times nearer, so depth is divided by it and inverse depth multiplied; a surface keeps its size,
    and so its curvature. Labels come from the nearest pixel: no class, invalid mark or normal is blended; those of the
    whole image stay, as if all that they are about were still to be seen.
    """
    height, width = image.shape[-2:]
    h, w = round(height / factor), round(width / factor)
    top, left = round(position[0] * (height - h)), round(position[1] * (width - w))
    window = (..., slice(top, top + h), slice(left, left + w))
    enlarged = F.interpolate(image[window][None], (height, width), mode="bilinear", align_corners=False)[0]

    def seen(task: Task, label: Tensor) -> Tensor:
        return task.zoomed(_enlarged(label[window], (height, width)) if task.dense else label, factor)

    return enlarged, {name: seen(tasks[name], label) for name, label in labels.items()}


def _enlarged(label: Tensor, size: tuple[int, int]) -> Tensor:
    rows, columns = (_nearest(old, new) for old, new in zip(label.shape[-2:], size, strict=True))
    return label[..., rows, :][..., columns]


def _nearest(old: int, new: int) -> Tensor:
    """For each of `new` pixels, which of `old` ones its centre lies in: where the bilinear image looks too."""
    return (2 * torch.arange(new) + 1) * old // (2 * new)
