"""A record as tables: for the terminal, as Markdown, as CSV."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence

from rich.console import Console, Group, RenderableType
from rich.text import Text

from mtlattack.analysis.record import AttackResult, Flag, Interval, Metrics, Record
from mtlattack.analysis.summaries import SUMMARIES, WORST, Summary
from mtlattack.epsilon import threat_text as threat_in_print
from mtlattack.markdown import code, escape, table_lines
from mtlattack.printing import Grid, output_width, width_of
from mtlattack.tasks import Task, task_from_config
from mtlattack.wording import counted


def render(record: Record) -> RenderableType:
    """Header, and for each ε two tables: what became of the tasks, and how strong the attacks are."""
    parts: list[RenderableType] = [*(Text(line) for line in headline(record)), Text()]
    tasks = [task_from_config(config) for config in record.tasks]
    if not record.attacks:
        parts.append(task_table(record.clean, tasks, [], "clean"))
    parts += attack_tables(record.clean, tasks, record.attacks)
    parts += [Text(line) for line in notes(record)]
    return Group(*parts)


def attack_tables(clean: Metrics, tasks: Sequence[Task], results: Iterable[AttackResult]) -> list[RenderableType]:
    """For each threat two tables, what became of the tasks and how strong the attacks are; then what the signs mean."""
    parts: list[RenderableType] = []
    for threat, group in by_threat(results).items():
        parts += [task_table(clean, tasks, group, threat), Text(), summary_table(group, threat), Text()]
        if any(result.goals for result in group):
            parts += [goal_table(group, threat), Text()]
    if parts:
        parts.append(
            Text("★ strongest in its column · brackets: 95 % bootstrap interval over images · passes: forward+backward")
        )
    return parts


def render_text(record: Record) -> str:
    """`render` as plain text, as wide as the terminal or COLUMNS say; without either as its tables are."""
    tables = render(record)
    console = Console(width=output_width() or width_of(tables), file=io.StringIO(), color_system=None)
    with console.capture() as capture:
        console.print(tables)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def headline(record: Record) -> list[str]:
    """What was run: suite and model, images and seed, and, if anything was, what was changed of the suite."""
    suite = f"suite {record.suite['name']} v{record.suite['version']}" if record.suite else "no suite"
    changed = record.suite["overrides"] if record.suite and record.suite.get("overrides") else {}
    data, model = record.data, record.model
    lines = [
        f"{suite} · {model['name']} ({model['parameters'] / 1e6:.2f} M parameters, {model['sha256'][:8]})",
        f"{counted(data['images'], 'image')} of {data['name']} {data['split']} ({data['fingerprint'][:8]}), "
        f"seed {record.seed}",
    ]
    if record.search_precision != "float32":
        lines.append(f"gradients in {record.search_precision}, results in float32")
    if record.judged is not None:
        source = record.judged.get("source")
        made = f"they say on {source['name']} ({source['sha256'][:8]})" if source else "nobody says on which model"
        lines.append(f"images that were given, made {made}: box and ball are checked, steps and passes are their word")
    return lines + ([f"unlike the suite in: {', '.join(changed)}"] if changed else [])


def notes(record: Record) -> list[str]:
    """What stands below the tables: the members of each ensemble, then the flags, one line each."""
    return member_notes(record.attacks) + flag_notes(record.flags, record.checked)


def member_notes(results: Iterable[AttackResult]) -> list[str]:
    """What each ensemble among the attacks took for how many of the images."""
    lines = []
    for result in results:
        if result.members:
            taken = {name: share["joint"] or 0 for name, share in result.members.items()}
            most = sorted(taken, key=taken.__getitem__, reverse=True)
            chosen = ", ".join(f"{name} {taken[name]:.0%}" for name in most if taken[name])
            lines.append(f"{result.name} ({threat_text(result)}) took for the image as a whole: {chosen}")
    return lines


def flag_notes(flags: Iterable[Flag], checked: Sequence[str]) -> list[str]:
    """A line for each kind of flag that was raised, or one that says that none was."""
    lines = []
    seen: dict[str, list[Flag]] = {}
    for flag in flags:
        seen.setdefault(flag.name, []).append(flag)
    for name, raised in seen.items():
        place = f"{raised[0].attack}: " if raised[0].attack else ""
        more = f"; and {len(raised) - 1} more in the record" if len(raised) > 1 else ""
        lines.append(f"⚠ {name}: {place}{raised[0].seen}{more}")
    if checked and not seen:
        lines.append(f"no flag raised: {', '.join(checked)}")
    return lines


def by_threat(results: Iterable[AttackResult]) -> dict[str, list[AttackResult]]:
    """Results grouped by norm and ε, in the order in which these first occur."""
    groups: dict[str, list[AttackResult]] = {}
    for result in results:
        groups.setdefault(threat_text(result), []).append(result)
    return groups


def threat_text(result: AttackResult) -> str:
    """`linf 4/255` or `l2 0.5, 8-bit`: as `Threat` prints."""
    return threat_in_print(result.norm, result.eps, result.config.get("quantized", False))


def compact_interval(interval: Interval, *, percent: bool) -> str:
    """`-152 [-160,-141]` in per cent, or `0.51 [0.49,0.53]`."""
    value, low, high = (compact_number(x, percent) for x in (interval.value, interval.low, interval.high))
    return f"{value} [{low},{high}]"


def to_markdown(record: Record) -> str:
    """The tables as Markdown, one a threat; a clean run has one with the tasks alone."""
    lines = [*map(escape, headline(record)), ""]
    tasks = [task_from_config(config) for config in record.tasks]
    lines += markdown_tables(record.clean, tasks, record.attacks)
    below = [f"- {escape(note)}" for note in notes(record)]
    return "\n".join([*lines, *below, ""] if below else lines)


def markdown_tables(clean: Metrics, tasks: Sequence[Task], attacks: Iterable[AttackResult]) -> list[str]:
    """Lines of Markdown with a table a threat, or without attacks one of the tasks alone; an empty line after each."""
    lines: list[str] = []
    for threat, results in (by_threat(attacks) or {"clean": []}).items():
        titles = ["attack", *(escape(f"{task.name} {task.headline}") for task in tasks)]
        first = ["clean", *(_clean_cell(clean, task) for task in tasks)]
        if results:
            titles += [summary.title for summary in SUMMARIES] + ["forward + backward"]
            first += [""] * (len(SUMMARIES) + 1)
        rows = [
            [
                code(result.name),
                *(_task_cell(result, task) for task in tasks),
                *(_summary_cell(summary, result, results, name=escape) for summary in SUMMARIES),
                _cost(result),
            ]
            for result in results
        ]
        lines += [f"**{threat}**", "", *table_lines(titles, [first, *rows]), ""]
        if goals := goal_rows(results):
            named = [[*map(code, row[:_GOAL_WORDS]), *map(escape, row[_GOAL_WORDS:])] for row in goals]
            lines += [*table_lines(GOAL_TITLES, named), ""]
    return lines


def to_csv(record: Record) -> str:
    """One line a number: model, data, attack, norm, eps, task, quantity, value, low, high."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["model", "data", "attack", "norm", "eps", "task", "quantity", "value", "low", "high"])
    place = [record.model["name"], record.data["name"]]
    for task, metrics in record.clean.items():
        for name, value in metrics.items():
            writer.writerow([*place, "clean", "", 0, task, name, value, "", ""])
    for result in record.attacks:
        attack = [*place, result.name, result.norm, result.eps]
        for kind, table in (("", result.metrics), ("relative ", result.relative)):
            for task, metrics in table.items():
                for name, value in metrics.items():
                    writer.writerow([*attack, task, kind + name, value, "", ""])
        for task, goal in (result.goals or {}).items():
            for quantity in ("before", "after", "gone", "moved", "loss_before", "loss_after"):
                interval = getattr(goal, quantity)
                place_of_goal = [*attack, task, f"target {goal.target} {quantity}"]
                writer.writerow([*place_of_goal, interval.value, interval.low, interval.high])
        for summary in SUMMARIES:
            interval = summary.of(result)
            quantity = summary.title.removesuffix(" %")  # values are as in the record, not per cent
            task = result.worst_task if summary is WORST else "all"
            writer.writerow([*attack, task, quantity, interval.value, interval.low, interval.high])
    return out.getvalue()


def task_table(clean: Metrics, tasks: Sequence[Task], results: Sequence[AttackResult], threat: str) -> Grid:
    """What became of each task: the clean value of its headline metric, then one line an attack."""
    table = Grid(title=f"{threat}: the tasks")
    table.add_column("attack")
    for task in tasks:
        table.add_column(f"{task.heading}\n{task.headline_metric.title}", "right")
    if results:
        table.add_column("passes", "right")
    table.add_row("clean", *(_clean_cell(clean, task) for task in tasks), *([""] if results else []))
    for result in results:
        table.add_row(result.name, *(_task_cell(result, task) for task in tasks), _cost(result))
    return table


def summary_table(results: list[AttackResult], threat: str) -> Grid:
    """How strong each attack is, in the numbers that sum it up."""
    table = Grid(title=f"{threat}: the attacks")
    table.add_column("attack")
    for summary in SUMMARIES:
        table.add_column(summary.title, "right")
    for result in results:
        table.add_row(result.name, *(_summary_cell(summary, result, results) for summary in SUMMARIES))
    return table


def goal_table(results: Iterable[AttackResult], threat: str) -> Grid:
    """How far each attack with a target has led each task: where it was, where it is, what else has moved."""
    table = Grid(title=f"{threat}: the targets", names=_GOAL_WORDS)
    for column, title in enumerate(GOAL_TITLES):
        table.add_column(title, "left" if column < _GOAL_WORDS else "right")
    for row in goal_rows(results):
        table.add_row(*row)
    return table


GOAL_TITLES = ("attack", "task", "target", "distance before", "after", "way gone %", "the rest moved by")
_GOAL_WORDS = 3


def goal_rows(results: Iterable[AttackResult]) -> list[list[str]]:
    """Cells under GOAL_TITLES, a row a goal."""
    rows = []
    for result in results:
        for task, goal in (result.goals or {}).items():
            unit = f" {goal.unit}" if goal.unit else ""
            distances = (goal.before, goal.after)
            rows.append(
                [
                    result.name,
                    task,
                    goal.target,
                    *("–" if each.value is None else f"{_measured(each)}{unit}" for each in distances),
                    "–" if goal.gone.value is None else compact_interval(goal.gone, percent=True),
                    "–" if goal.moved.value is None else f"{_measured(goal.moved)}{unit}",
                ]
            )
    return rows


def _measured(interval: Interval) -> str:
    """`0.412 [0.390,0.431]`."""
    value, low, high = (short_number(x) for x in (interval.value, interval.low, interval.high))
    return f"{value} [{low},{high}]"


def _clean_cell(clean: Metrics, task: Task) -> str:
    return short_number(clean[task.name][task.headline])


def _task_cell(result: AttackResult, task: Task) -> str:
    name = task.headline
    change = result.relative[task.name][name]
    return f"{short_number(result.metrics[task.name][name])} {percent_change(change):>6}"


def _summary_cell(
    summary: Summary, result: AttackResult, rivals: list[AttackResult], name: Callable[[str], str] = str
) -> str:
    """The number, a star if it is the best of all, and of the worst task which one, as `name` writes it."""
    interval = summary.of(result)
    best = summary.strongest(rivals)
    star = "★" if len(rivals) > 1 and best is not None and interval.value == summary.of(best).value else ""
    which = f"{name(str(result.worst_task))} " if summary is WORST and interval.value is not None else ""
    return which + star + compact_interval(interval, percent=summary.percent)


def _cost(result: AttackResult) -> str:
    counts = (result.forward_passes, result.backward_passes)
    return "+".join("?" if count is None else str(count) for count in counts)


def compact_number(value: float | None, percent: bool) -> str:
    """`-152` in per cent of a share, or `0.51`."""
    # Adding 0 turns a rounded −0 into 0.
    return "–" if value is None else thousands(100 * value) if percent else f"{round(value, 2) + 0:.2f}"


def percent_change(value: float | None) -> str:
    """`-45%` or `+1.2k%` of a share."""
    if value is None:
        return "–"
    text = thousands(100 * value)
    return f"{text}%" if text.startswith("-") else f"+{text}%"


def thousands(value: float) -> str:
    """A whole number, from 1000 on as `1.2k` or `12k`: losses grow by thousands of per cent, and columns are few."""
    size = abs(value)
    return f"{round(value)}" if size < 999.5 else f"{value / 1000:.1f}k" if size < 9950 else f"{value / 1000:.0f}k"


def short_number(value: float | None) -> str:
    """Three significant digits without an exponent."""
    return (
        "–"
        if value is None
        else f"{value:.1f}"
        if abs(value) >= 10
        else f"{value:.2f}"
        if abs(value) >= 1
        else f"{value:.3f}"
    )
