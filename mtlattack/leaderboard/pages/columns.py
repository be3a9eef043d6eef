"""What pages and charts show of an attack on a model: the summaries, and of each task its skill and its metrics."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mtlattack.analysis import AttackResult, Interval, Record
from mtlattack.analysis.record import Intervals, Skill
from mtlattack.analysis.summaries import SKILL, SUMMARIES, UNDEFINED, WORST, Summary, mean_of, worst_of
from mtlattack.leaderboard.formats import NOTHING, Figure, figure_of
from mtlattack.leaderboard.records import attacks_at, tasks_of
from mtlattack.leaderboard.standings import Standing
from mtlattack.tasks import Metric, Task

_UNCHANGED = Interval(value=0.0, low=None, high=None)


@dataclass(frozen=True)
class Column:
    """A number of an attack: its name in addresses, what stands above it in two lines, what it says, which way is
    robust, its value without attack and under one, whether it is read in per cent, the task that it names, and whether
    it is skill, which a row has of the attack that leaves least."""

    key: str
    title: str
    unit: str
    meaning: str
    higher_is_better: bool
    clean: Callable[[Record], Interval]
    under: Callable[[AttackResult], Interval]
    percent: bool = False
    names: Callable[[AttackResult], str | None] = lambda result: None
    is_skill: bool = False

    def figure(self, result: AttackResult) -> Figure:
        """The number under an attack, behind the name of the task that it is about."""
        shown, task = figure_of(self.under(result), percent=self.percent), self.names(result)
        return replace(shown, text=f"{words(task)} {shown.text}") if task and shown.text != NOTHING else shown

    def clean_figure(self, record: Record) -> Figure:
        """The number without attack."""
        return figure_of(self.clean(record), percent=self.percent)

    def change(self, record: Record, result: AttackResult) -> Figure:
        """`39.1 → 5.98`: clean, and under attack with its interval."""
        shown = self.figure(result)
        return replace(shown, text=f"{self.clean_figure(record).text} → {shown.text}")


def words(name: str) -> str:
    """A name as people write it."""
    return name.replace("_", " ")


def of_summary(summary: Summary) -> Column:
    """A number over all tasks; without attack there is skill, and no change."""
    return Column(
        summary.key,
        summary.title,
        "↑" if summary.strong_is_low else "↓",
        summary.meaning,
        summary.strong_is_low,
        (lambda record: mean_of(record.clean_skill)) if summary is SKILL else lambda record: _UNCHANGED,
        summary.of,
        summary.percent,
        (lambda result: result.worst_task) if summary is WORST else lambda result: None,
        is_skill=summary is SKILL,
    )


WORST_SKILL = Column(
    "worst_skill",
    "worst task's skill",
    "↑",
    "the least skill that is left of any task, and which",
    True,
    lambda record: worst_of(record.clean_skill),
    lambda result: worst_of(result.skill),
    names=lambda result: result.skill.worst_task if result.skill else None,
    is_skill=True,
)
SUMMARY_COLUMNS = [of_summary(summary) for summary in SUMMARIES]
# Skill, the worst task's beside it, then what says more of attacks than of models.
MAIN_COLUMNS = [replace(SUMMARY_COLUMNS[0], title="robust skill"), WORST_SKILL, *SUMMARY_COLUMNS[1:]]


def of_skill(task: Task) -> Column:
    """A task's skill."""

    def found(skill: Skill | None) -> Interval:
        return UNDEFINED if skill is None else skill.tasks.get(task.name, UNDEFINED)

    return Column(
        f"skill-{task.name}",
        words(task.name),
        "skill ↑",
        f"skill of {words(task.name)}",
        True,
        lambda record: found(record.clean_skill),
        lambda result: found(result.skill),
    )


def of_metric(task: Task, metric: Metric) -> Column:
    """A metric of a task, in its own unit."""

    def found(metrics: Intervals) -> Interval:
        return metrics.get(task.name, {}).get(metric.name, UNDEFINED)

    return Column(
        f"task-{task.name}",
        words(task.name),
        words(metric.title),
        f"{words(task.name)}: clean → under attack",
        metric.higher_is_better,
        lambda record: found(record.clean_intervals),
        lambda result: found(result.intervals),
    )


def headlines(record: Record) -> list[Column]:
    """Of each task the metric that stands for it."""
    return [of_metric(task, task.headline_metric) for task in tasks_of(record).values()]


def least_of(standing: Standing) -> AttackResult:
    """The attack that leaves the least skill; the strongest where no skill is known."""
    if standing.robust is None:
        return standing.strongest
    name = standing.robust.attack
    return next(each for each in attacks_at(standing.stored.record, standing.eps) if each.name == name)


def cells_of(standing: Standing, tasks: Sequence[Column]) -> list[Figure]:
    """A row's line: the attacks, then `MAIN_COLUMNS` and `tasks`; skill under the attack that leaves least, all else
    under the strongest."""
    least, worst = least_of(standing), standing.strongest
    attacks = Figure(least.name, "" if least.name == worst.name else f"change: {worst.name}")
    numbers = [column.figure(least if column.is_skill else worst) for column in MAIN_COLUMNS]
    return [attacks, *numbers, *(column.change(standing.stored.record, worst) for column in tasks)]
