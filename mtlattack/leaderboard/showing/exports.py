"""The board for other programs: its columns as a table, and the rows with all that follows from them."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.columns import COLUMNS, Cell
from mtlattack.leaderboard.ledger import Event
from mtlattack.leaderboard.records import levels_of
from mtlattack.leaderboard.standings import Standing, by_suite, stand, status_of

# Beside the columns of the board; a row is known by its whole id here.
_ABOUT = ("row", "suite", "suite_version", "submitter", "weights_sha256", "norm", "eps")
# What spreadsheets take for the beginning of a formula (OWASP, "CSV Injection"); full-width signs last.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def to_csv(rows: Iterable[StoredRow], last: Mapping[str, Event]) -> str:
    """One line a row and ε (image units), with the columns of the board; all else that is known of a row is in
    `to_documents`.

    Shares are no per cents; an empty cell is undefined. Texts that a spreadsheet would take for a formula begin with an
    apostrophe. `last` is each row's last event.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(csv_columns())
    for group in by_suite(rows).values():
        levels = dict.fromkeys(eps for stored in group for eps in levels_of(stored.record))
        for eps in levels:
            writer.writerows(map(_line, stand(group, last, eps)))
    return out.getvalue()


def csv_columns() -> list[str]:
    """The names of the columns of `to_csv`."""
    return [*_ABOUT, *(key for column in COLUMNS for key in column.keys if column.key not in _ABOUT)]


def to_documents(rows: Iterable[StoredRow], last: Mapping[str, Event]) -> list[dict[str, Any]]:
    """For each row `id`, `status`, `document` (the JSON that is stored, of whatever schema version it is; its canonical
    form has the hash `id`), and `record`: all that is derived from its evidence. `last` is each row's last event."""
    return [
        {
            "id": stored.id,
            "status": status_of(stored.id, last),
            "document": stored.document,
            "record": stored.record.model_dump(mode="json"),
        }
        for stored in rows
    ]


def guard(text: str) -> str:
    """`text` for a cell of a spreadsheet, where it must not become a formula."""
    return "'" + text if text.startswith(_FORMULA) else text


def _line(standing: Standing) -> list[Cell]:
    stored, eps = standing.stored, standing.eps
    row, norm = stored.row, stored.record.attacks[0].norm
    about = (stored.id, row.suite.name, row.suite.version, row.submitted.name, row.model.weights_sha256, norm, eps)
    cells = [cell for column in COLUMNS for cell in column.cells(standing) if column.key not in _ABOUT]
    # None becomes an empty cell, floats the shortest decimals that give them back.
    return [guard(cell) if isinstance(cell, str) else cell for cell in (*about, *cells)]
