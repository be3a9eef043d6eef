"""How passes are recorded as CUDA graphs, where torch can."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Predict = Callable[[Tensor], dict[str, Tensor]]
# Records the forward and the backward pass of a function on a sample of its images.
Record = Callable[[Predict, tuple[Tensor]], Predict]


def record_on_cuda(predict: Predict, sample: tuple[Tensor]) -> Predict:
    """By `torch.cuda.make_graphed_callables`, on the device of the sample; RuntimeError where a pass waits for it."""
    device = sample[0].device
    # A recording that fails leaves its stream the current one; the one around sets it back.
    with torch.cuda.device(device), torch.cuda.stream(torch.cuda.current_stream(device)), warnings.catch_warnings():
        # torch records on a stream of its own: that is meant, and where warnings are errors no reason to refuse.
        warnings.filterwarnings("ignore", message="The AccumulateGrad node's stream does not match")
        warnings.filterwarnings("ignore", message="Synchronization debug mode is a prototype")
        _never_waits(predict, sample)
        recorded: Any = torch.cuda.make_graphed_callables(predict, sample)
        return recorded


def _never_waits(predict: Predict, sample: tuple[Tensor]) -> None:
    """RuntimeError from the operation that waits for the device: where it breaks a recording, torches before 2.13
    cannot free memory afterwards, nor say which it was."""
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        live = [value.sum() for value in predict(*sample).values() if value.requires_grad]
        if live:
            torch.autograd.grad(live, sample, allow_unused=True)
    finally:
        torch.cuda.set_sync_debug_mode(mode)
