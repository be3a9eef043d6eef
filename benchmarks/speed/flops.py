"""The bound that the arithmetic sets: how many operations a pass has, and how fast this machine convolves."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

_BATCH, _CHANNELS, _SIDE, _KERNEL = 8, 256, 64, 3


def count_flops(work: Callable[[], object]) -> int:
    """Operations of `work` in convolutions and matrix products, two a multiply-add.

    It has to go back by `.backward()`: the counter's hooks do not go with `autograd.grad`.
    """
    counter = FlopCounterMode(display=False)
    with counter:
        work()
    return counter.get_total_flops()


class Convolution:
    """The measure of the machine: one big float32 3×3 convolution, channels-last, forward and input gradient."""

    flops = 2 * 2 * _BATCH * _CHANNELS**2 * _KERNEL**2 * _SIDE**2  # forward and backward, a multiply and an add

    def __init__(self, device: torch.device) -> None:
        def channels_last(*shape: int) -> Tensor:
            return torch.randn(*shape, device=device).to(memory_format=torch.channels_last)

        self._weight = channels_last(_CHANNELS, _CHANNELS, _KERNEL, _KERNEL)
        self._input = channels_last(_BATCH, _CHANNELS, _SIDE, _SIDE).requires_grad_()
        self._cotangent = channels_last(_BATCH, _CHANNELS, _SIDE, _SIDE)

    def __call__(self) -> None:
        """One forward pass and one input gradient."""
        output = F.conv2d(self._input, self._weight, padding=_KERNEL // 2)
        torch.autograd.grad(output, [self._input], [self._cotangent])
