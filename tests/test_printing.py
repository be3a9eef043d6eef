"""Tables that lose nothing, and signs that every terminal has."""

import io
import json
import os
from pathlib import Path

import pytest
from printing_toys import WIDTHS, assert_fits, grids, text_at
from rich.console import Console, Group
from rich.text import Text

from mtlattack.printing import WIDTH, Grid, in_encoding, output_width, print_paths, print_plainly_where_needed, width_of
from mtlattack.progress import progress_bar

HOSTILE = (
    "[b]",
    "[/b]",
    "a[red]b",
    "$x_1$",
    "a^b_c",
    ":smile:",
    "two  words",
    "Größe 模型",
    "net-20240101",
    "<i>&amp;",
)


def table(rows: int = 3, columns: int = 7, name: int = 30) -> Grid:
    """Of names and of numbers with intervals."""
    grid = Grid(title="linf 4/255: the tasks")
    grid.add_column("attack")
    for column in range(columns):
        grid.add_column(f"task {column}\nrel_error ↓", "right")
    for row in range(rows):
        grid.add_row("n" * (name - row), *(f"{row}.{column:04d} [0.1,{column}]" for column in range(columns)))
    return grid


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("name", [5, 30, 75, 150])
def test_no_digit_is_lost_at_any_width(name: int, encoding: str) -> None:
    assert_fits(table(name=name), encoding=encoding)


def test_wide_is_one_table_and_narrow_are_several_behind_the_same_names() -> None:
    grid = table()
    wide, narrow = (text_at(width, grid).splitlines() for width in (grid.width, 80))
    assert len(wide) == 1 + 2 + 3 and max(map(len, wide)) == grid.width == width_of(grid)
    assert sum(line.startswith("n" * 30) for line in narrow) == sum("attack" in line for line in narrow) > 1


def test_words_beyond_their_longest_take_several_lines() -> None:
    grid = Grid()
    grid.add_column("a")
    grid.add_column("training", longest=10)
    grid.add_row("x", "clean and adversarial")
    assert text_at(80, grid).split() == ["a", "training", "x", "clean", "and", "adversaria", "l"]
    with pytest.raises(ValueError, match="a row has 1 of 2 cells"):
        grid.add_row("x")


def test_width_is_that_of_the_widest_table_where_nobody_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert width_of(Group(Text("x" * 500), table(columns=2))) == WIDTH
    assert width_of(Group(Group(table(columns=20)))) == table(columns=20).width > WIDTH
    monkeypatch.delenv("COLUMNS", raising=False)
    assert output_width() is None
    monkeypatch.setenv("COLUMNS", "77")
    assert output_width() == 77


def test_paths_that_do_not_fit_stand_on_a_line_each(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for width, shown in (("9", "a/b, a/cd\n"), ("8", "a/b\na/cd\n")):
        monkeypatch.setenv("COLUMNS", width)
        print_paths("a/b", Path("a/cd"))
        assert capsys.readouterr().out == shown


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_bar_takes_one_line(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    monkeypatch.setattr("mtlattack.progress.open_console", lambda stderr: screen)
    monkeypatch.setattr("rich.progress.Task.speed", 12.3)
    with progress_bar("apgd-single:segmentation+dlr (linf 4/255)", 224) as bar:
        bar.advance(16)
        shown = bar.__dict__["_progress"].get_renderable()
        assert len(screen.render_lines(shown)) == 1
        if width == 80:
            assert " 16/224 12.3 images/s " in text_at(width, shown)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_shown_as_they_are(name: str) -> None:
    grid = Grid(title=name)
    for _ in range(2):
        grid.add_column(name)
    grid.add_row(name, name)
    for width in WIDTHS:
        assert text_at(width, grid).count(name) == 5


def test_signs_that_an_encoding_lacks_become_plain_ones() -> None:
    assert in_encoding("★-1.5 → ε ≥ 2 · … ▼ ±3 × 4°", "ascii") == "*-1.5 -> eps >= 2 | ... v +-3 x 4*"
    assert in_encoding("±3 × 4°", "latin-1") == "±3 × 4°" and in_encoding("★", "UTF-8") == "★"
    for name in ("Größe", "模型", "😀"):  # of letters nothing is lost, and JSON stays JSON
        shown = in_encoding(name, "ascii")
        assert shown.isascii() and json.loads(f'"{shown}"') == name


class Terminal(io.TextIOWrapper):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "stream", "shown"),
    [
        ({"LANG": "C"}, Terminal, b"*"),
        ({"LC_ALL": "POSIX", "LANG": "en_GB.UTF-8"}, Terminal, b"*"),
        ({"LANG": "C"}, io.TextIOWrapper, "★".encode()),  # into a file as ever
        ({"LANG": "C", "PYTHONIOENCODING": "utf-8"}, Terminal, "★".encode()),
        ({"LANG": "en_GB.UTF-8"}, Terminal, "★".encode()),
        ({}, Terminal, "★".encode()),
    ],
)
def test_a_terminal_without_utf_8_gets_plain_signs(
    environment: dict[str, str], stream: type[io.TextIOWrapper], shown: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LANG", "PYTHONIOENCODING", "PYTHONUTF8"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    raw = io.BytesIO()
    output = stream(raw, encoding="utf-8")
    print_plainly_where_needed([output])
    output.write("★")
    output.flush()
    assert raw.getvalue() == shown


def test_nothing_that_is_printed_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    for encoding in ("ascii", "latin-1", "utf-8"):
        raw = io.BytesIO()
        output = io.TextIOWrapper(raw, encoding=encoding)
        print_plainly_where_needed([output, io.StringIO()])
        print("→ 模型", os.fsdecode(b"caf\xe9.h5") if encoding == "utf-8" else "", file=output, flush=True)
        assert b"\\u6a21" in raw.getvalue() or encoding == "utf-8"
    assert grids(Group(Text("x"))) == []
