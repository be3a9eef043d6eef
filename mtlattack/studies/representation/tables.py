"""The linear study as tables, and beside it a pilot's numbers."""

from collections.abc import Sequence

import numpy as np

from mtlattack.studies.representation.reading import Sweep, numbers_of, seeds_converged, sweeps
from mtlattack.studies.slopes import interval, loglog_slope, resampled_means
from mtlattack.studies.study import Measured, Table

TITLES = {
    "t": "source tasks t",
    "n": "examples n of each source task",
    "m": "examples m of the target",
    "weakest": "weakest direction of the source heads",
    "eps": "ε, relative to the arm's",
}
# A linear simulation that was run before this library: squared loss, l_2, 8 seeds, and how its heads were scaled is not
# known. Axis, learner, value → excess adversarial risk.
PILOT: dict[tuple[str, str], dict[float, float]] = {
    ("m", "true"): {10: 0.0500, 320: 0.0011},
    ("t", "robust"): {4: 0.423, 8: 0.137, 16: 0.031, 32: 0.022},
    ("n", "robust"): {20: 0.107, 40: 0.031, 80: 0.0126, 160: 0.0070},
    ("weakest", "robust"): {1: 0.031, 0.5: 0.055, 0.25: 0.146, 0.1: 0.451},
}
PILOT_SLOPES = {("m", "true"): -1.12, ("t", "robust"): -1.49, ("n", "robust"): -1.31, ("weakest", "robust"): -1.19}
PILOT_ARM = "squared-l2"


def sweep_tables(measured: Sequence[Measured]) -> list[Table]:
    """Mean excess risk by learner along every axis of every arm, with 95 % bootstrap intervals over seeds."""
    return [_table(measured, sweep) for axis in TITLES for sweep in sweeps(measured, axis)]


def _table(measured: Sequence[Measured], sweep: Sweep) -> Table:
    rows = []
    means = {name: resampled_means(excess) for name, excess in sweep.excess.items()}
    nu = numbers_of(measured, sweep.arm, sweep.axis, "nu")
    for index, value in enumerate(sweep.values):
        row = [f"{value:g}", *(interval(draws[:, index]).text(4) for draws in means.values())]
        rows.append(row + ([f"{float(np.median(nu[index])):.3f}"] if nu else []))
    columns = [TITLES[sweep.axis], *means, *(["median ν"] if nu else [])]
    return Table(f"{sweep.arm}: excess adversarial risk against {TITLES[sweep.axis]}", columns, rows)


def pilot_table(measured: Sequence[Measured]) -> Table:
    """The pilot's numbers beside those of this study, and whether they lie in its intervals."""
    rows = []
    for (axis, learner), wanted in PILOT.items():
        for sweep in sweeps(measured, axis):
            if sweep.arm != PILOT_ARM:
                continue
            means = resampled_means(sweep.excess[learner])
            shared = [index for index, value in enumerate(sweep.values) if value in wanted]
            for index in shared:
                found, value = interval(means[:, index]), sweep.values[index]
                rows.append(_row(f"{axis} = {value:g}", found.low, found.high, found.text(4), wanted[value], 4))
            if axis != "m" and len(shared) == len(wanted):
                values = [sweep.values[index] for index in shared]
                slope = loglog_slope(values, sweep.excess[learner][:, shared])
                pilot = PILOT_SLOPES[axis, learner]
                rows.append(_row(f"slope in {axis}", slope.low, slope.high, slope.text(), pilot, 2))
    return Table("The pilot's excess risks beside these", ["what", "here", "pilot", "inside"], rows)


def convergence_table(measured: Sequence[Measured]) -> Table:
    """In how many seeds of how many stage 1 ended by itself, and not at its limit of steps, by arm and axis."""
    rows = []
    for arm, axis in dict.fromkeys((cell.settings["arm"], cell.settings["axis"]) for cell in measured):
        row = [f"{arm}, {TITLES[axis]}"]
        for stage in ("robust", "clean"):
            ended = [ok for found in seeds_converged(measured, arm, axis, stage) for ok in found]
            row.append(f"{sum(ended)} of {len(ended)}")
        rows.append(row)
    return Table("Seeds whose stage 1 converged", ["sweep", "adversarial stage 1", "clean stage 1"], rows)


def _row(what: str, low: float, high: float, text: str, pilot: float, digits: int) -> list[str]:
    return [what, text, f"{pilot:.{digits}f}", "yes" if low <= pilot <= high else "no"]
