"""Sharing layouts: which tasks share which stages of the backbone, as a tree."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from mtlattack.errors import InputError
from mtlattack.models.enumeration import Tree, all_trees, index_of, tree_at
from mtlattack.registry import match_names
from mtlattack.wording import counted

Partition = tuple[tuple[str, ...], ...]

NAMED_LAYOUTS = ("shared", "separate")
_TREE_NAME = re.compile(r"tree-(\d{1,3})x(\d{1,3})-(\d{1,99})")


@dataclass(frozen=True, eq=False)
class Layout:
    """One partition of the tasks per backbone stage, each refining the last.

    Written stage by stage: `/` between stages, `|` between groups, `+` inside a group, so
    `depth+normals/depth|normals` shares the first of two stages. InputError if the partitions are no tree. Layouts are
    equal when they are the same tree, whatever the order of groups and of tasks in a group; a network keeps its copies
    of a stage in the order written.
    """

    partitions: tuple[Partition, ...]

    def __post_init__(self) -> None:
        if not self.partitions:
            raise InputError("a layout needs at least one stage")
        tasks = sorted(set(self.tasks))
        for stage, partition in enumerate(self.partitions):
            if sorted(task for group in partition for task in group) != tasks:
                raise InputError(f"layout {self}: stage {stage} does not hold each of {', '.join(tasks)} once")
        for stage, (coarse, fine) in enumerate(pairwise(self.partitions), 1):
            for group in fine:
                if not any(set(group) <= set(parent) for parent in coarse):
                    raise InputError(f"layout {self}: stage {stage} joins {'+'.join(group)} again after it was split")

    @property
    def tasks(self) -> tuple[str, ...]:
        """Task names in the order of the first stage."""
        return tuple(task for group in self.partitions[0] for task in group)

    @property
    def stages(self) -> int:
        """Number of backbone stages, B."""
        return len(self.partitions)

    @property
    def sharing_degree(self) -> float:
        """Mean over task pairs of (first stage at which the pair is apart)/B, in [0, 1].

        A pair that never separates counts B: `shared` has 1, `separate` 0. A single task, without pairs, has 1.
        """
        pairs = list(combinations(self.tasks, 2))
        return sum(self.separation(*pair) for pair in pairs) / (len(pairs) * self.stages) if pairs else 1.0

    def separation(self, task: str, other: str) -> int:
        """First stage at which two tasks are apart, counted from 0; B if they share all stages."""
        return sum(self.group_of(stage, task) == self.group_of(stage, other) for stage in range(self.stages))

    def group_of(self, stage: int, task: str) -> int:
        """Index of the group that holds `task` at `stage`."""
        return next(i for i, group in enumerate(self.partitions[stage]) if task in group)

    def ordered(self, tasks: Sequence[str]) -> "Layout":
        """The same tree in canonical form: tasks in a group as in `tasks`, groups by their first task."""
        place = {task: i for i, task in enumerate(_same_tasks(self, tasks))}
        groups = [[tuple(sorted(group, key=place.__getitem__)) for group in p] for p in self.partitions]
        return Layout(tuple(tuple(sorted(p, key=lambda group: place[group[0]])) for p in groups))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layout) and self._tree() == other._tree()

    def __hash__(self) -> int:
        return hash(self._tree())

    def _tree(self) -> tuple[frozenset[frozenset[str]], ...]:
        return tuple(frozenset(map(frozenset, partition)) for partition in self.partitions)

    def __str__(self) -> str:
        return "/".join("|".join("+".join(group) for group in partition) for partition in self.partitions)


def parse_layout(text: str, tasks: Sequence[str], stages: int) -> Layout:
    """`shared`, `separate`, `tree-TxB-index`, or a written tree, over exactly these tasks and this number of stages."""
    if text == "shared":
        return Layout((((*tasks,),),) * stages)
    if text == "separate":
        return Layout((tuple((task,) for task in tasks),) * stages)
    if match := _TREE_NAME.fullmatch(text):
        size = int(match[1]), int(match[2])
        if size != (len(tasks), stages):
            raise InputError(
                f"layout {text!r} is of {counted(size[0], 'task')} and {counted(size[1], 'stage')}, "
                f"not {len(tasks)} and {stages}"
            )
        return layout_at(int(match[3]), tasks, stages)
    layout = Layout(
        tuple(
            tuple(tuple(name.strip() for name in group.split("+")) for group in stage.split("|"))
            for stage in text.split("/")
        )
    )
    if sorted(layout.tasks) != sorted(tasks):
        names = ", ".join((*NAMED_LAYOUTS, f"tree-{len(tasks)}x{stages}-<index>"))
        raise InputError(f"layout {text!r} is none of {names} and not a tree over the tasks {', '.join(tasks)}")
    if layout.stages != stages:
        raise InputError(f"layout {text!r} has {counted(layout.stages, 'stage')}, the backbone has {stages}")
    return layout


def all_layouts(tasks: Sequence[str], stages: int) -> Iterator[Layout]:
    """Every tree over these tasks in canonical form, in the order of their index (see `models.enumeration`)."""
    return (_from_tree(tree, tasks) for tree in all_trees(len(tasks), stages))


def layout_at(index: int, tasks: Sequence[str], stages: int) -> Layout:
    """Tree number `index` over these tasks, in canonical form; the number depends on the order of the tasks."""
    return _from_tree(tree_at(index, len(tasks), stages), tasks)


def layout_index(layout: Layout, tasks: Sequence[str]) -> int:
    """The tree's number among all trees over `tasks`, in this order: 0 is shared, the last one separate."""
    _same_tasks(layout, tasks)
    return index_of(tuple(_growth_string(layout, stage, tasks) for stage in range(layout.stages)))


def layout_name(layout: Layout, tasks: Sequence[str]) -> str:
    """`shared`, `separate`, or `tree-TxB-index`: what `parse_layout` reads back as this tree, given these tasks."""
    for name in NAMED_LAYOUTS:
        if layout == parse_layout(name, tasks, layout.stages):
            return name
    return f"tree-{len(tasks)}x{layout.stages}-{layout_index(layout, tasks)}"


def list_layouts(pattern: str = "*") -> list[str]:
    """Layouts that go by a name whatever the tasks; any other tree is numbered or written out."""
    return match_names(list(NAMED_LAYOUTS), pattern)


def _same_tasks(layout: Layout, tasks: Sequence[str]) -> Sequence[str]:
    if sorted(layout.tasks) != sorted(tasks):
        raise InputError(f"layout {layout} is not a tree over the tasks {', '.join(tasks)}")
    return tasks


def _from_tree(tree: Tree, tasks: Sequence[str]) -> Layout:
    return Layout(
        tuple(
            tuple(
                tuple(task for task, mine in zip(tasks, groups, strict=True) if mine == group)
                for group in range(max(groups) + 1)
            )
            for groups in tree
        )
    )


def _growth_string(layout: Layout, stage: int, tasks: Sequence[str]) -> tuple[int, ...]:
    numbers: dict[int, int] = {}
    return tuple(numbers.setdefault(layout.group_of(stage, task), len(numbers)) for task in tasks)
