"""A row as one line of a table: what is said of its model, and its numbers at every ε under every attack."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mtlattack.analysis.record import AttackResult, RobustSkill
from mtlattack.leaderboard.ledger import Status
from mtlattack.leaderboard.pages import places
from mtlattack.leaderboard.pages.columns import MAIN_COLUMNS, SUMMARY_COLUMNS, Column
from mtlattack.leaderboard.pages.formats import NOTHING, Figure, day, degree, duration, millions
from mtlattack.leaderboard.records import attacks_at, levels_of, robust_at, strongest
from mtlattack.leaderboard.standings import Standing, ranked


@dataclass(frozen=True)
class View:
    """The line at one ε under one attack: its place there (None if it has none), the attack, all numbers."""

    rank: int | None
    attack: Figure
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
    clean_skill: Figure
    degree: Figure
    training: str
    method: str
    parameters: Figure
    flags: list[str]
    submitter: str
    submitted: str
    search: str


FACTS = ("clean skill", "status", "sharing degree", "layout", "training", "extra data", "parameters", "licence",
         "flags", "submitted by", "submitted", "gradients in", "device", "cost of all attacks")  # fmt: skip


def make_line(standing: Standing) -> Line:
    """The line of a row."""
    row, card, record = standing.stored.row, standing.stored.row.model, standing.stored.record
    return Line(
        id=standing.stored.id,
        page=places.row_page(standing.stored.id),
        name=card.name,
        status=standing.status,
        sign=places.SIGNS[standing.status],
        counts=standing.counts,
        clean_skill=SUMMARY_COLUMNS[0].clean_figure(record),
        degree=Figure(degree(card.sharing_degree), value=card.sharing_degree),
        training="adversarial" if card.adversarial_training else "clean",
        method=card.adversarial_training or "",
        parameters=Figure(millions(card.parameters), value=card.parameters),
        flags=list(dict.fromkeys(flag.name for flag in record.flags)),
        submitter=row.submitted.name,
        submitted=day(row.submitted.at),
        search=_search_text(standing),
    )


def facts(standing: Standing) -> list[str]:
    """In the order of `FACTS`."""
    line, row, record = make_line(standing), standing.stored.row, standing.stored.record
    card = row.model
    return [
        f"{line.clean_skill.text} {line.clean_skill.interval}".rstrip(),
        standing.status,
        line.degree.text,
        card.layout or NOTHING,
        card.adversarial_training or "clean",
        card.extra_data or "none",
        line.parameters.text,
        card.licence,
        ", ".join(line.flags) or "none",
        row.submitted.name,
        line.submitted,
        record.search_precision,
        record.environment["device"],
        cost_text(standing),
    ]


def cost_text(standing: Standing) -> str:
    """What all attacks took together; members of ensembles are counted once."""
    attacks = [each for each in standing.stored.record.attacks if each.members is None]
    forward, backward = (sum(getattr(each, f"{name}_passes") for each in attacks) for name in ("forward", "backward"))
    return f"{forward:,} + {backward:,} passes an image, {duration(sum(each.seconds for each in attacks))}"


def at(standings: Sequence[Standing], eps: float, name: str | None = None) -> list[Standing]:
    """The rows as they stand at `eps`, under the attack of this name or under all; without rows that do not have it."""
    found = []
    for standing in standings:
        record = standing.stored.record
        if name is None and eps in levels_of(record):
            worst = strongest(record, eps)
            found.append(replace(standing, eps=eps, robust=robust_at(record, eps), strongest=worst))
        for each in attacks_at(record, eps):
            if each.name == name:
                left = _left_by(each)
                found.append(replace(standing, eps=eps, robust=left, strongest=each))
    return found


def _left_by(attack: AttackResult) -> RobustSkill | None:
    """What skill one attack leaves."""
    if attack.skill is None:
        return None
    quantized = bool(attack.config.get("quantized", False))
    return RobustSkill(norm=attack.norm, eps=attack.eps, quantized=quantized, attack=attack.name, skill=attack.skill)


def views(standings: Sequence[Standing], tasks: Sequence[Column]) -> dict[str, View]:
    """Each row as it stands, by row id: skill under the attack that leaves least, all else under the strongest."""
    places_by_row, found = ranked(standings), {}
    for standing in standings:
        record, worst = standing.stored.record, standing.strongest
        least = worst
        if standing.robust is not None:
            least = next(each for each in attacks_at(record, standing.eps) if each.name == standing.robust.attack)
        cells = [column.figure(least if column.is_skill else worst) for column in MAIN_COLUMNS]
        cells += [column.change(record, worst) for column in tasks]
        attack = Figure(least.name, "" if least.name == worst.name else f"change: {worst.name}")
        found[standing.stored.id] = View(places_by_row.get(standing.stored.id), attack, cells)
    return found


def _search_text(standing: Standing) -> str:
    card, row = standing.stored.row.model, standing.stored.row
    words = (card.name, card.layout, card.adversarial_training, card.licence, row.submitted.name, standing.stored.id)
    return " ".join(word for word in words if word).lower()
