"""`leaderboard show`: order, filters, what the cells say, and text of strangers that stays text."""

import string
from dataclasses import replace

import numpy as np
import pytest
from checking_toys import changed
from command_toys import bad, good, halved, harmless, hopeless, mark, of_version, put, variant, without_skill
from hypothesis import given
from hypothesis import strategies as st
from leaderboard_toys import MODEL, row_of, store
from markdown_it import MarkdownIt
from printing_toys import assert_fits

from mtlattack.analysis import Interval
from mtlattack.analysis.tables import compact_interval, short_number
from mtlattack.evidence import Evidence
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.columns import COLUMNS, Plain
from mtlattack.leaderboard.ledger import STATUSES, read_ledger, statuses
from mtlattack.leaderboard.records import strongest
from mtlattack.leaderboard.showing.card import card_fields, render_card
from mtlattack.leaderboard.showing.selection import Ranking, Selection, select
from mtlattack.leaderboard.showing.tables import render_rankings
from mtlattack.leaderboard.standings import ranked, stand
from mtlattack.markdown import code, escape
from mtlattack.printing import WIDTH

HOSTILE = r"<script>alert(1)</script> | `x` [a](https://b.example) \| www.b.example *b* _c_ {d} &lt; [red] :smile:"


def ranking(board: Board, **wanted: object) -> Ranking:
    """The one ranking of what is selected."""
    rows, last = board.read_all(), statuses(read_ledger(board.ledger))
    (found,) = select(rows, last, Selection(**wanted))  # type: ignore[arg-type]
    return found


def order(board: Board, **wanted: object) -> list[tuple[int | None, str]]:
    """Rank and model, as they are listed."""
    return [(each.rank, each.stored.row.model.name) for each in ranking(board, **wanted).standings]


@pytest.fixture
def rows(board: Board, stored: StoredRow, tiny_evidence: Evidence) -> dict[str, StoredRow]:
    """Four rows: `weak` and `strong` beside the board's own, and `best`, which was retracted."""
    runs = {"weak": hopeless(tiny_evidence), "strong": harmless(tiny_evidence), "best": harmless(tiny_evidence)}
    added = {name: store(board.root, *row_of(run, name=name)) for name, run in runs.items()}
    mark(board, added["best"], "retracted", "its gradients were hidden")
    mark(board, added["weak"], "verified")
    return {MODEL: stored, **added}


def test_the_most_robust_row_stands_first(board: Board, rows: dict[str, StoredRow]) -> None:
    counting = [(1, "strong"), (2, MODEL), (3, "weak")]
    assert order(board) == counting
    assert order(board, withdrawn=True) == [*counting, (None, "best")]


def test_what_is_relative_ranks_nothing(board: Board, tiny_evidence: Evidence) -> None:
    """A model that says the same of every image loses nothing to any attack, and is the last."""
    assert tiny_evidence.constant is not None
    losses = np.ones_like(tiny_evidence.clean.losses)
    same = replace(tiny_evidence.clean, losses=losses, statistics=tiny_evidence.constant)
    attacked = [replace(each, losses=losses, statistics=tiny_evidence.constant) for each in tiny_evidence.attacked]
    flat = store(board.root, *row_of(replace(tiny_evidence, clean=same, attacked=attacked), name="flat"))
    assert order(board) == [(1, MODEL), (2, "flat")]
    first, last = ranking(board).standings
    assert (last.strongest.log_ratio.value or 0) < (first.strongest.log_ratio.value or 0)
    [robust] = [each for each in COLUMNS if each.key == "robust_skill"]
    assert robust.text(last) == "0.00 [0.00,0.00]"
    assert flat.record.clean_skill is not None and flat.record.clean_skill.mean.value == 0


def test_rows_whose_intervals_overlap_share_a_place(board: Board, stored: StoredRow, tiny_evidence: Evidence) -> None:
    def better(evidence: Evidence) -> None:
        # A little less is wrong, far within the interval.
        for outcome in evidence.attacked:
            sums = outcome.statistics["edge_texture"][:, 1]
            sums[:] = (sums * 0.999).astype(np.float32)

    store(board.root, *row_of(changed(tiny_evidence, better), name="equal"))
    store(board.root, *row_of(hopeless(tiny_evidence), name="weak"))
    assert order(board) == [(1, "equal"), (1, MODEL), (3, "weak")]


def test_rows_without_skill_stand_behind_by_what_they_lost(
    board: Board, stored: StoredRow, tiny_evidence: Evidence
) -> None:
    old = without_skill(tiny_evidence)
    for name, run in (("old", old), ("old-strong", halved(old)), ("weak", hopeless(tiny_evidence))):
        store(board.root, *row_of(run, name=name))
    assert order(board) == [(1, MODEL), (2, "weak"), (None, "old-strong"), (None, "old")]


def interval(low: float | None, value: float | None, high: float | None) -> Interval:
    return Interval(value=value, low=low, high=high)


@pytest.mark.parametrize(
    ("intervals", "wanted"),
    [
        ([(0.4, 0.5, 0.6), (0.3, 0.4, 0.45), (0.1, 0.2, 0.35)], [1, 1, 2]),
        ([(0.4, 0.5, 0.6), (0.1, 0.2, 0.3), (0.1, 0.15, 0.2)], [1, 2, 2]),
        ([(0.4, 0.5, 0.6), (0.1, 0.2, 0.4), (0.4, 0.4, 0.4)], [1, 1, 1]),
        ([(0.4, 0.5, 0.6), (0.2, 0.3, 0.39), (0.0, 0.1, 0.15)], [1, 2, 3]),
        ([(None, 0.5, None), (None, 0.4, None), (None, None, None)], [1, 2, None]),
    ],
)
def test_a_rank_counts_the_rows_that_are_wholly_above(
    stored: StoredRow, intervals: list[tuple[float | None, ...]], wanted: list[int | None]
) -> None:
    [standing] = stand([stored], {})
    robust = standing.robust
    assert robust is not None
    made = [
        replace(
            standing,
            stored=replace(stored, id=str(place)),
            robust=robust.model_copy(update={"skill": robust.skill.model_copy(update={"mean": interval(*each)})}),
        )
        for place, each in enumerate(intervals)
    ]
    assert [each.rank for each in ranked(made)] == wanted
    # Those that do not count are in nobody's way.
    gone = replace(made[0], status="retracted")
    assert [each.rank for each in ranked([gone, made[1]])] == [None, 1]


def test_filters_keep_the_ranks(board: Board, rows: dict[str, StoredRow]) -> None:
    assert order(board, model="w*") == [(3, "weak")]
    assert order(board, statuses=("verified",)) == [(3, "weak")]
    assert order(board, statuses=("retracted", "verified")) == [(3, "weak"), (None, "best")]
    assert order(board, top=2) == [(1, "strong"), (2, MODEL)]
    assert select(board.read_all(), {}, Selection(statuses=("disputed",))) == []


def test_versions_stand_apart(board: Board, stored: StoredRow) -> None:
    put(board, stored, of_version(stored.row, 2))
    for version, expected in ((None, 2), (2, 2), (1, 1)):  # the newest where nobody says
        found = select(board.read_all(), {}, Selection(version=version))
        assert [(each.suite, each.version, len(each.standings)) for each in found] == [("tiny", expected, 1)]
    assert ranking(board, version=2).version == 2
    shown = good("show", "tiny", "--board", board.root)
    assert "tiny v2, linf 4/255" in shown and "tiny v1" not in shown
    assert "tiny v2" not in good("show", "tiny", "--version", 1, "--board", board.root)


@pytest.mark.parametrize("level", [2, 4])
def test_numbers_are_those_of_the_record(board: Board, stored: StoredRow, level: int) -> None:
    record = stored.record
    attack = strongest(record, level / 255)
    assert attack.log_ratio.value == max(a.log_ratio.value or 0 for a in record.attacks if a.eps == level / 255)
    shown = good("show", "--eps", level, "--board", board.root)
    assert f"tiny v1, linf {level}/255: the rows" in shown and stored.id[:8] in shown
    first, second, _, fourth = shown.split(f"tiny v1, linf {level}/255: ")[1:]
    [robust] = [each.skill for each in record.robust_skill if each.eps == level / 255]
    assert record.clean_skill is not None and robust.worst_task is not None
    for skill in (record.clean_skill.mean, robust.mean, robust.worst):
        assert compact_interval(skill, percent=False) in first
    assert robust.worst_task in first.split()
    assert attack.name in second and compact_interval(attack.log_ratio, percent=False) in second
    for task, metric in (("depth", "rel_error"), ("segmentation", "miou")):
        mark = "▼" if attack.worst_task == task else ""
        text = f"{short_number(record.clean[task][metric])}→{short_number(attack.metrics[task][metric])}{mark}"
        assert text in fourth.split()
    assert fourth.count("▼") == 2  # the worst task, and the legend


def test_one_task_has_all_its_metrics(board: Board) -> None:
    shown = good("show", "--task", "normals", "--board", board.root)
    for metric in ("angle_mean ° ↓", "angle_median ° ↓", "within_11.25 % ↑", "within_30 % ↑"):
        assert metric in shown
    assert "miou" not in shown


def test_no_table_of_five_tasks_loses_a_digit_or_a_letter(board: Board, stored: StoredRow) -> None:
    put(board, stored, variant(stored.row, name="m" * 100, adversarial_training="t" * 200))
    assert len(stored.record.tasks) == 5
    lines = good("show", "--board", board.root).splitlines()
    assert max(map(len, lines)) <= WIDTH and sum(line.count("m" * 20) for line in lines) == 4 * 5
    assert any("status" in line and "row" in line and "flags" in line for line in lines)
    assert_fits(render_rankings([ranking(board)]))
    assert_fits(render_rankings([ranking(board)], "normals"), encoding="ascii")
    assert_fits(render_card(stored, []))


def test_what_submitters_wrote_is_no_markup(board: Board, stored: StoredRow) -> None:
    row = put(board, stored, variant(stored.row, name="other", adversarial_training="[red]:smile:[/red]"))
    assert "[red]:smile:[/red]" in good("show", "--board", board.root)
    assert "[red]:smile:[/red]" in good("show", row.id, "--board", board.root)


def test_the_top_of_the_board_as_markdown(board: Board, rows: dict[str, StoredRow], tiny_evidence: Evidence) -> None:
    card = {"name": "hostile", "adversarial_training": HOSTILE, "sharing_degree": 0.32}
    hostile = store(board.root, *row_of(harmless(tiny_evidence), **card))
    text = good("show", "tiny", "--format", "markdown", "--top", 2, "--board", board.root)
    tokens = MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(text)
    cells = [token.children for token in tokens if token.type == "inline"]
    title, *plain = ["".join(child.content for child in children or []) for children in cells]
    titles, first, second = (plain[k * len(COLUMNS) : (k + 1) * len(COLUMNS)] for k in range(3))
    assert title == "tiny v1, linf 4/255" and len(plain) == 3 * len(COLUMNS)
    assert titles == [each.title for each in COLUMNS]
    said, other = dict(zip(titles, first, strict=True)), dict(zip(titles, second, strict=True))
    assert (said["rank"], said["model"], said["sharing degree"]) == ("1", "hostile", "0.32")
    assert (said["training"], said["row"], said["status"]) == (HOSTILE, hostile.id[:8], "self-reported")
    assert (other["rank"], other["model"], other["training"]) == ("1", "strong", "clean")
    kinds = {child.type for children in cells for child in children or []}
    assert kinds <= {"text", "text_special", "code_inline", "strong_open", "strong_close"}


def test_a_new_column_is_one_line(board: Board, stored: StoredRow) -> None:
    fastest = Plain("seconds", "seconds", "row", lambda s: sum(a.seconds for a in s.stored.record.attacks))
    before = good("export", "csv", "--board", board.root).splitlines()
    COLUMNS.append(fastest)
    try:
        assert "seconds" in good("show", "--board", board.root)
        assert "| seconds |" in good("show", "--format", "markdown", "--board", board.root)
        after = good("export", "csv", "--board", board.root).splitlines()
        assert good("check", board.root).strip().endswith("flagged")
    finally:
        COLUMNS.remove(fastest)
    assert all(new.startswith(old) for old, new in zip(before, after, strict=True)) and "seconds" in after[0]


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
    for robust in best.record.robust_skill:
        skill = compact_interval(robust.skill.mean, percent=False)
        assert f"robust skill, linf {round(robust.eps * 255)}/255" in shown and skill in shown
    for attack in best.record.attacks:
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
    fields = dict(card_fields(stored))
    assert (fields["training"], fields["extra data"], fields["paper"]) == ("clean", "none", "–")


def test_a_prefix_that_two_rows_have(board: Board, stored: StoredRow) -> None:
    # Of 17 ids two begin with the same digit.
    ids = [stored.id, *(put(board, stored, variant(stored.row, name=f"m{i}")).id for i in range(16))]
    digit = next(x for x in string.hexdigits if sum(identity.startswith(x) for identity in ids) > 1)
    mistake = bad("show", digit, "--board", board.root)
    assert f"row '{digit}' in {board.root} is one of " in mistake
    assert next(identity for identity in sorted(ids) if identity[0] == digit) in mistake
