"""How rows stand against each other: at one ε, by the skill that the strongest attack on each leaves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from mtlattack.analysis import AttackResult
from mtlattack.analysis.record import RobustSkill, Skill
from mtlattack.analysis.summaries import LOG_RATIO, mean_of, robust_skill
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.ledger import Event, Status
from mtlattack.leaderboard.records import attacks_at, headline_eps

# Rows that no longer count stand below those that do.
WITHDRAWN: tuple[Status, ...] = ("retracted", "superseded")


@dataclass(frozen=True)
class Standing:
    """A row at one ε: its status, the skill that the attack leaves which leaves the least (None for evidence that knows
    no skill), of the attacks at this ε the one with the highest mean log loss ratio, and its rank among all rows of its
    suite version that count (None where it has none)."""

    stored: StoredRow
    status: Status
    eps: float
    robust: RobustSkill | None
    strongest: AttackResult
    rank: int | None = None

    @property
    def left(self) -> Skill | None:
        """The skill that is left, if it knows any."""
        return None if self.robust is None else self.robust.skill

    @property
    def counts(self) -> bool:
        """Whether it was neither retracted nor superseded."""
        return self.status not in WITHDRAWN


def status_of(identity: str, last: Mapping[str, Event]) -> Status:
    """A row's status by its last event; one that the ledger does not know yet is self-reported."""
    return last[identity].status if identity in last else "self-reported"


def stand(
    rows: Iterable[StoredRow], last: Mapping[str, Event], eps: float | None = None, attack: str | None = None
) -> list[Standing]:
    """Rows of one suite and version with their ranks, the most robust first, those that no longer count last.

    `last` is each row's last event (`ledger.statuses`); `eps` is in image units, by default the headline of each;
    `attack` is the only one to look at, by default all are. Rows without this ε or attack are left out.
    """
    standings = []
    for stored in rows:
        level = headline_eps(stored.record) if eps is None else eps
        results = [each for each in attacks_at(stored.record, level) if attack in (None, each.name)]
        if results:
            robust, strongest = next(iter(robust_skill(results)), None), LOG_RATIO.strongest(results) or results[0]
            standings.append(Standing(stored, status_of(stored.id, last), level, robust, strongest))
    return sorted(ranked(standings), key=_order)


def ranked(standings: Sequence[Standing]) -> list[Standing]:
    """The same with ranks from 1, of rows that count and have a skill: one more than there are rows whose interval lies
    wholly above theirs, so that rows whose intervals overlap share a rank."""
    bounds = [_bounds(each) if each.counts else None for each in standings]
    lows = [each[0] for each in bounds if each is not None]
    ranks = [None if each is None else 1 + sum(low > each[1] for low in lows) for each in bounds]
    return [replace(each, rank=rank) for each, rank in zip(standings, ranks, strict=True)]


def by_suite(rows: Iterable[StoredRow]) -> dict[tuple[str, int], list[StoredRow]]:
    """Rows by suite and version, the newest version of each suite first."""
    groups: dict[tuple[str, int], list[StoredRow]] = {}
    for stored in rows:
        groups.setdefault((stored.row.suite.name, stored.row.suite.version), []).append(stored)
    return dict(sorted(groups.items(), key=lambda item: (item[0][0], -item[0][1])))


def _bounds(standing: Standing) -> tuple[float, float] | None:
    """The interval of the robust skill; where no resample has any, the skill itself."""
    if (skill := mean_of(standing.left)).value is None:
        return None
    low, high = (skill.value if bound is None else bound for bound in (skill.low, skill.high))
    return low, high


def _order(standing: Standing) -> tuple[bool, bool, float, float, str]:
    """By robust skill; rows without any behind all that have it, by what the strongest attack did to them. What is
    undefined is not robust."""
    skill = mean_of(standing.left).value
    ratio = standing.strongest.log_ratio.value
    name = standing.stored.row.model.name
    return not standing.counts, skill is None, -(skill or 0.0), inf if ratio is None else ratio, name
