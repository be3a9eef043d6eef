"""Comparison: what rows of one board say of each other."""

import hashlib
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlattack.canonical import json_digest
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.checking.findings import Finding, Severity, flagged, refused
from mtlattack.leaderboard.checking.structure import Case
from mtlattack.leaderboard.ledger import Event
from mtlattack.leaderboard.rows.identity import measured_identity
from mtlattack.leaderboard.rows.plan import Plan
from mtlattack.leaderboard.standings import WITHDRAWN, status_of

# Clean losses of an image this close are no two models' (relative), if more than this share of them are.
_CLOSE, _SHARE = 1e-3, 0.5


@dataclass(frozen=True)
class Facts:
    """What is kept of a row once its evidence is no longer in memory: its plan; hashes by task of what its labels
    counted and, where it has any, of its constant answer and the statistics of that; a hash of all its losses; and the
    clean ones, `[N, T]`."""

    path: str
    stored: StoredRow
    plan: Plan
    labels: Mapping[str, str]
    constants: Mapping[str, str]
    losses: str
    clean: NDArray[np.float64]


class Order:
    """Who came first: the `old` rows of the base before new ones, then as the ledger first names them."""

    def __init__(self, old: Collection[str], named: Iterable[str]) -> None:
        self._old = old
        self._places = {row: place for place, row in enumerate(dict.fromkeys(named))}

    def rank(self, stored: StoredRow) -> tuple[bool, float, str]:
        """What rows are sorted by."""
        return stored.id not in self._old, self._places.get(stored.id, inf), stored.id


def facts_of(case: Case) -> Facts:
    """The facts of a row whose evidence fits it."""
    evidence = case.evidence
    labels = {name: _digest(task.labels_of(evidence.clean.statistics[name])) for name, task in evidence.tasks.items()}
    constants = {
        name: _digest(np.array((case.plan.constants or {}).get(name, [])), statistics)
        for name, statistics in (evidence.constant or {}).items()
    }
    losses = _digest(*(o.losses for o in [evidence.clean, *evidence.attacked]))
    return Facts(case.path, case.stored, case.plan, labels, constants, losses, evidence.clean.losses.copy())


def check_duplicates(rows: Mapping[str, StoredRow], last: Mapping[str, Event], order: Order) -> Iterator[Finding]:
    """Rows `{path: row}` that say what another says, or have its evidence: found at the one that came later.

    `last` is each row's last event.
    """
    ranked = sorted(rows.items(), key=lambda item: order.rank(item[1]))
    counting: dict[Hashable, str] = {}
    evidence: dict[str, str] = {}
    retracted = {measured_identity(s.row): s.id for s in rows.values() if status_of(s.id, last) == "retracted"}
    for path, stored in ranked:
        if status_of(stored.id, last) not in WITHDRAWN:
            if gone := retracted.get(measured_identity(stored.row)):
                yield flagged(path, "model.weights_sha256", f"row {gone} of the same weights was retracted")
            other = counting.setdefault(measured_identity(stored.row), path)
            if other != path:
                first = rows[other].id
                yield refused(
                    path,
                    "model.weights_sha256",
                    f"row {first} ({other}) has the same weights under the same suite; to replace it, add to the "
                    f'ledger that {first} is "superseded" with the successor {stored.id}',
                )
        other = evidence.setdefault(stored.row.evidence.sha256, path)
        # The same run may come again with a card that is put right.
        replaced = last[rows[other].id].successor if rows[other].id in last else None
        if other != path and (replaced != stored.id or rows[other].row.model == stored.row.model):
            yield refused(path, "evidence.sha256", f"the evidence is that of row {rows[other].id} ({other})")
        evidence[stored.row.evidence.sha256] = path


def check_agreement(found: list[Facts], last: Mapping[str, Event], order: Order) -> Iterator[Finding]:
    """Rows that measured the same labels and counted them otherwise, or have another best constant answer to them, or
    judge a suite's task otherwise: found at the one that came later, and at one that no longer counts rather than at
    one that does, where it refuses nothing.

    `last` is each row's last event. Also what `_look_alikes` finds.
    """
    first: dict[Hashable, tuple[str, Facts]] = {}
    withdrawn = {facts.path for facts in found if status_of(facts.stored.id, last) in WITHDRAWN}
    # A row that was wrong and is retracted must keep no other row from the board.
    for facts in sorted(found, key=lambda each: (each.path in withdrawn, order.rank(each.stored))):
        for field, about, said, text in _claims(facts):
            before, other = first.setdefault(about, (said, facts))
            if before != said:
                text = f"row {other.stored.id} {text}"
                yield Finding(_severity(facts, withdrawn), facts.path, field, text)
    yield from _look_alikes(sorted(found, key=lambda each: order.rank(each.stored)), withdrawn)


def _claims(facts: Facts) -> Iterator[tuple[str, Hashable, str, str]]:
    """What a row must say as all others: the field, what it is about, what is said, and what another row does that says
    otherwise."""
    suite, digests = facts.stored.row.suite, facts.plan.data.sha256
    for task in facts.plan.tasks:
        name, config = str(task.get("name", task["kind"])), json_digest(task)
        yield f"tasks.{name}.config", ("config", suite.name, suite.version, name), config, "of this suite has another"
        labels = (digests.get("id"), digests.get(name), config)
        text = "counted the same labels otherwise: one of both is wrong"
        yield f"tasks.{name}", ("labels", *labels), facts.labels[name], text
        if name in facts.constants:
            text = "has another best constant answer to the same labels: one of both is wrong"
            yield f"constants.{name}", ("constant", *labels), facts.constants[name], text


def _severity(facts: Facts, withdrawn: Collection[str]) -> Severity:
    return "flagged" if facts.path in withdrawn else "refused"


def _look_alikes(ranked: list[Facts], withdrawn: Collection[str]) -> Iterator[Finding]:
    """Rows of other weights than an earlier one's, with its name or with its losses."""
    for place, facts in enumerate(ranked):
        row = facts.stored.row
        earlier = [each for each in ranked[:place] if each.stored.row.model.weights_sha256 != row.model.weights_sha256]
        twin = next((each for each in earlier if each.losses == facts.losses), None)
        near = next((each for each in earlier if _close(each.clean, facts.clean)), None)
        if twin is not None:
            yield flagged(facts.path, "attacks", f"every loss is that of row {twin.stored.id}, of other weights")
        elif near is not None:
            text = f"most losses are nearly those of row {near.stored.id}, of other weights"
            yield flagged(facts.path, "clean_losses", text)
        for other in earlier:
            if _same_name(other.stored, facts.stored) and not {facts.path, other.path} & set(withdrawn):
                text = f"row {other.stored.id} of this suite has this name, and other weights"
                yield flagged(facts.path, "model.name", text)
                break


def _close(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    if one.shape != other.shape:
        return False
    counting = (one > 0) & (other > 0)
    near = np.abs(one - other) <= _CLOSE * np.maximum(one, other)
    return bool((near & counting).sum() > _SHARE * counting.sum())


def _same_name(one: StoredRow, other: StoredRow) -> bool:
    first, second = one.row, other.row
    same_suite = (first.suite.name, first.suite.version) == (second.suite.name, second.suite.version)
    return same_suite and first.model.name.casefold() == second.model.name.casefold()


def _digest(*arrays: Any) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape}\0".encode() + array.tobytes())
    return digest.hexdigest()
