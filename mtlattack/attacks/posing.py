"""A batch as a problem for an attack: checked, and with a model that is left as it was."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from mtlattack.attacks.checks import check_images, check_targets, tasks_of
from mtlattack.attacks.problem import Problem
from mtlattack.tasks import Model, labels_in_words, undisturbed


@contextmanager
def posed(
    model: Model, images: Tensor, targets: Mapping[str, Tensor], search: Model | None = None
) -> Iterator[Problem]:
    """The problem of this batch; inside, both models are in eval mode and gradients can be taken.

    InputError for a model without tasks, for images or targets that do not fit, and for classes that there are not.
    """
    tasks = tasks_of(model)
    check_images(images)
    check_targets(tasks, targets, len(images))
    with torch.inference_mode(False), torch.enable_grad(), undisturbed(model), undisturbed(search):
        truth = {name: _plain(targets[name].to(images.device)) for name in tasks}
        with labels_in_words(tasks, targets):
            yield Problem(model, model if search is None else search, tasks, truth, images.clone().detach())


def _plain(tensor: Tensor) -> Tensor:
    """A tensor made in inference mode cannot be saved for a backward pass; its copy can."""
    return tensor.clone() if tensor.is_inference() else tensor.detach()
