"""The numbers of a run as a few arrays, and back: every job of a task in one, counts in as few bytes as they need.

With J jobs (`clean` first), N images, T tasks, and S statistics of a task:

| array | type | shape | holds |
|---|---|---|---|
| losses | float32 | [J, N, T] | |
| perturbation | float64 | [J, N, 4] | columns NORMS |
| diagnostics | float64 | [J, N, D] | columns DIAGNOSTICS, NaN where nothing was noted |
| seconds | float32 | [J, N] | |
| statistics/<task>/counted | uint8 | [S] | 1 for the columns that hold counts |
| statistics/<task>/counts | uint8 | [P, J, N, C] | the C columns that do, lowest byte first: Σₚ 256ᵖ·counts[p] |
| statistics/<task>/sums | float32 | [J, N, S − C] | the other columns |

Where attacks have a target (J' of them) there is `arrival`, float64 [J', N, T, A], columns ARRIVAL, NaN without a goal.
The statistics of the best constant answers are one job more, under `constant/<task>/…`, with J = 1.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlattack.errors import InputError
from mtlattack.evidence import ARRIVAL, DIAGNOSTICS, NORMS, Outcome
from mtlattack.tasks import TaskMap

Arrays = dict[str, NDArray[Any]]

# Float32 counts are exact below 2²⁴, and every whole float32 below 2³² fits as well.
_MOST_PLANES = 4
_FIXED = ("losses", "perturbation", "diagnostics", "seconds")
_STATISTICS, _CONSTANT = "statistics", "constant"
ARRIVALS = "arrival"
_PARTS = ("counted", "counts", "sums")


def stack(tasks: TaskMap, outcomes: Sequence[Outcome]) -> Arrays:
    """The outcomes (one a job) as arrays; InputError for losses, statistics or seconds that are no float32 values."""
    arrays: Arrays = {
        "losses": _narrow("losses", np.stack([outcome.losses for outcome in outcomes])),
        "perturbation": np.stack([outcome.perturbation for outcome in outcomes]),
        "diagnostics": np.stack([outcome.diagnostics for outcome in outcomes]),
        "seconds": _narrow("seconds", np.stack([outcome.seconds for outcome in outcomes])),
    }
    for name in tasks:
        arrays |= _split(f"{_STATISTICS}/{name}", np.stack([outcome.statistics[name] for outcome in outcomes]))
    return arrays


def stack_constant(constant: Mapping[str, NDArray[np.float64]]) -> Arrays:
    """Statistics of the best constant answers, by task `[N, S]`, as arrays; InputError as `stack`."""
    arrays: Arrays = {}
    for name, values in constant.items():
        arrays |= _split(f"{_CONSTANT}/{name}", values[None])
    return arrays


def stack_arrivals(outcomes: Sequence[Outcome]) -> Arrays:
    """How far those of the outcomes have come that had a target, as an array if there are any."""
    arrivals = [outcome.arrival for outcome in outcomes if outcome.arrival is not None]
    return {ARRIVALS: np.stack(arrivals)} if arrivals else {}


def array_names(tasks: TaskMap) -> list[str]:
    """The arrays that there are for these tasks, but for those of the constant answers."""
    return [*_FIXED, *(f"{_STATISTICS}/{task}/{part}" for task in tasks for part in _PARTS)]


def constant_names(tasks: TaskMap) -> list[str]:
    """The arrays that there are for the constant answers."""
    return [f"{_CONSTANT}/{task}/{part}" for task in tasks for part in _PARTS]


def values_of(tasks: TaskMap, jobs: int, images: int) -> int:
    """How many numbers the outcomes of a run hold."""
    statistics = sum(len(task.statistics_names) for task in tasks.values())
    return jobs * images * (len(tasks) + len(NORMS) + len(DIAGNOSTICS) + 1 + statistics)


def unstack(arrays: Mapping[str, NDArray[Any]], tasks: TaskMap, jobs: int, images: int) -> list[Outcome]:
    """The outcomes that `stack` made arrays of, one a job.

    InputError for an array of another type or shape, and for losses, statistics, perturbations or seconds that are not
    finite. All of `array_names` must be there.
    """
    losses = _finite(arrays, "losses", np.float32, (jobs, images, len(tasks)))
    perturbation = _finite(arrays, "perturbation", np.float64, (jobs, images, len(NORMS)))
    diagnostics = _checked(arrays, "diagnostics", np.float64, (jobs, images, len(DIAGNOSTICS))).astype(np.float64)
    if np.isinf(diagnostics).any():
        raise InputError("diagnostics has values that are infinite")
    seconds = _finite(arrays, "seconds", np.float32, (jobs, images))
    statistics = {
        name: _joined(arrays, f"{_STATISTICS}/{name}", len(task.statistics_names), jobs, images)
        for name, task in tasks.items()
    }
    return [
        Outcome(
            losses[job],
            {name: values[job] for name, values in statistics.items()},
            perturbation[job],
            diagnostics[job],
            seconds[job],
        )
        for job in range(jobs)
    ]


def unstack_constant(arrays: Mapping[str, NDArray[Any]], tasks: TaskMap, images: int) -> dict[str, NDArray[np.float64]]:
    """What `stack_constant` made arrays of; InputError as `unstack`. All of `constant_names` must be there."""
    return {
        name: _joined(arrays, f"{_CONSTANT}/{name}", len(task.statistics_names), 1, images)[0]
        for name, task in tasks.items()
    }


def unstack_arrivals(
    arrays: Mapping[str, NDArray[Any]], tasks: TaskMap, targets: Mapping[str, Mapping[str, str]], images: int
) -> list[NDArray[np.float64]]:
    """What `stack_arrivals` made an array of, by the plan's targets; InputError as `unstack`, and for numbers without a
    goal or a goal without numbers."""
    if not targets:
        return []
    values = _checked(arrays, ARRIVALS, np.float64, (len(targets), images, len(tasks), len(ARRIVAL)))
    goals = np.array([[isinstance(target, dict) and name in target for name in tasks] for target in targets.values()])
    if not np.array_equal(np.isfinite(values), np.broadcast_to(goals[:, None, :, None], values.shape)):
        raise InputError(f"{ARRIVALS} has values that are not finite, or that no target asks for")
    return list(values.astype(np.float64))


def _split(place: str, values: NDArray[np.float64]) -> Arrays:
    """Statistics `[J, N, S]` as the arrays of `place`, counts apart from sums."""
    narrow = _narrow(place, values)
    counted = _counted(narrow)
    return {
        f"{place}/counted": counted.astype(np.uint8),
        f"{place}/counts": _planes(narrow[..., counted].astype(np.uint32)),
        f"{place}/sums": narrow[..., ~counted],
    }


def _narrow(name: str, values: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    if not np.array_equal(narrow, values, equal_nan=True):
        raise InputError(f"{name} has values that are no float32: no run stores such")
    return narrow


def _counted(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which columns of `[J, N, S]` hold whole numbers from 0 (not −0) below 2³² alone."""
    with np.errstate(invalid="ignore"):
        whole = (values >= 0) & (values < 2.0**32) & (values == np.floor(values)) & ~np.signbit(values)
    return whole.all((0, 1))


def _planes(counts: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Bytes of `[J, N, C]`, lowest first and without the highest ones where all are 0, `[P, J, N, C]`."""
    planes = max(1, (int(counts.max(initial=0)).bit_length() + 7) // 8)
    return np.stack([(counts >> np.uint32(8 * plane)).astype(np.uint8) for plane in range(planes)])


def _joined(
    arrays: Mapping[str, NDArray[Any]], place: str, columns: int, jobs: int, images: int
) -> NDArray[np.float64]:
    """What `_split` made the arrays of `place` of, `[J, N, S]`."""
    counted = _checked(arrays, f"{place}/counted", np.uint8, (columns,))
    if (counted > 1).any():
        raise InputError(f"{place}/counted has values beside 0 and 1")
    mask = counted.astype(bool)
    planes = len(arrays[f"{place}/counts"]) if arrays[f"{place}/counts"].ndim else 0
    if not 1 <= planes <= _MOST_PLANES:
        raise InputError(f"{place}/counts has {planes} bytes a count, expected 1 to {_MOST_PLANES}")
    counts = _checked(arrays, f"{place}/counts", np.uint8, (planes, jobs, images, int(mask.sum())))
    sums = _finite(arrays, f"{place}/sums", np.float32, (jobs, images, int((~mask).sum())))
    values = np.empty((jobs, images, columns))
    values[..., ~mask] = sums
    # Horner's rule; every step is exact in float64.
    whole = counts[-1].astype(np.float64)
    for plane in counts[-2::-1]:
        whole *= 256
        whole += plane
    values[..., mask] = _narrow(f"{place}/counts", whole)
    return values


def _finite(
    arrays: Mapping[str, NDArray[Any]], name: str, dtype: type[np.generic], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    values = _checked(arrays, name, dtype, shape)
    if not np.isfinite(values).all():
        raise InputError(f"{name} has values that are not finite")
    return values.astype(np.float64)


def _checked(
    arrays: Mapping[str, NDArray[Any]], name: str, dtype: type[np.generic], shape: tuple[int, ...]
) -> NDArray[Any]:
    array = arrays[name]
    if array.dtype != dtype or array.shape != shape:
        raise InputError(
            f"{name} is {array.dtype} {list(array.shape)}, expected {np.dtype(dtype)} {list(shape)} from its plan"
        )
    return array
