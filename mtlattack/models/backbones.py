"""Any timm `features_only` network, cut into the stages that tasks can share or not."""

from collections.abc import Mapping, Sequence
from typing import Any

import timm
from timm.layers.format import Format
from timm.models import FeatureListNet
from timm.models.efficientnet import EfficientNetFeatures
from timm.models.mobilenetv3 import MobileNetV3Features
from torch import Tensor, nn
from torchvision.ops import Permute

from mtlattack.errors import InputError, UnknownNameError
from mtlattack.models.vit import AS_MAPS, are_maps, cut_vit, is_vit

OptionValue = int | float | bool | Sequence[int | float]
_LARGEST_OPTION = 4096
_OURS = ("features_only", "in_chans", "output_stride", "pretrained")


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

    Networks that timm runs as a list of layers are cut after every feature level. Vision Transformers run without class
    and register tokens on images of any size, as patches and four runs of blocks, unless `options` ask otherwise. Any
    other network stays whole (one stage), so that its tasks can share all of it or nothing. `output_stride` 32 means
    as timm builds it. `options` go to timm and must be numbers or lists of numbers: a checkpoint's header may carry
    them, and a string could make timm load a file.
    """
    if name not in timm.list_models():
        raise UnknownNameError("backbone", name, timm.list_models())
    if output_stride not in (8, 16, 32):
        raise InputError(f"output stride {output_stride}, expected 8, 16 or 32")
    for key, value in (options or {}).items():
        _check_option(name, key, value)
    network = _create_timm(name, output_stride, dict(options or {}))
    info: Any = network.feature_info
    channels, strides = info.channels(), info.reduction()
    if isinstance(network, FeatureListNet):
        return Backbone(_cut(network), channels, strides)
    if is_vit(inside := _inside(network)) and are_maps(inside):
        stages = cut_vit(inside)
        return Backbone(stages, channels[-1:] * len(stages), strides[-1:] * len(stages))
    return Backbone([network], channels, strides)


def _create_timm(name: str, output_stride: int, options: dict[str, Any]) -> nn.Module:
    stride = {} if output_stride == 32 else {"output_stride": output_stride}
    arguments = {"features_only": True, "pretrained": False, **stride, **options}
    try:
        network: nn.Module = timm.create_model(name, **arguments)
        if isinstance(network, (EfficientNetFeatures, MobileNetV3Features)):
            # These two families run as a list of layers only if asked to.
            as_list = {"feature_cls": "list", "flatten_sequential": True}
            network = timm.create_model(name, feature_cfg=as_list, **arguments)
        elif is_vit(_inside(network)):
            network = timm.create_model(name, **{**AS_MAPS, **arguments})
        return network
    except Exception as error:  # timm has no common error type
        raise InputError(f"backbone {name!r} with {arguments}: {error}") from None


def _inside(network: nn.Module) -> nn.Module:
    """What timm wraps when a network gives its features by itself."""
    inside = getattr(network, "model", network)
    return inside if isinstance(inside, nn.Module) else network


def _cut(network: FeatureListNet) -> list[Stage]:
    channels_last = network.output_fmt == Format.NHWC
    stages: list[Stage] = []
    layers: list[nn.Module] = []
    for name, layer in network.items():
        layers.append(layer)
        if name in network.return_layers:
            if channels_last:  # Stages meet as [B, C, H, W], whatever the network uses inside.
                layers = [*([Permute([0, 2, 3, 1])] if stages else []), *layers, Permute([0, 3, 1, 2])]
            stages.append(Stage(layers, [len(layers) - 1]))
            layers = []
    return stages


def _check_option(name: str, key: str, value: object) -> None:
    if key in _OURS:
        raise InputError(f"backbone {name!r}: option {key!r} is not free, remove it")
    values = value if isinstance(value, (list, tuple)) else [value]
    if not all(isinstance(v, (int, float)) and 0 <= v <= _LARGEST_OPTION for v in values):
        expected = f"a number from 0 to {_LARGEST_OPTION} or a list of such"
        raise InputError(f"backbone {name!r}: option {key}={value!r}, expected {expected}")
