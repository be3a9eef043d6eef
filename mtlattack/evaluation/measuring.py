"""What became of a batch: losses, statistics and perturbation sizes, in one transfer from the device."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlattack.errors import InputError
from mtlattack.tasks import Model, predict, undisturbed

# The l_inf, l_2 and l_1 norm over all pixel values, and the number of pixels that changed.
NORMS = ("linf", "l2", "l1", "l0")
# What attacks note: whether the first gradient of a climb was zero, how far a program's solution may at most be from
# its optimum, whether a perturbation that was looked for was found.
DIAGNOSTICS = ("vanished", "gap", "found")


@dataclass(frozen=True)
class Measurement:
    """Losses `[B, T]`, statistics by task `[B, S]`, norms of each perturbation `[B, 4]` (NORMS), float64; and what the
    attack noted of each image, `[B, D]` (DIAGNOSTICS), NaN where it noted nothing."""

    losses: NDArray[Any]
    statistics: dict[str, NDArray[Any]]
    perturbation: NDArray[Any]
    diagnostics: NDArray[Any]


def measure(
    model: Model,
    images: Tensor,
    targets: Mapping[str, Tensor],
    clean: Tensor,
    noted: Mapping[str, Tensor] = MappingProxyType({}),
) -> Measurement:
    """What a model makes of `images`, which were `clean` before an attack that `noted` some numbers `[B]`; without
    gradients.

    Losses and statistics are computed in float32 on the device, which is waited for once. InputError if a prediction
    is missing, of the wrong shape, or not finite.
    """
    tasks = model.tasks
    with torch.inference_mode(), undisturbed(model):
        predictions = predict(model, images)
        for name in tasks:
            if name not in predictions:
                raise InputError(f"the model predicts {', '.join(predictions)}, not its task {name!r}")
        # The extremes of a tensor are finite if all of it is; `aminmax` would copy what is channels-last.
        extremes = torch.stack([edge(predictions[name]) for name in tasks for edge in (torch.amin, torch.amax)])
        finite = extremes.view(-1, 2).isfinite().all(1)
        # Statistics count by value: what is not finite is refused below, and must not become an index before.
        outputs = {name: predictions[name].float().nan_to_num() for name in tasks}
        losses = torch.stack([task.loss(outputs[name], targets[name]) for name, task in tasks.items()], 1)
        statistics = [task.statistics(outputs[name], targets[name]) for name, task in tasks.items()]
        nothing = torch.full_like(losses[:, 0], torch.nan)
        diagnostics = torch.stack([noted.get(name, nothing).to(nothing) for name in DIAGNOSTICS], 1)
        parts = [finite.expand(len(images), -1), losses, _norms(images, clean), diagnostics, *statistics]
        # Moved before it is widened: MPS knows no float64.
        rows = torch.cat([part.to(parts[2].device).to(parts[2].dtype) for part in parts], 1).cpu().numpy()
    fits, *columns = _split(rows, [part.shape[1] for part in parts])
    for column, name in enumerate(tasks):
        if not fits[0, column]:
            raise InputError(f"the model's prediction of {name} is not finite")
    by_task = dict(zip(tasks, columns[3:], strict=True))
    return Measurement(columns[0], by_task, perturbation=columns[1], diagnostics=columns[2])


def _norms(images: Tensor, clean: Tensor) -> Tensor:
    """Norms of each image's perturbation, `[B, 4]`, in float64, which Apple's MPS has not."""
    device = "cpu" if images.device.type == "mps" else images.device
    # A copy of its own, in planes of colours: those of channels-last are slow to go through.
    size = images.to(device).to(torch.float64, copy=True, memory_format=torch.contiguous_format)
    size.sub_(clean.to(device)).abs_()
    red, green, blue = size.bool().unbind(1)
    pixels = (red | green | blue).sum((1, 2)).double()
    size = size.flatten(1)
    return torch.stack([size.amax(1), size.norm(dim=1), size.sum(1), pixels], 1)


def _split(rows: NDArray[Any], widths: list[int]) -> list[NDArray[Any]]:
    ends = [sum(widths[: i + 1]) for i in range(len(widths))]
    return [rows[:, end - width : end] for end, width in zip(ends, widths, strict=True)]
