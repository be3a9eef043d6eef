"""Interleaved timing: every contestant once a round, so that a slow moment of the machine hits all of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from workload import Workload

ATTACKS = ("pgd-dgba", "apgd-dgba")


@dataclass(frozen=True)
class Spread:
    """A ratio over the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Timing:
    """Seconds, one entry a round: of one floor pass, of one forward pass, and of each whole attack over its steps."""

    floor: list[float]
    forward: list[float]
    step: dict[str, list[float]]
    steps: int
    closing: dict[str, int]  # forward passes of each attack that no backward pass follows

    def against_floor(self, attack: str) -> Spread:
        """Time of a step over that of a floor pass, each round by itself."""
        return Spread.of([step / floor for step, floor in zip(self.step[attack], self.floor, strict=True)])

    def against_passes(self, attack: str) -> Spread:
        """Time of the attack over that of the passes it counts: K floor passes and the closing forward ones."""
        rounds = zip(self.step[attack], self.floor, self.forward, strict=True)
        closing = self.closing[attack] / self.steps
        return Spread.of([step / (floor + closing * forward) for step, floor, forward in rounds])


def time_case(workload: Workload, rounds: int, advance: Callable[[], None]) -> Timing:
    """`rounds` rounds of floor, forward, attack, attack after one to warm up; `advance` is called after each."""
    steps = workload.case.steps
    contestants = {
        "floor": (workload.floor_passes, 1),
        "forward": (workload.forward, steps),
        **{name: (workload.attacking(name), 1) for name in ATTACKS},
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds + 1):
        for name, (work, times) in contestants.items():
            seconds[name].append(_seconds(workload, work, times) / steps)
        advance()
    counted = {name: values[1:] for name, values in seconds.items()}
    costs = {name: workload.attack(name).cost(workload.case.tasks) for name in ATTACKS}
    return Timing(
        floor=counted.pop("floor"),
        forward=counted.pop("forward"),
        step=counted,
        steps=steps,
        closing={name: cost.forward - cost.backward for name, cost in costs.items()},
    )


def _seconds(workload: Workload, work: Callable[[], None], times: int) -> float:
    """Wall-clock time of `times` runs of the work."""
    workload.synchronise()
    start = time.perf_counter()
    for _ in range(times):
        work()
    workload.synchronise()
    return time.perf_counter() - start
