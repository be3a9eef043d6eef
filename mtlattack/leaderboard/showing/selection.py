"""Which rows are shown: of one suite and version, by status and model, each with its rank among all of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mtlattack.attacks import Threat
from mtlattack.epsilon import in_image_units
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation import list_suites
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.ledger import STATUSES, Event, Status
from mtlattack.leaderboard.rows.schema import Row
from mtlattack.leaderboard.standings import Standing, by_suite, ranked, stand
from mtlattack.registry import match_names

Groups = Mapping[tuple[str, int], list[StoredRow]]


@dataclass(frozen=True)
class Selection:
    """What to show; by default every row that counts, at its suite's headline ε.

    `eps` is as in suites: for l_inf in grey levels of 255. Without `statuses` those of rows that count, and with
    `withdrawn` all. `model` is a glob; `top` limits the rows of each suite version.
    """

    suite: str | None = None
    version: int | None = None
    eps: float | None = None
    statuses: tuple[Status, ...] = ()
    model: str = "*"
    withdrawn: bool = False
    top: int | None = None


@dataclass(frozen=True)
class Place:
    """A row's standing, and its rank among all rows of its suite version that count; None where it has none."""

    rank: int | None
    standing: Standing


@dataclass(frozen=True)
class Ranking:
    """What was selected of one suite version at one ε, the most robust row first."""

    suite: str
    version: int
    threat: Threat
    places: list[Place]


def select(rows: Iterable[StoredRow], last: Mapping[str, Event], selection: Selection) -> list[Ranking]:
    """The rankings with a row that is wanted, the newest version of each suite first; ranks do not depend on filters.

    `last` is each row's last event. InputError for a suite, version, ε or model that no row has.
    """
    groups = _wanted(by_suite(rows), selection)
    ranked = {key: ranks for key, group in groups.items() if (ranks := _rank(group, last, selection.eps))}
    if groups and not ranked:
        there = _levels(stored.row for group in groups.values() for stored in group)
        raise InputError(f"no row has eps {selection.eps:g}, expected one of {there}")
    names = {place.standing.stored.row.model.name for places in ranked.values() for place in places}
    models = set(match_names(list(names), selection.model))
    if names and not models:
        raise UnknownNameError("model", selection.model, names)
    rankings = []
    for (suite, version), places in ranked.items():
        kept = [place for place in places if _is_wanted(place, selection, models)][: selection.top]
        if kept:
            first = kept[0].standing
            threat = first.stored.row.threat
            rankings.append(Ranking(suite, version, Threat(threat.norm, first.eps, threat.quantized), kept))
    return rankings


def parse_statuses(names: Iterable[str]) -> tuple[Status, ...]:
    """Statuses by their names; UnknownNameError for one that is none."""
    known = {status: status for status in STATUSES}
    for name in names:
        if name not in known:
            raise UnknownNameError("status", name, STATUSES)
    return tuple(known[name] for name in names)  # type: ignore[index]


def check_suite(name: str, rows: Iterable[StoredRow]) -> None:
    """InputError unless one of the rows is of this suite; the message offers the nearest one that is."""
    there = {stored.row.suite.name for stored in rows}
    if name not in there:
        if name in list_suites():
            others = f"; there are rows of {', '.join(sorted(there))}" if there else ""
            raise InputError(f"no row of suite {name!r} yet{others}")
        raise UnknownNameError("suite", name, there | set(list_suites()))


def eps_of(row: Row, eps: float) -> float:
    """In image units the row's ε that is given as in suites; InputError if it has none such."""
    level = in_image_units(eps, row.threat.norm)
    if level not in row.threat.eps:
        raise InputError(f"the row has no eps {eps:g}, expected one of {_levels([row])}")
    return level


def _levels(rows: Iterable[Row]) -> str:
    """The ε of rows as suites give them."""
    found = {eps / in_image_units(1, row.threat.norm) for row in rows for eps in row.threat.eps}
    return ", ".join(f"{level:g}" for level in sorted(found))


def _wanted(groups: Groups, selection: Selection) -> Groups:
    if selection.suite is not None:
        check_suite(selection.suite, [stored for group in groups.values() for stored in group])
        groups = {key: group for key, group in groups.items() if key[0] == selection.suite}
    if selection.version is not None:
        versions = sorted({version for _, version in groups})
        if selection.version not in versions:
            of = f" of {selection.suite}" if selection.suite else ""
            there = ", ".join(map(str, versions)) or "none"
            raise InputError(f"no row{of} has version {selection.version}; versions with rows: {there}")
        groups = {key: group for key, group in groups.items() if key[1] == selection.version}
    return groups


def _rank(group: list[StoredRow], last: Mapping[str, Event], eps: float | None) -> list[Place]:
    """All rows of a suite version that were run at `eps`, with their ranks."""
    wanted = None if eps is None else in_image_units(eps, group[0].row.threat.norm)
    standings = stand(group, last, wanted)
    found = ranked(standings)
    return [Place(found.get(standing.stored.id), standing) for standing in standings]


def _is_wanted(place: Place, selection: Selection, models: set[str]) -> bool:
    standing = place.standing
    if selection.statuses:
        shown = standing.status in selection.statuses
    else:
        shown = standing.counts or selection.withdrawn
    return shown and standing.stored.row.model.name in models
