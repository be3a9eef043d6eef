"""Names and texts in Markdown that stay text: no markup, no links, no HTML, no line or cell that ends early."""

import re
from collections.abc import Iterable, Sequence

# All that GitHub's Markdown reads as markup within a line, and what makes links of `https://` and `www.`. Parentheses
# and exclamation marks are none without brackets, nor is an underscore within a word.
_MARKUP = re.compile(r"[\\`*{}\[\]<>#|~&@$]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.", re.IGNORECASE)
_BREAKS = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")


def escape(text: str) -> str:
    """`text` for a paragraph, an item of a list or a table's cell; where its lines break is a space."""
    return _MARKUP.sub(lambda match: "\\" + match[0], _one_line(text))


def code(text: str) -> str:
    """`text` as code in a paragraph or a table's cell; escaped text where backticks or bars would end it."""
    return escape(text) if re.search(r"[`|\\]", text) else f"`{_one_line(text)}`"


def table_lines(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table whose titles and cells are Markdown already."""
    return [_row(titles), "|" + "---|" * len(titles), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_one_line, cells))} |"


def _one_line(text: str) -> str:
    return _BREAKS.sub(" ", text)
