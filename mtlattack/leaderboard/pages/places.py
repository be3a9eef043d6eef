"""Where each page lies, relative to the folder of all pages."""

import os
from pathlib import Path
from urllib.parse import quote

from mtlattack.leaderboard.ledger import Status

MARKER = ".mtlattack-pages"
INDEX, COMPARE = "index.html", "compare.html"
# A sign beside each status, so that colour is never all there is.
SIGNS: dict[Status, str] = {"verified": "✓", "self-reported": "○", "disputed": "!", "retracted": "✕", "superseded": "→"}
MEANINGS: dict[Status, str] = {
    "self-reported": "The numbers follow from the evidence file; nobody else has run the model.",
    "verified": "Somebody else ran the model on images picked by chance and got the same numbers.",
    "disputed": "Somebody doubts the row; the note in its history says why.",
    "retracted": "Withdrawn; kept to be looked up.",
    "superseded": "Replaced by another row.",
}


def suite_key(name: str, version: int) -> str:
    """`quick-v2`."""
    return f"{name}-v{version}"


def suite_page(name: str, version: int) -> str:
    """`suites/quick-v2.html`."""
    return f"suites/{suite_key(name, version)}.html"


def row_page(identity: str) -> str:
    """`rows/0123456789abcdef.html`."""
    return f"rows/{identity}.html"


def picture(identity: str) -> str:
    """`pictures/0123456789abcdef.png`: what the model sees in one image, before and after an attack."""
    return f"pictures/{identity}.png"


def relative_url(target: Path, folder: Path) -> str:
    """The address of a file, seen from a page in `folder`."""
    return quote(Path(os.path.relpath(target.resolve(), folder.resolve())).as_posix())
