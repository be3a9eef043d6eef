"""Layers of a network whose weights are constants: a gradient of its images needs less of a pass than training keeps.

A convolution is linear: without the gradient of its weights, its backward pass needs nothing of its input. Of a ReLU it
needs to know where the output is positive: a byte a value, not four. PyTorch keeps the values themselves.
"""

from typing import Any

import torch
from torch import Tensor, nn

# Maps of fewer values are kept as PyTorch keeps them: there a byte in place of four saves less than it costs.
_LARGE = 2**19


def freeze_layers(model: nn.Module) -> None:
    """Make every plain convolution and ReLU of a model, in place, one that keeps no large map for its backward pass.

    Not on CUDA, where it would cost time. Predictions and gradients stay the same to the last bit. Exact types only: a
    subclass may compute something else. The modules stay the same objects, with their parameters, hooks and places. A
    convolution whose weights want a gradient, and every layer under autocast or `torch.compile`, works as before. Not
    for the transforms of `torch.func`.
    """
    for module in model.modules():
        if type(module) in _FROZEN:
            module.__class__ = _FROZEN[type(module)]


class _Convolution(torch.autograd.Function):
    """aten::convolution that keeps its weight, and of its input the shape."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, *options: Any) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.shape, ctx.strides, ctx.options = x.shape, x.stride(), options
        return torch.ops.aten.convolution(x, weight, bias, *options)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        # Torch asks for the input to know its shape and layout; no value of it goes into the result.
        unread = gradient.new_empty_strided(ctx.shape, ctx.strides)
        wanted = [True, False, False]
        found, _, _ = torch.ops.aten.convolution_backward(gradient, unread, weight, None, *ctx.options, wanted)
        return found, None, None, *[None] * len(ctx.options)


class _Rectification(torch.autograd.Function):
    """ReLU that keeps where its output is not zero."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, inplace: bool) -> Tensor:
        if inplace:
            ctx.mark_dirty(x)
        result = x.relu_() if inplace else x.relu()
        # As a cast: a comparison takes four times as long on a CPU.
        ctx.save_for_backward(result.bool())
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (passed,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradient, passed.to(gradient.dtype), 0), None


class FrozenConv2d(nn.Conv2d):
    """A convolution of maps with constant weights."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        plain = self.padding_mode == "zeros" and not isinstance(self.padding, str) and input.ndim == 4
        if not plain or not _spares(input, weight, bias):
            return super()._conv_forward(input, weight, bias)
        return _Convolution.apply(
            input, weight, bias, self.stride, self.padding, self.dilation, False, (0, 0), self.groups
        )


class FrozenConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution of maps with constant weights."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        if output_size is not None or input.ndim != 4 or not _spares(input, self.weight, self.bias):
            return super().forward(input, output_size)
        options = (self.stride, self.padding, self.dilation, True, self.output_padding, self.groups)
        return _Convolution.apply(input, self.weight, self.bias, *options)


class FrozenReLU(nn.ReLU):
    """max(x, 0)."""

    def forward(self, input: Tensor) -> Tensor:
        # In place on a leaf is torch's to refuse.
        if not _spares(input) or (self.inplace and input.is_leaf):
            return super().forward(input)
        return _Rectification.apply(input, self.inplace)


_FROZEN: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv2d: FrozenConv2d,
    nn.ConvTranspose2d: FrozenConvTranspose2d,
    nn.ReLU: FrozenReLU,
}


def _spares(x: Tensor, *parameters: Tensor | None) -> bool:
    """Whether a backward pass is to come that would keep the large map `x`, and wants no gradient of the parameters."""
    return (
        # What is kept of a compiled pass is the compiler's to choose.
        not torch.compiler.is_compiling()
        and torch.is_grad_enabled()
        # Keeping is cheap there: on an H200 sparing took 14 % longer in TF32 and 26 % in bfloat16.
        and not x.is_cuda
        and not _is_autocast(x.device.type)
        and x.requires_grad
        and x.numel() >= _LARGE
        and not any(parameter is not None and parameter.requires_grad for parameter in parameters)
    )


def _is_autocast(device: str) -> bool:
    """Whether torch casts weights by itself, of which the backward pass would not know."""
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
