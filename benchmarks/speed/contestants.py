"""Who takes part in `attack_step.py`, and which of them are compared, with the goals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from flops import Convolution
from memory import ATTACK, ATTACK16, FLOOR, KEEPING, T_BACKWARD
from report import Goal, Line
from timing import Spread, ratio
from workload import Case, Workload

FORWARD, FLOOR16 = "forward", "floor bf16"
PGD, PLAIN, SEARCH16, APGD, SIGNSUM = "pgd-dgba", "pgd-dgba plain", "pgd-dgba bf16", "apgd-dgba", "pgd-signsum"
FLOOR_GRAPHED, PGD_GRAPHED = "floor graphed", "pgd-dgba graphed"
OWN_PASSES, CONVOLUTION, BOUND = "own passes", "convolution", "FLOP bound"
_TASKS = (3, 5)
_PEAK = "peak memory "


@dataclass(frozen=True)
class Contestant:
    """Something to run, and the number of steps that it then has done."""

    work: Callable[[], object]
    steps: int


@dataclass(frozen=True)
class Comparison:
    """One contestant over another, and the limits it should keep at T = 3 and at T = 5, by the kind of heads."""

    name: str
    over: str
    sign: Literal["≤", "≥"] = "≤"
    light: tuple[float, float] | None = None
    atrous: tuple[float, float] | None = None
    only_at: tuple[int, int] | None = None
    what: str = ""

    def line(self, case: Case, value: Spread, base: str) -> Line:
        """What was measured of a case, titled e.g. `pgd-dgba / floor`."""
        return Line(case.title, f"{self.what}{self.name} / {self.over}", value, base, self._goal(case))

    def _goal(self, case: Case) -> Goal | None:
        limits = self.atrous if case.network.endswith("atrous") else self.light
        if limits is None or case.tasks not in _TASKS or self.only_at not in (None, (case.height, case.width)):
            return None
        return Goal(self.sign, limits[_TASKS.index(case.tasks)])


TIMES = (
    Comparison(PGD, FLOOR, "≤", (1.05, 1.05), (1.05, 1.05)),
    Comparison(APGD, FLOOR, "≤", (1.05, 1.05), (1.05, 1.05)),
    Comparison(APGD, OWN_PASSES),
    Comparison(T_BACKWARD, PLAIN, "≥", (3.0, 4.2), (2.0, 2.0)),
    Comparison(T_BACKWARD, PGD, "≥", (3.5, 4.8)),
    Comparison(T_BACKWARD, SEARCH16, "≥", (10, 10), (5, 5)),
    Comparison(SIGNSUM, PGD, "≤", (1.95, 2.7), (1.95, 2.7)),
    Comparison(FLOOR, BOUND),
    Comparison(FORWARD, FLOOR),
    Comparison(FLOOR16, FLOOR),
    Comparison(FLOOR, KEEPING),
    # On a CUDA device only.
    Comparison(FLOOR, FLOOR_GRAPHED),
    Comparison(PGD, PGD_GRAPHED),
)
# What the times would be if time were operations: says where a goal is out of a network's reach.
FLOPS = (Comparison(T_BACKWARD, FLOOR, what="FLOPs "), Comparison(SIGNSUM, FLOOR, what="FLOPs "))
PEAKS = (
    Comparison(ATTACK, T_BACKWARD, "≤", (0.35, 0.35), (0.35, 0.35), only_at=(256, 256), what=_PEAK),
    Comparison(ATTACK16, T_BACKWARD, what=_PEAK),
    Comparison(FLOOR, KEEPING, what=_PEAK),
    Comparison(ATTACK, FLOOR, "≤", (1.25, 1.25), (1.25, 1.25), what=_PEAK),
)


def contestants(workload: Workload, few: int) -> dict[str, Contestant]:
    """All of them, by name; those that replay CUDA graphs where the device has such."""
    steps, prepared, search = workload.case.steps, workload.prepared, workload.search
    field = {
        FLOOR: Contestant(workload.floor(prepared, steps), steps),
        PGD: Contestant(workload.attack("pgd-dgba", prepared, steps), steps),
        APGD: Contestant(workload.attack("apgd-dgba", prepared, steps), steps),
        SEARCH16: Contestant(workload.attack("pgd-dgba", prepared, steps, search), steps),
        FORWARD: Contestant(workload.forward(prepared, few), few),
        FLOOR16: Contestant(workload.floor(search, few), few),
        KEEPING: Contestant(workload.floor_keeping_all(few), few),
        SIGNSUM: Contestant(workload.attack("pgd-signsum", prepared, few), few),
        PLAIN: Contestant(workload.attack("pgd-dgba", workload.plain, few), few),
        T_BACKWARD: Contestant(workload.t_backward(few), few),
        CONVOLUTION: Contestant(Convolution(workload.device), 1),
    }
    if workload.device.type == "cuda":
        field[FLOOR_GRAPHED] = Contestant(workload.floor(workload.graphed, steps), steps)
        field[PGD_GRAPHED] = Contestant(workload.attack("pgd-dgba", workload.graphed, steps), steps)
    return field


def countable(workload: Workload) -> dict[str, Callable[[], object]]:
    """One step each of those whose operations are counted."""
    return {
        FLOOR: workload.countable_floor,
        SIGNSUM: workload.countable_signsum,
        T_BACKWARD: workload.t_backward(1),
    }


def compare_times(case: Case, seconds: Mapping[str, Sequence[float]], flops: Mapping[str, int]) -> list[Line]:
    """The comparisons of `TIMES`, and `FLOPS`, from seconds and operations a step."""
    floor, forward, convolution = seconds[FLOOR], seconds[FORWARD], seconds[CONVOLUTION]
    all_seconds = {
        **seconds,
        OWN_PASSES: [a + b / case.steps for a, b in zip(floor, forward, strict=True)],
        BOUND: [flops[FLOOR] / (Convolution.flops / c) for c in convolution],
    }
    there = [comparison for comparison in TIMES if {comparison.name, comparison.over} <= all_seconds.keys()]
    pairs = ((comparison, all_seconds[comparison.name], all_seconds[comparison.over]) for comparison in there)
    lines = [comparison.line(case, ratio(own, other), _ms(other)) for comparison, own, other in pairs]
    base = f"{flops[FLOOR] / 1e9:.1f} GFLOP"
    return [*lines, *(x.line(case, Spread.of([flops[x.name] / flops[x.over]]), base) for x in FLOPS)]


def compare_peaks(case: Case, peaks: Mapping[str, int]) -> list[Line]:
    """The comparisons of `PEAKS`, from bytes."""
    pairs = ((comparison, peaks[comparison.name], peaks[comparison.over]) for comparison in PEAKS)
    return [comparison.line(case, Spread.of([own / other]), _mib(other)) for comparison, own, other in pairs]


def _ms(seconds: Sequence[float]) -> str:
    return f"{1000 * median(seconds):.1f} ms"


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"
