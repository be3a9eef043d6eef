"""Counting and numbering trees, against brute force."""

from itertools import pairwise, product
from math import comb

import pytest

from mtlattack.errors import InputError
from mtlattack.models.enumeration import all_trees, count_trees, index_of, tree_at


def growth_strings(tasks: int) -> list[tuple[int, ...]]:
    """All assignments of tasks to groups whose groups are numbered by first task."""
    return [
        s for s in product(range(tasks), repeat=tasks) if all(s[i] <= max(s[:i], default=-1) + 1 for i in range(tasks))
    ]


def refines(fine: tuple[int, ...], coarse: tuple[int, ...]) -> bool:
    pairs = product(range(len(fine)), repeat=2)
    return all(coarse[a] == coarse[b] for a, b in pairs if fine[a] == fine[b])


@pytest.mark.parametrize(
    ("tasks", "stages", "count"), [(3, 5, 51), (5, 5, 7556), (1, 7, 1), (2, 5, 6), (11, 1, 678570)]
)
def test_counts_known_from_the_literature(tasks, stages, count):
    assert count_trees(tasks, stages) == count


@pytest.mark.parametrize(("tasks", "stages"), [(1, 1), (1, 3), (2, 4), (3, 1), (3, 2), (3, 3), (4, 1), (4, 2), (4, 3)])
def test_every_tree_is_there_once_and_in_order(tasks, stages):
    everything = [
        s for s in product(growth_strings(tasks), repeat=stages) if all(refines(b, a) for a, b in pairwise(s))
    ]
    trees = list(all_trees(tasks, stages))
    assert trees == sorted(everything)
    assert len(trees) == count_trees(tasks, stages)
    assert [index_of(tree) for tree in trees] == list(range(len(trees)))
    assert [tree_at(i, tasks, stages) for i in range(len(trees))] == trees


def test_numbers_of_all_trees_of_five_tasks():
    trees = list(all_trees(5, 5))
    assert len(set(trees)) == 7556 and trees == sorted(trees)
    for index in range(0, 7556, 97):
        assert tree_at(index, 5, 5) == trees[index] and index_of(trees[index]) == index


def test_numbers_too_large_to_list():
    total = count_trees(16, 64)
    for index in (0, total // 3, total - 1):
        assert index_of(tree_at(index, 16, 64)) == index
    assert tree_at(total - 1, 16, 64) == (tuple(range(16)),) * 64


def test_two_tasks_are_numbered_by_the_stage_at_which_they_separate():
    assert [sum(p == (0, 0) for p in tree_at(i, 2, 9)) for i in range(10)] == list(range(9, -1, -1))
    assert count_trees(3, 9) == 1 + 9 + 3 * comb(9 + 1, 2)  # never apart, all at once, one pair longer than the third


@pytest.mark.parametrize(
    ("index", "tasks", "stages"), [(51, 3, 5), (-1, 3, 5), (0, 0, 5), (0, 17, 5), (0, 3, 0), (0, 3, 65)]
)
def test_what_is_not_there_is_refused(index, tasks, stages):
    with pytest.raises(InputError, match="no tree|are numbered for up to 16 tasks and 64 stages"):
        tree_at(index, tasks, stages)
