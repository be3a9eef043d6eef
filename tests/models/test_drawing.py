"""Pictures of layouts: what they show, and that they can be written."""

import re

import pytest
from matplotlib.image import imread
from rich.console import Console

from mtlattack.errors import InputError
from mtlattack.models import all_layouts, parse_layout
from mtlattack.models.drawing import layout_tree, leaf_order, plot_layout

TASKS = ["segmentation", "depth", "normals", "edge_texture"]
LAYOUT = (
    "normals+segmentation+depth+edge_texture/depth+edge_texture|segmentation+normals/"
    "depth|edge_texture|normals+segmentation"
)


def printed(text: str, tasks: list[str], stages: int) -> str:
    console = Console(width=100, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(layout_tree(parse_layout(text, tasks, stages).ordered(tasks)))
    return re.sub(r" +\n", "\n", capture.get())


def test_the_tree_in_the_terminal():
    assert printed(LAYOUT, TASKS, 3) == (
        "image\n"
        "└── stage 1  segmentation + depth + normals + edge_texture\n"
        "    ├── stages 2-3  segmentation + normals\n"
        "    └── stage 2  depth + edge_texture\n"
        "        ├── stage 3  depth\n"
        "        └── stage 3  edge_texture\n"
    )
    assert printed("separate", TASKS[:2], 5) == "image\n├── stages 1-5  segmentation\n└── stages 1-5  depth\n"


def test_groups_stand_together_in_the_picture():
    for layout in all_layouts(TASKS, 3):
        order = leaf_order(layout, TASKS)
        assert sorted(order) == sorted(TASKS)
        for group in {group for partition in layout.partitions for group in partition}:
            places = sorted(order.index(task) for task in group)
            assert places == list(range(places[0], places[0] + len(places)))


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_pictures_are_written(suffix, tmp_path):
    path = tmp_path / "new" / f"layout{suffix}"
    assert plot_layout(parse_layout(LAYOUT, TASKS, 3), TASKS, path) == path
    if suffix == ".png":
        pixels = imread(path)
        assert pixels.shape[1] > pixels.shape[0] > 200 and pixels.std() > 0.05
    elif suffix == ".svg":
        assert path.read_text().startswith("<?xml") and "<path" in path.read_text()


def test_a_file_that_is_no_picture_is_refused(tmp_path):
    layout = parse_layout("shared", TASKS, 3)
    with pytest.raises(InputError, match=r"layout.doc: expected a file that ends in .png, .svg, .pdf"):
        plot_layout(layout, TASKS, tmp_path / "layout.doc")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"):
        plot_layout(layout, TASKS, tmp_path / "file" / "layout.png")
