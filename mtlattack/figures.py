"""Saving pictures."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FuncFormatter

from mtlattack.errors import InputError
from mtlattack.files import whole_file


def save_figure(figure: Figure, path: Path, **options: Any) -> Path:
    """Write a figure whole or not at all, making its folder, and return its path; `options` go to matplotlib.

    InputError where it cannot be written.

    What stands in it is shown as it is: a `$` in a name begins no formula. Signs that the font lacks become boxes.
    """
    for text in _words(figure):
        text.set_parse_math(False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
            with whole_file(path) as partial, partial.open("wb") as file:
                figure.savefig(file, **{"format": path.suffix[1:] or None} | options)
    except OSError as error:
        raise InputError(f"cannot write {path} ({error})") from None
    return path


def _words(figure: Figure) -> Iterator[Text]:
    """All texts but the numbers beside axes, which matplotlib writes as formulas where they are powers."""
    numbers = {id(text) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for text in _numbers(axis)}
    for text in figure.findobj(Text):
        if isinstance(text, Text) and id(text) not in numbers:
            yield text


def _numbers(axis: Axis) -> Iterator[Text]:
    yield axis.get_offset_text()
    yield from axis.get_ticklabels(minor=True)
    if not isinstance(axis.get_major_formatter(), FixedFormatter | FuncFormatter):  # what somebody wrote
        yield from axis.get_ticklabels()
