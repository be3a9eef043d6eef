"""Strength kept by searching in bfloat16, over the zoo; see README.md beside it.

Each subject's evidence at each precision goes to the folder --work. A study that was killed goes on; several processes
may share the folder if their --models are disjoint; and once more over all makes tables of what is finished.
"""

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from compare import GOAL, Row, compare
from plot import plot
from rich.console import Console
from subjects import choose_subjects
from table import markdown, render, verdict
from work import Setting, evidence_of

from mtlattack.cli.script import run_script
from mtlattack.devices import choose_device
from mtlattack.evaluation.environment import measured_on
from mtlattack.files import write_json, write_section

TITLE = "Strength kept by searching in bfloat16"


def main(
    work: Annotated[Path, typer.Option(help="Folder of the evidence.")],
    models: Annotated[list[str], typer.Option(help="Glob over the zoo's names; repeatable.")] = ["*"],  # noqa: B006
    nyuv2: Annotated[
        Path | None, typer.Option(help="Prepared NYUv2 file; without it those models are left out.")
    ] = None,
    untrained: Annotated[bool, typer.Option(help="Each kind of network with fresh weights, too.")] = True,
    attacks: Annotated[list[str], typer.Option(help="Names; repeatable.")] = ["apgd-dgba", "pgd-dgba", "apgd-total"],  # noqa: B006
    eps: Annotated[float, typer.Option(min=0, help="ε · 255, l_inf.")] = 4,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each attack.")] = 10,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many test images.")] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Images at a time; the first batch's signs are compared.")
    ] = 16,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads (torch's default).")] = None,
    seed: Annotated[int, typer.Option(help="Of attacks and untrained weights.")] = 0,
    json_path: Annotated[Path | None, typer.Option("--json", help="Where to write every number.")] = None,
    plot_path: Annotated[Path | None, typer.Option("--plot", help="Where to draw the picture.")] = None,
    readme: Annotated[Path | None, typer.Option(help="File whose marked section gets the tables.")] = None,
) -> None:
    """Attack models with gradients in float32 and in bfloat16, judge both in float32, and compare."""
    torch.set_num_threads(threads or torch.get_num_threads())
    chosen = choose_device(device)
    setting = Setting(
        work=work,
        attacks=tuple(attacks),
        eps=eps / 255,
        steps=steps,
        limit=limit,
        batch_size=batch_size,
        device=str(chosen),
        seed=seed,
    )
    run_by = {**measured_on(chosen), "load_average": os.getloadavg()[0]}
    subjects, left_out = choose_subjects(models, nyuv2, untrained=untrained)
    console = Console(width=None if Console().is_terminal else 160, highlight=False)
    if left_out:
        console.print(f"left out, they need --nyuv2: {', '.join(left_out)}")
    rows: dict[bool, list[Row]] = {True: [], False: []}
    for subject in subjects:
        print(subject.name, file=sys.stderr)
        float32, bfloat16 = evidence_of(subject, "float32", setting), evidence_of(subject, "bfloat16", setting)
        rows[subject.trained].append(compare(subject.name, float32, bfloat16))
    trained, not_trained = rows[True], rows[False]
    if not subjects:
        return
    console.print(render(TITLE, [*trained, *not_trained]))
    for line in verdict(trained):
        console.print(line)
    if json_path:
        _write_json(json_path, setting, run_by, trained=trained, untrained=not_trained, verdict=verdict(trained))
    if plot_path:
        plot(trained, not_trained, plot_path)
    if readme:
        lines = "".join(f"- {line}\n" for line in verdict(trained))
        write_section(readme, "trained", "precision.py", f"{markdown(trained)}\n{lines}")
        write_section(readme, "untrained", "precision.py", markdown(not_trained))


def _write_json(path: Path, setting: Setting, run_by: dict[str, Any], **content: Any) -> None:
    """Every number; what each row ran on stands in it, for rows may come from several runs."""
    described = {key: value for key, value in asdict(setting).items() if key != "work"}
    document = {
        "benchmark": "precision",
        "goal_percent": GOAL,
        "circumstances": run_by,
        "setting": described,
        **content,
    }
    write_json(path, document)


if __name__ == "__main__":
    run_script(main)
