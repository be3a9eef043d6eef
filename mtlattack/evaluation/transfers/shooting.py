"""The loop of a transfer: a batch's images are made once, and judged on every victim that lacks them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from mtlattack.attacks import Attack, Result
from mtlattack.data import Batch, LabelledImages
from mtlattack.evaluation.constants import constant_statistics
from mtlattack.evaluation.crafting import craft_batch
from mtlattack.evaluation.judging import judge
from mtlattack.evaluation.loop import Done, Loop
from mtlattack.evaluation.transfers.parties import Party, naming
from mtlattack.evaluation.transfers.shots import Shot
from mtlattack.evidence import CLEAN, EvidenceFile, job_names


@dataclass(frozen=True)
class Shown:
    """An attack (None for the clean images), and the victims that are shown its images, each with the job that it is
    in the victim's evidence."""

    attack: Attack | None
    to: dict[str, str] = field(default_factory=dict)


def shoot_all(
    shots: Mapping[str, list[Shot]],
    files: Mapping[str, EvidenceFile],
    parties: Mapping[str, Party],
    data: LabelledImages,
    batch_size: int,
    device: torch.device,
) -> None:
    """Fill the evidence of all victims: the clean images first, then what each source makes. `shots` are by victim."""
    done = {name: file.done() for name, file in files.items()}
    first = next(iter(parties.values()))
    clean = Shown(None, dict.fromkeys(shots, CLEAN))
    _shoot("clean images", first, {CLEAN: clean}, files, parties, done, data, batch_size, device)
    for source, shown in _by_source(shots).items():
        title = f"attacking {source}"
        _shoot(title, parties[source], shown, files, parties, done, data, batch_size, device)


def _by_source(shots: Mapping[str, list[Shot]]) -> dict[str, dict[str, Shown]]:
    """By source what it makes, each under a name of its own: a shot that several victims have is made once."""
    found: dict[str, dict[str, Shown]] = {}
    for victim, own in shots.items():
        for shot, job in zip(own, job_names({"attacks": own})[1:], strict=True):
            made = found.setdefault(shot.source.name, {})
            made.setdefault(str(shot.attack.config()), Shown(shot.attack)).to[victim] = job
    return found


def _shoot(
    title: str, source: Party, made: Mapping[str, Shown], files: Mapping[str, EvidenceFile],
    parties: Mapping[str, Party], done: Mapping[str, Done], data: LabelledImages, batch_size: int,
    device: torch.device,
) -> None:  # fmt: skip
    """What one source makes, judged on all victims that lack it."""

    def do(key: str, batch: Batch, rows: slice) -> None:
        started, shown = time.perf_counter(), made[key]
        with naming(source.name):
            own = Batch(batch.ids, batch.images, source.targets(batch))
            result = craft_batch(source.prepared, shown.attack, own)
        making = time.perf_counter() - started
        for victim, job in shown.to.items():
            if not done[victim][job][rows].all():
                _judge(parties[victim], files[victim], job, batch, rows, result, making)

    finished = {
        key: np.all([done[victim][job] for victim, job in shown.to.items()], axis=0) for key, shown in made.items()
    }
    titles = {key: str(shown.attack or CLEAN) for key, shown in made.items()}
    Loop(source.prepared, titles, batch_size, do).finish(data, finished, device, title)


def _judge(
    victim: Party, file: EvidenceFile, job: str, batch: Batch, rows: slice, result: Result, making: float
) -> None:
    """A victim's numbers of what was made of a batch; the seconds are those of making and judging."""
    started = time.perf_counter()
    targets = victim.targets(batch)
    clean = victim.prepared.laid_out(batch).images
    images = victim.prepared.laid_out(Batch(batch.ids, result.images, {})).images
    with naming(victim.name):
        measured = judge(victim.prepared.judge, images, targets, clean, result.diagnostics)
    if job == CLEAN:
        file.write_constant(rows, constant_statistics(victim.tasks, file.plan()["constants"], targets))
    file.write(job, rows, measured, seconds=making + time.perf_counter() - started)
