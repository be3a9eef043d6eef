"""Small related tasks: weights of rank two, as in the pilot of PATOM's reconstruction."""

from mtlattack.poisoning import Box, Goal, TaskSet, draw_tasks


def toy_tasks(kind: str = "regression", tasks: int = 4, dimension: int = 5, points: int = 30, seed: int = 0) -> TaskSet:
    """See `draw_tasks`; smaller."""
    return draw_tasks(kind, tasks, dimension, points, seed)


def toy_goal(tasks: TaskSet, targets: tuple[int, ...] = (0, 1), attacked: tuple[int, ...] = (2, 3)) -> Goal:
    """A fifth of the points, in the box of all of them."""
    return Goal(targets, attacked, 0.2, Box.around(tasks))
