"""`mtlattack poison`: points injected into some tasks of a table, and how badly others are then learned."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mtlattack.cli.lists import listed
from mtlattack.errors import InputError
from mtlattack.files import file_name
from mtlattack.poisoning import Kind, Labels, Learner, Method, Mode, Omega, Patom, Solver, TaskSet
from mtlattack.poisoning.audit import audit
from mtlattack.poisoning.defences import FILTERS
from mtlattack.poisoning.experiment import (
    ALARM,
    RESULT,
    Cell,
    Plan,
    Trial,
    digest_of,
    read_points,
    render,
    run_experiment,
    target_error,
)
from mtlattack.poisoning.metrics import HEADLINE
from mtlattack.poisoning.sources import READERS, read_described, read_tasks
from mtlattack.printing import print_parts, print_paths
from mtlattack.schemas import validate
from mtlattack.wording import counted

_NONE = "none"


def poison(
    data: Annotated[str, typer.Argument(help="Table by name, a TOML file, or with --model a set of images.")],
    source: Annotated[Path | None, typer.Option("--from", help="Folder with a table's published files.")] = None,
    option: Annotated[list[str] | None, typer.Option("--option", help="Of the table, KEY=VALUE.")] = None,
    model: Annotated[str | None, typer.Option(help="Whose frozen features of the images are the table.")] = None,
    split: Annotated[str | None, typer.Option(help="Of the images; several with commas; default: test.")] = None,
    labels_of: Annotated[
        Kind | None, typer.Option("--scene", help="Labels of whole images: numbers (default) or classes.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many images.")] = None,
    targets: Annotated[
        str | None, typer.Option(help="Tasks to be learned badly, globs; default: half, by seed.")
    ] = None,
    attacked: Annotated[str | None, typer.Option(help="Tasks that get points, globs; default: see --mode.")] = None,
    mode: Annotated[
        str | None,
        typer.Option(help="direct: into the targets; indirect: into all others; default: both, or what --attacked is."),
    ] = None,
    method: Annotated[str, typer.Option(help="patom, random, flip.")] = "patom,random,flip",
    budget: Annotated[
        str, typer.Option(help="Shares of an attacked task's points, or whole numbers of points.")
    ] = ".2",
    omega: Annotated[Omega, typer.Option(help="Whether the gradient knows that Ω moves.")] = Patom.omega,
    labels: Annotated[Labels, typer.Option(help="Of injected points.")] = Patom.labels,
    iterations: Annotated[int, typer.Option(help="Of PATOM.")] = Patom.iterations,
    step: Annotated[float, typer.Option(help="The first, of the width of where points may lie.")] = Patom.step,
    batch: Annotated[int | None, typer.Option(help="Points moved at a time; default: all.")] = Patom.batch,
    restarts: Annotated[int, typer.Option(help="Of PATOM; the best is kept.")] = Patom.restarts,
    box: Annotated[
        float | None, typer.Option(help="Points lie in the box of all points, wider by this share; default: 0.")
    ] = None,
    ball: Annotated[float | None, typer.Option(help="Instead within this of a clean point, in deviations.")] = None,
    ridge: Annotated[float, typer.Option(help="λ₁.")] = Learner.ridge,
    relation: Annotated[float, typer.Option(help="λ₂.")] = Learner.relation,
    smoothing: Annotated[float, typer.Option(help="ς.")] = Learner.smoothing,
    victim: Annotated[Solver, typer.Option(help="How the victim learns, from nothing.")] = Solver.ALTERNATING,
    defence: Annotated[str, typer.Option(help="trimmed, consensus, range, alarm; none.")] = "none",
    seeds: Annotated[int, typer.Option(help="Splits into training and test points.", min=1)] = 5,
    points: Annotated[bool, typer.Option("--points", help="Write the injected points as tables.")] = False,
    check: Annotated[Path | None, typer.Option("--audit", help="Judge the points of this table instead.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; default: poisonings/<data>.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start anew; the folder goes to its before-1 …")] = False,
) -> None:
    """Poison the training data of related tasks (PATOM) and print how much worse the targets are learned.

    An experiment that was stopped goes on where it was.
    """
    writing = {"--points": points, "--out": out is not None, "--fresh": fresh}
    if check is not None and any(writing.values()):
        wrong = ", ".join(option for option, given in writing.items() if given)
        raise InputError(f"{wrong} and --audit do not go together: an audit writes nothing")
    name, tasks = load(data, source, option or [], model, split, labels_of, limit)
    chosen: dict[str, Any] = {
        "data": name, "digest": digest_of(tasks),
        "targets": _names(targets, "--targets"), "attacked": _names(attacked, "--attacked"),
        "modes": _modes(mode, attacked is not None), "methods": _members(method, list(Method), "--method"),
        "budgets": [_budget(part) for part in listed(budget, "--budget", "numbers")], "omega": omega, "labels": labels,
        "iterations": iterations, "step": step, "batch": batch, "restarts": restarts,
        "box": 0.0 if box is None and ball is None else box, "ball": ball, "ridge": ridge, "relation": relation,
        "smoothing": smoothing, "victim": victim, "defences": _defences(defence),
        "seeds": list(range(seeds)),
    }  # fmt: skip
    plan = validate(Plan, chosen, "poison: ")
    if check is not None:
        _print_audit(plan, tasks, check)
        return
    folder = out or Path("poisonings") / file_name(name)
    rows = run_experiment(plan, tasks, folder, fresh, points)
    print_parts(render(plan, tasks, rows))
    print_paths(folder / RESULT, folder / "budgets.png")


def load(
    data: str,
    source: Path | None,
    options: list[str],
    model: str | None,
    split: str | None,
    kind: Kind | None,
    limit: int | None,
) -> tuple[str, TaskSet]:
    """What the table is called, and its tasks; InputError for options that mean nothing together."""
    if model is not None:
        if source is not None or options:
            raise InputError("--from and --option are for tables; --model makes one of images")
        # torch and the zoo are loaded for this alone.
        from mtlattack.poisoning.vision import scene_tasks

        splits = ["test"] if split is None else listed(split, "--split")
        return f"{data}-{model}", scene_tasks(data, model, splits, kind or Kind.REGRESSION, limit)
    of_images = [("--split", split), ("--scene", kind), ("--limit", limit)]
    if wrong := ", ".join(option for option, given in of_images if given is not None):
        raise InputError(f"{wrong} of {data}: for images alone, of which --model makes a table")
    if data.endswith(".toml"):
        if source is not None or options:
            raise InputError(f"--from and --option are for published tables; {data} itself says where its rows are")
        return Path(data).stem, read_described(Path(data))
    if source is None:
        READERS.get(data)
        raise InputError(f"{data} is read from its published files; say with --from in which folder they are")
    return data, read_tasks(data, source, dict(_key_and_value(each) for each in options))


def _print_audit(plan: Plan, tasks: TaskSet, path: Path) -> None:
    """What the points of a table do in the first split, and which rules they break: then the exit code is 2."""
    mode, budget = plan.modes[0], plan.budgets[0]
    trial = Trial(plan, tasks, plan.seeds[0])
    mode = mode if mode in trial.sides.attacked else next(iter(trial.sides.attacked))
    given = read_points(path, tasks)
    points = {task: trial.split.units.standard(task, each) for task, each in given.items()}
    findings = audit(trial.split.train, trial.goal(mode, budget), points, plan.labels)
    outcomes = {
        "clean": trial.run(Cell(trial.seed)),
        "with them": trial.judge(Cell(trial.seed), points, 0.0),
    }
    count = sum(len(y) for _, y in points.values())
    print(
        f"{path}: {counted(count, 'point')} in {counted(len(points), 'task')}, split {trial.seed}, {mode}, "
        f"budget {budget:g}"
    )
    for finding in findings:
        print(f"⚠ {finding.points} in task {finding.task} {finding.rule}")
    if not findings:
        print("every point is where and what the attack allows")
    metric = HEADLINE[tasks.kind].replace("_", " ")
    for title, outcome in outcomes.items():
        error = target_error(outcome.numbers, tasks.kind, tasks.names)
        print(f"{metric} of targets, {title}: {error:.3f}")
    if findings:
        raise typer.Exit(2)


def _names(text: str | None, option: str) -> list[str] | None:
    return None if text is None else listed(text, option)


def _modes(text: str | None, named: bool) -> list[str]:
    """Both by default; InputError for several where the attacked tasks are named, which are one."""
    modes = _members("direct,indirect" if text is None else text, list(Mode), "--mode")
    if named and text is not None and len(modes) > 1:
        raise InputError(f"--mode {text!r} with --attacked, expected one: the same tasks as targets, or others")
    return modes


def _defences(text: str) -> list[str]:
    names = _members(text, [*FILTERS, ALARM, _NONE], "--defence")
    if _NONE in names and len(names) > 1:
        raise InputError(f"--defence {text!r}: {_NONE} goes with no other")
    return [name for name in names if name != _NONE]


def _members(text: str, known: Sequence[str], option: str) -> list[str]:
    """Names from `a,b`; InputError for one that is not known."""
    names = listed(text, option)
    for name in names:
        if name not in known:
            raise InputError(f"{option} {name!r}, expected of {', '.join(known)}")
    return names


def _budget(text: str) -> float | int:
    """A whole number is of points, any other a share."""
    if text.isdecimal() and text not in ("0", "1"):
        return int(text)
    try:
        return float(text)
    except ValueError:
        raise InputError(f"--budget {text!r}, expected shares as .2 or numbers of points as 500") from None


def _key_and_value(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise InputError(f"--option {text!r}, expected KEY=VALUE")
    return key, value
