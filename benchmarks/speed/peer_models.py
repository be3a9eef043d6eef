"""A multi-task model as other libraries can attack it: a classifier whose cross entropy is the summed loss."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mtlattack.errors import InputError
from mtlattack.models import PreparedModel
from mtlattack.tasks import Task


class PassCounter(nn.Module):
    """A model that counts the forward passes through it and the backward passes that reach its images."""

    def __init__(self, model: PreparedModel) -> None:
        super().__init__()
        self.model = model
        self.forwards = self.backwards = 0

    @property
    def tasks(self) -> Mapping[str, Task]:
        """Those of the model."""
        return self.model.tasks

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        self.forwards += 1
        if images.requires_grad:
            images.register_hook(self._count_backward)
        return self.model(images)

    def _count_backward(self, gradient: Tensor) -> None:
        self.backwards += 1


class SummedLossClassifier(nn.Module):
    """Logits `[B, 2]` = (0, log expm1(L/S)), L the summed loss of an image of one fixed batch and S `scale`.

    The cross entropy at label 0 is log(1 + expm1(L/S)) = L/S, and its gradient ∇L/S. Label 0 is also the prediction as
    long as L/S < ln 2: an attack that stops at images it has fooled, or prefers them, then sees none. The logits are
    computed in float64 and given in float32, as torchattacks needs them: a peer's L/S is right to 1e-7 or so, absolute.
    Targets go by position: InputError for a batch of another size, as of an attack that drops finished images.
    """

    def __init__(self, model: PassCounter, targets: Mapping[str, Tensor], scale: float) -> None:
        super().__init__()
        self.model, self.targets, self.scale = model, targets, scale
        self._highest = torch.zeros((), dtype=torch.float64, device=next(iter(targets.values())).device)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        scaled = summed_losses(self.model, images, self.targets) / self.scale
        self._highest = torch.maximum(self._highest, scaled.detach().amax())
        tiny = torch.finfo(scaled.dtype).tiny  # log 0 has no gradient
        return torch.stack([torch.zeros_like(scaled), scaled.clamp_min(tiny).expm1().log()], 1).float()

    def labels(self) -> Tensor:
        """Label 0 for each image."""
        return torch.zeros(_batch(self.targets), dtype=torch.long, device=self._highest.device)

    def check_never_flipped(self) -> float:
        """The highest L/S of all calls so far; InputError if the prediction flipped at it."""
        highest = float(self._highest)
        if not highest < math.log(2):
            raise InputError(f"L/S reached {highest:.3g}, expected less than ln 2 = 0.693: raise the head-room")
        return highest


def summed_losses(model: PassCounter, images: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
    """The sum of the task losses of each image, `[B]` float64."""
    if len(images) != _batch(targets):
        raise InputError(f"{len(images)} images, expected the {_batch(targets)} that the targets belong to, in order")
    predictions = model(images)
    losses = [task.loss(predictions[name], targets[name]).double() for name, task in model.tasks.items()]
    return torch.stack(losses).sum(0)


def choose_scale(clean_losses: Tensor, headroom: float) -> float:
    """S so that the worst clean image stands at L/S = ln 2 / `headroom`: losses may grow so many times."""
    return headroom * float(clean_losses.max()) / math.log(2)


def _batch(targets: Mapping[str, Tensor]) -> int:
    return len(next(iter(targets.values())))
