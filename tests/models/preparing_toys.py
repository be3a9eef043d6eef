"""A foreign module to prepare, and comparisons of copies with it."""

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn

from mtlattack.tasks import Depth

Predictions = dict[str, Tensor]


class Plain(nn.Module):
    """A foreign module with `tasks`, not wrapped: one convolution with batch norm on depth."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.tasks = {"depth": Depth()}
        self.conv, self.norm, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Conv2d(8, 1, 1)
        self.norm.running_mean.uniform_(-1, 1)  # type: ignore[union-attr]
        self.norm.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]

    def features(self, images: Tensor) -> Tensor:
        return self.norm(self.conv(images))

    def forward(self, images: Tensor) -> Predictions:
        return {"depth": self.last(self.features(images))}


def predict(model: nn.Module, images: Tensor) -> Predictions:
    with torch.no_grad():
        return model(images)


def assert_same(predictions: Predictions, expected: Predictions) -> None:
    """Up to the rounding of float32."""
    assert predictions.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(predictions[name], value, rtol=0, atol=1e-5 * float(value.abs().max()))


def batch_norms(model: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d | BatchNormAct2d) for part in model.modules())
