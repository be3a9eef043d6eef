"""Entering: what a row must be when it comes to the board, and need not stay."""

from collections.abc import Iterator
from datetime import datetime

from mtlattack.canonical import canonical_json
from mtlattack.leaderboard.checking.findings import Finding, refused, refused_for
from mtlattack.leaderboard.checking.structure import Case
from mtlattack.leaderboard.ledger import CLOCK_SKEW, EARLIEST
from mtlattack.leaderboard.rows.entry import entry_problems
from mtlattack.leaderboard.rows.identity import row_document
from mtlattack.leaderboard.rows.schema import SCHEMA_VERSION, Row
from mtlattack.leaderboard.suites import has_board, shipped_suite


def is_past(row: Row) -> bool:
    """Whether it is of an earlier version of a suite that ships, or of a suite that has no board any more: such rows
    stand, though none enters."""
    suite = shipped_suite(row.suite.name)
    return suite is not None and (row.suite.version < suite.version or not has_board(suite))


def check_entering(case: Case, now: datetime) -> Iterator[Finding]:
    """What keeps a row from entering today: its suite, images, attacks, and its times."""
    for problem in entry_problems(case.evidence):
        yield refused_for(case.path, problem)
    row, document = case.stored.row, case.stored.document
    if document["schema_version"] != SCHEMA_VERSION:
        yield refused(case.path, "schema_version", f"{document['schema_version']}, new rows have {SCHEMA_VERSION}")
    elif canonical_json(document) != canonical_json(row_document(row)):
        # Else 1 and 1.0, or a default said and left out, make two rows of one.
        yield refused(case.path, "", "not as the program writes it: a field is left out, or a number or time otherwise")
    started = datetime.fromisoformat(case.evidence.environment["started"])
    for field, time in (("environment.started", started), ("submitted.at", row.submitted.at)):
        if time > now + CLOCK_SKEW:
            yield refused(case.path, field, f"{time.isoformat()} is in the future (it is {now.isoformat()})")
        if time < EARLIEST:
            yield refused(case.path, field, f"{time.isoformat()} is before {EARLIEST.year}, when there was no suite")
    if row.submitted.at < started:
        said = f"{row.submitted.at.isoformat()} is before {started.isoformat()}, when the run started"
        yield refused(case.path, "submitted.at", said)
