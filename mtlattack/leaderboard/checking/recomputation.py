"""Recomputation: a row is what its evidence says, number by number."""

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

from mtlattack.errors import InputError
from mtlattack.evidence import Evidence
from mtlattack.leaderboard.checking.findings import Finding, refused
from mtlattack.leaderboard.checking.structure import Case
from mtlattack.leaderboard.rows.building import build_row
from mtlattack.leaderboard.rows.identity import row_document

# Sums of floats may differ between machines in their last digits; where such sums cancel, so may their first.
RELATIVE, ABSOLUTE = 1e-9, 1e-12
# These are copied, not computed, and other numbers are looked up by them.
_EXACT = ("config", "eps")
_MOST_SHOWN = 20
# Images that are resampled, and statistics × jobs for which that is done: forty times what a real run has.
_MOST_IMAGES, _MOST_COLUMNS = 20_000, 1_000_000


def check_recomputation(case: Case) -> Iterator[Finding]:
    """Every field in which a row differs from the one that its evidence proves: floats within 1e-9 of each other (the
    sums behind them may be done in another order elsewhere), all else exactly.

    InputError for evidence from which no row can be built.
    """
    check_work(case.evidence)
    row = case.stored.row
    proved = row_document(build_row(case.evidence, row.model, row.submitted, row.evidence))
    differing = differences(row_document(row), proved)
    for field, found, expected in islice(differing, _MOST_SHOWN):
        yield refused(case.path, field, f"{_shown(found)} in the row, {_shown(expected)} by its evidence")
    more = sum(1 for _ in differing)
    if more:
        yield refused(case.path, "", f"{more} more fields differ from what the evidence says")


def check_work(evidence: Evidence) -> None:
    """InputError if recomputing would take minutes, or gigabytes: no suite needs that."""
    columns = sum(len(task.statistics_names) for task in evidence.tasks.values())
    ensembles = evidence.plan.get("ensembles")
    members = [e.get("members") for e in ensembles if isinstance(e, dict)] if isinstance(ensembles, list) else []
    jobs = len(evidence.attacked) + 1 + sum(2 + len(m) for m in members if isinstance(m, list))
    if len(evidence.ids) > _MOST_IMAGES:
        raise InputError(f"data.images: {len(evidence.ids):,} images, at most {_MOST_IMAGES:,} are recomputed")
    if columns * jobs > _MOST_COLUMNS:
        raise InputError(
            f"attacks: {jobs:,} of them × {columns:,} statistics are {columns * jobs:,}, at most {_MOST_COLUMNS:,} are "
            "recomputed"
        )


def differences(found: Any, expected: Any, field: str = "", exact: bool = False) -> Iterator[tuple[str, Any, Any]]:
    """Path, value found and value expected of every leaf of two JSON documents that is not the same in both."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in dict.fromkeys([*expected, *found]):
            place = f"{field}.{key}" if field else str(key)
            if key in found and key in expected:
                yield from differences(found[key], expected[key], place, exact or key in _EXACT)
            else:
                yield place, found.get(key, "missing"), expected.get(key, "missing")
    elif isinstance(found, list) and isinstance(expected, list):
        for index, (one, other) in enumerate(zip(found, expected, strict=False)):
            yield from differences(one, other, f"{field}.{index}", exact)
        if len(found) != len(expected):
            yield field, f"{len(found)} entries", f"{len(expected)} entries"
    elif not _same(found, expected, exact):
        yield field, found, expected


def _same(found: Any, expected: Any, exact: bool) -> bool:
    if isinstance(found, float) and isinstance(expected, float) and not exact:
        return math.isclose(found, expected, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return type(found) is type(expected) and found == expected


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."
