"""Components of vectors in planes of their own, and a gradient that keeps the vectors' layout."""

from typing import Any

import torch
from torch import Tensor


class Planes(torch.autograd.Function):
    """`contiguous`, but the gradient has the layout of the vectors: what a head makes of it depends on that."""

    generate_vmap_rule = True

    @staticmethod
    def forward(vectors: Tensor) -> Tensor:
        return vectors.contiguous()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.shape, ctx.strides = inputs[0].shape, inputs[0].stride()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.new_empty_strided(ctx.shape, ctx.strides).copy_(gradient)
