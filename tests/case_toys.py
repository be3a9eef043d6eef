"""Models as users bring them, by what is odd about each: most once bought a rank, or were met with a traceback.

Factories, also for `--model case_toys:NAME`. Their twin is the shipped network that each is made of.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

import mtlattack as mta
from mtlattack.models import MultiTaskNetwork

TWIN = "rooms-resnet10t.shared"
Predictions = dict[str, Tensor]


class Changed(nn.Module):
    """The twin behind a change of its images, or of what it predicts."""

    def __init__(
        self,
        network: MultiTaskNetwork,
        before: Callable[[Tensor], Tensor] = lambda images: images,
        after: Callable[[Predictions], Predictions] = lambda predictions: predictions,
    ) -> None:
        super().__init__()
        self.network, self.before, self.after, self.tasks = network, before, after, network.tasks

    def forward(self, images: Tensor) -> Predictions:
        return self.after(dict(self.network(self.before(images))))


def wrapped(**changes: Callable[..., object]) -> nn.Module:
    network = twin()
    return mta.wrap(Changed(network, **changes), tasks=network.tasks)  # type: ignore[arg-type]


def scaled(task: str, factor: float) -> nn.Module:
    """The twin, one task's predictions times a factor."""
    return wrapped(after=lambda predictions: predictions | {task: factor * predictions[task]})


def twin() -> MultiTaskNetwork:
    return mta.create_model(TWIN)


# --- that predict something else


def flat() -> nn.Module:
    """Answers nearly the same whatever it sees: useless, and by relative change alone the most robust of all."""
    return wrapped(before=lambda images: 1e-3 * images + 0.4)


def cool() -> nn.Module:
    """The same classes for every image, another cross entropy."""
    return scaled("segmentation", 1 / 20)


def hot() -> nn.Module:
    """The same classes, a cross entropy whose gradients vanish in float32."""
    return scaled("segmentation", 50)


def millimetres() -> nn.Module:
    """Depth in millimetres, where labels are in metres."""
    return scaled("depth", 1000)


def behind_the_camera() -> nn.Module:
    """Depth less two metres: of what is nearer a negative distance."""
    return wrapped(after=lambda predictions: predictions | {"depth": predictions["depth"] - 2})


# --- that predict the same


def in_place() -> nn.Module:
    """Normalises the caller's tensor in place, as torchvision's `normalize(…, inplace=True)` does."""
    changed = Changed(twin(), before=lambda images: images.sub_(0.5).mul_(2)).eval()
    changed.network.register_forward_pre_hook(lambda module, arguments: (arguments[0] / 2 + 0.5, *arguments[1:]))
    return changed


def weight_normed() -> nn.Module:
    """Has a layer under a weight norm that has already run: its weight is no leaf, which deepcopy refuses."""
    network = twin()
    changed = Changed(network)
    changed.extra = torch.nn.utils.weight_norm(nn.Conv2d(3, 3, 1))
    changed.extra(torch.zeros(1, 3, 4, 4))
    return mta.wrap(changed, tasks=network.tasks)


class _Listed(nn.Module):
    def __init__(self, network: MultiTaskNetwork) -> None:
        super().__init__()
        self.network, self.names = network, list(network.tasks)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        predictions = self.network(images)
        return tuple(predictions[name] for name in self.names)


def traced() -> nn.Module:
    """Went through `torch.jit.trace`: no Python modules to fold, freeze or copy."""
    listed = _Listed(twin())
    scripted = torch.jit.trace(listed.eval(), torch.rand(2, 3, 96, 128))
    return mta.wrap(scripted, listed.network.tasks, outputs={name: i for i, name in enumerate(listed.names)})
