"""`mtlattack run`: attack a model, print what each task lost, keep record and evidence."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mtlattack import campaigns, evaluation
from mtlattack.analysis import Run
from mtlattack.analysis.record import write_record
from mtlattack.analysis.tables import render
from mtlattack.cli import choosing
from mtlattack.errors import InputError
from mtlattack.evidence import Shard
from mtlattack.evidence.places import EVIDENCE, RECORD
from mtlattack.locking import held
from mtlattack.printing import print_parts, print_paths


def run(
    suite: choosing.SuiteName = "quick",
    model: choosing.ModelName = None,
    checkpoint: choosing.Checkpoint = None,
    data: choosing.DataName = None,
    attacks: choosing.Attacks = None,
    eps: choosing.Eps = None,
    norm: choosing.Norm = None,
    target: choosing.Targets = None,
    quantize: choosing.Quantize = False,
    every: choosing.Every = None,
    limit: choosing.Limit = None,
    batch_size: choosing.BatchSize = None,
    precision: choosing.SearchPrecision = "float32",
    cuda_graphs: Annotated[
        str, typer.Option(help="Replay passes as CUDA graphs where that is faster: auto (on CUDA), on or off.")
    ] = "auto",
    device: choosing.Device = None,
    seed: choosing.Seed = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; default: runs/<suite>-<model>.")] = None,
    fresh: choosing.Fresh = False,
    shard: Annotated[
        str | None, typer.Option(help="Only a part of the images: 2/8 is the second of eight; then `merge`.")
    ] = None,
) -> None:
    """Attack a model and print how much each task lost. A run that was stopped goes on where it was. Under torchrun
    every process does its part."""
    part = None if shard is None else Shard.parse(shard)
    if shard is not None and campaigns.launched():
        raise InputError(f"--shard {shard}: under torchrun every process takes its own, leave it out")
    chosen = choosing.choose(
        suite, model, checkpoint, data, attacks=attacks, eps=eps, norm=norm, quantize=quantize, target=target,
        every=every, limit=limit, batch_size=choosing.whole(batch_size), seed=seed,
    )  # fmt: skip
    folder = out or chosen.place("runs")
    options: dict[str, Any] = {
        "fit_data": chosen.fit_images,
        "name": chosen.name,
        "suite": chosen.reference,
        "precision": precision,
        "cuda_graphs": cuda_graphs,
        "batch_size": choosing.size_of(batch_size, chosen.suite.batch_size),
        "device": device,
        "seed": chosen.suite.seed,
        "fresh": fresh,
    }
    run_of = (chosen.model, chosen.images, chosen.attacks)
    if campaigns.launched():
        check_free(folder, fresh)
        together = campaigns.evaluate_together(*run_of, folder=folder, **options)
        if together is not None:
            print_run(together, folder)
    elif part is not None:
        evaluation.evaluate(*run_of, path=folder / part.folder / EVIDENCE, shard=part, **options)
        print(f"shard {part} is done; when all {part.of} are: mtlattack merge {folder}")
    else:
        with held(folder):
            check_free(folder, fresh)
            print_run(evaluation.evaluate(*run_of, path=folder / EVIDENCE, **options), folder)


def check_free(folder: Path, fresh: bool) -> None:
    """InputError where the record of a run would take the place of something else: hours later it would be too late."""
    record, evidence = folder / RECORD, folder / EVIDENCE
    if record.is_dir() or (record.exists() and not evidence.exists() and not fresh):
        raise InputError(f"{record} is there and is of no run of this folder; choose another --out")


def print_run(finished: Run, folder: Path) -> None:
    """Keep the record beside the evidence, and print it."""
    report = finished.report()
    write_record(folder / RECORD, report.record)
    print_parts(render(report.record))
    print_paths(folder / RECORD, folder / EVIDENCE)
