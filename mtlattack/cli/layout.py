"""`mtlattack layout`: one sharing layout, drawn and counted."""

import re
from pathlib import Path
from typing import Annotated

import typer

from mtlattack.cli.lists import listed
from mtlattack.errors import InputError
from mtlattack.models import (
    Counts,
    count_network,
    count_stages,
    count_trees,
    layout_index,
    layout_name,
    parse_layout,
)
from mtlattack.models.drawing import layout_tree, plot_layout
from mtlattack.printing import Grid, print_parts

_ZOO_TASKS = "segmentation,depth,normals,edge_texture,keypoints2d"
_STAGES = 5
_LARGEST_SIDE = 8192


def show_layout(
    text: Annotated[str, typer.Argument(help="shared, separate, tree-TxB-INDEX, or a tree written out.")],
    tasks: Annotated[
        str, typer.Option(help="Tasks, with commas between; their order says what an index means.")
    ] = _ZOO_TASKS,
    backbone: Annotated[str | None, typer.Option(help="timm name: count parameters and FLOPs of a network.")] = None,
    stages: Annotated[int | None, typer.Option(help="Number of stages, where no backbone says it.", min=1)] = None,
    head: Annotated[str, typer.Option(help="Head of each task.")] = "light",
    head_width: Annotated[int, typer.Option(help="Channels inside a head.")] = 48,
    output_stride: Annotated[int, typer.Option(help="Of the backbone: 8, 16 or 32.")] = 32,
    size: Annotated[str, typer.Option(help="Height x width of the image that FLOPs are counted for.")] = "224x224",
    classes: Annotated[int, typer.Option(help="Classes of a segmentation.")] = 40,
    picture: Annotated[Path | None, typer.Option(help="Draw it to this file: .png, .svg or .pdf.")] = None,
) -> None:
    """Show a sharing layout: its name and number, its tree, how much it shares and what it costs."""
    names = listed(tasks, "--tasks")
    fields = {"backbone": backbone, "head": head, "head_width": head_width, "output_stride": output_stride}
    layout = parse_layout(text, names, _stages(text, stages, backbone, output_stride)).ordered(names)
    counts = None
    if backbone is not None:
        kinds = [{"kind": name, **({"classes": classes} if name == "segmentation" else {})} for name in names]
        counts = count_network({**fields, "tasks": kinds, "layout": str(layout)}, _parse_size(size))
    if picture is not None:
        plot_layout(layout, names, picture)
    total = count_trees(len(names), layout.stages)
    print(f"name            {layout_name(layout, names)}")
    print(f"index           {layout_index(layout, names)} of {total}, from 0")
    print(f"written         {layout}")
    print(f"sharing degree  {layout.sharing_degree:.4f}\n")
    print_parts(layout_tree(layout))
    if counts is not None:
        print()
        print_parts(_table(counts, f"{backbone}, head {head}, one image of {size}"))
    if picture is not None:
        print(picture)


def _stages(text: str, stages: int | None, backbone: str | None, output_stride: int) -> int:
    """The backbone's number of stages, the one asked for, or what the text shows."""
    if backbone is None:
        return stages or (text.count("/") + 1 if "/" in text else _STAGES)
    own = count_stages(backbone, output_stride=output_stride)
    if stages not in (None, own):
        raise InputError(f"--stages {stages}: backbone {backbone} has {own}")
    return own


def _parse_size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(1 <= side <= _LARGEST_SIDE for side in size):
        raise InputError(f"--size {text!r}: expected height x width, as in 224x224, each from 1 to {_LARGEST_SIDE}")
    return size


def _table(counts: Counts, title: str) -> Grid:
    table = Grid(title=title)
    table.add_column("part")
    table.add_column("parameters", "right")
    table.add_column("GFLOPs", "right")
    for name, parameters in counts.parameters.items():
        table.add_row(name, f"{parameters:,}", f"{counts.flops[name] / 1e9:.3f}")
    table.add_row("all", f"{counts.total_parameters:,}", f"{counts.total_flops / 1e9:.3f}")
    return table
