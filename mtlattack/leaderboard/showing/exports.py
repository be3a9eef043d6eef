"""The board for other programs: a tidy table of all numbers, and the stored documents."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.ledger import Event
from mtlattack.leaderboard.rows.numbers import Number, numbers_of
from mtlattack.leaderboard.standings import status_of

CSV_COLUMNS = (
    "row",
    "status",
    "suite",
    "suite_version",
    "model",
    "weights_sha256",
    "sharing_degree",
    "adversarial_training",
    "submitter",
    "norm",
    "eps",
    "attack",
    "task",
    "metric",
    "clean",
    "value",
    "low",
    "high",
    "unit",
    "better",
)
# What spreadsheets take for the beginning of a formula (OWASP, "CSV Injection"); full-width signs last.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_BETTER = {True: "higher", False: "lower", None: ""}


def to_csv(rows: Iterable[StoredRow], last: Mapping[str, Event]) -> str:
    """One line a number: row, ε (image units; 0 is clean), attack, task, metric; SI units and shares.

    `task` is `all` for what sums up an attack; an empty cell is undefined, or what the number does not have. Texts that
    a spreadsheet would take for a formula begin with an apostrophe. `last` is each row's last event.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for stored in rows:
        about = _about(stored, last)
        writer.writerows([*about, *_cells(number)] for number in numbers_of(stored.row))
    return out.getvalue()


def to_documents(rows: Iterable[StoredRow], last: Mapping[str, Event]) -> list[dict[str, Any]]:
    """For each row `id`, `status` and `document`: the JSON that is stored, of whatever schema version it is; its
    canonical form has the hash `id`."""
    return [{"id": stored.id, "status": status_of(stored.id, last), "document": stored.document} for stored in rows]


def guard(text: str) -> str:
    """`text` for a cell of a spreadsheet, where it must not become a formula."""
    return "'" + text if text.startswith(_FORMULA) else text


def _about(stored: StoredRow, last: Mapping[str, Event]) -> Sequence[object]:
    row = stored.row
    return (
        stored.id,
        status_of(stored.id, last),
        guard(row.suite.name),
        row.suite.version,
        guard(row.model.name),
        row.model.weights_sha256,
        row.model.sharing_degree,
        guard(row.model.adversarial_training or ""),
        guard(row.submitted.name),
        row.threat.norm,
    )


def _cells(number: Number) -> Sequence[object]:
    place, interval = number.place, number.interval
    names = (guard(place.attack), guard(place.task), guard(place.metric))
    numbers = (number.clean, interval.value, interval.low, interval.high)
    # None becomes an empty cell, floats the shortest decimals that give them back.
    return (place.eps, *names, *numbers, number.unit, _BETTER[number.higher_is_better])
