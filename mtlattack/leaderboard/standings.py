"""How rows stand against each other: at one ε, by the attack of the suite that hurts each model most."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf

from mtlattack.epsilon import in_image_units
from mtlattack.evaluation import list_suites, load_suite
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.ledger import Event, Status
from mtlattack.leaderboard.rows.schema import AttackEntry, Row

# Rows that no longer count stand below those that do.
WITHDRAWN: tuple[Status, ...] = ("retracted", "superseded")


@dataclass(frozen=True)
class Standing:
    """A row at one ε: its status, and of the attacks at this ε the one with the highest mean log loss ratio."""

    stored: StoredRow
    status: Status
    eps: float
    strongest: AttackEntry

    @property
    def counts(self) -> bool:
        """Whether it was neither retracted nor superseded."""
        return self.status not in WITHDRAWN


def status_of(identity: str, last: Mapping[str, Event]) -> Status:
    """A row's status by its last event; one that the ledger does not know yet is self-reported."""
    return last[identity].status if identity in last else "self-reported"


def headline_eps(row: Row) -> float:
    """The ε, in image units, that stands first: the suite's own, or the middle one where the suite is not known."""
    levels = sorted(row.threat.eps)
    if row.suite.name in list_suites():
        suite = load_suite(row.suite.name)
        wanted = suite.headline
        if suite.version == row.suite.version and wanted is not None:
            return min(levels, key=lambda eps: abs(eps - in_image_units(wanted, suite.norm)))
    return levels[len(levels) // 2]


def strongest(row: Row, eps: float) -> AttackEntry:
    """Of a row's attacks at `eps` the one with the highest mean log loss ratio over images and tasks."""
    return max(attacks_at(row, eps), key=lambda attack: _strength(attack))


def attacks_at(row: Row, eps: float) -> list[AttackEntry]:
    """A row's attacks at one of its ε, in the suite's order."""
    return [attack for attack in row.attacks if attack.eps == eps]


def stand(rows: Iterable[StoredRow], last: Mapping[str, Event], eps: float | None = None) -> list[Standing]:
    """Rows of one suite and version, the most robust first, those that no longer count last.

    `last` is each row's last event (`ledger.statuses`); `eps` is in image units, by default the headline of each.
    Rows without this ε are left out.
    """
    standings = []
    for stored in rows:
        level = headline_eps(stored.row) if eps is None else eps
        if level in stored.row.threat.eps:
            standings.append(Standing(stored, status_of(stored.id, last), level, strongest(stored.row, level)))
    return sorted(standings, key=_order)


def ranks(log_ratios: Mapping[str, float | None]) -> dict[str, int]:
    """Places from 1 by row id, the lowest log loss ratio first, equals on the same; none where it is undefined."""
    known = [value for value in log_ratios.values() if value is not None]
    return {
        identity: 1 + sum(other < value for other in known)
        for identity, value in log_ratios.items()
        if value is not None
    }


def ranked(standings: Iterable[Standing]) -> dict[str, int]:
    """The places of rows that count, under the strongest attack on each."""
    return ranks({each.stored.id: each.strongest.log_ratio.value for each in standings if each.counts})


def by_suite(rows: Iterable[StoredRow]) -> dict[tuple[str, int], list[StoredRow]]:
    """Rows by suite and version, the newest version of each suite first."""
    groups: dict[tuple[str, int], list[StoredRow]] = {}
    for stored in rows:
        groups.setdefault((stored.row.suite.name, stored.row.suite.version), []).append(stored)
    return dict(sorted(groups.items(), key=lambda item: (item[0][0], -item[0][1])))


def _order(standing: Standing) -> tuple[bool, bool, float, str]:
    """What is undefined is not robust: it stands behind all that has a number."""
    value = standing.strongest.log_ratio.value
    return not standing.counts, value is None, 0.0 if value is None else value, standing.stored.row.model.name


def _strength(attack: AttackEntry) -> float:
    return -inf if attack.log_ratio.value is None else attack.log_ratio.value
