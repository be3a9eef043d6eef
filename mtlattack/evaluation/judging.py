"""Judging: what a victim makes of images, whoever made them; in one transfer from the device."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlattack.attacks.checks import check_targets
from mtlattack.data import as_batch
from mtlattack.errors import InputError
from mtlattack.evaluation.crafting import no_autocast
from mtlattack.evidence import DIAGNOSTICS, Measurement
from mtlattack.tasks import Model, labels_in_words, predict, undisturbed


def judge(
    victim: Model,
    images: Any,
    targets: Any,
    clean: Any = None,
    noted: Mapping[str, Tensor] = MappingProxyType({}),
) -> Measurement:
    """What a model makes of `images` `[B, 3, H, W]`: a row of numbers each; without gradients.

    They were `clean` (by default they are) before an attack that `noted` some numbers `[B]`. Losses and statistics are
    computed in float32 on the device, which is waited for once (on CUDA also for labels of classes), whatever
    `torch.autocast` is around. Images and labels that are no tensors on one device yet are made such, as those of
    `evaluate` are. InputError if a prediction or a label is missing, of the wrong shape, a prediction is not finite, or
    a class is none of the task's.
    """
    tasks = victim.tasks
    if not _are_tensors(images, targets):
        if clean is not None:
            clean = as_batch(clean, targets, tasks).images
        batch = as_batch(images, targets, tasks)
        images, targets = batch.images, batch.targets
    with torch.inference_mode(), undisturbed(victim), no_autocast(images.device):
        predictions = predict(victim, images)
        for name in tasks:
            if name not in predictions:
                raise InputError(f"the model predicts {', '.join(predictions)}, not its task {name!r}")
        # The extremes of a tensor are finite if all of it is; `aminmax` would copy what is channels-last.
        extremes = torch.stack([edge(predictions[name]) for name in tasks for edge in (torch.amin, torch.amax)])
        finite = extremes.view(-1, 2).isfinite().all(1)
        # Statistics count by value: what is not finite is refused below, and must not become an index before.
        outputs = {name: predictions[name].float().nan_to_num() for name in tasks}
        check_targets(tasks, targets, len(images))
        with labels_in_words(tasks, targets):
            losses = torch.stack([task.loss(outputs[name], targets[name]) for name, task in tasks.items()], 1)
            statistics = [task.statistics(outputs[name], targets[name]) for name, task in tasks.items()]
        nothing = torch.full_like(losses[:, 0], torch.nan)
        diagnostics = torch.stack([noted.get(name, nothing).to(nothing) for name in DIAGNOSTICS], 1)
        norms = _norms(images, images if clean is None else clean)
        parts = [finite.expand(len(images), -1), losses, norms, diagnostics, *statistics]
        # Moved before it is widened: MPS knows no float64.
        rows = torch.cat([part.to(parts[2].device).to(parts[2].dtype) for part in parts], 1).cpu().numpy()
    fits, *columns = _split(rows, [part.shape[1] for part in parts])
    for column, name in enumerate(tasks):
        if not fits[0, column]:
            raise InputError(f"the model's prediction of {name} is not finite")
    by_task = dict(zip(tasks, columns[3:], strict=True))
    return Measurement(columns[0], by_task, perturbation=columns[1], diagnostics=columns[2])


def _are_tensors(images: Any, targets: Any) -> bool:
    each = [images, *targets.values()] if isinstance(targets, Mapping) else [images, targets]
    return isinstance(targets, Mapping) and all(isinstance(x, Tensor) for x in each) and images.is_floating_point()


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
