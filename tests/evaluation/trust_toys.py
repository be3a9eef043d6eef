"""Models and attacks that cannot be trusted, each in one way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from mtlattack.attacks import Cost, Result, StandaloneAttack, create_attack
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.problem import Problem
from mtlattack.models import MultiTaskNetwork
from mtlattack.tasks import Depth, Segmentation, Task


class Quantised(nn.Module):
    """A network behind a coarse rounding of its images, which lets no gradient through."""

    def __init__(self, network: MultiTaskNetwork) -> None:
        super().__init__()
        self.network, self.tasks = network, network.tasks

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        predictions: dict[str, Tensor] = self.network((images * 64).round() / 64)
        return predictions


class BatchStatistics(nn.Module):
    """A network on images that are normalised by the mean of their batch, in eval mode too."""

    def __init__(self, network: MultiTaskNetwork) -> None:
        super().__init__()
        self.network, self.tasks = network, network.tasks
        self.norm = nn.BatchNorm2d(3, affine=False, track_running_stats=False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        predictions: dict[str, Tensor] = self.network(0.5 + 0.2 * self.norm(images))
        return predictions


class Noisy(nn.Module):
    """A network that draws noise at every call, as randomised smoothing does."""

    def __init__(self, network: MultiTaskNetwork) -> None:
        super().__init__()
        self.network, self.tasks = network, network.tasks

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        predictions: dict[str, Tensor] = self.network(images + 0.05 * torch.randn_like(images))
        return predictions


class Periodic(nn.Module):
    """Depth by a wave of a period of 8 grey levels: slopes so steep that a step of a whole period leads nowhere."""

    tasks: ClassVar[Mapping[str, Task]] = {"depth": Depth()}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        # Away from the borders of [0, 1], where a step would be cut short.
        inside = images[:, :1].clamp(0.1, 0.9)
        return {"depth": 2 + torch.sin(2 * torch.pi * 255 / 8 * inside)}


class Overconfident(nn.Module):
    """Segmentation whose class never changes, only how sure of it the model is."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.tasks = {"segmentation": Segmentation(classes)}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        scores = torch.zeros(len(images), self.tasks["segmentation"].classes, *images.shape[2:], device=images.device)
        sure = 1 + 40 * images.mean(1, keepdim=True)
        return {"segmentation": torch.cat([sure, scores[:, 1:]], 1)}


@dataclass(frozen=True, kw_only=True)
class Lazy(StandaloneAttack):
    """FGSM by ε/steps: the more steps it is given the less it does."""

    kind: ClassVar[str] = "lazy"

    steps: int = 1

    def perturb(self, problem: Problem, noise: Noise) -> Result:
        return create_attack("fgsm-total", eps=self.threat.eps / self.steps).perturb(problem, noise)

    def cost(self, num_tasks: int) -> Cost:
        return Cost(1, 1)

    def options(self) -> dict[str, int]:
        return {"steps": self.steps}
