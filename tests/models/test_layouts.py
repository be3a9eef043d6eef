"""Layouts: what is a tree, how it is written, and what is refused."""

import pytest

from mtlattack.errors import InputError
from mtlattack.models import Layout, list_layouts, parse_layout

TASKS = ("depth", "normals", "edge_texture")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("shared", "depth+normals+edge_texture/" * 2 + "depth+normals+edge_texture"),
        ("separate", "depth|normals|edge_texture/" * 2 + "depth|normals|edge_texture"),
        ("depth+normals+edge_texture/depth+normals|edge_texture/depth|normals|edge_texture", None),
        ("edge_texture|normals+depth/edge_texture|depth+normals/normals|depth|edge_texture", None),
    ],
)
def test_a_layout_reads_back_as_it_is_written(text, written):
    layout = parse_layout(text, TASKS, 3)
    assert str(layout) == (written or text)
    assert parse_layout(str(layout), TASKS, 3) == layout
    assert layout.stages == 3 and set(layout.tasks) == set(TASKS)


def test_spaces_do_not_matter():
    assert str(parse_layout("depth + normals / depth | normals", TASKS[:2], 2)) == "depth+normals/depth|normals"


def test_groups():
    layout = parse_layout("depth+normals|edge_texture/normals|depth|edge_texture", TASKS, 2)
    assert [layout.group_of(0, task) for task in TASKS] == [0, 0, 1]
    assert [layout.group_of(1, task) for task in TASKS] == [1, 0, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("depth+normals/depth|normals", "not a tree over the tasks depth, normals, edge_texture"),
        ("depth+normals+edge_texture/depth|normals", "stage 1 does not hold each of depth, edge_texture, normals once"),
        ("depth+normals+edge_texture/depth|normals|edge_texture|depth", "stage 1 does not hold each"),
        ("depth+depth+normals+edge_texture/depth+normals+edge_texture", "stage 0 does not hold each"),
        ("depth|normals+edge_texture/depth+normals|edge_texture", r"stage 1 joins depth\+normals again"),
        ("depth|normals|edge_texture/depth+normals+edge_texture", "again after it was split"),
        ("depth+normals+edge_texture", "has 1 stages, the backbone has 2"),
        ("depth+normals+edge_texture/" * 2 + "depth+normals+edge_texture", "has 3 stages, the backbone has 2"),
        ("depth+normals+edges/depth+normals+edges", "not a tree over the tasks"),
        ("depth+normals+edge_texture/", "stage 1 does not hold each"),
        ("depth++normals+edge_texture/depth", "does not hold each"),
        ("", "none of shared, separate"),
        ("sharde", "none of shared, separate"),
    ],
)
def test_malformed_layouts_are_refused_by_name(text, message):
    with pytest.raises(InputError, match=message) as error:
        parse_layout(text, TASKS, 2)
    assert text in str(error.value)


def test_layouts_built_by_hand_are_checked_too():
    for partitions in ((), ((("a", "a"),),), ((("a",), ("a",)),), ((("a",), ("b",)), (("a", "b"),))):
        with pytest.raises(InputError):
            Layout(partitions)


def test_named_layouts_are_listed():
    assert list_layouts() == ["separate", "shared"] and list_layouts("sh*") == ["shared"]
