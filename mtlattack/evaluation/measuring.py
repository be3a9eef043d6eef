"""What became of a batch: losses, statistics and perturbation sizes, in one transfer from the device."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlattack.attacks.guard import undisturbed
from mtlattack.errors import InputError
from mtlattack.evaluation.model import Model


@dataclass(frozen=True)
class Measurement:
    """Losses `[B, T]`, statistics by task `[B, S]`, and l_inf and l_2 norm of each perturbation `[B, 2]`, float64."""

    losses: NDArray[Any]
    statistics: dict[str, NDArray[Any]]
    perturbation: NDArray[Any]


def measure(model: Model, images: Tensor, targets: Mapping[str, Tensor], clean: Tensor) -> Measurement:
    """What a model makes of `images`, which were `clean` before an attack; without gradients.

    Losses and statistics are computed in float32 on the device, which is waited for once. InputError if a prediction
    is missing, of the wrong shape, or not finite.
    """
    tasks = model.tasks
    with torch.inference_mode(), undisturbed(model):
        predictions = model(images)
        for name in tasks:
            if name not in predictions:
                raise InputError(f"the model predicts {', '.join(predictions)}, not its task {name!r}")
        # The extremes of a tensor are finite if all of it is.
        finite = torch.stack([torch.stack(predictions[name].aminmax()).isfinite().all() for name in tasks])
        # Statistics count by value: what is not finite is refused below, and must not become an index before.
        outputs = {name: predictions[name].float().nan_to_num() for name in tasks}
        losses = torch.stack([task.loss(outputs[name], targets[name]) for name, task in tasks.items()], 1)
        statistics = [task.statistics(outputs[name], targets[name]) for name, task in tasks.items()]
        parts = [finite.expand(len(images), -1), losses, _norms(images, clean), *statistics]
        # Moved before it is widened: MPS knows no float64.
        rows = torch.cat([part.to(parts[2].device).to(parts[2].dtype) for part in parts], 1).cpu().numpy()
    fits, *columns = _split(rows, [part.shape[1] for part in parts])
    for column, name in enumerate(tasks):
        if not fits[0, column]:
            raise InputError(f"the model's prediction of {name} is not finite")
    return Measurement(columns[0], dict(zip(tasks, columns[2:], strict=True)), columns[1])


def _norms(images: Tensor, clean: Tensor) -> Tensor:
    """l_inf and l_2 norm of each image's perturbation, `[B, 2]`, in float64, which Apple's MPS has not."""
    device = "cpu" if images.device.type == "mps" else images.device
    delta = (images.to(device).double() - clean.to(device).double()).flatten(1)
    return torch.stack([delta.abs().amax(1), delta.norm(dim=1)], 1)


def _split(rows: NDArray[Any], widths: list[int]) -> list[NDArray[Any]]:
    ends = [sum(widths[: i + 1]) for i in range(len(widths))]
    return [rows[:, end - width : end] for end, width in zip(ends, widths, strict=True)]
