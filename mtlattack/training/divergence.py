"""How far apart two predictions of a task are: what TRADES keeps small."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from mtlattack.tasks import Task, undisturbed
from mtlattack.training.precision import MixedPrecision


def divergence(task: Task, prediction: Tensor, reference: Tensor) -> Tensor:
    """Mean over pixels, `[B]`, of predictions `[B, channels, H, W]`; non-negative, 0 where they are equal.

    Classes: KL(reference ‖ prediction) of the softmax, in nats. Normals: 1 − cosine. Otherwise: |difference|.
    """
    return task.divergence(prediction, reference).mean((1, 2))


class DivergenceView(nn.Module):
    """A model whose tasks' losses are divergences, so that any attack can climb them; targets are predictions."""

    def __init__(self, model: MixedPrecision) -> None:
        super().__init__()
        self.model = model
        self.tasks: Mapping[str, Any] = {name: _Divergence(task) for name, task in model.tasks.items()}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """The model's own predictions."""
        predictions: dict[str, Tensor] = self.model(images)
        return predictions

    def shared_features(self, images: Tensor) -> Tensor:
        """The model's own features."""
        return self.model.shared_features(images)

    def with_shared_features(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """The model's own predictions and features."""
        return self.model.with_shared_features(images)

    @staticmethod
    def still(model: MixedPrecision, images: Tensor) -> dict[str, Tensor]:
        """Predictions in eval mode, as the attack sees them."""
        with undisturbed(model):
            predictions: dict[str, Tensor] = model(images)
        return predictions


class _Divergence:
    """Of a task, what an attack needs: a loss an image."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        return divergence(self._task, prediction, target)
