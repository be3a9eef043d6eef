"""Ensembles: their numbers come from their members' evidence alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mtlattack.analysis.change import Change, loss_ratio, measure_change, metrics_of
from mtlattack.analysis.resampling import Array, Weights, blocks, weighted_sums
from mtlattack.analysis.skill import Metrics, Skill, measure_skill
from mtlattack.evidence import Evidence, Outcome, part_of
from mtlattack.tasks import Task

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Chosen:
    """What is left where an ensemble's members are chosen image by image, told of some images at a time.

    `choose` is given the outcomes of these, clean and of each member, and gives by task the index of the member `[B]`.
    """

    clean: Outcome
    members: Sequence[Outcome]
    choose: Callable[[Outcome, Sequence[Outcome]], Mapping[str, Indices]]

    def part(self, rows: slice) -> Outcome:
        """Of some images: losses and statistics are the chosen members', all else is the first one's."""
        members = [member.part(rows) for member in self.members]
        chosen = self.choose(self.clean.part(rows), members)
        losses = [_pick([m.losses[:, place] for m in members], own) for place, own in enumerate(chosen.values())]
        statistics = {name: _pick([m.statistics[name] for m in members], own) for name, own in chosen.items()}
        return replace(members[0], losses=np.stack(losses, 1), statistics=statistics)


def _jointly(tasks: Mapping[str, Task], clean: Outcome, members: Sequence[Outcome]) -> dict[str, Indices]:
    """The member with the highest mean relative loss change over the tasks for which the image has valid pixels, the
    first of equals; the same for all tasks."""
    changes = []
    for member in members:
        ratio, valid = loss_ratio(clean, member, tasks)
        changes.append(np.where(valid, ratio - 1, 0).sum(1))
    return dict.fromkeys(tasks, np.argmax(changes, 0))


def _apart(tasks: Mapping[str, Task], clean: Outcome, members: Sequence[Outcome]) -> dict[str, Indices]:
    """By task the member that leaves the image the worst headline metric, the first of equals."""
    return {name: _worst(name, task, members) for name, task in tasks.items()}


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
    change, joint = (
        measure_change(clean, clean_metrics, Chosen(clean, members, partial(choose, tasks)), tasks, weights)
        for choose in (_apart, _jointly)
    )
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
    constants = evidence.constant

    def sums(rows: slice) -> list[Array]:
        """The statistics of the choice by task, then those of the choice for all tasks."""
        parts = [member.part(rows) for member in members]
        alone = metrics_of({name: part_of(constants[name], rows) for name in tasks}, tasks)
        left = [measure_skill(metrics_of(part.statistics, tasks), alone, tasks).mean for part in parts]
        joint: Indices = np.nan_to_num(left, nan=np.inf).argmin(0)
        apart = {name: _worst(name, task, parts) for name, task in tasks.items()}
        return [
            _pick([part.statistics[name] for part in parts], chosen[name])
            for chosen in (apart, dict.fromkeys(tasks, joint))
            for name in tasks
        ]

    # An error sum may overflow.
    with np.errstate(invalid="ignore", over="ignore"):
        summed = weighted_sums(weights, sums)
    apart, jointly = (
        measure_skill(metrics_of(dict(zip(tasks, each, strict=True)), tasks), constant, tasks)
        for each in (summed[: len(tasks)], summed[len(tasks) :])
    )
    return replace(apart, mean=jointly.mean)


def shares(clean: Outcome, members: Sequence[Outcome], tasks: Mapping[str, Task]) -> list[dict[str, float]]:
    """For each member the share of the images on which it was chosen, `joint` and by task; of those with valid pixels,
    NaN where there are none."""
    taken = {key: np.zeros(len(members), np.int64) for key in ("joint", *tasks)}
    for rows in blocks(len(clean.losses)):
        before, parts = clean.part(rows), [member.part(rows) for member in members]
        valid = {name: before.statistics[name][:, 0] > 0 for name in tasks}
        joint = next(iter(_jointly(tasks, before, parts).values()))
        chosen = {"joint": joint, **_apart(tasks, before, parts)}
        counting = {"joint": np.any(list(valid.values()), 0), **valid}
        for key, counts in taken.items():
            counts += np.bincount(chosen[key][counting[key]], minlength=len(members))
    return [{key: _share(counts, member) for key, counts in taken.items()} for member in range(len(members))]


def _pick(values: Sequence[Array], chosen: Indices) -> Array:
    """Row n of the array that was chosen for image n."""
    picked = np.empty_like(values[0])
    for place, rows in enumerate(values):
        own = chosen == place
        picked[own] = rows[own]
    return picked


def _share(counts: Indices, member: int) -> float:
    return float(counts[member] / counts.sum()) if counts.any() else float("nan")
