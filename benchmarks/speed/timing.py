"""Interleaved timing: every contestant once a round, so that a slow moment of the machine hits all of them."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import torch


@dataclass(frozen=True)
class Spread:
    """Median and extremes of a number over the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(median(values), min(values), max(values))


def interleave(
    contestants: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    device: torch.device,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, list[float]]:
    """Wall-clock seconds of each contestant, one a round, after a round to warm up; `advance` is called after each."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds + 1):
        for name, work in contestants.items():
            synchronise(device)
            start = time.perf_counter()
            work()
            synchronise(device)
            seconds[name].append(time.perf_counter() - start)
        advance()
    return {name: values[1:] for name, values in seconds.items()}


def ratio(seconds: Sequence[float], over: Sequence[float]) -> Spread:
    """One contestant's time over another's, taken inside each round."""
    return Spread.of([a / b for a, b in zip(seconds, over, strict=True)])


def synchronise(device: torch.device) -> None:
    """Wait for the device: until then nothing has been measured."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
