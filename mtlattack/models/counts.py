"""What a network costs: parameters, and FLOPs of a forward pass, part by part."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mtlattack.errors import InputError, one_line
from mtlattack.models.backbones import create_backbone
from mtlattack.models.creating import sketch_network
from mtlattack.models.network import NetworkConfig


@dataclass(frozen=True)
class Counts:
    """Parameters, and FLOPs of one image's forward pass, by part of the network (`stage 1`, …, `head <task>`).

    A stage counts with all its copies. FLOPs are those of convolutions, matrix products and attention, a
    multiplication and an addition counted as two, as `torch.utils.flop_counter` does.
    """

    parameters: Mapping[str, int]
    flops: Mapping[str, int]

    @property
    def total_parameters(self) -> int:
        """Parameters of the whole network; buffers do not count."""
        return sum(self.parameters.values())

    @property
    def total_flops(self) -> int:
        """FLOPs of the whole forward pass."""
        return sum(self.flops.values())


def count_network(config: NetworkConfig | Mapping[str, Any], size: tuple[int, int]) -> Counts:
    """What the described network costs on one image of `size` = (height, width); nothing is allocated or computed.

    InputError if the network cannot take images of this size.
    """
    network = sketch_network(config).eval()
    images = torch.empty(1, 3, *size, device="meta")
    names = {module: name for name, module in network.named_modules()}
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        try:
            network(images)
        except (RuntimeError, AssertionError, ValueError) as error:  # whatever timm's families say of a size
            reason = one_line(error)
            raise InputError(f"{network.config.backbone} takes no image of {size[0]}x{size[1]}: {reason}") from None
    flops = {
        name.partition(".")[2]: sum(by_operation.values()) for name, by_operation in counter.get_flop_counts().items()
    }
    parts = network.parts()
    return Counts(
        {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()},
        {name: _flops(part, names, flops) for name, part in parts.items()},
    )


def count_stages(backbone: str, *, output_stride: int = 32) -> int:
    """Number of stages B that layouts can share of a backbone."""
    with torch.device("meta"):
        return len(create_backbone(backbone, output_stride=output_stride).stages)


def _flops(part: nn.Module, names: Mapping[nn.Module, str], flops: Mapping[str, int]) -> int:
    """A part that is a mere list is never called itself: what was counted is its members'."""
    name = names[part]
    if name in flops:
        return flops[name]
    return sum(_flops(child, names, flops) for child in part.children())
