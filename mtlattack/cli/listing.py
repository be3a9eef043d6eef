"""`mtlattack list`: what there is, by name."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from mtlattack.cli.index import KINDS, list_rows
from mtlattack.errors import UnknownNameError
from mtlattack.printing import output_width

_TITLES = ("name", "norms", "grad.", "targ.", "passes", "what it does")
# What it does stands on a line of its own where this much is not left beside the rest.
_LEAST_PROSE = 40
_INDENT = " " * 4


def list_names(
    kind: Annotated[str, typer.Argument(help=", ".join(KINDS))],
    pattern: Annotated[str, typer.Argument(help="Only names that match this glob.")] = "*",
) -> None:
    """List what there is, one name a line.

    For attacks, aggregators and steps titles stand above, and the name is followed by norms, whether gradients are
    needed and a goal can be set, forward and backward passes for K steps and T tasks, and what it does.
    """
    if kind not in KINDS:
        raise UnknownNameError("kind of thing to list", kind, KINDS)
    rows = list_rows(kind, pattern)
    if not rows:
        return
    if len(rows[0]) == 1:
        print("\n".join(name for (name,) in rows))
    else:
        print("\n".join(_lines([_TITLES, *rows], output_width())))


def _lines(rows: Sequence[tuple[str, ...]], width: int | None) -> Iterator[str]:
    """Aligned columns, `width` wide; without one a line a row. What it does, the last column, takes several lines."""
    sizes = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    beside = sum(sizes) + len(sizes)
    narrow = width is not None and width - beside < _LEAST_PROSE
    for *cells, what in rows:
        line = "".join(cell.ljust(size + 1) for cell, size in zip(cells, sizes, strict=True))
        if width is None:
            yield line + what
        elif narrow:
            yield line.rstrip()
            yield from textwrap.wrap(what, width, initial_indent=_INDENT, subsequent_indent=_INDENT)
        else:
            yield from textwrap.wrap(what, width, initial_indent=line, subsequent_indent=" " * beside)
