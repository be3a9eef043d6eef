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
    closing: dict[str, int]
    """Forward passes of each attack that have no backward pass."""

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
    attacks = {name: workload.attack(name) for name in ATTACKS}
    costs = {name: attack.cost(workload.case.tasks) for name, attack in attacks.items()}
    floor, forward = [], []
    step: dict[str, list[float]] = {name: [] for name in attacks}
    for number in range(rounds + 1):
        seconds = {"floor": _seconds(workload, workload.forward_backward, steps)}
        seconds["forward"] = _seconds(workload, workload.forward, steps)
        for name, attack in attacks.items():
            seconds[name] = _seconds(workload, lambda attack=attack: workload.run_attack(attack), 1)
        advance()
        if number == 0:
            continue
        floor.append(seconds["floor"] / steps)
        forward.append(seconds["forward"] / steps)
        for name in attacks:
            step[name].append(seconds[name] / steps)
    closing = {name: cost.forward - cost.backward for name, cost in costs.items()}
    return Timing(floor, forward, step, steps, closing)


def _seconds(workload: Workload, work: Callable[[], None], times: int) -> float:
    workload.synchronise()
    start = time.perf_counter()
    for _ in range(times):
        work()
    workload.synchronise()
    return time.perf_counter() - start
