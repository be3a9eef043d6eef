"""What attacks cost as the work grows: tasks, image, batch, model; one of them varies, the others stay at a base.

Run as `python benchmarks/speed/scaling.py`; see README.md beside it. All times are per image and step. Batches of more
than 2¹⁹ pixels are timed with the floor and APGD alone, so that the whole run takes minutes.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from report import show, started, write_json
from scaling_report import APGD, FLOOR, PGD, SEARCH16, Cell, Seconds, plot
from timing import interleave
from workload import Case, Workload, task_kinds

from mtlattack.cli.script import run_script
from mtlattack.devices import choose_device
from mtlattack.errors import UnknownNameError
from mtlattack.progress import progress_bar

_MOST_FOR_ALL = 2**19
_BASE: dict[str, Any] = {"network": "resnet18@16", "tasks": 3, "image": 128, "batch": 8}
AXES: dict[str, Sequence[Any]] = {
    "tasks": range(1, len(task_kinds()) + 1, 2),
    "image": (64, 128, 256, 512),
    "batch": (1, 4, 8, 16, 64),
    "network": ("zoo", "resnet18@16", "resnet34@16", "resnet50@16"),
}


def main(
    axis: Annotated[list[str], typer.Option(help=f"What grows: {', '.join(AXES)}; repeatable.")] = [*AXES],  # noqa: B006
    steps: Annotated[int, typer.Option(min=1, help="K, the steps of an attack.")] = 3,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that count, after one to warm up.")] = 7,
    most_pixels: Annotated[int, typer.Option(min=1, help="Leave out what has more pixels in a batch.")] = 2**21,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads (torch's default).")] = None,
    seed: Annotated[int, typer.Option(help="Of weights, batch and attacks.")] = 0,
    json_path: Annotated[Path | None, typer.Option("--json", help="Where to write every number.")] = None,
    plot_path: Annotated[Path | None, typer.Option("--plot", help="Where to draw the picture.")] = None,
) -> None:
    """Time the floor, pgd-dgba, apgd-dgba and pgd-dgba with a bfloat16 search, interleaved, along each axis."""
    chosen = choose_device(device)
    threads = threads or torch.get_num_threads()
    torch.set_num_threads(threads)
    start = started(chosen)
    common = {"steps": steps, "device": str(chosen), "threads": threads, "seed": seed}
    grid = [place for place in _grid(axis, common) if _pixels(place[2]) <= most_pixels]
    cases = list(dict.fromkeys(case for _, _, case in grid))  # The base lies on every axis.
    with progress_bar("", len(cases) * (rounds + 1), "rounds") as bar:
        measured = {}
        for case in cases:
            bar.describe(f"{case.title} B={case.batch}")
            measured[case] = _measure(case, rounds, bar.advance)
    cells = [Cell(name, value, case, measured[case]) for name, value, case in grid]
    show("Attacks as the work grows, per image and step", [line for cell in cells for line in cell.lines()])
    if json_path:
        results = [cell.document() for cell in cells]
        write_json(json_path, "speed/scaling", start, base=_BASE, results=results)
    if plot_path:
        plot(cells, plot_path)


def _grid(axes: Sequence[str], common: dict[str, Any]) -> list[tuple[str, Any, Case]]:
    for name in axes:
        if name not in AXES:
            raise UnknownNameError("axis", name, AXES)
    return [(name, value, _case(_BASE | {name: value}, common)) for name in axes for value in AXES[name]]


def _case(place: dict[str, Any], common: dict[str, Any]) -> Case:
    side = place["image"]
    return Case(**{k: v for k, v in place.items() if k != "image"}, height=side, width=side, **common)


def _measure(case: Case, rounds: int, advance: Callable[[], None]) -> Seconds:
    workload, steps = Workload(case), case.steps
    prepared = workload.prepared
    works: dict[str, Callable[[], object]] = {
        FLOOR: workload.floor(prepared, steps),
        APGD: workload.attack("apgd-dgba", prepared, steps),
    }
    if _pixels(case) <= _MOST_FOR_ALL:
        works[PGD] = workload.attack("pgd-dgba", prepared, steps)
        works[SEARCH16] = workload.attack("pgd-dgba", prepared, steps, workload.search)
    taken = interleave(works, rounds, device=workload.device, advance=advance)
    return {name: [value / (steps * case.batch) for value in values] for name, values in taken.items()}


def _pixels(case: Case) -> int:
    return case.batch * case.height * case.width


if __name__ == "__main__":
    run_script(main)
