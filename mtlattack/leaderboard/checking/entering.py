"""Entering: what a row must be when it comes to the board, and need not stay."""

from collections.abc import Iterator
from datetime import datetime

from mtlattack.canonical import canonical_json
from mtlattack.evaluation import list_suites, load_suite
from mtlattack.leaderboard.checking.findings import Finding, refused, refused_for
from mtlattack.leaderboard.checking.structure import Case
from mtlattack.leaderboard.ledger import CLOCK_SKEW, EARLIEST
from mtlattack.leaderboard.rows.entry import entry_problems
from mtlattack.leaderboard.rows.identity import row_document
from mtlattack.leaderboard.rows.schema import SCHEMA_VERSION, Row


def is_past(row: Row) -> bool:
    """Whether it is of an earlier version of a suite that ships: such rows stand, though none enters any more."""
    return row.suite.name in list_suites() and row.suite.version < load_suite(row.suite.name).version


def check_entering(case: Case, now: datetime) -> Iterator[Finding]:
    """What keeps a row from entering today: its suite, images, attacks, and its times."""
    for problem in entry_problems(case.evidence):
        yield refused_for(case.path, problem)
    row, document = case.stored.row, case.stored.document
    if document["schema_version"] == SCHEMA_VERSION and canonical_json(document) != canonical_json(row_document(row)):
        # Else 1 and 1.0, or a default said and left out, make two rows of one.
        yield refused(case.path, "", "not as the program writes it: a field is left out, or a number or time otherwise")
    for field, time in (("environment.started", row.started), ("submitted.at", row.submitted.at)):
        if time > now + CLOCK_SKEW:
            yield refused(case.path, field, f"{time.isoformat()} is in the future (it is {now.isoformat()})")
        if time < EARLIEST:
            yield refused(case.path, field, f"{time.isoformat()} is before {EARLIEST.year}, when there was no suite")
    if row.submitted.at < row.started:
        said = f"{row.submitted.at.isoformat()} is before {row.started.isoformat()}, when the run started"
        yield refused(case.path, "submitted.at", said)
