"""What the first calls of a model show: whether its predictions depend on the batch, or on chance."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from mtlattack.chance import same_chance
from mtlattack.tasks import Model, predict, undisturbed
from mtlattack.tf32 import without_tf32

# The range counts as no less than this share of the largest prediction, so that rounding of an offset is none.
_LEAST_RANGE = 0.1
_BATCH, _ALONE = 4, 2


def compare_calls(
    model: Model, images: Tensor, targets: Mapping[str, Tensor] = MappingProxyType({})
) -> dict[str, Any] | None:
    """Call a model twice on the first of `images` `[B, 3, H, W]`, four at most, and on two of them alone.

    `again` and `alone` are the largest differences, each in units of what the task's predictions range over; `alone` is
    None for a single image. `without_gradient` names the tasks whose prediction has none in the first image; `looks`
    is by task, of those with `targets`, what its predictions show of a wrong unit or scale (`Task.look`). None where
    the model fails, which is for the run to say. In eval mode, without TF32, with random numbers seeded alike in every
    run; three to five forward passes, T backward.
    """
    images = images[:_BATCH]
    try:
        with torch.inference_mode(), undisturbed(model), without_tf32(), same_chance(images.device):
            first, second = _call(model, images), _call(model, images)
            singly = [_call(model, image) for image in images[:_ALONE].split(1)] if len(images) > 1 else []
        again = _difference(first, second, first)
        batched = {name: values[:_ALONE] for name, values in first.items()}
        apart = {name: torch.cat([one[name] for one in singly]) for name in first} if singly else None
        alone = None if apart is None else _difference(apart, batched, first)
        with torch.inference_mode(False), torch.enable_grad(), undisturbed(model), same_chance(images.device):
            blind = _without_gradient(model, images[:1])
    except Exception:  # whatever a foreign model raises, lack of memory too: the first batch will meet it again
        return None
    looked = [(name, task) for name, task in model.tasks.items() if name in targets]
    looks = {name: task.look(first[name], targets[name][: len(images)]) for name, task in looked}
    return {"images": len(images), "again": again, "alone": alone, "without_gradient": blind, "looks": looks}


def _call(model: Model, images: Tensor) -> dict[str, Tensor]:
    predictions = predict(model, images)
    return {name: predictions[name].float().nan_to_num(0, 0, 0) for name in model.tasks}


def _without_gradient(model: Model, images: Tensor) -> list[str]:
    """The tasks of which a random mixture of all predicted values has a gradient of zero in the images."""
    image = images.clone().requires_grad_()
    generator, blind = torch.Generator().manual_seed(0), []
    for name, values in predict(model, image).items():
        if name in model.tasks:
            mixture = (values.float() * torch.randn(values.shape, generator=generator).to(values.device)).sum()
            gradient = (
                torch.autograd.grad(mixture, image, retain_graph=True, allow_unused=True)[0]
                if mixture.requires_grad
                else None
            )
            if gradient is None or not gradient.any():
                blind.append(name)
    return blind


def _difference(one: dict[str, Tensor], other: dict[str, Tensor], whole: dict[str, Tensor]) -> float:
    """The largest difference over the tasks, in units of what each task's predictions in `whole` range over."""
    differences = []
    for name, values in whole.items():
        low, high = values.aminmax()
        span = torch.maximum(high - low, _LEAST_RANGE * torch.maximum(high.abs(), low.abs()))
        size = (one[name] - other[name]).abs().amax()
        differences.append(torch.where(size > 0, size / span, 0.0))
    return float(torch.stack(differences).amax())
