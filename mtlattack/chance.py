"""Random numbers that are drawn on the side."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

# Of a generator: what gives its state, what sets it, and what seeds it.
_Controls = tuple[Callable[[], Tensor], Callable[[Tensor], object], Callable[[int], object]]


@contextmanager
def same_chance(device: torch.device) -> Iterator[None]:
    """Inside, random numbers on the CPU and on `device` are the same each time; outside, nobody notices.

    Torch's default generators of both are seeded with 0 and afterwards, also upon an exception, as they were; those of
    other devices are not touched.
    """
    kept: list[_Controls] = [(torch.get_rng_state, torch.set_rng_state, torch.default_generator.manual_seed)]
    if device.type == "cuda":
        torch.cuda.init()  # There are no generators before.
        index = torch.cuda.current_device() if device.index is None else device.index
        generator = torch.cuda.default_generators[index]
        kept.append((generator.get_state, generator.set_state, generator.manual_seed))
    elif device.type == "mps":
        kept.append((torch.mps.get_rng_state, torch.mps.set_rng_state, torch.mps.manual_seed))
    states = [get() for get, _, _ in kept]
    try:
        for _, _, seed in kept:
            seed(0)
        yield
    finally:
        for (_, put, _), state in zip(kept, states, strict=True):
            put(state)
