"""Any timm `features_only` network, cut into the stages that tasks can share or not."""

from collections.abc import Mapping, Sequence
from typing import Any

import timm
from timm.models import FeatureListNet
from torch import Tensor, nn

from mtlattack.errors import InputError, UnknownNameError

OptionValue = int | float | bool | Sequence[int | float]


class Stage(nn.Module):
    """A run of layers; gives the features that heads may read, the last of which is the next stage's input."""

    def __init__(self, layers: Sequence[nn.Module], taps: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.taps = frozenset(taps)

    def forward(self, x: Tensor) -> list[Tensor]:
        """`[B, C, H, W]` → this stage's features, finest first."""
        features = []
        for position, layer in enumerate(self.layers):
            x = layer(x)
            if position in self.taps:
                features.append(x)
        return features


class Backbone:
    """A feature network ready to be cut: its `stages`, and the channels and stride of each feature."""

    def __init__(self, stages: Sequence[nn.Module], channels: Sequence[int], strides: Sequence[int]) -> None:
        self.stages, self.channels, self.strides = list(stages), list(channels), list(strides)


def create_backbone(
    name: str, *, output_stride: int = 32, options: Mapping[str, OptionValue] | None = None
) -> Backbone:
    """An untrained timm network by name, as stages.

    Networks that timm runs as a list of layers are cut after every feature level; any other one stays whole (one
    stage), so that its tasks can share all of it or nothing. `options` go to timm and must be numbers or lists of
    numbers: a checkpoint's header may carry them, and a string could make timm load a file.
    """
    if name not in timm.list_models():
        raise UnknownNameError("backbone", name, timm.list_models())
    for key, value in (options or {}).items():
        _check_option(name, key, value)
    network = _create_timm(name, output_stride, dict(options or {}))
    info: Any = network.feature_info
    channels, strides = info.channels(), info.reduction()
    if isinstance(network, FeatureListNet):
        return Backbone(_cut(network), channels, strides)
    return Backbone([network], channels, strides)


def _create_timm(name: str, output_stride: int, options: dict[str, Any]) -> nn.Module:
    stride = {} if output_stride == 32 else {"output_stride": output_stride}
    arguments = {"features_only": True, "pretrained": False, **stride, **options}
    try:
        try:
            # The EfficientNet family runs as a list of layers only if asked to.
            return timm.create_model(name, feature_cls="list", **arguments)
        except (AssertionError, TypeError, KeyError, RuntimeError, AttributeError):
            return timm.create_model(name, **arguments)
    except Exception as error:  # timm has no common error type
        raise InputError(f"backbone {name!r} with {arguments}: {error}") from None


def _cut(network: FeatureListNet) -> list[Stage]:
    stages, layers = [], []
    for name, layer in network.items():
        layers.append(layer)
        if name in network.return_layers:
            stages.append(Stage(layers, [len(layers) - 1]))
            layers = []
    return stages


def _check_option(name: str, key: str, value: object) -> None:
    values = value if isinstance(value, (list, tuple)) else [value]
    if not all(isinstance(v, (int, float)) for v in values):
        raise InputError(f"backbone {name!r}: option {key}={value!r}, expected a number or a list of numbers")
