"""A network as a GPU with TF32 computes it: factors of convolutions and matrix products have 10 bits of mantissa."""

from typing import Any

import torch
from torch import Tensor, nn

_DROPPED = 13  # of float32's 23 bits


def in_tf32(network: nn.Module) -> nn.Module:
    """`network` with every factor rounded before it is multiplied, forwards and backwards; sums stay float32."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            with torch.no_grad():
                module.weight.copy_(to_tf32(module.weight))
            module.register_forward_pre_hook(lambda _, inputs: (_RoundValue.apply(inputs[0]), *inputs[1:]))
            module.register_forward_hook(lambda _, inputs, output: _RoundGradient.apply(output))
    return network


def to_tf32(values: Tensor) -> Tensor:
    """Float32 values rounded to the nearest of TF32, half away from zero."""
    bits = values.detach().contiguous().view(torch.int32)
    return ((bits + (1 << (_DROPPED - 1))) & ~((1 << _DROPPED) - 1)).view(torch.float32)


class _RoundValue(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return to_tf32(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


class _RoundGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return to_tf32(gradient)
