"""Which rows are shown: of one suite and version, by status and model, each with its rank among all of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mtlattack.analysis import Record
from mtlattack.attacks import Threat
from mtlattack.epsilon import in_image_units
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation import list_suites
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.ledger import STATUSES, Event, Status
from mtlattack.leaderboard.records import levels_of, threat_at, threats_of
from mtlattack.leaderboard.standings import Standing, by_suite, stand
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
class Ranking:
    """What was selected of one suite version at one ε, the most robust row first."""

    suite: str
    version: int
    threat: Threat
    standings: list[Standing]


def select(rows: Iterable[StoredRow], last: Mapping[str, Event], selection: Selection) -> list[Ranking]:
    """The rankings with a row that is wanted, the newest version of each suite first; ranks do not depend on filters.

    `last` is each row's last event. InputError for a suite, version, ε or model that no row has.
    """
    groups = _wanted(by_suite(rows), selection)
    ranked = {key: ranks for key, group in groups.items() if (ranks := _rank(group, last, selection.eps))}
    if groups and not ranked:
        there = _levels(stored.record for group in groups.values() for stored in group)
        raise InputError(f"no row has eps {selection.eps:g}, expected one of {there}")
    names = {standing.stored.row.model.name for found in ranked.values() for standing in found}
    models = set(match_names(list(names), selection.model))
    if names and not models:
        raise UnknownNameError("model", selection.model, names)
    rankings = []
    for (suite, version), found in ranked.items():
        kept = [standing for standing in found if _is_wanted(standing, selection, models)][: selection.top]
        if kept:
            rankings.append(Ranking(suite, version, threat_at(kept[0].stored.record, kept[0].eps), kept))
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


def eps_of(record: Record, eps: float) -> float:
    """In image units the ε of a record that is given as in suites; InputError if it has none such."""
    level = in_image_units(eps, record.attacks[0].norm)
    if level not in levels_of(record):
        raise InputError(f"the row has no eps {eps:g}, expected one of {_levels([record])}")
    return level


def _levels(records: Iterable[Record]) -> str:
    """The ε of records as suites give them."""
    found = {each.eps / in_image_units(1, each.norm) for record in records for each in threats_of(record)}
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
        return {key: group for key, group in groups.items() if key[1] == selection.version}
    newest = dict(sorted(groups))  # Of each suite the last.
    return {key: group for key, group in groups.items() if key[1] == newest[key[0]]}


def _rank(group: list[StoredRow], last: Mapping[str, Event], eps: float | None) -> list[Standing]:
    """All rows of a suite version that were run at `eps`, with their ranks."""
    return stand(group, last, None if eps is None else in_image_units(eps, group[0].record.attacks[0].norm))


def _is_wanted(standing: Standing, selection: Selection, models: set[str]) -> bool:
    if selection.statuses:
        shown = standing.status in selection.statuses
    else:
        shown = standing.counts or selection.withdrawn
    return shown and standing.stored.row.model.name in models
