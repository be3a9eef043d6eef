"""SGM: gradients prefer the skip connections."""

from typing import Any

import torch
from torch import Tensor, nn

from mtlattack.errors import InputError
from mtlattack.models.prepared.copying import private_copy
from mtlattack.models.sources.base import ChangedSource
from mtlattack.models.sources.blocks import residual_blocks

GAMMA = 0.5


class SkipGradientSource(ChangedSource):
    """The skip gradient method (Wu et al. 2020, arXiv 2002.05990, eq. 5): where a block gives z + f(z), the backward
    pass takes 1 + γ·∂f/∂z in place of 1 + ∂f/∂z, γ in [0, 1].

    The decay is exact, in each block's branch once; the authors' code for ResNets multiplies at every inner ReLU. The
    forward pass is that of the model, bit for bit; γ = 1 is the model itself. The default γ is not tuned.
    """

    gamma: Tensor

    def __init__(self, model: nn.Module, gamma: float = GAMMA) -> None:
        """InputError for a γ outside [0, 1] and for a network without residual blocks; `model` stays as it is."""
        if isinstance(gamma, bool) or not isinstance(gamma, int | float) or not 0 <= gamma <= 1:
            raise InputError(f"sgm: gamma {gamma!r} is outside [0, 1]")
        super().__init__(private_copy(model))
        for block in residual_blocks(self.source, "sgm"):
            # A gradient that is scaled where the branch begins is scaled everywhere: the backward pass is linear.
            block.conv1 = nn.Sequential(ScaledGradient(float(gamma)), block.conv1)  # type: ignore[arg-type]
        # A model is known by the digest of its buffers: another γ must not pass for the same source.
        self.register_buffer("gamma", torch.tensor(float(gamma), dtype=torch.float64), persistent=False)
        self.eval()


class ScaledGradient(nn.Module):
    """The identity, whose gradient is multiplied by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """The same values."""
        return _Scaled.apply(x, self.factor)  # type: ignore[no-any-return]


class _Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.factor, None
