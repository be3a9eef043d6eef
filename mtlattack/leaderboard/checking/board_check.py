"""The check of a whole board, alone or against the board that a pull request would change."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from mtlattack.leaderboard.board import LEDGER, ROWS, Board, Listing, StoredRow
from mtlattack.leaderboard.checking import comparison, events, history, structure
from mtlattack.leaderboard.checking.comparison import Facts, Order, facts_of
from mtlattack.leaderboard.checking.constants import check_constants
from mtlattack.leaderboard.checking.contradictions import check_contradictions
from mtlattack.leaderboard.checking.entering import check_entering, is_past
from mtlattack.leaderboard.checking.events import Line
from mtlattack.leaderboard.checking.findings import Finding, guarded
from mtlattack.leaderboard.checking.history import Base
from mtlattack.leaderboard.checking.structure import Case
from mtlattack.leaderboard.checking.suspicions import check_suspicions
from mtlattack.leaderboard.ledger import read_content, statuses
from mtlattack.leaderboard.rows.building import check_belongs
from mtlattack.leaderboard.rows.deriving import check_work
from mtlattack.leaderboard.rows.plan import check_evidence

# Where these are not the suite's, a row may be any amount of work.
_WORK = ("suite", "attacks", "ensembles")


def check_board(root: Path, base: Path | None = None, now: datetime | None = None) -> list[Finding]:
    """Everything that is wrong or odd about the board in `root`, in one order wherever it is run.

    With a `base`, the board as it stands, also what of it was changed; the rules of entry then go for the rows that are
    new, else for all but those of earlier versions of today's suites. `now` is what the clock says. Nothing that was
    submitted is executed, no link is followed, and nothing larger than a board's files is read. InputError where there
    are no such boards.
    """
    check = _Check(Board.begun(root), None if base is None else Board.begun(base), now or datetime.now(UTC))
    return sorted(set(check.run()), key=lambda finding: finding.order)


class _Check:
    """One check of one board, from the files to what they say together."""

    def __init__(self, board: Board, old: Board | None, now: datetime) -> None:
        self.board, self.old, self.now = board, old, now
        self.findings: list[Finding] = []
        self.listing = Listing()
        self.base: Base | None = None
        self.content = b""
        self.lines: list[Line] = []
        self.rows: dict[str, StoredRow] = {}
        self.facts: list[Facts] = []

    def run(self) -> list[Finding]:
        """All findings, in the order in which they are made."""
        self._guard(ROWS, self._list_files)
        self._guard(LEDGER, self._read_ledger)
        self._guard(ROWS, self._read_base)
        self._guard(ROWS, self._read_rows)
        for path, stored in self.rows.items():
            self._guard(path, partial(self._check_row, path, stored))
        self._guard(LEDGER, self._check_ledger)
        self._guard(ROWS, self._compare)
        return self.findings

    def _guard(self, path: str, check: Callable[[], Iterator[Finding]]) -> None:
        self.findings += guarded(path, check)

    def _list_files(self) -> Iterator[Finding]:
        self.listing = self.board.listing()
        yield from structure.check_names(self.board, self.listing)

    def _read_ledger(self) -> Iterator[Finding]:
        self.content = read_content(self.board.ledger)
        self.lines, findings = events.parse_lines(self.content)
        yield from findings

    def _read_base(self) -> Iterator[Finding]:
        if self.old is not None:
            self.base = Base.read(self.old)
            yield from history.check_files(self.board, self.listing, self.base)
            yield from history.check_ledger(self.content, self.base)

    def _read_rows(self) -> Iterator[Finding]:
        rows, findings = structure.read_rows(self.board, self.listing.rows)
        self.rows = {structure.relative(self.board, stored.path): stored for stored in rows}
        yield from findings
        yield from structure.check_orphans(self.board, self.listing.evidence, rows)

    def _check_row(self, path: str, stored: StoredRow) -> Iterator[Finding]:
        evidence = stored.read_evidence()
        # Nothing below meets a plan, or circumstances, that are not of their schema, nor more work than a run's.
        case = Case(path, stored, evidence, check_evidence(evidence))
        check_belongs(stored.row, case.plan)
        if self._enters(stored):
            reasons = list(guarded(path, partial(check_entering, case, self.now)))
            yield from reasons
            if any(finding.field.partition(".")[0] in _WORK for finding in reasons):
                return  # It stays out anyway.
        check_work(evidence)
        for check in (check_contradictions, check_constants, check_suspicions):
            yield from guarded(path, partial(check, case))
        self.facts.append(facts_of(case))

    def _enters(self, stored: StoredRow) -> bool:
        return not is_past(stored.row) if self.base is None else stored.id not in self.base.rows

    def _check_ledger(self) -> Iterator[Finding]:
        known = {structure.relative(self.board, path): path.stem for path in self.listing.rows}
        rows = {stored.id: stored for stored in self.rows.values()}
        yield from events.check_events(self.lines, set(known.values()), rows, self.now)
        yield from events.check_first_events(known, self.lines)
        if self.base is not None:
            new = frozenset(known.values()) - self.base.rows
            yield from history.check_additions(self.lines, new, self.base, rows)

    def _compare(self) -> Iterator[Finding]:
        order = Order(self.base.rows if self.base else frozenset(), [line.event.row for line in self.lines])
        last = statuses(line.event for line in self.lines)
        yield from comparison.check_duplicates(self.rows, last, order)
        yield from comparison.check_agreement(self.facts, last, order)
