"""The board in this repository: honest by its own check, complete for the zoo, and as the README shows it."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from mtlattack.evaluation import list_suites, load_suite
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.checking import check_board
from mtlattack.leaderboard.columns import COLUMNS, Plain
from mtlattack.leaderboard.ledger import Event, read_ledger, statuses
from mtlattack.leaderboard.pages.build import build_pages
from mtlattack.leaderboard.showing.exports import to_csv
from mtlattack.leaderboard.showing.selection import Selection, select
from mtlattack.leaderboard.showing.tables import rankings_to_markdown
from mtlattack.leaderboard.suites import has_board
from mtlattack.models import file_hash, list_models, model_path

ROOT = Path(__file__).parents[1]
BOARD = Board(ROOT / "leaderboard")
TOP = 3


@pytest.fixture(scope="module")
def rows() -> list[StoredRow]:
    return BOARD.read_all()


@pytest.fixture(scope="module")
def last() -> dict[str, Event]:
    return statuses(read_ledger(BOARD.ledger))


@pytest.fixture(scope="module")
def some(rows: list[StoredRow], tmp_path_factory: pytest.TempPathFactory) -> Board:
    """A board of the first row of each suite version: all of them take half a minute."""
    root = tmp_path_factory.mktemp("some")
    first = {(stored.row.suite.name, stored.row.suite.version): stored for stored in reversed(rows)}
    for stored in first.values():
        for path in (stored.path, stored.evidence_path):
            copy = root / path.relative_to(BOARD.root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    chosen = {stored.id for stored in first.values()}
    lines = BOARD.ledger.read_text().splitlines(keepends=True)
    (root / BOARD.ledger.name).write_text("".join(line for line in lines if json.loads(line)["row"] in chosen))
    return Board(root)


def refused(board: Board) -> list[str]:
    return [str(finding) for finding in check_board(board.root) if finding.severity == "refused"]


def test_nothing_is_refused_of_a_row_a_suite(some: Board) -> None:
    assert refused(some) == []


@pytest.mark.slow
def test_nothing_is_refused() -> None:
    assert refused(BOARD) == []


@pytest.mark.parametrize("which", ["some", pytest.param("rows", marks=pytest.mark.slow)])
def test_every_row_shows_and_exports(which: str, last: dict[str, Event], request: pytest.FixtureRequest) -> None:
    taken = request.getfixturevalue(which)
    rows: list[StoredRow] = taken.read_all() if isinstance(taken, Board) else taken
    lines = list(csv.DictReader(io.StringIO(to_csv(rows, last), newline="")))
    assert {line["row"] for line in lines} == {stored.id for stored in rows}
    for ranking in select(rows, last, Selection(withdrawn=True)):
        assert all(standing.stored.record.attacks for standing in ranking.standings)
        with_skill = [standing.robust is not None for standing in ranking.standings]
        assert sorted(with_skill, reverse=True) == with_skill
        assert [standing.rank is not None for standing in ranking.standings if standing.counts] == [
            standing.robust is not None for standing in ranking.standings if standing.counts
        ]


def test_a_new_column_touches_no_row(some: Board, last: dict[str, Event], tmp_path: Path) -> None:
    rows = some.read_all()
    added = Plain("images", "images", "row", lambda standing: standing.stored.record.data["images"])
    COLUMNS.append(added)
    try:
        assert "| images |" in rankings_to_markdown(select(rows, last, Selection(top=1)))
        assert to_csv(rows, last).splitlines()[0].endswith(",images")
        assert build_pages(some, tmp_path / "pages")
        assert refused(some) == []
    finally:
        COLUMNS.remove(added)
    assert {stored.id for stored in some.read_all()} == {stored.id for stored in rows}


def test_every_model_of_the_zoo_has_a_row_of_each_suite(rows: list[StoredRow], last: dict[str, Event]) -> None:
    suites = [suite for name in list_suites() if has_board(suite := load_suite(name))]
    wanted = {
        (suite.name, suite.version, name, file_hash(model_path(name)))
        for suite in suites
        for name in list_models(f"{suite.data}-*")
    }
    found = {
        (row.suite.name, row.suite.version, row.model.name, row.model.checkpoint_sha256)
        for stored in rows
        if last[stored.id].status in ("self-reported", "verified")
        for row in [stored.row]
    }
    assert wanted <= found and len(wanted) > len(list_models())


def test_rows_name_the_suites_by_what_they_are_today(rows: list[StoredRow]) -> None:
    """A field that a suite gains, and leaves alone, is no other suite."""
    named = {(stored.row.suite.name, stored.row.suite.version, stored.row.suite.sha256) for stored in rows}
    assert len({(name, version) for name, version, _ in named}) == len(named)
    suites = [suite for name in list_suites() if has_board(suite := load_suite(name))]
    assert suites and {(suite.name, suite.version, suite.sha256) for suite in suites} <= named


def test_the_readme_shows_its_top(rows: list[StoredRow], last: dict[str, Event]) -> None:
    made_by = f"mtlattack leaderboard show --format markdown --top {TOP}"
    _, begun, rest = (ROOT / "README.md").read_text().partition(f"<!-- board: made by {made_by} -->\n")
    section, ended, _ = rest.partition("<!-- /board -->")
    assert begun and ended and section.strip() == rankings_to_markdown(select(rows, last, Selection(top=TOP))).strip()
