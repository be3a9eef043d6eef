"""All trees of T tasks over B stages: how many there are, which is number i, which number a tree has.

A partition is a growth string: per task the number of its group, groups numbered by their first task, so (0, 0, 1)
joins the first two of three tasks. A tree is one growth string per stage, each refining the last. Trees are ordered
like words in a dictionary: by the first stage's string, then by the second's…; number 0 is shared to the very end and
the last one separate from the start. Names of layouts rely on this order: it never changes.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache, lru_cache
from math import comb, prod

from mtlattack.errors import InputError
from mtlattack.wording import counted

GrowthString = tuple[int, ...]
Tree = tuple[GrowthString, ...]

MOST_TASKS = 16
MOST_STAGES = 64


def count_trees(tasks: int, stages: int) -> int:
    """Number of trees; 51 for T = 3 and 7,556 for T = 5 at B = 5. InputError beyond 16 tasks or 64 stages."""
    _check_size(tasks, stages)
    return _count(tasks, stages)


def all_trees(tasks: int, stages: int) -> Iterator[Tree]:
    """Every tree, in order."""
    _check_size(tasks, stages)
    return _grow((), (0,) * tasks, stages)


def tree_at(index: int, tasks: int, stages: int) -> Tree:
    """Tree number `index`, found without going through those before it."""
    total = count_trees(tasks, stages)
    if not 0 <= index < total:
        raise InputError(
            f"no tree {index}: {counted(tasks, 'task')} over {counted(stages, 'stage')} have {total}, numbered from 0"
        )
    tree: list[GrowthString] = []
    parent: GrowthString = (0,) * tasks
    for later in reversed(range(stages)):
        prefix: GrowthString = ()
        while len(prefix) < tasks:
            for group in _choices(prefix, parent):
                ways = _completions((*prefix, group), parent, later)
                if index < ways:
                    break
                index -= ways
            prefix = (*prefix, group)
        tree.append(prefix)
        parent = prefix
    return tuple(tree)


def index_of(tree: Tree) -> int:
    """The number of a tree, the inverse of `tree_at`."""
    tasks, stages = len(tree[0]), len(tree)
    _check_size(tasks, stages)
    index = 0
    for later, parent, partition in zip(reversed(range(stages)), ((0,) * tasks, *tree), tree, strict=False):
        for position, chosen in enumerate(partition):
            prefix = partition[:position]
            smaller = [group for group in _choices(prefix, parent) if group < chosen]
            index += sum(_completions((*prefix, group), parent, later) for group in smaller)
    return index


def _check_size(tasks: int, stages: int) -> None:
    if not (1 <= tasks <= MOST_TASKS and 1 <= stages <= MOST_STAGES):
        raise InputError(
            f"trees are numbered for up to {MOST_TASKS} tasks and {MOST_STAGES} stages, got {tasks}x{stages}"
        )


@cache
def _count(tasks: int, stages: int) -> int:
    """Sum over the size of the first task's group: choose its members, refine it further, split up the others."""
    if tasks == 0 or stages == 0:
        return 1
    return sum(
        comb(tasks - 1, size - 1) * _count(size, stages - 1) * _count(tasks - size, stages)
        for size in range(1, tasks + 1)
    )


def _choices(prefix: GrowthString, parent: GrowthString) -> list[int]:
    """Groups that the next task may join: those inside its parent group, and a new one."""
    above = parent[len(prefix)]
    return [
        *sorted({group for group, up in zip(prefix, parent, strict=False) if up == above}),
        max(prefix, default=-1) + 1,
    ]


@lru_cache(maxsize=100_000)
def _completions(prefix: GrowthString, parent: GrowthString, later: int) -> int:
    """Ways to finish this stage's string from `prefix`, and then the `later` stages below it."""
    sizes: dict[int, Counter[int]] = defaultdict(Counter)
    for group, above in zip(prefix, parent, strict=False):
        sizes[above][group] += 1
    rest = Counter(parent[len(prefix) :])
    return prod(_fill(tuple(sorted(sizes[above].values())), rest[above], later) for above in set(parent))


@lru_cache(maxsize=100_000)
def _fill(sizes: tuple[int, ...], rest: int, later: int) -> int:
    """Ways to put `rest` more tasks into groups of these sizes or new ones, and then to refine each group."""
    if rest == 0:
        return prod(_count(size, later) for size in sizes)
    joined = [(*sizes[:i], size + 1, *sizes[i + 1 :]) for i, size in enumerate(sizes)]
    return sum(_fill(tuple(sorted(grown)), rest - 1, later) for grown in [*joined, (*sizes, 1)])


def _grow(above: Tree, parent: GrowthString, stages: int) -> Iterator[Tree]:
    if stages == 0:
        yield above
        return
    for partition in _refinements((), parent):
        yield from _grow((*above, partition), partition, stages - 1)


def _refinements(prefix: GrowthString, parent: GrowthString) -> Iterator[GrowthString]:
    if len(prefix) == len(parent):
        yield prefix
        return
    for group in _choices(prefix, parent):
        yield from _refinements((*prefix, group), parent)
