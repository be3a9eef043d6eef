"""Text of strangers in Markdown that stays text: no markup, no links, no HTML, no cell that ends early."""

import re

# All that GitHub's Markdown reads as markup within a line, and what makes links of `https://` and `www.`.
_MARKUP = re.compile(r"[\\`*_{}\[\]<>()#!|~&@$]|:(?=//)|(?<=www)\.", re.IGNORECASE)


def escape(text: str) -> str:
    """`text` for a paragraph or a table's cell."""
    return _MARKUP.sub(lambda match: "\\" + match[0], text)


def code(text: str) -> str:
    """`text` as code in a paragraph or a table's cell; escaped text where backticks or bars would end it."""
    return escape(text) if re.search(r"[`|\\]", text) else f"`{text}`"
