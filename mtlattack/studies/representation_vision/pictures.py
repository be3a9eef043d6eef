"""Tables and the picture of the vision study."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mtlattack.figures import save_figure
from mtlattack.studies.nested import Array, effect
from mtlattack.studies.representation_vision.plan import IMAGENET, STAGES, head_name
from mtlattack.studies.representation_vision.skills import Arm, Run, Skills, difference
from mtlattack.studies.study import Table


def tables(skills: Skills) -> list[Table]:
    """Means over held-out tasks and seeds of every kind of head; and by held-out task those on most source tasks."""
    every = [_by_heads(skills, data) for data in dict.fromkeys(arm.data for arm in skills.arms)]
    return [*every, *(_by_target(skills, arms[-1]) for arms in skills.own().values())]


def _heads(skills: Skills, arm: Arm) -> Iterator[tuple[str, str, int]]:
    """Stage 1, stage 2 and m in the order in which they are shown."""
    for stage in skills.stages(arm):
        for head in STAGES:
            for m in skills.labels:
                yield stage, head, m


def _by_heads(skills: Skills, data: str) -> Table:
    oracle = skills.oracle(data)
    rows = []
    for arm in (arm for arm in skills.arms if arm.data == data):
        for stage, head, m in _heads(skills, arm):
            robust, standard, clean = (
                skills.of(arm, stage, head_name(head, m), kind) for kind in ("robust", "standard", "clean")
            )
            mean = np.mean([each[0] for each in clean.values()])
            shown = [_told(robust), _told(standard), f"{mean:.3g}", _text(difference(oracle, robust))]
            rows.append([f"{arm}, {stage} stage 1, {head} stage 2, m = {m}", *shown])
    columns = ["heads", "robust skill", "by standard", "clean skill", "excess over the oracle"]
    return Table(f"{data}: mean over held-out tasks and seeds, 95 % intervals over these and images", columns, rows)


def _by_target(skills: Skills, arm: Arm) -> Table:
    oracle = skills.oracle(arm.data)
    rows = []
    for target in skills.targets(arm):
        for m in skills.labels:
            pair = [_only(skills.of(arm, stage, head_name("robust", m)), target) for stage in STAGES]
            clean, robust = pair
            shown = [_told(clean), _told(robust), _text(difference(robust, clean)), _told(_only(oracle, target))]
            rows.append([f"{target}, m = {m}", *shown])
    columns = ["held out", "clean stage 1", "robust stage 1", "their difference", "oracle"]
    return Table(f"{arm}: robust skill by held-out task, stage 2 robust", columns, rows)


def _only(found: Mapping[Run, Array], target: str) -> dict[Run, Array]:
    return {run: values for run, values in found.items() if run[0] == target}


def _told(found: Mapping[Run, Array]) -> str:
    return _text(list(found.values()))


def _text(values: list[Array]) -> str:
    return str(effect(values)) if values else "–"


def plot(skills: Skills, path: Path) -> Path:
    """Robust skill against m: a row a data set; backbones of fewest and of most tasks, and from elsewhere."""
    rows = [(data, _panels(skills, data)) for data in dict.fromkeys(arm.data for arm in skills.arms)]
    width = max(len(panels) for _, panels in rows)
    figure = Figure(figsize=(4.2 * width, 3.2 * len(rows) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(rows), width, squeeze=False, sharey="row")
    for (data, panels), axes in zip(rows, grid, strict=True):
        for axis in axes[len(panels) :]:
            axis.set_visible(False)
        for axis, (title, arms) in zip(axes, panels.items(), strict=False):
            for arm in arms:
                _draw(axis, skills, arm)
            if oracle := list(skills.oracle(data).values()):
                axis.axhline(effect(oracle).value, color="0.4", linestyle=":", label="oracle: all labels, end to end")
            axis.set(xscale="log", xlabel="labelled images m", title=f"{data}: {title}")
            axis.grid(alpha=0.3)
        axes[0].set(ylabel="robust skill")
    labelled: dict[str, Any] = {}
    for axis in figure.axes:
        labelled |= dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    figure.legend(labelled.values(), labelled, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return save_figure(figure, path, dpi=100)


def _panels(skills: Skills, data: str) -> dict[str, list[Arm]]:
    own = skills.own().get(data, [])
    panels = {f"{arm.tasks} source task{'s' if arm.tasks > 1 else ''}": [arm] for arm in (*own[:1], *own[-1:])}
    elsewhere = [arm for arm in skills.arms if arm.data == data and not arm.tasks]
    return panels | ({"backbone from elsewhere": elsewhere} if elsewhere else {})


def _draw(axis: Axes, skills: Skills, arm: Arm) -> None:
    for stage in skills.stages(arm):
        for head in STAGES:
            found = [effect(list(skills.of(arm, stage, head_name(head, m)).values())) for m in skills.labels]
            middle = np.array([each.value for each in found])
            bars = np.array([[each.value - each.low, each.high - each.value] for each in found]).T.clip(0)
            colour = "C2" if arm.origin == IMAGENET else "C0" if stage == "robust" else "C1"
            what = "ImageNet's" if arm.origin == IMAGENET else stage
            axis.errorbar(
                skills.labels, middle, bars, color=colour, linestyle="-" if head == "robust" else "--", marker="o",
                capsize=2, label=f"{what} stage 1, {head} stage 2",
            )  # fmt: skip
