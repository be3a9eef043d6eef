"""What is printed fits where it is read: tables as wide as the terminal, and plain signs where there is no UTF-8."""

import codecs
import json
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TextIO

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

WIDTH = 114
"""Columns of text where nobody says how wide: of what goes into a file or another program."""

Justify = Literal["left", "right"]
_ERRORS = "mtlattack-plain"
_PLAIN = {
    "…": "...", "★": "*", "▼": "v", "▲": "^", "⚠": "!", "·": "|", "–": "-", "—": "-", "−": "-", "×": "x", "±": "+-",
    "→": "->", "←": "<-", "↑": "^", "↓": "v", "≥": ">=", "≤": "<=", "≈": "~", "°": "*", "′": "'", "½": "1/2",
    "∞": "inf", "ε": "eps", "δ": "delta", "λ": "lambda", "β": "beta", "α": "alpha", "Σ": "sum", "∇": "grad ", "‖": "|",
    "₁": "1", "²": "2", "“": '"', "”": '"', "‘": "'", "’": "'",
}  # fmt: skip


@dataclass
class Column:
    """Of a `Grid`: its title, on which side its cells stand, and from how many letters on they take several lines."""

    title: str
    justify: Justify = "left"
    longest: int | None = None


@dataclass
class Grid:
    """A table that loses nothing where there is little room: columns that do not fit stand below, in a table of their
    own behind the same names, and names that are too long take several lines.

    The first `names` columns say what a row is. Cells are shown as they are, never read as markup.
    """

    columns: list[Column] = field(default_factory=list)
    rows: list[Sequence[str]] = field(default_factory=list)
    title: str | None = None
    names: int = 1

    def add_column(self, title: str, justify: Justify = "left", longest: int | None = None) -> None:
        """One more column, to the right of those there are."""
        self.columns.append(Column(title, justify, longest))

    def add_row(self, *cells: str) -> None:
        """One more row, a cell a column; ValueError for another number of them."""
        if len(cells) != len(self.columns):
            raise ValueError(f"a row has {len(cells)} of {len(self.columns)} cells")
        self.rows.append(cells)

    @property
    def width(self) -> int:
        """Columns of letters that it takes if all stand beside each other."""
        sizes = self._sizes("utf-8")
        return sum(sizes) + max(len(sizes) - 1, 0)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        encoding, width = console.encoding, options.max_width
        if self.title is not None:
            yield Text(in_encoding(self.title, encoding))
        sizes = self._sizes(encoding)
        names, rest = sizes[: self.names], sizes[self.names :]
        names = _shrunk(names, max(width - len(names) - max(rest, default=0), width // 3))
        beside = max(width - sum(names) - len(names), 1)
        sizes = names + [min(size, beside) for size in rest]
        for number, part in enumerate(_parts(sizes, self.names, width)):
            if number:
                yield Text()
            yield self._table(part, sizes, encoding)

    def _table(self, part: Sequence[int], sizes: Sequence[int], encoding: str) -> Table:
        """The names and the columns of a part."""
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
        chosen = [*range(self.names), *part]
        for place in chosen:
            column = self.columns[place]
            title = Text(in_encoding(column.title, encoding))
            table.add_column(title, justify=column.justify, overflow="fold", width=sizes[place])
        for row in self.rows:
            table.add_row(*(Text(in_encoding(row[place], encoding)) for place in chosen))
        return table

    def _sizes(self, encoding: str) -> list[int]:
        return [self._size(place, encoding) for place in range(len(self.columns))]

    def _size(self, place: int, encoding: str) -> int:
        """Letters of the longest line of a column, at most its `longest`."""
        column = self.columns[place]
        lines = [line for text in (column.title, *(row[place] for row in self.rows)) for line in text.split("\n")]
        size = max(cell_len(in_encoding(line, encoding)) for line in lines)
        return size if column.longest is None else min(size, max(column.longest, cell_len(column.title)))


def _shrunk(sizes: Sequence[int], room: int) -> list[int]:
    """Sizes that sum up to at most `room`, or to 1 each: the largest is made smaller first."""
    sizes = list(sizes)
    while sum(sizes) > room and max(sizes) > 1:
        sizes[sizes.index(max(sizes))] -= 1
    return sizes


def _parts(sizes: Sequence[int], names: int, width: int) -> list[list[int]]:
    """The columns that are no names, in as many tables as it takes for each to fit beside the names."""
    parts: list[list[int]] = [[]]
    taken = first = sum(sizes[:names]) + names
    for place in range(names, len(sizes)):
        if parts[-1] and taken + sizes[place] > width:
            parts.append([])
            taken = first
        parts[-1].append(place)
        taken += sizes[place] + 1
    return parts


def print_parts(*parts: RenderableType) -> None:
    """Print on standard output, as wide as the terminal or COLUMNS say; without either as wide as the tables are."""
    output = console()
    output.width = output_width() or width_of(Group(*parts))
    for part in parts:
        output.print(part)


def output_width() -> int | None:
    """Columns of the terminal, or else as many as COLUMNS says; None where nobody says."""
    output = console()
    return output.width if output.is_terminal or os.environ.get("COLUMNS", "").isdigit() else None


def width_of(part: RenderableType) -> int:
    """Columns that a part takes if none of its tables is split: those of its widest one, and at least `WIDTH`."""
    inside = part.renderables if isinstance(part, Group) else ()
    own = part.width if isinstance(part, Grid) else WIDTH
    return max([WIDTH, own, *map(width_of, inside)])


def print_paths(*paths: object) -> None:
    """Print where something was written: in one line, or a line each where that is too long."""
    line = ", ".join(map(str, paths))
    print(line if cell_len(line) <= (output_width() or WIDTH) else "\n".join(map(str, paths)))


def complain(what: str, message: str, colour: str = "red") -> None:
    """One line on standard error, `what` in a colour where there are colours."""
    text = Text.assemble((what, colour), " ", " ".join(line.strip() for line in message.splitlines()))
    console(stderr=True).print(text, soft_wrap=True)


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Inside, a warning is a line on standard error that says nothing of the code it comes from."""

    def say(message: Warning | str, *place: Any, **rest: Any) -> None:
        complain("warning:", str(message), "yellow")

    with warnings.catch_warnings():
        warnings.showwarning = say
        yield


def console(*, stderr: bool = False) -> Console:
    """Where everything is printed: what is given it is text, neither markup nor emoji nor something to highlight."""
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def in_encoding(text: str, encoding: str) -> str:
    """A text as an output of this encoding shows it: plain signs for those it does not have, else `\\u00e9`."""
    return text if encoding.lower().startswith("utf") else text.encode(encoding, _ERRORS).decode(encoding)


def print_plainly_where_needed(streams: Iterable[TextIO] | None = None) -> None:
    """Make standard output and error write plain signs where their encoding, or the terminal, has no others; whatever
    is printed, it does not fail."""
    for stream in (sys.stdout, sys.stderr) if streams is None else streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is None or stream.encoding is None:
            continue
        # Python writes UTF-8 in the locale C all the same, for files; a terminal would show it as rubbish.
        plain = stream.encoding.lower().startswith("utf") and stream.isatty() and _locale_is_plain()
        # Also UTF-8 has no sign for all there is: names of files may hold any bytes.
        reconfigure(encoding="ascii" if plain else stream.encoding, errors=_ERRORS)


def _locale_is_plain() -> bool:
    """Whether the user says C: PYTHONIOENCODING or PYTHONUTF8 would say more."""
    if "PYTHONIOENCODING" in os.environ or "PYTHONUTF8" in os.environ:
        return False
    named = (os.environ.get(name) for name in ("LC_ALL", "LANG"))
    return next((value for value in named if value), "") in ("C", "POSIX")


def _plain_signs(error: UnicodeError) -> tuple[str, int]:
    """For `codecs`: what stands for the signs that an encoding does not have; for those unknown here as in JSON."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign) or json.dumps(sign)[1:-1] for sign in signs), error.end


codecs.register_error(_ERRORS, _plain_signs)
