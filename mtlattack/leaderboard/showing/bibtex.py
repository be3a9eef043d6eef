"""Rows as BibTeX entries, to be cited."""

from collections.abc import Iterable, Mapping
from urllib.parse import quote

from mtlattack.analysis.tables import compact_interval
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.ledger import Event
from mtlattack.leaderboard.records import headline_eps, robust_at
from mtlattack.leaderboard.standings import WITHDRAWN, status_of

# BibTeX counts braces even behind a backslash, so each of these brings as many as it closes.
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "@": r"{@}",
    **{sign: "\\" + sign for sign in "&%$#_"},
}
# What RFC 3986 lets stand in a link; braces and the like become %7B.
_LINK = "%/:?#[]@!$&()*+,;=~-._"


def to_bibtex(rows: Iterable[StoredRow], last: Mapping[str, Event]) -> str:
    """An `@misc` for each row that counts, its key made of the row's id; `last` is each row's last event."""
    return "\n".join(_entry(stored, last) for stored in rows if status_of(stored.id, last) not in WITHDRAWN)


def latex(text: str) -> str:
    """`text` as LaTeX that prints it, for a field of a BibTeX entry."""
    return "".join(_LATEX.get(sign, sign) for sign in text)


def _entry(stored: StoredRow, last: Mapping[str, Event]) -> str:
    row, status = stored.row, status_of(stored.id, last)
    url = row.model.paper or row.model.code
    # The inner braces keep a name whole that has a comma or an `and`, and the case of a title.
    fields = {
        "author": f"{{{latex(row.submitted.name)}}}",
        "title": f"{{{latex(row.model.name)} on {latex(row.suite.name)}, version {row.suite.version}}}",
        "year": str(row.submitted.at.year),
        "url": None if url is None else quote(url, safe=_LINK),
        "note": f"Row {stored.id} of the mtlattack leaderboard, {status}{_skill(stored)}",
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value is not None]
    return "\n".join([f"@misc{{mtlattack-{stored.id},", *lines, "}", ""])


def _skill(stored: StoredRow) -> str:
    """What ranks it, at the ε that stands first; nothing for evidence that knows no skill."""
    robust = robust_at(stored.record, headline_eps(stored.record))
    return "" if robust is None else latex(f", robust skill {compact_interval(robust.skill.mean, percent=False)}")
