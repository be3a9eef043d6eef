"""What is said of a row beside its numbers, wherever it is shown: card, origin, cost, and how to repeat it."""

import re
import shlex
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from mtlattack.analysis import Record
from mtlattack.analysis.summaries import mean_of
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.formats import NOTHING, day, degree, duration, millions, moment, with_interval
from mtlattack.leaderboard.rows.schema import Link, Row
from mtlattack.leaderboard.standings import Standing
from mtlattack.models import file_hash, list_models, model_path
from mtlattack.wording import counted

_LINK: TypeAdapter[str] = TypeAdapter(Link)
# `module:factory` in a command as it was typed; nothing that a shell would read as more than a word.
_FACTORY = re.compile(r"--model[ =]([A-Za-z0-9_.]+:[A-Za-z0-9_.]+)(?= |$)")
# What is said of both rows where two are compared, beside what the ledger and the numbers say.
_COMPARED = ("sharing degree", "layout", "training", "extra data", "parameters", "licence", "submitted", "gradients in",
             "device")  # fmt: skip


@dataclass(frozen=True)
class Fact:
    """A line of a list: what, its text, and where it leads, if anywhere; `code` for hashes and commands."""

    name: str
    text: str
    href: str | None = None
    code: bool = False
    note: str = ""


def card_facts(row: Row) -> list[Fact]:
    """What the submitter says of the model."""
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


def provenance(stored: StoredRow) -> list[Fact]:
    """What was measured, with what, on what."""
    row, record = stored.row, stored.record
    data, ran = record.data, record.environment
    versions = ", ".join(f"{name} {version}" for name, version in sorted(ran["versions"].items()))
    device = f"{ran['device']}, {ran['dtype']}, {counted(ran['threads'], 'thread')}, {ran['cpu_capability']}"
    return [
        Fact("row id", stored.id, code=True),
        Fact("suite SHA-256", row.suite.sha256, code=True),
        Fact("weights SHA-256", row.model.weights_sha256, code=True),
        Fact("checkpoint SHA-256", row.model.checkpoint_sha256, code=True),
        Fact("images", f"{data['images']} of {data['name']} {data['split']}"),
        *(Fact(f"{name} SHA-256", digest, code=True) for name, digest in sorted(data["sha256"].items())),
        Fact("evidence SHA-256", row.evidence.sha256, code=True),
        Fact("versions", versions),
        Fact("commit", ran["commit"], code=True),
        Fact("system", ran["system"], note="" if ran["cpus"] is None else counted(ran["cpus"], "CPU")),
        Fact("device", device, note="TF32" if ran["tf32"] else ""),
        Fact("gradients in", record.search_precision, note="every number is computed in float32"),
        Fact("batch size", str(record.batch_size)),
        Fact("seed", str(record.seed)),
        Fact("bootstrap", ", ".join(f"{name} {value}" for name, value in sorted(record.bootstrap.items()))),
        Fact("started", moment(datetime.fromisoformat(ran["started"]))),
        Fact("command as it was run", ran["command"], code=True),
    ]


def cost_text(record: Record) -> str:
    """What all attacks took together; members of ensembles are counted once."""
    run = [each for each in record.attacks if each.members is None]
    forward, backward = (sum(getattr(each, f"{name}_passes") for each in run) for name in ("forward", "backward"))
    return f"{forward:,} + {backward:,} passes an image, {duration(sum(each.seconds for each in run))}"


def compared_facts(standing: Standing) -> list[tuple[str, str]]:
    """What stands beside what another row says: names, the same for every row, and texts."""
    record = standing.stored.record
    said = {fact.name: fact.text for fact in [*card_facts(standing.stored.row), *provenance(standing.stored)]}
    flags = dict.fromkeys(flag.name for flag in record.flags)
    return [
        ("clean skill", with_interval(mean_of(record.clean_skill))),
        ("status", standing.status),
        *((name, said[name]) for name in _COMPARED),
        ("flags", ", ".join(flags) or "none"),
        ("cost of all attacks", cost_text(record)),
    ]


def commands(stored: StoredRow) -> list[str]:
    """What measures the row again, and what compares it with what was submitted; of a model that does not ship the
    reader has to have the file, and the code of a factory."""
    row = stored.row
    shipped = row.model.name in list_models() and file_hash(model_path(row.model.name)) == row.model.checkpoint_sha256
    name = stored.record.data["name"]
    data = "" if name == "rooms" else f" --data {shlex.quote(name)}.h5"
    if shipped:
        run, verify = f" --model {shlex.quote(row.model.name)}", ""
    elif factory := _FACTORY.search(stored.record.environment["command"]):
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
