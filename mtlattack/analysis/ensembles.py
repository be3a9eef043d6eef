"""Ensembles: their numbers come from their members' evidence alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mtlattack.analysis.change import Change, loss_ratio, measure_change, metrics_of, weighted_metrics
from mtlattack.analysis.resampling import Array, Weights
from mtlattack.analysis.skill import Metrics, Skill, measure_skill
from mtlattack.evidence import Evidence, Outcome
from mtlattack.tasks import Task

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Choice:
    """The worst member for each image, by its index: for all tasks together `[N]`, and by task `[N]` each."""

    joint: Indices
    tasks: dict[str, Indices]


def choose(clean: Outcome, members: Sequence[Outcome], tasks: Mapping[str, Task]) -> Choice:
    """By task the member that leaves the image the worst headline metric, jointly that with the highest mean relative
    loss change over the tasks for which the image has valid pixels; the first of equals."""
    changes = []
    for member in members:
        ratio, valid = loss_ratio(clean, member, tasks)
        changes.append(np.where(valid, ratio - 1, 0).sum(1))
    return Choice(np.argmax(changes, 0), {name: _worst(name, task, members) for name, task in tasks.items()})


def _worst(name: str, task: Task, members: Sequence[Outcome]) -> Indices:
    """The member that is worst for each image by the task's headline metric of that image alone, which unlike a loss
    knows no scale of the logits; the first where the image has no valid pixel."""
    metric = task.headline_metric
    # An error sum that overflowed is as bad as can be.
    with np.errstate(invalid="ignore", over="ignore"):
        values = np.stack([task.metrics(member.statistics[name])[metric.name] for member in members])
    damage = -values if metric.higher_is_better else values
    unlabelled = members[0].statistics[name][:, 0] == 0
    chosen: Indices = np.where(unlabelled, 0.0, np.nan_to_num(damage, nan=np.inf)).argmax(0)
    return chosen


def ensemble_change(
    clean: Outcome, clean_metrics: dict[str, dict[str, Array]], members: Sequence[Outcome], tasks: Mapping[str, Task],
    weights: Weights,
) -> Change:  # fmt: skip
    """How an ensemble changed the results, under `weights` `[R, N]`.

    `metrics`, `relative`, `tasks` and `worst` are of the member that is worst for each image and task; `arp`,
    `loss_change` and `log_ratio` of the one that is worst for the image as a whole.
    """
    choice = choose(clean, members, tasks)
    by_task = replace(
        members[0],
        losses=np.stack([_pick([m.losses[:, i] for m in members], choice.tasks[n]) for i, n in enumerate(tasks)], 1),
        statistics={name: _pick([m.statistics[name] for m in members], choice.tasks[name]) for name in tasks},
    )
    jointly = replace(
        members[0],
        losses=_pick([m.losses for m in members], choice.joint),
        statistics={name: _pick([m.statistics[name] for m in members], choice.joint) for name in tasks},
    )
    change, joint = (measure_change(clean, clean_metrics, o, tasks, weights) for o in (by_task, jointly))
    return replace(change, arp=joint.arp, loss_change=joint.loss_change, log_ratio=joint.log_ratio)


def ensemble_skill(
    members: Sequence[Outcome], evidence: Evidence, constant: Metrics | None, weights: Weights
) -> Skill | None:
    """The skill that an ensemble leaves, under `weights` `[R, N]`, given the constant answers' metrics under them; None
    for evidence without these.

    `tasks` and `worst` are of the member that is worst for each image and task; `mean` is of one member an image, that
    which leaves it the least mean skill: one perturbation for all tasks, whatever the scale of losses.
    """
    tasks = evidence.tasks
    if evidence.constant is None or constant is None:
        return None
    alone = metrics_of(evidence.constant, tasks)
    left = [measure_skill(metrics_of(member.statistics, tasks), alone, tasks).mean for member in members]
    jointly = np.nan_to_num(left, nan=np.inf).argmin(0)

    def of_choice(chosen: Mapping[str, Indices]) -> Skill:
        statistics = {name: _pick([m.statistics[name] for m in members], chosen[name]) for name in tasks}
        return measure_skill(weighted_metrics(statistics, tasks, weights), constant, tasks)

    apart = of_choice({name: _worst(name, task, members) for name, task in tasks.items()})
    return replace(apart, mean=of_choice(dict.fromkeys(tasks, jointly)).mean)


def shares(clean: Outcome, members: Sequence[Outcome], tasks: Mapping[str, Task]) -> list[dict[str, float]]:
    """For each member the share of the images on which it was chosen, `joint` and by task; of those with valid pixels,
    NaN where there are none."""
    choice = choose(clean, members, tasks)
    valid = {name: clean.statistics[name][:, 0] > 0 for name in tasks}
    chosen = {"joint": choice.joint, **choice.tasks}
    counting = {"joint": np.any(list(valid.values()), 0), **valid}
    return [
        {key: _share(chosen[key][counting[key]] == member) for key in chosen} for member in range(len(members))
    ]  # fmt: skip


def _pick(values: Sequence[Array], chosen: Indices) -> Array:
    """Row n of the array that was chosen for image n."""
    picked = np.empty_like(values[0])
    for place, rows in enumerate(values):
        own = chosen == place
        picked[own] = rows[own]
    return picked


def _share(chosen: NDArray[np.bool_]) -> float:
    return float(chosen.mean()) if chosen.size else float("nan")
