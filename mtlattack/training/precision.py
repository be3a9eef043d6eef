"""Training in less than float32: fast convolutions, exact losses."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mtlattack.errors import InputError
from mtlattack.models import MultiTaskNetwork
from mtlattack.tasks import Task


class MixedPrecision(nn.Module):
    """The network, run under autocast to `dtype`; its predictions come back as float32, in which losses are taken."""

    def __init__(self, network: MultiTaskNetwork, dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.dtype = network, dtype

    @property
    def tasks(self) -> Mapping[str, Task]:
        """Those of the network."""
        return self.network.tasks

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images `[B, 3, H, W]` in [0, 1] → float32 predictions by task."""
        with self._autocast(images):
            predictions = self.network(images)
        return {name: prediction.float() for name, prediction in predictions.items()}

    def shared_features(self, images: Tensor) -> Tensor:
        """The network's, float32."""
        with self._autocast(images):
            features = self.network.shared_features(images)
        return features.float()

    def with_shared_features(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """The network's: float32 predictions, and the feature as it is."""
        with self._autocast(images):
            predictions, features = self.network.with_shared_features(images)
        return {name: prediction.float() for name, prediction in predictions.items()}, features

    def _autocast(self, images: Tensor) -> torch.autocast:
        return torch.autocast(images.device.type, self.dtype, enabled=self.dtype != torch.float32)


def mixed_precision(network: MultiTaskNetwork, precision: str, device: torch.device) -> MixedPrecision:
    """The network in a recipe's precision; InputError for float16 elsewhere than on CUDA, where it would underflow."""
    if precision == "float16" and device.type != "cuda":
        raise InputError(f"precision float16 needs CUDA, this is {device}; use bfloat16 or float32")
    return MixedPrecision(network, getattr(torch, precision))
