"""What a table must keep, however narrow the terminal."""

import io
import re
from collections import Counter

from rich.console import Group, RenderableType
from rich.text import Text

from mtlattack.printing import Grid, console

WIDTHS = (60, 80, 100, 114, 200)


def text_at(width: int, part: RenderableType, encoding: str = "utf-8") -> str:
    """As a terminal of this width and encoding shows it."""
    raw = io.BytesIO()
    output = console()
    output.file, output.width = io.TextIOWrapper(raw, encoding=encoding, errors="mtlattack-plain"), width
    output.print(part)
    output.file.flush()
    return raw.getvalue().decode(encoding)


def grids(part: RenderableType) -> list[Grid]:
    """All tables of a part."""
    inside = part.renderables if isinstance(part, Group) else ()
    return [part] if isinstance(part, Grid) else [grid for each in inside for grid in grids(each)]


def assert_fits(part: RenderableType, *, encoding: str = "utf-8") -> None:
    """At every width no line is longer, every number stands whole, and of the words no letter is lost."""
    found = grids(part)
    assert found
    for width in WIDTHS:
        for grid in found:
            shown = text_at(width, grid, encoding)
            assert max(map(len, shown.splitlines())) <= width
            tokens = Counter(shown.split())
            for place, column in enumerate(grid.columns):
                cells = [column.title, *(row[place] for row in grid.rows)]
                if column.justify == "right":
                    wanted = Counter(plain(" ".join(cells[1:]), encoding).split())
                    assert all(tokens[token] >= count for token, count in wanted.items()), (width, column.title)
                else:  # may take several lines, among other cells
                    letters = Counter(re.sub(r"\s", "", plain("".join(cells), encoding)))
                    assert not letters - Counter(shown), (width, column.title)
    prose = [each for each in (part.renderables if isinstance(part, Group) else ()) if isinstance(each, Text)]
    for text in prose:
        assert text.plain.split() == text_at(60, text).split() or max(map(len, text.plain.split())) > 60


def plain(text: str, encoding: str) -> str:
    """What is shown of a text."""
    return text.encode(encoding, "mtlattack-plain").decode(encoding)
