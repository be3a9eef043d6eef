"""Pages from rows and events: pure, so that the same board gives the same bytes."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

from mtlattack.errors import InputError
from mtlattack.html import FRAME
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.formats import moment
from mtlattack.leaderboard.ledger import Event, statuses
from mtlattack.leaderboard.pages import places
from mtlattack.leaderboard.pages.charts import STYLESHEET
from mtlattack.leaderboard.pages.row_view import RowView
from mtlattack.leaderboard.pages.suite_view import SuiteView
from mtlattack.leaderboard.pages.templating import TEMPLATES
from mtlattack.leaderboard.standings import by_suite

_STATIC = resources.files("mtlattack.leaderboard.pages") / "static"


def pages(
    rows: Sequence[StoredRow], events: Sequence[Event], folder: Path, drawn: Collection[str] = ()
) -> Iterator[tuple[str, str]]:
    """Path and text of every page of a board, with links to rows and evidence as seen from `folder`.

    `drawn` are the ids of rows that have a picture.

    InputError names the row that cannot be shown.
    """
    as_of = moment(max(event.at for event in events)) if events else None

    def render(template: str, path: str, **values: Any) -> tuple[str, str]:
        return path, TEMPLATES.get_template(template).render(as_of=as_of, root="../" * path.count("/"), **values)

    last = statuses(events)
    suites = []
    for group in by_suite(rows).values():
        with _naming(group[0]):
            suites.append(SuiteView(group, last, folder))
    # The newest version of each stands first.
    versions = [list(group) for _, group in groupby(suites, key=lambda suite: suite.name)]
    yield render("index.html", places.INDEX, suites=versions)
    yield render("compare.html", places.COMPARE, suites=suites)
    for suite in suites:
        yield render("suite.html", suite.page, suite=suite)
        yield suite.data, suite.script
    known: Mapping[str, StoredRow] = {stored.id: stored for stored in rows}
    for stored in rows:
        own = [event for event in events if event.row == stored.id]
        with _naming(stored):
            view = RowView(stored, own, known, folder)
        picture = places.picture(stored.id) if stored.id in drawn else None
        yield render("row.html", view.page, row=view, picture=picture)


def static_files() -> Iterator[tuple[str, bytes]]:
    """Path and content of style sheets and scripts."""
    for sheet in (STYLESHEET, FRAME):
        yield f"static/{sheet.name}", sheet.read_bytes()
    for file in sorted(_STATIC.iterdir(), key=lambda each: each.name):
        yield f"static/{file.name}", file.read_bytes()


@contextmanager
def _naming(stored: StoredRow) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"{stored.path}: {error}") from None
