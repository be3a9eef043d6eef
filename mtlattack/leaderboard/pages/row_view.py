"""What stands on a row's page."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from pydantic import TypeAdapter, ValidationError

from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.charts import eps_curves, transfer_map
from mtlattack.leaderboard.charts.lettering import significant
from mtlattack.leaderboard.charts.quantities import eps_text
from mtlattack.leaderboard.ledger import Event, Status
from mtlattack.leaderboard.pages import places
from mtlattack.leaderboard.pages.flags import flag_meaning
from mtlattack.leaderboard.pages.formats import (
    NORMS,
    NOTHING,
    Figure,
    day,
    degree,
    duration,
    millions,
    moment,
    size,
)
from mtlattack.leaderboard.pages.quantities import (
    SUMMARIES,
    Quantity,
    TaskMetric,
    all_metrics,
    headline_metrics,
    summary_figures,
)
from mtlattack.leaderboard.rows.schema import AttackEntry, Link, Row
from mtlattack.leaderboard.standings import attacks_at, headline_eps, strongest
from mtlattack.models import file_hash, list_models, model_path

_LINK: TypeAdapter[str] = TypeAdapter(Link)
# `module:factory` in a command as it was typed; nothing that a shell would read as more than a word.
_FACTORY = re.compile(r"--model[ =]([A-Za-z0-9_.]+:[A-Za-z0-9_.]+)(?= |$)")


@dataclass(frozen=True)
class Fact:
    """A line of a list: what, its text, and where it leads, if anywhere; `code` for hashes and commands."""

    name: str
    text: str
    href: str | None = None
    code: bool = False
    note: str = ""


@dataclass(frozen=True)
class Change:
    """An event of the ledger."""

    at: str
    status: Status
    sign: str
    by: str
    note: str
    successor: str | None
    successor_page: str | None


@dataclass(frozen=True)
class RaisedFlag:
    """A flag, where it was raised, and what it means."""

    name: str
    attack: str
    seen: str
    meaning: str


@dataclass(frozen=True)
class AttackLine:
    """An attack at one ε: numbers over all tasks, the metrics that stand for the tasks, all metrics, what it took."""

    name: str
    strongest: bool
    summaries: list[Figure]
    tasks: list[Figure]
    metrics: list[Figure]
    passes: str
    seconds: str


@dataclass(frozen=True)
class Level:
    """All attacks at one ε."""

    eps: str
    anchor: str
    headline: bool
    attacks: list[AttackLine]
    transfer: Markup


@dataclass(frozen=True)
class RowView:
    """Everything about one row."""

    id: str
    page: str
    name: str
    suite: str
    suite_version: int
    suite_page: str
    norm: str
    status: Status
    sign: str
    meaning: str
    history: list[Change]
    card: list[Fact]
    flags: list[RaisedFlag]
    checked: list[str]
    summaries: list[Quantity]
    headline: list[Figure]
    headline_attack: str
    headline_eps: str
    tasks: list[TaskMetric]
    clean: list[Figure]
    metrics: list[TaskMetric]
    all_clean: list[Figure]
    levels: list[Level]
    curves: Markup
    cost: list[Fact]
    provenance: list[Fact]
    files: list[Fact]
    commands: list[str]


def row_view(
    stored: StoredRow, events: Sequence[Event], known: Mapping[str, StoredRow], files: Sequence[Fact]
) -> RowView:
    """The view of a row; `events` are the row's own, `known` all rows by id, `files` its JSON and its evidence."""
    row = stored.row
    status: Status = events[-1].status if events else "self-reported"
    eps = headline_eps(row)
    best = strongest(row, eps)
    tasks, metrics = headline_metrics(row), all_metrics(row)
    return RowView(
        id=stored.id,
        page=places.row_page(stored.id),
        name=row.model.name,
        suite=row.suite.name,
        suite_version=row.suite.version,
        suite_page=places.suite_page(row.suite.name, row.suite.version),
        norm=NORMS[row.threat.norm],
        status=status,
        sign=places.SIGNS[status],
        meaning=places.MEANINGS[status],
        history=[_change(event, known) for event in events],
        card=_card(row),
        flags=[RaisedFlag(f.name, f.attack or "the model", f.seen, flag_meaning(f.name)) for f in row.flags],
        checked=list(row.checked),
        summaries=list(SUMMARIES),
        headline=summary_figures(best),
        headline_attack=best.name,
        headline_eps=eps_text(eps, row.threat.norm),
        tasks=tasks,
        clean=[metric.clean(row) for metric in tasks],
        metrics=metrics,
        all_clean=[metric.clean(row) for metric in metrics],
        levels=[_level(row, level, level == eps, tasks, metrics) for level in sorted(row.threat.eps)],
        curves=eps_curves(row),
        cost=_cost(row),
        provenance=_provenance(stored),
        files=list(files),
        commands=commands(stored),
    )


def commands(stored: StoredRow) -> list[str]:
    """What measures the row again, and what compares it with what was submitted; of a model that does not ship the
    reader has to have the file, and the code of a factory."""
    row = stored.row
    shipped = row.model.name in list_models() and file_hash(model_path(row.model.name)) == row.model.checkpoint_sha256
    data = "" if row.data.name == "rooms" else f" --data {shlex.quote(row.data.name)}.h5"
    if shipped:
        run, verify = f" --model {shlex.quote(row.model.name)}", ""
    elif factory := _FACTORY.search(row.environment.command):
        run = verify = f" --model {factory[1]} --checkpoint CHECKPOINT"
    else:
        run, verify = " --model CHECKPOINT.safetensors", " --checkpoint CHECKPOINT.safetensors"
    return [
        f"mtlattack run {shlex.quote(row.suite.name)}{run}{data}",
        f"mtlattack leaderboard verify {stored.id}{verify}{data}",
    ]


def valid_link(text: str | None) -> str | None:
    """The link if it is a plain https address, as the schema wants it."""
    try:
        return None if text is None else _LINK.validate_python(text)
    except ValidationError:
        return None


def row_files(stored: StoredRow, folder: Path) -> list[Fact]:
    """Links from pages in `folder` to the row and to its evidence, if that lies there."""
    row, evidence = stored.row, stored.evidence_path
    there = evidence.is_file() and not evidence.is_symlink()
    note = f"{size(row.evidence.bytes)}, SHA-256 {row.evidence.sha256}"
    return [
        Fact("row", stored.path.name, places.relative_url(stored.path, folder), True, "canonical JSON"),
        Fact("evidence", row.evidence.file, places.relative_url(evidence, folder) if there else None, True,
             note if there else f"missing; {note}"),
    ]  # fmt: skip


def _change(event: Event, known: Mapping[str, StoredRow]) -> Change:
    successor = event.successor if event.successor in known else None
    page = None if successor is None else f"{successor}.html"
    sign = places.SIGNS[event.status]
    return Change(moment(event.at), event.status, sign, event.by, event.note, event.successor, page)


def _card(row: Row) -> list[Fact]:
    card = row.model
    return [
        Fact("model", card.name),
        Fact("parameters", f"{card.parameters:,}", note=millions(card.parameters)),
        Fact("layout", card.layout or NOTHING, note="which tasks share which stages"),
        Fact("sharing degree", degree(card.sharing_degree), note="1: one backbone for all tasks, 0: one for each"),
        Fact("training", card.adversarial_training or "clean"),
        Fact("extra data", card.extra_data or "none"),
        Fact("licence", card.licence, note="of the weights"),
        Fact("paper", card.paper or NOTHING, valid_link(card.paper)),
        Fact("code", card.code or NOTHING, valid_link(card.code)),
        Fact("submitted", f"by {row.submitted.name}, {day(row.submitted.at)}"),
        *([Fact("note", card.note)] if card.note else []),
    ]


def _level(row: Row, eps: float, headline: bool, tasks: Sequence[TaskMetric], metrics: Sequence[TaskMetric]) -> Level:
    best = strongest(row, eps)
    lines = [_attack_line(attack, attack is best, tasks, metrics) for attack in attacks_at(row, eps)]
    text = eps_text(eps, row.threat.norm)
    anchor = "eps-" + "".join(character if character.isalnum() else "-" for character in text)
    return Level(text, anchor, headline, lines, transfer_map(row, eps))


def _attack_line(
    attack: AttackEntry, best: bool, tasks: Sequence[TaskMetric], metrics: Sequence[TaskMetric]
) -> AttackLine:
    return AttackLine(
        name=attack.name,
        strongest=best,
        summaries=summary_figures(attack),
        tasks=[metric.attacked(attack) for metric in tasks],
        metrics=[metric.attacked(attack) for metric in metrics],
        passes=f"{attack.forward_passes:,} + {attack.backward_passes:,}",
        seconds=duration(attack.seconds),
    )


def _cost(row: Row) -> list[Fact]:
    images = row.data.images
    return [
        Fact("forward passes", f"{row.cost.forward_passes:,}", note="an image, all attacks at all ε"),
        Fact("backward passes", f"{row.cost.backward_passes:,}", note="an image"),
        Fact(
            "time", duration(row.cost.seconds), note=f"{images} images, {significant(row.cost.seconds / images)} s each"
        ),
    ]


def _provenance(stored: StoredRow) -> list[Fact]:
    row, environment = stored.row, stored.row.environment
    versions = ", ".join(f"{name} {version}" for name, version in sorted(environment.versions.items()))
    device = f"{environment.device}, {environment.dtype}, {environment.threads} threads, {environment.cpu_capability}"
    return [
        Fact("row id", stored.id, code=True),
        Fact("suite", f"{row.suite.name} version {row.suite.version}"),
        Fact("suite SHA-256", row.suite.sha256, code=True),
        Fact("weights SHA-256", row.model.weights_sha256, code=True),
        Fact("checkpoint SHA-256", row.model.checkpoint_sha256, code=True),
        Fact("images", f"{row.data.images} of {row.data.name} {row.data.split}"),
        *(Fact(f"{name} SHA-256", digest, code=True) for name, digest in sorted(row.data.sha256.items())),
        Fact("evidence SHA-256", row.evidence.sha256, code=True),
        Fact("versions", versions),
        Fact("commit", environment.commit, code=True),
        Fact("system", environment.system, note="" if environment.cpus is None else f"{environment.cpus} CPUs"),
        Fact("device", device, note="TF32" if environment.tf32 else ""),
        Fact("gradients in", environment.search_precision, note="every number is computed in float32"),
        Fact("batch size", str(environment.batch_size)),
        Fact("seed", str(environment.seed)),
        Fact("bootstrap", ", ".join(f"{name} {value}" for name, value in sorted(environment.bootstrap.items()))),
        Fact("started", moment(environment.started)),
        Fact("command as it was run", environment.command, code=True),
    ]
