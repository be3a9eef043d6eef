"""Boards with several rows for the pages' tests, made of the one that was measured, and what pages are read with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from chart_toys import stored_with
from leaderboard_toys import store

from mtlattack.analysis import AttackResult, Interval, Record
from mtlattack.analysis.record import Flag
from mtlattack.analysis.summaries import UNDEFINED, robust_skill
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.ledger import Event, append
from mtlattack.leaderboard.pages.site import pages, static_files
from mtlattack.leaderboard.rows.identity import row_document, row_id
from mtlattack.leaderboard.rows.schema import Row

START = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
SHARING = (1.0, 0.68, None, 0.0, 0.32, 0.5, 0.25)
TRAINING = (None, "pgd-dgba, 2 steps", None, "trades, 4 steps", None, "pgd-total, 2 steps", None)
HOSTILE = (
    "<script>window.hostile=1</script>",
    '"><img src=x onerror="window.hostile=1">',
    "</script><script>window.hostile=1</script>",
    "'-window.hostile=1-'",
    "{{ 7 * 191 }}{% raw %}",
    "__proto__",
    "&lt;b&gt;&amp;",
)
# Tags that need no end.
_VOID = {"meta", "link", "input", "br", "wbr", "img", "hr"}


class VariedBoard(Board):
    """A board whose rows' numbers are not their evidence's, but those of `varied_records`, by model."""

    def __init__(self, root: Path, record: Record) -> None:
        super().__init__(root)
        self.records = varied_records(record)

    def read_all(self) -> list[StoredRow]:
        """Every row with its record."""
        return [stored_with(self.records[stored.row.model.name], stored) for stored in super().read_all()]


def varied_rows(row: Row) -> list[Row]:
    """Seven models: other names and cards."""
    return [_varied_row(row, place) for place in range(len(SHARING))]


def varied_records(record: Record) -> dict[str, Record]:
    """Their numbers by name, some undefined."""
    return {_name(place): _varied(record, place, np.random.default_rng(place)) for place in range(len(SHARING))}


def varied_board(root: Path, row: Row, packed: bytes, record: Record) -> Board:
    """A board with seven rows of the tiny suite: verified, disputed, retracted, superseded and self-reported."""
    (root / "rows").mkdir(parents=True)
    ids = [store(root, each, packed).id for each in varied_rows(row)]
    board, at = VariedBoard(root, record), datetime.now(UTC)
    append(board.ledger, Event(row=ids[1], status="verified", at=at, by="another lab", note="all images"))
    append(board.ledger, Event(row=ids[2], status="disputed", at=at, by="another lab", note="other numbers"))
    append(board.ledger, Event(row=ids[3], status="retracted", at=at, by="somebody"))
    append(board.ledger, Event(row=ids[4], status="superseded", at=at, by="somebody", successor=ids[5]))
    return board


def stored_by_hand(row: Row, record: Record, folder: Path) -> StoredRow:
    """A row as if it had been read, whatever stands in it and in its record."""
    document = row_document(row)
    identity = row_id(document)
    path = folder / "rows" / "tiny" / "toy" / f"{identity}.json"
    return stored_with(record, StoredRow(identity, path, document, row))


def hostile_row(row: Row, text: str) -> Row:
    """The text wherever a submitter's words stand, in a row that no schema has seen."""
    card = row.model.model_copy(
        update={
            "name": text, "layout": text, "adversarial_training": text, "extra_data": text, "licence": text,
            "note": text, "paper": f"javascript:{text}", "code": f"https://x.org/{text}",
        }
    )  # fmt: skip
    submitted = row.submitted.model_copy(update={"name": text})
    return row.model_copy(update={"model": card, "submitted": submitted})


def hostile_record(record: Record, text: str) -> Record:
    """The text wherever somebody's run may have put its own."""
    attacks = [attack.model_copy(update={"name": text + attack.name}) for attack in record.attacks]
    update = {
        "attacks": attacks,
        "robust_skill": robust_skill(attacks),
        "flags": [Flag(name=text, attack=text, seen=text)],
        "checked": [text],
        "environment": record.environment | {"command": text, "system": text, "device": text},
    }
    return record.model_copy(update=update)


def begun(rows: Sequence[StoredRow]) -> list[Event]:
    """The ledger's first line for each."""
    return [
        Event(row=stored.id, status="self-reported", at=START + timedelta(hours=place), by="somebody")
        for place, stored in enumerate(rows)
    ]


def write_pages(rows: Sequence[StoredRow], events: Sequence[Event], folder: Path) -> None:
    """All files of the pages, without a board."""
    for path, text in pages(rows, events, folder):
        _write(folder / path, text.encode())
    for path, content in static_files():
        _write(folder / path, content)


@dataclass
class Page(HTMLParser):
    """A page taken apart."""

    ids: list[str] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open[-1] == tag, f"</{tag}> closes {self._open[-1:]}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        (self.scripts if self._open and self._open[-1] == "script" else self.texts).append(data)

    def close(self) -> None:
        super().close()
        assert not self._open, f"never closed: {self._open}"

    @property
    def text(self) -> str:
        """All that is read."""
        return "".join(self.texts)

    def values(self, attribute: str) -> Iterator[str]:
        """Of an attribute, wherever it stands."""
        for _, attributes in self.tags:
            if attributes.get(attribute) is not None:
                yield str(attributes[attribute])


def read_page(path: Path) -> Page:
    """Every tag is closed where it should be."""
    return parse_page(path.read_text(encoding="utf-8"))


def parse_page(text: str) -> Page:
    """Every tag is closed where it should be."""
    page = Page()
    page.feed(text)
    page.close()
    return page


def _name(place: int) -> str:
    return f"{'toy' if place % 2 else 'Model'}-{place}"


def _varied_row(row: Row, place: int) -> Row:
    card = row.model.model_copy(
        update={
            "name": _name(place),
            "parameters": 300_000 + 1000 * ((3 * place) % 7),
            "sharing_degree": SHARING[place],
            "adversarial_training": TRAINING[place],
            "paper": "https://example.org/paper?a=1&b=2" if place == 1 else None,
            "note": "A note." if place == 2 else "",
        }
    )
    return row.model_copy(update={"model": card, "submitted": row.submitted.model_copy(update={"at": START})})


def _varied(record: Record, place: int, generator: np.random.Generator) -> Record:
    attacks = [_scaled(attack, place, generator) for attack in record.attacks]
    if place == 5:
        attacks = [attack.model_copy(update={"arp": UNDEFINED}) for attack in attacks]
    if place == 6:  # Evidence of before there was skill.
        attacks = [attack.model_copy(update={"skill": None}) for attack in attacks]
    flags = [Flag(name="random", attack=None, seen=f"seen {n} times") for n in range(place % 3)]
    update = {"attacks": attacks, "robust_skill": robust_skill(attacks), "flags": flags}
    return record.model_copy(update=update | ({"clean_skill": None} if place == 6 else {}))


def _scaled(attack: AttackResult, place: int, generator: np.random.Generator) -> AttackResult:
    def scale(interval: Interval) -> Interval:
        factor = float(generator.uniform(0.3, 3))
        bounds = (interval.value, interval.low, interval.high)
        value, low, high = (None if x is None else x * factor for x in bounds)
        return Interval(value=value, low=low, high=high)

    assert attack.skill is not None
    value = (place + 1) / 10 + 0.02 * float(generator.uniform())
    # Rows 0 and 1 overlap, the others lie apart.
    mean = Interval(value=value, low=value - (0.12 if place == 1 else 0.03), high=value + 0.03)
    skill = attack.skill.model_copy(update={"mean": mean})
    intervals = {task: {name: scale(x) for name, x in found.items()} for task, found in attack.intervals.items()}
    sums = {name: scale(getattr(attack, name)) for name in ("arp", "loss_change", "log_ratio", "worst")}
    return attack.model_copy(update={"intervals": intervals, "skill": skill, **sums})


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
