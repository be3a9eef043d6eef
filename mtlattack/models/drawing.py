"""Pictures of a layout: a tree for the terminal, and a figure."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from rich.text import Text
from rich.tree import Tree

from mtlattack.errors import InputError
from mtlattack.figures import save_figure
from mtlattack.models.layouts import Layout, layout_name

FORMATS = (".png", ".svg", ".pdf")
_BOX, _MARGIN = 0.62, 0.3


def layout_tree(layout: Layout) -> Tree:
    """The layout as a tree to print with rich: a branch is a group with the stages it shares, a leaf a task alone."""
    root = Tree("image", guide_style="dim")
    for group in layout.partitions[0]:
        _branch(root, layout, 0, group)
    return root


def plot_layout(layout: Layout, tasks: Sequence[str], path: Path) -> Path:
    """Write the layout's picture: a column a stage, a box a copy of it, a line a task from the image to its head.

    The suffix says the format, `.png`, `.svg` or `.pdf`; InputError for any other and for one that cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"picture {path}: expected a file that ends in {', '.join(FORMATS)}")
    rows = {task: row for row, task in enumerate(leaf_order(layout, tasks))}
    figure = Figure(figsize=(2.2 + 1.15 * layout.stages, 1.1 + 0.52 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    colours = {task: colormaps["tab10"](i % 10) for i, task in enumerate(tasks)}
    for task, row in rows.items():
        _draw_path(axes, task, row, layout.stages, (len(rows) - 1) / 2, colours[task])
    for stage, partition in enumerate(layout.partitions):
        axes.text(stage, -0.85, f"stage {stage + 1}", ha="center", va="center", fontsize=9, color="0.3")
        for group in partition:
            _draw_copy(axes, stage, [rows[task] for task in group])
    axes.set(xlim=(-1.25, layout.stages + 1.1), ylim=(len(rows) - 0.35, -1.2))
    axes.axis("off")
    title = f"{layout_name(layout, tasks)}   sharing degree {layout.sharing_degree:.2f}"
    axes.set_title(title, fontsize=10)
    return save_figure(figure, path, dpi=150)


def leaf_order(layout: Layout, tasks: Sequence[str]) -> list[str]:
    """The tasks in an order in which every group stands together, else as in `tasks`."""
    canonical = layout.ordered(tasks)
    return sorted(tasks, key=lambda task: [canonical.group_of(stage, task) for stage in range(layout.stages)])


def _branch(node: Tree, layout: Layout, first: int, group: tuple[str, ...]) -> None:
    """Add a group from its first stage on: its stages up to the last it shares, then what it splits into."""
    last = first
    while last + 1 < layout.stages and _parts(layout, last + 1, group) == 1:
        last += 1
    stages = f"stage {first + 1}" if first == last else f"stages {first + 1}-{last + 1}"
    own = node.add(Text.assemble((stages, "dim"), "  ", " + ".join(group)))
    if last + 1 < layout.stages:
        for part in layout.partitions[last + 1]:
            if set(part) <= set(group):
                _branch(own, layout, last + 1, part)


def _parts(layout: Layout, stage: int, group: tuple[str, ...]) -> int:
    return len({layout.group_of(stage, task) for task in group})


def _draw_path(axes: Axes, task: str, row: int, stages: int, middle: float, colour: tuple[float, ...]) -> None:
    axes.plot([-0.95, -0.5, stages - 0.35], [middle, row, row], color=colour, linewidth=2.2, zorder=1)
    axes.text(stages - 0.3, row, task, ha="left", va="center", fontsize=10, color=colour)


def _draw_copy(axes: Axes, stage: int, rows: Sequence[int]) -> None:
    """A box behind whose glass the lines of its tasks are seen."""
    box = FancyBboxPatch(
        (stage - _BOX / 2, min(rows) - _MARGIN), _BOX, max(rows) - min(rows) + 2 * _MARGIN,
        boxstyle="round,pad=0,rounding_size=0.12", facecolor=(0.93, 0.94, 0.96, 0.85), edgecolor="0.35", zorder=2,
    )  # fmt: skip
    axes.add_patch(box)
