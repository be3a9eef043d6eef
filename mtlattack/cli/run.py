"""`mtlattack run`: attack a model, print what each task lost, keep record and evidence."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mtlattack.analysis import Run
from mtlattack.analysis.tables import render, width_for
from mtlattack.cli import choosing
from mtlattack.evaluation import evaluate
from mtlattack.files import write_whole
from mtlattack.locking import held


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
        bool, typer.Option("--cuda-graphs", help="Replay passes as CUDA graphs where that is faster.")
    ] = False,
    device: choosing.Device = None,
    seed: choosing.Seed = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; default: runs/<suite>-<model>.")] = None,
    fresh: choosing.Fresh = False,
) -> None:
    """Attack a model and print how much each task lost. A run that was stopped goes on where it was."""
    chosen = choosing.choose(
        suite, model, checkpoint, data, attacks=attacks, eps=eps, norm=norm, quantize=quantize, target=target,
        every=every, limit=limit, batch_size=batch_size, seed=seed,
    )  # fmt: skip
    folder = out or chosen.place("runs")
    with held(folder):
        finished = evaluate(
            chosen.model,
            chosen.images,
            chosen.attacks,
            fit_data=chosen.fit_images,
            path=folder / "evidence.h5",
            name=chosen.name,
            suite=chosen.reference,
            precision=precision,  # type: ignore[arg-type]
            cuda_graphs=cuda_graphs,
            batch_size=chosen.suite.batch_size,
            device=device,
            seed=chosen.suite.seed,
            fresh=fresh,
        )
        print_run(finished, folder)


def print_run(finished: Run, folder: Path) -> None:
    """Keep the record beside the evidence, and print it."""
    report = finished.report()
    write_whole(folder / "record.json", report.record.model_dump_json(indent=1) + "\n")
    width = None if Console().is_terminal else max(width_for(report.record), Console().width)
    console = Console(width=width, highlight=False)
    console.print(render(report.record))
    console.print(f"{folder}/record.json, {folder}/evidence.h5", soft_wrap=True)
