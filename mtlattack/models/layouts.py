"""Sharing layouts: which tasks share which stages of the backbone, as a tree."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from mtlattack.errors import InputError
from mtlattack.registry import match_names

Partition = tuple[tuple[str, ...], ...]

NAMED_LAYOUTS = ("shared", "separate")


@dataclass(frozen=True)
class Layout:
    """One partition of the tasks per backbone stage, each refining the last.

    Written stage by stage: `/` between stages, `|` between groups, `+` inside a group, so
    `depth+normals/depth|normals` shares the first of two stages. InputError if the partitions are no tree.
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

    def group_of(self, stage: int, task: str) -> int:
        """Index of the group that holds `task` at `stage`."""
        return next(i for i, group in enumerate(self.partitions[stage]) if task in group)

    def __str__(self) -> str:
        return "/".join("|".join("+".join(group) for group in partition) for partition in self.partitions)


def parse_layout(text: str, tasks: Sequence[str], stages: int) -> Layout:
    """`shared`, `separate`, or a written tree over exactly these tasks and this number of stages."""
    if text == "shared":
        return Layout((((*tasks,),),) * stages)
    if text == "separate":
        return Layout((tuple((task,) for task in tasks),) * stages)
    layout = Layout(
        tuple(
            tuple(tuple(name.strip() for name in group.split("+")) for group in stage.split("|"))
            for stage in text.split("/")
        )
    )
    if sorted(layout.tasks) != sorted(tasks):
        names = ", ".join(NAMED_LAYOUTS)
        raise InputError(f"layout {text!r} is none of {names} and not a tree over the tasks {', '.join(tasks)}")
    if layout.stages != stages:
        raise InputError(f"layout {text!r} has {layout.stages} stages, the backbone has {stages}")
    return layout


def list_layouts(pattern: str = "*") -> list[str]:
    """Layouts that go by a name whatever the tasks; any other tree is written out."""
    return match_names(list(NAMED_LAYOUTS), pattern)
