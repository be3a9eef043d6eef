"""The integer programs of an attack step: how good and how fast their solvers are; see README.md beside it."""

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import pulp
import torch
import typer
from cases import programs, relative_gains
from measure import Plan, Row, measure, trade_off
from plot import plot
from table import markdown, trade_off_markdown, verdict

from mtlattack.attacks.ilp import choose_solver
from mtlattack.cli.script import run_script
from mtlattack.errors import InputError
from mtlattack.evaluation.environment import measured_on
from mtlattack.files import write_json, write_section

NYUV2 = "nyuv2-"


def main(
    models: Annotated[list[str], typer.Option(help="Zoo models; repeatable.")] = [  # noqa: B006
        "rooms-resnet10t.shared",
        "rooms-resnet10t.shared.at-dgba",
        "rooms-resnet10t.separate",
        "nyuv2-resnet10t.shared",
    ],
    nyuv2: Annotated[Path | None, typer.Option(help="Prepared NYUv2 file; without it its models are left out.")] = None,
    kinds: Annotated[list[str] | None, typer.Option(help="Only these programs; repeatable.")] = None,
    images: Annotated[int, typer.Option(min=1, help="Test images of each model.")] = 16,
    batch: Annotated[int, typer.Option(min=1, help="Images at once for the dual solver.")] = 8,
    offline: Annotated[int, typer.Option(min=0, help="Images for the offline mode.")] = 5,
    exact: Annotated[int, typer.Option(min=1, help="Images for PuLP.")] = 5,
    solver: Annotated[str | None, typer.Option(help="PuLP's solver; default HiGHS, else CBC.")] = None,
    time_limit: Annotated[float, typer.Option(min=0, help="Seconds an image.")] = 120,
    gap: Annotated[float, typer.Option(min=0, help="Relative gap at which PuLP's solver may stop.")] = 1e-3,
    size: Annotated[int, typer.Option(min=8, help="The middle of each gradient, so many pixels square.")] = 64,
    eps: Annotated[float, typer.Option(min=0, help="ε · 255 of the random points.")] = 4,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of torch.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the random points.")] = 0,
    json_path: Annotated[Path | None, typer.Option("--json", help="Where to write every number.")] = None,
    plot_path: Annotated[Path | None, typer.Option("--plot", help="Where to draw the picture.")] = None,
    readme: Annotated[Path | None, typer.Option(help="File whose marked sections get the tables.")] = None,
) -> None:
    """Solve the programs of real gradients with the dual solver, its offline mode and PuLP."""
    torch.set_num_threads(threads)
    plan = Plan(batch, offline, exact, solver, time_limit, gap)
    chosen = choose_solver(solver).name
    run_by = {
        **measured_on(torch.device("cpu")),
        "load_average": os.getloadavg()[0],
        "pulp": pulp.__version__,
    }
    rows: list[Row] = []
    trades: dict[str, dict[str, Any]] = {}
    for model in models:
        if model.startswith(NYUV2) and nyuv2 is None:
            print(f"left out, it needs --nyuv2: {model}", file=sys.stderr)
            continue
        data = nyuv2 if model.startswith(NYUV2) and nyuv2 is not None else "rooms"
        gains = relative_gains(model, data, images, (size, size), eps / 255, seed)
        trades[model] = trade_off(gains)
        for kind, program in programs(gains):
            if kinds is None or kind in kinds:
                print(f"{model}: {kind}", file=sys.stderr)
                rows.append(measure(model, kind, program, plan))
    if not rows:
        raise InputError(f"nothing to measure: no model, or no program called {' or '.join(kinds or [])}")
    table, trade_table = markdown(rows, chosen), trade_off_markdown(trades)
    print(table, trade_table, *verdict(rows), sep="\n")
    if json_path:
        setting = {**asdict(plan), "solver": chosen, "images": images, "size": size, "eps": eps, "threads": threads}
        document = {
            "benchmark": "ilp",
            "circumstances": run_by,
            "setting": {**setting, "seed": seed},
            "rows": [row.to_dict() for row in rows],
            "trade_off": trades,
            "verdict": verdict(rows),
        }
        write_json(json_path, document)
    if plot_path:
        plot(rows, chosen, plot_path)
    if readme:
        lines = "".join(f"- {line}\n" for line in verdict(rows))
        write_section(readme, "solvers", "ilp.py", f"{table}\n{lines}")
        write_section(readme, "trade-off", "ilp.py", trade_table)


if __name__ == "__main__":
    run_script(main)
