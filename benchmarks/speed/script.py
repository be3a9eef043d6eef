"""What the scripts here share on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from mtlattack.errors import InputError

# The cases that `attack_step.py` and `peaks.py` measure.
Networks = Annotated[list[str], typer.Option(help="resnet34, resnet34-atrous or zoo; repeatable.")]
TaskCounts = Annotated[list[int], typer.Option(help="Number of tasks; repeatable.")]
Sizes = Annotated[list[str], typer.Option(help="HEIGHTxWIDTH; repeatable.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Images in the batch.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads (torch's default).")]
Seed = Annotated[int, typer.Option(help="Of weights, batch and attacks.")]
JsonPath = Annotated[Path | None, typer.Option("--json", help="Where to write every number.")]
NETWORKS = ["resnet34", "resnet34-atrous", "zoo"]
TASK_COUNTS = [3, 5]
SIZES = ["120x160", "256x256"]


def parse_size(text: str) -> tuple[int, int]:
    """Height and width from `120x160`."""
    height, _, width = text.partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) > 0 and int(width) > 0):
        raise InputError(f"size {text!r}, expected HEIGHTxWIDTH, e.g. 120x160")
    return int(height), int(width)
