"""`leaderboard show`: order, filters, what the cells say, and text of strangers that stays text."""

import string

import pytest
from command_toys import bad, good, mark, of_version, put, variant
from hypothesis import given
from hypothesis import strategies as st
from leaderboard_toys import MODEL
from markdown_it import MarkdownIt

from mtlattack.analysis.tables import compact_interval, short_number
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.ledger import STATUSES, read_ledger, statuses
from mtlattack.leaderboard.pages.lines import rank
from mtlattack.leaderboard.rows.schema import Interval, Row
from mtlattack.leaderboard.showing.card import card_fields
from mtlattack.leaderboard.showing.markdown import code, escape
from mtlattack.leaderboard.showing.selection import Ranking, Selection, select
from mtlattack.leaderboard.standings import strongest

HOSTILE = r"<script>alert(1)</script> | `x` [a](https://b.example) \| www.b.example *b* _c_ {d} &lt; [red] :smile:"


def ranking(board: Board, **wanted: object) -> Ranking:
    """The one ranking of what is selected."""
    rows, last = board.read_all(), statuses(read_ledger(board.ledger))
    (found,) = select(rows, last, Selection(**wanted))  # type: ignore[arg-type]
    return found


def without_log_ratios(row: Row) -> Row:
    """The row with no log loss ratio that is defined."""
    nothing = Interval(value=None, low=None, high=None)
    return row.model_copy(update={"attacks": [a.model_copy(update={"log_ratio": nothing}) for a in row.attacks]})


def order(board: Board, **wanted: object) -> list[tuple[int | None, str]]:
    """Rank and model, as they are listed."""
    return [(place.rank, place.standing.stored.row.model.name) for place in ranking(board, **wanted).places]


@pytest.fixture
def rows(board: Board, stored: StoredRow) -> dict[str, StoredRow]:
    """Four rows: `weak` and `strong` beside the board's own, and `best`, which was retracted."""
    added = {name: put(board, stored, variant(stored.row, factor, name=name))
             for name, factor in (("weak", 2.0), ("strong", 0.5), ("best", 0.25))}  # fmt: skip
    mark(board, added["best"], "retracted", "its gradients were hidden")
    mark(board, added["weak"], "verified")
    return {MODEL: stored, **added}


def test_the_most_robust_row_stands_first(board: Board, rows: dict[str, StoredRow]) -> None:
    counting = [(1, "strong"), (2, MODEL), (3, "weak")]
    assert order(board) == counting
    assert order(board, withdrawn=True) == [*counting, (None, "best")]


def test_equals_share_a_place_and_what_is_undefined_has_none(board: Board, stored: StoredRow) -> None:
    put(board, stored, variant(stored.row, 1.0, name="equal"))
    put(board, stored, variant(stored.row, 2.0, name="weak"))
    undefined = put(board, stored, without_log_ratios(variant(stored.row, name="undefined")))
    assert order(board) == [(1, "equal"), (1, MODEL), (3, "weak"), (None, "undefined")]
    # As on the pages.
    standings = [place.standing for place in ranking(board).places]
    places = rank(standings, standings[0].eps, None)
    assert sorted(places.values()) == [1, 1, 3] and undefined.id not in places


def test_filters_keep_the_ranks(board: Board, rows: dict[str, StoredRow]) -> None:
    assert order(board, model="w*") == [(3, "weak")]
    assert order(board, statuses=("verified",)) == [(3, "weak")]
    assert order(board, statuses=("retracted", "verified")) == [(3, "weak"), (None, "best")]
    assert order(board, top=2) == [(1, "strong"), (2, MODEL)]
    assert select(board.read_all(), {}, Selection(statuses=("disputed",))) == []


def test_versions_stand_apart(board: Board, stored: StoredRow) -> None:
    put(board, stored, of_version(stored.row, 2))
    found = select(board.read_all(), {}, Selection())
    assert [(each.suite, each.version, len(each.places)) for each in found] == [("tiny", 2, 1), ("tiny", 1, 1)]
    assert ranking(board, version=2).version == 2
    shown = good("show", "tiny", "--board", board.root)
    assert shown.index("tiny v2, linf 4/255") < shown.index("tiny v1, linf 4/255")
    assert "tiny v2" not in good("show", "tiny", "--version", 1, "--board", board.root)


@pytest.mark.parametrize("level", [2, 4])
def test_numbers_are_those_of_the_strongest_attack(board: Board, stored: StoredRow, level: int) -> None:
    attack = strongest(stored.row, level / 255)
    assert attack.log_ratio.value == max(a.log_ratio.value or 0 for a in stored.row.attacks if a.eps == level / 255)
    shown = good("show", "--eps", level, "--board", board.root)
    assert f"tiny v1, linf {level}/255: the rows" in shown and stored.id[:8] in shown
    second, third = shown.split("under the strongest attack")[1].split("the tasks, clean")
    assert attack.name in second and compact_interval(attack.log_ratio, percent=False) in second
    for task, metric, factor in (("depth", "rel_error", 1.0), ("segmentation", "miou", 100.0)):
        clean, value = (x[task][metric].value for x in (stored.row.clean, attack.metrics))
        assert clean is not None and value is not None
        mark = "▼" if attack.worst_task == task else ""
        assert f"{short_number(clean * factor)}→{short_number(value * factor)}{mark}" in third.split()
    assert third.count("▼") == 2  # the worst task, and the legend


def test_one_task_has_all_its_metrics(board: Board) -> None:
    shown = good("show", "--task", "normals", "--board", board.root)
    for metric in ("angle_mean ° ↓", "angle_median ° ↓", "within_11.25 % ↑", "within_30 % ↑"):
        assert metric in shown
    assert "miou" not in shown


def test_five_tasks_fit_into_100_columns(board: Board, stored: StoredRow) -> None:
    put(board, stored, variant(stored.row, 1000.0, name="m" * 100, adversarial_training="t" * 200))
    assert len(stored.row.tasks) == 5
    lines = good("show", "--board", board.root).splitlines()
    assert max(map(len, lines)) <= 100 and any("mmm…" in line for line in lines)


def test_what_submitters_wrote_is_no_markup(board: Board, stored: StoredRow) -> None:
    row = put(board, stored, variant(stored.row, name="other", adversarial_training="[red]:smile:[/red]"))
    assert "[red]:smile:[/red]" in good("show", "--board", board.root)
    assert "[red]:smile:[/red]" in good("show", row.id, "--board", board.root)


def test_the_top_of_the_board_as_markdown(board: Board, stored: StoredRow, rows: dict[str, StoredRow]) -> None:
    put(board, stored, variant(stored.row, 0.1, name="hostile", adversarial_training=HOSTILE, sharing_degree=0.32))
    text = good("show", "tiny", "--format", "markdown", "--top", 2, "--board", board.root)
    tokens = MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(text)
    cells = [token.children for token in tokens if token.type == "inline"]
    plain = ["".join(child.content for child in children or []) for children in cells]
    assert plain[:10] == ["tiny v1, linf 4/255", "rank", "model", "sharing degree", "training", "log loss ratio",
                          "arp %", "strongest attack", "status", "row"]  # fmt: skip
    assert plain[10:14] == ["1", "hostile", "0.32", HOSTILE] and plain[19:23] == ["2", "strong", "1.00", "clean"]
    assert len(plain) == 10 + 2 * 9
    kinds = {child.type for children in cells for child in children or []}
    assert kinds <= {"text", "text_special", "code_inline", "strong_open", "strong_close"}


@given(st.text(string.ascii_letters + string.digits + string.punctuation + " é", min_size=1).map(str.strip))
def test_escaped_text_is_one_cell_of_text(text: str) -> None:
    for written in (escape(text), code(text)):
        page = f"| a | b |\n|---|---|\n| {written} | end |\n"
        tokens = MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(page)
        cells = [token.children or [] for token in tokens if token.type == "inline"]
        assert len(cells) == 4 and cells[3][0].content == "end"
        assert {child.type for child in cells[2]} <= {"text", "text_special", "code_inline"}
        assert "".join(child.content for child in cells[2]) == text or not text


def test_a_row_by_the_first_digits_of_its_id(board: Board, rows: dict[str, StoredRow]) -> None:
    best = rows["best"]
    shown = good("show", best.id[:10], "--board", board.root)
    assert shown.startswith(f"row {best.id}: best on tiny v1")
    assert "self-reported, says somebody" in shown and "retracted, says keeper: its gradients were hidden" in shown
    assert shown.index("self-reported, says") < shown.index("retracted, says")
    assert best.row.model.weights_sha256 in shown and best.row.evidence.file in shown
    for attack in best.row.attacks:
        assert attack.name in shown
    assert "linf 2/255: the attacks" in shown and "linf 4/255: the attacks" in shown
    narrow = good("show", best.id, "--eps", 2, "--task", "depth", "--board", board.root)
    assert "linf 4/255: the attacks" not in narrow and "miou" not in narrow
    markdown = good("show", best.id, "--format", "markdown", "--board", board.root)
    assert "| `apgd-dgba` |" in markdown and "- licence: MIT" in markdown


def test_a_successor_stands_in_the_history(board: Board, stored: StoredRow) -> None:
    new = put(board, stored, variant(stored.row, name="new"))
    mark(board, stored, "superseded", successor=new.id)
    assert f"superseded by row {new.id}, says keeper" in good("show", stored.id, "--board", board.root)


def test_an_empty_board(board: Board, stored: StoredRow) -> None:
    stored.path.unlink()
    assert good("show", "--board", board.root) == "no rows\n"
    assert bad("show", "tiny", "--board", board.root) == "no row of suite 'tiny' yet"


def test_mistakes(board: Board, stored: StoredRow, rows: dict[str, StoredRow]) -> None:
    def said(*arguments: object) -> str:
        return bad("show", *arguments, "--board", board.root)

    assert said("tinny") == "unknown suite 'tinny'; did you mean 'tiny'?"
    assert said("--status", "verifyed") == "unknown status 'verifyed'; did you mean 'verified'?"
    assert all(status in said("--status", "x") for status in STATUSES)
    assert said("--model", "strongg") == "unknown model 'strongg'; did you mean 'strong'?"
    assert said("--task", "dept") == "unknown task 'dept'; did you mean 'depth'?"
    assert said("tiny", "--version", 9) == "no row of tiny has version 9; versions with rows: 1"
    assert said("--eps", 3) == "no row has eps 3, expected one of 2, 4"
    assert said(stored.id, "--eps", 3) == "the row has no eps 3, expected one of 2, 4"
    assert said(stored.id, "--top", 3) == f"{stored.id} is a row: only --eps, --task and --format go with it"
    assert "no row '" in said("f" * 16)
    assert "no leaderboard in" in bad("show", "--board", board.root / "nowhere")


def test_a_card_says_none_where_nothing_was_done(board: Board, stored: StoredRow) -> None:
    fields = dict(card_fields(stored.row))
    assert (fields["adversarial training"], fields["extra data"], fields["paper"]) == ("none", "none", "–")


def test_a_prefix_that_two_rows_have(board: Board, stored: StoredRow) -> None:
    # Of 17 ids two begin with the same digit.
    ids = [stored.id, *(put(board, stored, variant(stored.row, name=f"m{i}")).id for i in range(16))]
    digit = next(x for x in string.hexdigits if sum(identity.startswith(x) for identity in ids) > 1)
    mistake = bad("show", digit, "--board", board.root)
    assert f"row '{digit}' in {board.root} is one of " in mistake
    assert next(identity for identity in sorted(ids) if identity[0] == digit) in mistake
