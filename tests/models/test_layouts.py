"""Layouts: what is a tree, how it is written, and what is refused."""

import tomllib
from itertools import combinations
from pathlib import Path

import pytest

import mtlattack
from mtlattack.errors import InputError
from mtlattack.models import Layout, all_layouts, layout_at, layout_index, layout_name, list_layouts, parse_layout

TASKS = ("depth", "normals", "edge_texture")
ZOO = ("segmentation", "depth", "normals", "edge_texture", "keypoints2d")
FIVE, APART = "+".join(ZOO), "|".join(ZOO)
JOINED = "segmentation+depth+normals"
CROSSED = "segmentation|depth+edge_texture|normals+keypoints2d"
APART_BUT_TWO = "segmentation|depth|normals|edge_texture+keypoints2d"


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
        ("depth+normals+edge_texture", "has 1 stage, the backbone has 2"),
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


def test_the_order_of_groups_and_tasks_does_not_matter():
    one = parse_layout("depth+normals+edge_texture/edge_texture|normals+depth", TASKS, 2)
    other = parse_layout("normals+edge_texture+depth/depth+normals|edge_texture", TASKS, 2)
    assert one == other and hash(one) == hash(other) and str(one) != str(other)
    assert (
        str(one.ordered(TASKS)) == str(other.ordered(TASKS)) == "depth+normals+edge_texture/depth+normals|edge_texture"
    )
    assert (
        one != parse_layout("shared", TASKS, 2) and one != parse_layout("tree-3x2-1", TASKS[::-1], 2) and one != "one"
    )
    with pytest.raises(InputError, match="is not a tree over the tasks depth, normals"):
        one.ordered(TASKS[:2])


# Pinned for ever: names of models, rows and records rely on them.
PINNED = {
    "tree-5x5-91": f"{FIVE}/{FIVE}/{FIVE}/{JOINED}|edge_texture+keypoints2d/{APART}",
    "tree-5x5-1692": f"{FIVE}/{JOINED}|edge_texture+keypoints2d/segmentation|depth+normals|edge_texture+keypoints2d/"
    f"{APART}/{APART}",
    "tree-5x5-3141": f"{FIVE}/segmentation|depth+normals+edge_texture+keypoints2d/{(CROSSED + '/') * 2}{APART}",
    "tree-5x5-1": f"{FIVE}/{FIVE}/{FIVE}/{FIVE}/segmentation+depth+normals+edge_texture|keypoints2d",
    "tree-5x5-7554": f"{APART_BUT_TWO}/{(APART + '/') * 3}{APART}",
}


@pytest.mark.parametrize(("name", "written"), PINNED.items())
def test_numbers_stay_what_they_are(name, written):
    layout = parse_layout(name, ZOO, 5)
    assert str(layout) == written
    assert layout_name(parse_layout(written, ZOO, 5), ZOO) == name
    assert layout_index(layout, ZOO) == int(name.rpartition("-")[2])
    assert layout_at(layout_index(layout, ZOO), ZOO, 5) == layout


def test_first_and_last_keep_their_names():
    assert layout_at(0, ZOO, 5) == parse_layout("shared", ZOO, 5) == parse_layout("tree-5x5-0", ZOO, 5)
    assert layout_at(7555, ZOO, 5) == parse_layout("separate", ZOO, 5)
    assert [layout_name(layout_at(i, ZOO, 5), ZOO) for i in (0, 7555)] == ["shared", "separate"]
    assert layout_name(layout_at(0, ZOO[:1], 5), ZOO[:1]) == "shared"


def test_all_layouts_are_canonical_and_found_again_by_name():
    layouts = list(all_layouts(TASKS, 5))
    assert len(layouts) == len(set(layouts)) == 51
    for index, layout in enumerate(layouts):
        assert layout_index(layout, TASKS) == index and layout_at(index, TASKS, 5) == layout
        assert str(layout.ordered(TASKS)) == str(layout)
        assert str(parse_layout(layout_name(layout, TASKS), TASKS, 5)) == str(layout)


def test_a_number_belongs_to_an_order_of_the_tasks():
    layout = parse_layout("tree-3x5-1", TASKS, 5)
    assert layout_index(layout, TASKS) == 1 and layout_index(layout, TASKS[::-1]) == 3
    assert parse_layout("tree-3x5-3", TASKS[::-1], 5) == layout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tree-3x5-51", "no tree 51: 3 tasks over 5 stages have 51"),
        ("tree-5x5-0", "is of 5 tasks and 5 stages, not 3 and 5"),
        ("tree-3x4-0", "is of 3 tasks and 4 stages, not 3 and 5"),
        ("tree-3x5-", "is none of shared, separate, tree-3x5-<index>"),
        ("tree-3x5--1", "is none of"),
        ("tree-3x5-" + "9" * 5000, "is none of"),
    ],
)
def test_wrong_numbers_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        parse_layout(text, TASKS, 5)


def test_the_sharing_degree_counts_stages_that_pairs_share():
    for layout in all_layouts(TASKS, 5):
        shared = [
            sum(any({a, b} <= set(group) for group in partition) for partition in layout.partitions)
            for a, b in combinations(TASKS, 2)
        ]
        assert layout.sharing_degree == pytest.approx(sum(shared) / len(shared) / 5)
    degrees = [layout.sharing_degree for layout in all_layouts(TASKS, 5)]
    assert (degrees[0], degrees[-1]) == (1, 0) and degrees.count(1) == degrees.count(0) == 1
    assert parse_layout("shared", TASKS[:1], 5).sharing_degree == 1


@pytest.mark.parametrize(
    ("recipe", "degree"),
    [("rooms-resnet10t.degree68", 0.68), ("rooms-resnet10t.degree32", 0.32), ("nyuv2-resnet10t.degree53", 8 / 15)],
)
def test_degrees_of_the_zoos_layouts(recipe, degree):
    content = tomllib.loads((Path(mtlattack.__file__).parent / "training/recipes" / f"{recipe}.toml").read_text())
    layout = parse_layout(content["network"]["layout"], content["tasks"], 5)
    assert layout.sharing_degree == pytest.approx(degree, abs=1e-12)
