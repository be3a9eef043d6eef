"""Pages from rows and events: pure, so that the same board gives the same bytes."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mtlattack.errors import InputError
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.ledger import Event, statuses
from mtlattack.leaderboard.pages import places
from mtlattack.leaderboard.pages.charts import STYLESHEET
from mtlattack.leaderboard.pages.formats import moment
from mtlattack.leaderboard.pages.row_facts import row_files
from mtlattack.leaderboard.pages.row_view import row_view
from mtlattack.leaderboard.pages.suite_view import SuiteView, suite_view
from mtlattack.leaderboard.standings import by_suite

_STATIC = resources.files("mtlattack.leaderboard.pages") / "static"


@dataclass(frozen=True)
class SuiteCard:
    """A suite on the first page: its newest version, and the older ones."""

    newest: SuiteView
    older: list[SuiteView]


def pages(
    rows: Sequence[StoredRow], events: Sequence[Event], folder: Path, drawn: Collection[str] = ()
) -> Iterator[tuple[str, str]]:
    """Path and text of every page of a board, with links to rows and evidence as seen from `folder`.

    `drawn` are the ids of rows that have a picture.

    InputError names the row that cannot be shown.
    """
    environment = Environment(
        loader=PackageLoader("mtlattack.leaderboard.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["as_of"] = moment(max(event.at for event in events)) if events else None
    environment.globals["meanings"] = places.MEANINGS
    environment.globals["signs"] = places.SIGNS

    def render(template: str, path: str, **values: Any) -> tuple[str, str]:
        return path, environment.get_template(template).render(root="../" * path.count("/"), **values)

    last = statuses(events)
    suites = []
    for group in by_suite(rows).values():
        with _naming(group[0]):
            suites.append(suite_view(group, last))
    cards = _cards(suites)
    yield render("index.html", places.INDEX, suites=cards)
    yield render("compare.html", places.COMPARE, suites=suites)
    for suite in suites:
        yield render("suite.html", suite.page, suite=suite)
        yield suite.data, suite.script
    known: Mapping[str, StoredRow] = {stored.id: stored for stored in rows}
    for stored in rows:
        own = [event for event in events if event.row == stored.id]
        with _naming(stored):
            view = row_view(stored, own, known, row_files(stored, folder / "rows"))
        picture = places.picture(stored.id) if stored.id in drawn else None
        yield render("row.html", view.page, row=view, picture=picture)


def static_files() -> Iterator[tuple[str, bytes]]:
    """Path and content of style sheets and scripts."""
    yield "static/charts.css", STYLESHEET.read_bytes()
    for file in sorted(_STATIC.iterdir(), key=lambda each: each.name):
        yield f"static/{file.name}", file.read_bytes()


@contextmanager
def _naming(stored: StoredRow) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"{stored.path}: {error}") from None


def _cards(suites: Sequence[SuiteView]) -> list[SuiteCard]:
    """One a suite; `suites` holds the newest version of each first."""
    groups: dict[str, list[SuiteView]] = {}
    for suite in suites:
        groups.setdefault(suite.name, []).append(suite)
    return [SuiteCard(group[0], group[1:]) for group in groups.values()]
