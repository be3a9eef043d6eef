"""A run's evidence as a file of at most 4 MiB that a stranger submits and anyone may read.

It is sealed (`sealed`): a document of plan, environment and image ids, and the arrays that
`stacking` makes of the numbers. Every float comes back bit for bit.

Measured on rooms-board, rooms-resnet10t.shared (49 jobs × 64 images × 5 tasks): 5,790,272 bytes of HDF5 become 822,092,
two thirds of them the angle histograms of the normals. Stored as float32 the numbers take 19 % more, counts as uint16
(not byte by byte) 11 %, counts as their difference to the clean run 11 %, to the job before 15 %. Dense is the sparsest
way: xz spends less on a zero than an index costs (a bit for each count 0.4 % more, indices 3 %). Leaving out the false
negatives, which follow from the other counts, would save 3 %.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from mtlattack.errors import InputError
from mtlattack.evidence import ARRIVAL, Evidence, job_names, targets_of
from mtlattack.evidence.packing import MOST_BYTES
from mtlattack.evidence.packing.sealed import seal, unseal
from mtlattack.evidence.packing.stacking import (
    ARRIVALS,
    array_names,
    constant_names,
    stack,
    stack_arrivals,
    stack_constant,
    unstack,
    unstack_arrivals,
    unstack_constant,
    values_of,
)
from mtlattack.evidence.plans import check_environment, check_ids, check_plan
from mtlattack.reading.hostile import read_regular

FORMAT = "mtlattack-evidence-compact"
# Version 1 knew no constant answer; it is still what evidence without one is packed as.
_WITHOUT_CONSTANT, FORMAT_VERSION = 1, 2
# 4 MiB hold some 7 million numbers of a real run; they become float64.
MOST_VALUES = 2**24
MOST_IMAGES = 100_000


def pack(evidence: Evidence) -> bytes:
    """The evidence of a finished run as bytes, the same for the same evidence.

    InputError if they are more than MOST_BYTES, and for evidence that no run stores or that `unpack` would not take
    back: not finite, of other shapes than its plan says, beyond its bounds.
    """
    document = {
        "format": FORMAT,
        "format_version": _WITHOUT_CONSTANT if evidence.constant is None else FORMAT_VERSION,
        "plan": evidence.plan,
        "environment": evidence.environment,
        "ids": evidence.ids,
    }
    try:
        arrays = stack(evidence.tasks, [evidence.clean, *evidence.attacked]) | stack_arrivals(evidence.attacked)
        data = seal(document, arrays | stack_constant(evidence.constant or {}))
        if len(data) > MOST_BYTES:
            raise InputError(
                f"it has {len(data):,} bytes packed, {len(data) - MOST_BYTES:,} more than the {MOST_BYTES:,} that may "
                "be submitted; a suite for the leaderboard needs fewer images, attacks or ε"
            )
        _unpack(data)
    except InputError as error:
        raise InputError(f"this evidence cannot be packed: {error}") from None
    return data


def unpack(data: bytes, place: str) -> Evidence:
    """The evidence that was packed; InputError beginning with `place` for whatever else `data` is.

    Nothing in `data` is trusted: its sizes are bounded before memory is spent on them (some 400 MiB at most), plan,
    environment and ids are strict JSON, and the arrays are just those that plan and ids ask for, finite but for the
    diagnostics. Of the plan only what `check_plan` needs is looked at.
    """
    try:
        return _unpack(data)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


def read_compact(path: Path) -> Evidence:
    """The evidence packed in a regular file; InputError as `unpack`, and for a link or a file that cannot be read."""
    try:
        data = read_regular(path, MOST_BYTES)
    except InputError as error:
        raise InputError(f"{path} {error}") from None
    return unpack(data, str(path))


def _unpack(data: bytes) -> Evidence:
    if len(data) > MOST_BYTES:
        raise InputError(f"this is {len(data):,} bytes, at most {MOST_BYTES:,} are allowed")
    document, arrays = unseal(data)
    found = document.get("format"), document.get("format_version")
    if found not in ((FORMAT, _WITHOUT_CONSTANT), (FORMAT, FORMAT_VERSION)) or type(found[1]) is not int:
        raise InputError(
            f"format is {found[0]!a:.60} version {found[1]!a:.60}, expected {FORMAT!r} {_WITHOUT_CONSTANT} or "
            f"{FORMAT_VERSION}"
        )
    has_constant = found[1] == FORMAT_VERSION
    _check_keys("its metadata", document, ["format", "format_version", "plan", "environment", "ids"])
    plan, ids = document["plan"], check_ids(document["ids"], MOST_IMAGES)
    tasks = check_plan(plan)
    if not isinstance(document["environment"], dict):
        raise InputError("environment is no object")
    check_environment(document["environment"])
    jobs = 1 + len(plan["attacks"])
    targets = targets_of(plan)
    values = values_of(tasks, jobs + has_constant, len(ids)) + len(targets) * len(ids) * len(tasks) * len(ARRIVAL)
    if values > MOST_VALUES:
        raise InputError(f"plan and ids ask for {values:,} numbers, at most {MOST_VALUES:,} are allowed")
    wanted = array_names(tasks) + (constant_names(tasks) if has_constant else []) + ([ARRIVALS] if targets else [])
    _check_keys("this", arrays, wanted)
    clean, *attacked = unstack(arrays, tasks, jobs, len(ids))
    for name, arrival in zip(targets, unstack_arrivals(arrays, tasks, targets, len(ids)), strict=True):
        place = job_names(plan).index(name) - 1
        attacked[place] = replace(attacked[place], arrival=arrival)
    constant = unstack_constant(arrays, tasks, len(ids)) if has_constant else None
    return Evidence(plan, document["environment"], ids, tasks, clean, attacked, constant)


def _check_keys(what: str, found: dict[str, Any], wanted: list[str]) -> None:
    if missing := [name for name in wanted if name not in found]:
        raise InputError(f"{what} has no {missing[0]!r}")
    if surplus := sorted(found.keys() - set(wanted)):
        raise InputError(f"{what} has {surplus[0][:60]!a}, which does not belong there")
