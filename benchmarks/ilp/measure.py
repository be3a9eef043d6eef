"""Gaps and times of the solvers on one program."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from statistics import median
from typing import Any

import torch
from cases import BUDGETED, images_of

from mtlattack.attacks.ilp import Program, Solution, SolverError, solve_dual, solve_pulp, solve_restricted
from mtlattack.attacks.ilp.dual_solver import whole
from mtlattack.attacks.ilp.pulp_solver import choose_solver, image_programs
from mtlattack.attacks.ilp.relaxation import Relaxation


@dataclass
class Row:
    """One kind of program on one model's gradients; gaps an image, seconds an image.

    `seconds_pulp` hold the solver alone, `seconds_stating` what PuLP took to state the problem for it; an image on
    which it ran out of time (`timeouts`) counts with its limit in `seconds_pulp` and has no gap.
    """

    model: str
    kind: str
    tasks: int
    gaps: dict[str, list[float]] = field(default_factory=dict)
    seconds_dual: list[float] = field(default_factory=list)
    seconds_restricted: list[float] = field(default_factory=list)
    seconds_pulp: list[float] = field(default_factory=list)
    seconds_stating: list[float] = field(default_factory=list)
    timeouts: int = 0
    timeouts_restricted: int = 0

    @property
    def speedup(self) -> float:
        """Median time of PuLP's solver over that of the dual solver."""
        return median(self.seconds_pulp) / median(self.seconds_dual)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "speedup": self.speedup}


@dataclass(frozen=True)
class Plan:
    """Images at once for the dual solver; images for the slow ones, their solver, its limit in seconds and its gap."""

    batch: int
    offline: int
    exact: int
    solver: str | None
    time_limit: float
    gap: float


def measure(model: str, kind: str, program: Program, plan: Plan) -> Row:
    """Round by round: the dual solver on a batch, the offline mode and PuLP on one image each."""
    row = Row(model, kind, program.gains.shape[1])
    count = len(program.gains)
    starts = list(range(0, count, plan.batch))
    solve_dual(images_of(program, slice(0, plan.batch)))  # the first call warms up
    row.gaps = {"rounded": [], "repaired": []}
    for start in starts:
        part = images_of(program, slice(start, start + plan.batch))
        row.gaps["rounded"] += _rounded(part).gap.tolist()
        row.gaps["repaired"] += solve_dual(part).gap.tolist()
    offline = plan.offline if kind in BUDGETED else 0
    for i in range(max(plan.exact, offline, len(starts))):
        part = images_of(program, slice(starts[i % len(starts)], starts[i % len(starts)] + plan.batch))
        seconds, _ = _timed(partial(solve_dual, part))
        row.seconds_dual.append(seconds / len(part.gains))
        image = images_of(program, slice(i % count, i % count + 1))
        if i < offline:
            _offline(row, image, plan)
        if i < plan.exact:
            _exactly(row, image, plan)
    return row


def trade_off(gains: torch.Tensor) -> dict[str, Any]:
    """To first order, what dgba's step and max–min's gain an image's tasks: the least and the mean relative gain."""
    least, total = Program(gains=gains), Program(gains=gains, objective="sum")
    steps = {"dgba": solve_dual(total).step, "maxmin": solve_dual(least).step}
    found: dict[str, Any] = {}
    for name, step in steps.items():
        found[f"{name}_least"] = least.value(step).tolist()
        found[f"{name}_mean"] = (total.value(step) / gains.shape[1]).tolist()
    return found


def _rounded(program: Program) -> Solution:
    relaxation = Relaxation.of(program)
    return Solution.certified(
        program, whole(program, relaxation, relaxation.step), relaxation.bound * relaxation.rows.scale
    )


def _offline(row: Row, image: Program, plan: Plan) -> None:
    start = time.perf_counter()
    try:
        found = solve_restricted(image, plan.solver, time_limit=plan.time_limit)
        row.gaps.setdefault("restricted", []).extend(found.gap.tolist())
    except SolverError:
        row.timeouts_restricted += 1
    row.seconds_restricted.append(time.perf_counter() - start)


def _exactly(row: Row, image: Program, plan: Plan) -> None:
    stating, _ = _timed(lambda: [one.state() for one in image_programs(image)[0]])
    solver = choose_solver(plan.solver, time_limit=plan.time_limit, gap=plan.gap)
    row.seconds_stating.append(stating)
    start = time.perf_counter()
    try:
        found = solve_pulp(image, solver, gap=plan.gap)
    except SolverError:
        row.timeouts += 1
        row.seconds_pulp.append(plan.time_limit)
        return
    row.seconds_pulp.append(max(time.perf_counter() - start - stating, 0.0))
    row.gaps.setdefault("PuLP", []).extend(found.gap.tolist())


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result
