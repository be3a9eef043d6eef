"""A row as one line of a table: what is said of its model, and its numbers at every ε under every attack."""

from collections.abc import Sequence
from dataclasses import dataclass

from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.ledger import Status
from mtlattack.leaderboard.pages import places
from mtlattack.leaderboard.pages.formats import NOTHING, Figure, day, degree, duration, millions
from mtlattack.leaderboard.pages.quantities import TaskMetric, summary_figures
from mtlattack.leaderboard.rows.schema import AttackEntry, Row
from mtlattack.leaderboard.standings import Standing, ranks, strongest


@dataclass(frozen=True)
class View:
    """The line at one ε under one attack: its place there (None if it does not count), the attack, all numbers."""

    rank: int | None
    attack: str
    cells: list[Figure]


@dataclass(frozen=True)
class Line:
    """What stands in a line whatever ε and attack."""

    id: str
    page: str
    name: str
    status: Status
    sign: str
    counts: bool
    degree: Figure
    training: str
    method: str
    parameters: Figure
    flags: list[str]
    submitter: str
    submitted: str
    search: str


FACTS = ("status", "sharing degree", "layout", "training", "extra data", "parameters", "licence", "flags",
         "submitted by", "submitted", "gradients in", "device", "cost of all attacks")  # fmt: skip


def make_line(standing: Standing) -> Line:
    """The line of a row."""
    row, card = standing.stored.row, standing.stored.row.model
    return Line(
        id=standing.stored.id,
        page=places.row_page(standing.stored.id),
        name=card.name,
        status=standing.status,
        sign=places.SIGNS[standing.status],
        counts=standing.counts,
        degree=_plain(card.sharing_degree, degree(card.sharing_degree)),
        training="adversarial" if card.adversarial_training else "clean",
        method=card.adversarial_training or "",
        parameters=_plain(card.parameters, millions(card.parameters)),
        flags=list(dict.fromkeys(flag.name for flag in row.flags)),
        submitter=row.submitted.name,
        submitted=day(row.submitted.at),
        search=_search_text(standing),
    )


def facts(standing: Standing) -> list[str]:
    """In the order of `FACTS`."""
    row, card = standing.stored.row, standing.stored.row.model
    return [
        standing.status,
        degree(card.sharing_degree),
        card.layout or NOTHING,
        card.adversarial_training or "clean",
        card.extra_data or "none",
        millions(card.parameters),
        card.licence,
        ", ".join(dict.fromkeys(flag.name for flag in row.flags)) or "none",
        row.submitted.name,
        day(row.submitted.at),
        row.environment.search_precision,
        row.environment.device,
        f"{row.cost.forward_passes:,} + {row.cost.backward_passes:,} passes an image, {duration(row.cost.seconds)}",
    ]


def cells(row: Row, attack: AttackEntry, metrics: Sequence[TaskMetric]) -> list[Figure]:
    """The numbers over all tasks, then clean → attacked of each task."""
    return [*summary_figures(attack), *(metric.both(row, attack) for metric in metrics)]


def attack_named(row: Row, eps: float, name: str | None) -> AttackEntry | None:
    """A row's attack at `eps`; the strongest where `name` is None; None where the row has it not."""
    if eps not in row.threat.eps:
        return None
    if name is None:
        return strongest(row, eps)
    return next((attack for attack in row.attacks if attack.eps == eps and attack.name == name), None)


def rank(standings: Sequence[Standing], eps: float, name: str | None) -> dict[str, int]:
    """Places by row id, the lowest log loss ratio first, equals on the same; of rows that count."""
    found: dict[str, float | None] = {}
    for standing in standings:
        attack = attack_named(standing.stored.row, eps, name)
        if standing.counts and attack is not None:
            found[standing.stored.id] = attack.log_ratio.value
    return ranks(found)


def views(standings: Sequence[Standing], eps: float, metrics: Sequence[TaskMetric]) -> dict[str, View]:
    """Each row under its strongest attack at `eps`, by row id; without rows that have no such ε."""
    places_by_row = rank(standings, eps, None)
    found: dict[str, View] = {}
    for standing in standings:
        stored: StoredRow = standing.stored
        attack = attack_named(stored.row, eps, None)
        if attack is not None:
            shown = cells(stored.row, attack, metrics)
            found[stored.id] = View(places_by_row.get(stored.id), attack.name, shown)
    return found


def _plain(value: float | None, text: str) -> Figure:
    return Figure(text, "", value, None, None)


def _search_text(standing: Standing) -> str:
    card, row = standing.stored.row.model, standing.stored.row
    words = (card.name, card.layout, card.adversarial_training, card.licence, row.submitted.name, standing.stored.id)
    return " ".join(word for word in words if word).lower()
