"""Comparison: what rows of one board say of each other."""

import hashlib
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from mtlattack.canonical import json_digest
from mtlattack.evaluation import Evidence
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.checking.findings import Finding, flagged, refused
from mtlattack.leaderboard.checking.kinds import kind_of
from mtlattack.leaderboard.identity import measured_identity
from mtlattack.leaderboard.ledger import Event
from mtlattack.leaderboard.standings import WITHDRAWN


@dataclass(frozen=True)
class Facts:
    """What is kept of a row once its evidence is no longer in memory: hashes of what its labels counted by task, and
    of all its losses."""

    path: str
    stored: StoredRow
    labels: Mapping[str, str]
    losses: str


class Order:
    """Who came first: the `old` rows of the base before new ones, then as the ledger first names them."""

    def __init__(self, old: Collection[str], named: Iterable[str]) -> None:
        self._old = old
        self._places = {row: place for place, row in enumerate(dict.fromkeys(named))}

    def rank(self, stored: StoredRow) -> tuple[bool, float, str]:
        """What rows are sorted by."""
        return stored.id not in self._old, self._places.get(stored.id, inf), stored.id


def facts_of(path: str, stored: StoredRow, evidence: Evidence) -> Facts:
    """The facts of a row whose evidence fits it."""
    labels = {
        name: _digest(kind_of(task).labels(task, evidence.clean.statistics[name]))
        for name, task in evidence.tasks.items()
    }
    return Facts(path, stored, labels, _digest(*(o.losses for o in [evidence.clean, *evidence.attacked])))


def check_duplicates(rows: Mapping[str, StoredRow], last: Mapping[str, Event], order: Order) -> Iterator[Finding]:
    """Rows `{path: row}` that say what another says, or have its evidence: found at the one that came later.

    `last` is each row's last event.
    """
    ranked = sorted(rows.items(), key=lambda item: order.rank(item[1]))
    counting: dict[Hashable, str] = {}
    evidence: dict[str, str] = {}
    for path, stored in ranked:
        status = last[stored.id].status if stored.id in last else "self-reported"
        if status not in WITHDRAWN:
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


def check_agreement(found: list[Facts], order: Order) -> Iterator[Finding]:
    """Rows that measured the same labels and counted them otherwise, that judge a suite's task otherwise (both found at
    the one that came later), or that have another's losses under other weights."""
    labels: dict[Hashable, tuple[str, Facts]] = {}
    configs: dict[Hashable, tuple[str, Facts]] = {}
    losses: dict[Hashable, Facts] = {}
    for facts in sorted(found, key=lambda each: order.rank(each.stored)):
        row = facts.stored.row
        for name, task in row.tasks.items():
            config = json_digest(task.config)
            place = (row.suite.name, row.suite.version, name)
            said, other = configs.setdefault(place, (config, facts))
            if said != config:
                yield refused(facts.path, f"tasks.{name}.config", f"row {other.stored.id} of this suite has another")
            counted = facts.labels[name]
            key = (row.data.sha256.get("id"), row.data.sha256.get(name), config)
            said, other = labels.setdefault(key, (counted, facts))
            if said != counted:
                text = f"row {other.stored.id} counted the same labels otherwise: one of both is wrong"
                yield refused(facts.path, f"tasks.{name}", text)
        twin = losses.setdefault(facts.losses, facts)
        if twin.stored.row.model.weights_sha256 != row.model.weights_sha256:
            yield flagged(facts.path, "attacks", f"every loss is that of row {twin.stored.id}, of other weights")


def _digest(*arrays: Any) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape}\0".encode() + array.tobytes())
    return digest.hexdigest()
