"""An experiment's rows as a table for the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from mtlattack.poisoning.experiment.plan import ALARM, Plan
from mtlattack.poisoning.metrics import HEADLINE
from mtlattack.poisoning.tasks import TaskSet
from mtlattack.printing import Grid
from mtlattack.wording import counted


def headline(plan: Plan, tasks: TaskSet) -> list[str]:
    """What was run."""
    where = f"box + {plan.box:g} of its width" if plan.ball is None else f"ball of radius {plan.ball:g}"
    points = counted(sum(tasks.sizes), "point")
    return [
        f"{plan.data} ({plan.digest[:8]}): {counted(len(tasks), 'task')} of {tasks.kind}, {points}, "
        f"{counted(tasks.dimension, 'feature')}, {counted(len(plan.seeds), 'split')}",
        f"λ₁ {plan.ridge:g}, λ₂ {plan.relation:g}, ς {plan.smoothing:g} · Ω {plan.omega}, labels {plan.labels}, "
        f"{counted(plan.iterations, 'iteration')}, {where} · victim: {plan.victim}",
    ]


def render(plan: Plan, tasks: TaskSet, rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """The targets' error, mean over seeds [95 % interval], and what each defence leaves of the damage."""
    metric = HEADLINE[tasks.kind].replace("_", " ")
    table = Grid()
    filters = [name for name in plan.defences if name != ALARM]
    titles = [f"{metric} of targets ↓", "damage", *(f"{name}: damage" for name in filters)]
    titles += ["alarm"] if ALARM in plan.defences else []
    for column in ("attack", "budget", "points", *titles, "s"):
        table.add_column(column, "left" if column == "attack" else "right")
    for row in rows:
        table.add_row(*cells_of(row, filters, ALARM in plan.defences))
    note = "mean over splits [95 % interval, Student's t] · damage: error − clean error of the same split"
    return Group(*(Text(line) for line in headline(plan, tasks)), Text(), table, Text(note))


def cells_of(row: Mapping[str, Any], filters: Sequence[str], alarm: bool) -> list[str]:
    """A row's cells."""
    name = "clean" if row["method"] is None else f"{row['method']} {row['mode']}"
    cells = [name, "" if row["budget"] is None else f"{row['budget']:g}", f"{row['injected']:.0f}", str(row["error"])]
    cells.append("" if row["method"] is None else str(row["damage"]))
    cells += [str(row["defended"][each]["damage"]) for each in filters]
    if alarm:
        cells.append("–" if row["alarm"].mean is None else f"{row['alarm'].mean:.0%}")
    return [*cells, "" if row["method"] is None else f"{row['seconds']:.1f}"]
