"""How rows stand against each other: at one ε, by the skill that the strongest attack on each leaves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf

from mtlattack.analysis import AttackResult
from mtlattack.analysis.record import RobustSkill
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.ledger import Event, Status
from mtlattack.leaderboard.records import headline_eps, levels_of, robust_at, strongest

# Rows that no longer count stand below those that do.
WITHDRAWN: tuple[Status, ...] = ("retracted", "superseded")


@dataclass(frozen=True)
class Standing:
    """A row at one ε: its status, the skill that the attack leaves which leaves the least (None for evidence that knows
    no skill), and of the attacks at this ε the one with the highest mean log loss ratio."""

    stored: StoredRow
    status: Status
    eps: float
    robust: RobustSkill | None
    strongest: AttackResult

    @property
    def counts(self) -> bool:
        """Whether it was neither retracted nor superseded."""
        return self.status not in WITHDRAWN


def status_of(identity: str, last: Mapping[str, Event]) -> Status:
    """A row's status by its last event; one that the ledger does not know yet is self-reported."""
    return last[identity].status if identity in last else "self-reported"


def stand(rows: Iterable[StoredRow], last: Mapping[str, Event], eps: float | None = None) -> list[Standing]:
    """Rows of one suite and version, the most robust first, those that no longer count last.

    `last` is each row's last event (`ledger.statuses`); `eps` is in image units, by default the headline of each.
    Rows without this ε are left out.
    """
    standings = []
    for stored in rows:
        record = stored.record
        level = headline_eps(record) if eps is None else eps
        if level in levels_of(record):
            robust, attack = robust_at(record, level), strongest(record, level)
            standings.append(Standing(stored, status_of(stored.id, last), level, robust, attack))
    return sorted(standings, key=_order)


def ranked(standings: Iterable[Standing]) -> dict[str, int]:
    """Places from 1 by row id, of rows that count and have a skill: one more than there are rows whose interval lies
    wholly above theirs, so that rows whose intervals overlap share a place."""
    counted = {each.stored.id: bounds for each in standings if each.counts and (bounds := _bounds(each)) is not None}
    return {identity: 1 + sum(low > high for low, _ in counted.values()) for identity, (_, high) in counted.items()}


@dataclass(frozen=True)
class Place:
    """A row's standing, and its rank among all rows of its suite version that count; None where it has none."""

    rank: int | None
    standing: Standing


def places(rows: Iterable[StoredRow], last: Mapping[str, Event], eps: float | None = None) -> list[Place]:
    """All of `stand`, each with its rank."""
    standings = stand(rows, last, eps)
    found = ranked(standings)
    return [Place(found.get(standing.stored.id), standing) for standing in standings]


def by_suite(rows: Iterable[StoredRow]) -> dict[tuple[str, int], list[StoredRow]]:
    """Rows by suite and version, the newest version of each suite first."""
    groups: dict[tuple[str, int], list[StoredRow]] = {}
    for stored in rows:
        groups.setdefault((stored.row.suite.name, stored.row.suite.version), []).append(stored)
    return dict(sorted(groups.items(), key=lambda item: (item[0][0], -item[0][1])))


def _bounds(standing: Standing) -> tuple[float, float] | None:
    """The interval of the robust skill; where no resample has any, the skill itself."""
    if standing.robust is None or (skill := standing.robust.skill.mean).value is None:
        return None
    low, high = (skill.value if bound is None else bound for bound in (skill.low, skill.high))
    return low, high


def _order(standing: Standing) -> tuple[bool, bool, float, float, str]:
    """By robust skill; rows without any behind all that have it, by what the strongest attack did to them. What is
    undefined is not robust."""
    skill = None if standing.robust is None else standing.robust.skill.mean.value
    ratio = standing.strongest.log_ratio.value
    name = standing.stored.row.model.name
    return not standing.counts, skill is None, -(skill or 0.0), inf if ratio is None else ratio, name
