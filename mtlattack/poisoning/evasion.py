"""Where the two halves meet: the same learned tasks, their images perturbed when they are used (evasion)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from mtlattack.attacks import Attack
from mtlattack.models import MultiTaskNetwork
from mtlattack.poisoning.losses import Array
from mtlattack.poisoning.splitting import Units
from mtlattack.poisoning.tasks import Kind
from mtlattack.poisoning.vision import pool
from mtlattack.tasks.regression import Regression


@dataclass(frozen=True)
class SceneTask(Regression):
    """One number of a whole image, a map of one pixel: prediction `[B, 1, 1, 1]`, target `[B, 1, 1]`; loss as learned.

    Unregistered: it is no label of a prepared file.
    """

    title: str
    scene_kind: Kind
    kind: ClassVar[str] = "scene"

    @property
    def name(self) -> str:
        return self.title

    def valid(self, target: Tensor) -> Tensor:
        return target.isfinite()

    def pixel_losses(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        z, y = prediction[:, 0], target.to(prediction.dtype)
        loss = 0.5 * (z - y) ** 2 if self.scene_kind is Kind.REGRESSION else nn.functional.softplus(z) - y * z
        return loss, self.valid(target)


class SceneModel(nn.Module):
    """Images `[B, 3, H, W]` → what learned tasks say of each as a whole, `{task: [B, 1, 1, 1]}`."""

    def __init__(
        self, network: MultiTaskNetwork, kind: Kind, names: Iterable[str], units: Units, parameters: Array
    ) -> None:
        super().__init__()
        self.network = network
        self.tasks = {name: SceneTask(name, kind) for name in names}
        self.register_buffer("mean", torch.tensor(units.feature_mean, dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(units.feature_scale, dtype=torch.float32))
        self.register_buffer("weights", torch.tensor(parameters[:-1], dtype=torch.float32))
        self.register_buffer("intercepts", torch.tensor(parameters[-1], dtype=torch.float32))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        x = (pool(self.network, images) - self.mean) / self.scale  # type: ignore[operator]
        responses = x @ self.weights + self.intercepts  # type: ignore[operator]
        return {name: responses[:, i, None, None, None] for i, name in enumerate(self.tasks)}


def perturbed_features(
    model: SceneModel, attack: Attack, batches: Iterable[tuple[Tensor, Mapping[str, Array]]]
) -> Array:
    """Pooled features `[N, C]` of adversarial images; batches are images `[B, 3, H, W]` and labels `[B]` by task, in
    the units that the model was learned in."""
    found = []
    place = 0
    for images, labels in batches:
        targets = {name: torch.tensor(y, dtype=torch.float32)[:, None, None] for name, y in labels.items()}
        ids = list(range(place, place + len(images)))
        adversarial = attack(model, images, targets, ids)
        with torch.no_grad():
            found.append(pool(model.network, adversarial).double().numpy())
        place += len(images)
    return np.concatenate(found)
