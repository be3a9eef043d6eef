"""The report: evidence → record, and the record as tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlattack.analysis import skill
from mtlattack.analysis.arrival import measure_arrival
from mtlattack.analysis.change import Change, bounds, measure_change, weighted_metrics
from mtlattack.analysis.ensembles import ensemble_change, ensemble_skill, shares
from mtlattack.analysis.record import AttackResult, GoalResult, Interval, Intervals, Metrics, Record, Skill
from mtlattack.analysis.resampling import Array, Weights, resampling_weights
from mtlattack.analysis.skill import constant_metrics
from mtlattack.analysis.summaries import robust_skill
from mtlattack.analysis.tables import render_text
from mtlattack.analysis.totals import largest_norms, mean_diagnostics, mean_losses, total_seconds
from mtlattack.analysis.trust import Finished, Job, raise_flags
from mtlattack.evidence import Evidence, Outcome
from mtlattack.schemas import validate

Arrays = Mapping[str, Mapping[str, Array]]

RESAMPLES = 1000
BOOTSTRAP_SEED = 0


@dataclass(frozen=True)
class Analysis:
    """What evidence says under each resample of its images: the clean metrics, those of the best constant answers
    (None where the evidence has none), the attacks (jobs), and the ensembles' changes in the plan's order; every number
    is `[1 + resamples]`, the images as they are first."""

    evidence: Evidence
    weights: Weights
    clean_metrics: dict[str, dict[str, Array]]
    constant: Arrays | None
    jobs: list[Job]
    ensembles: list[Change]
    ensemble_skills: list[skill.Skill | None]

    def skill(self, metrics: Arrays) -> skill.Skill | None:
        """Of predictions with these metrics, `[1 + resamples]` each; None for evidence without constant answers."""
        if self.constant is None:
            return None
        return skill.measure_skill(metrics, self.constant, self.evidence.tasks)


def analyse(evidence: Evidence, resamples: int | None = None) -> Analysis:
    """Everything that a record's numbers and intervals come from, computed from the evidence alone; RESAMPLES of the
    images unless told."""
    weights = resampling_weights(len(evidence.ids), RESAMPLES if resamples is None else resamples, BOOTSTRAP_SEED)
    clean_metrics = weighted_metrics(evidence.clean.statistics, evidence.tasks, weights)
    jobs = [
        Job(planned, outcome, measure_change(evidence.clean, clean_metrics, outcome, evidence.tasks, weights))
        for planned, outcome in zip(evidence.plan["attacks"], evidence.attacked, strict=True)
    ]
    constant = constant_metrics(evidence, weights)
    members = [_members(ensemble, evidence)[1] for ensemble in evidence.plan.get("ensembles", [])]
    return Analysis(
        evidence,
        weights,
        clean_metrics,
        constant,
        jobs,
        [ensemble_change(evidence.clean, clean_metrics, each, evidence.tasks, weights) for each in members],
        [ensemble_skill(each, evidence, constant, weights) for each in members],
    )


@dataclass(frozen=True)
class Report:
    """A record that prints as tables of 100 columns."""

    record: Record

    @staticmethod
    def from_evidence(evidence: Evidence) -> "Report":
        """Compute everything that a record holds from the evidence alone."""
        return Report(to_record(analyse(evidence)))

    def __str__(self) -> str:
        return render_text(self.record)


def to_record(analysis: Analysis) -> Record:
    """The record: the attacks in the plan's order, then the ensembles."""
    evidence = analysis.evidence
    plan, tasks = evidence.plan, evidence.tasks
    flags, checked = raise_flags(
        Finished(
            analysis.jobs,
            evidence.clean,
            tasks,
            analysis.weights,
            evidence.environment.get("calls"),
            analysis.clean_metrics,
            analysis.constant,
        )
    )
    ensembles = zip(plan.get("ensembles", []), analysis.ensembles, analysis.ensemble_skills, strict=True)
    losses = {name: number(mean) for name, mean in mean_losses(evidence.clean, tasks).items()}
    attacks = [
        *(_attack_result(job, analysis) for job in analysis.jobs),
        *(_ensemble_result(ensemble, change, left, analysis) for ensemble, change, left in ensembles),
    ]
    content = dict(
        suite=plan.get("suite"),
        model=plan["model"],
        data=plan["data"],
        tasks=plan["tasks"],
        seed=plan.get("seed", 0),
        batch_size=plan.get("batch_size", 1),
        search_precision=plan.get("preparation", {}).get("search", "float32"),
        judged=plan.get("judged"),
        bootstrap={"resamples": RESAMPLES, "seed": BOOTSTRAP_SEED},
        environment=evidence.environment | (plan.get("environment") or {}),
        clean=_first(analysis.clean_metrics),
        clean_intervals=_intervals(analysis.clean_metrics),
        clean_losses=losses,
        clean_skill=_skill(analysis.skill(analysis.clean_metrics)),
        robust_skill=robust_skill(attacks),
        attacks=attacks,
        flags=flags,
        checked=checked,
    )
    return validate(Record, content, "the evidence's record: ")


def _attack_result(job: Job, analysis: Analysis) -> AttackResult:
    noted = mean_diagnostics(job.outcome)
    result = _result(job.config, [job.planned], [job.outcome], job.change, analysis.skill(job.change.metrics))
    update = {"gap": number(noted["gap"]), "found": number(noted["found"]), "goals": _goals(job, analysis)}
    return result.model_copy(update=update)


def _goals(job: Job, analysis: Analysis) -> dict[str, GoalResult] | None:
    """By task; None for an attack without a target."""
    tasks = analysis.evidence.tasks
    measured = measure_arrival(job.outcome, tasks, analysis.weights)
    return {
        name: GoalResult(
            target=job.config["target"][name],
            unit=tasks[name].metric_table[0].unit,
            **{key: interval(values) for key, values in vars(arrival).items()},
        )
        for name, arrival in measured.items()
    } or None


def _ensemble_result(
    ensemble: Mapping[str, Any], change: Change, left: skill.Skill | None, analysis: Analysis
) -> AttackResult:
    """Of the members' evidence alone."""
    evidence = analysis.evidence
    planned, outcomes = _members(ensemble, evidence)
    names = [member["config"]["name"] for member in planned]
    result = _result({**ensemble, "members": names}, planned, outcomes, change, left)
    chosen = zip(names, shares(evidence.clean, outcomes, evidence.tasks), strict=True)
    members = {name: {key: number(share) for key, share in taken.items()} for name, taken in chosen}
    return result.model_copy(update={"members": members})


def _members(ensemble: Mapping[str, Any], evidence: Evidence) -> tuple[list[Any], list[Outcome]]:
    """What is planned of an ensemble's members, and what came of them."""
    places = ensemble["members"]
    return [evidence.plan["attacks"][place] for place in places], [evidence.attacked[place] for place in places]


def _result(
    config: Mapping[str, Any], planned: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome], change: Change,
    left: skill.Skill | None,
) -> AttackResult:  # fmt: skip
    """What was planned and came out, of one attack or of the members of one together."""
    task_change = {name: number(values[0]) for name, values in change.tasks.items()}
    largest = largest_norms(outcomes)
    return AttackResult(
        name=config["name"],
        norm=config["norm"],
        eps=config["eps"],
        config=dict(config),
        forward_passes=_total(planned, "forward_passes"),
        backward_passes=_total(planned, "backward_passes"),
        metrics=_first(change.metrics),
        intervals=_intervals(change.metrics),
        skill=_skill(left),
        relative=_first(change.relative),
        task_change=task_change,
        arp=interval(change.arp),
        loss_change=interval(change.loss_change),
        log_ratio=interval(change.log_ratio),
        worst=interval(change.worst),
        worst_task=min(change.tasks, key=lambda name: float(np.nan_to_num(change.tasks[name][0], nan=np.inf))),
        max_linf=float(largest["linf"]),
        max_l2=float(largest["l2"]),
        max_l1=float(largest["l1"]),
        max_pixels=int(largest["l0"]),
        gap=None,
        found=None,
        goals=None,
        seconds=total_seconds(outcomes),
    )


def _total(planned: Sequence[Mapping[str, Any]], passes: str) -> int | None:
    """Of all members; None where it is not known of one."""
    counts = [count for member in planned if (count := member.get(passes)) is not None]
    return sum(counts) if len(counts) == len(planned) else None


def interval(values: NDArray[np.float64]) -> Interval:
    """A value with its 95 % interval, from `[1 + resamples]`: the images as they are stand first."""
    low, high = bounds(values)
    return Interval(value=number(values[0]), low=number(low), high=number(high))


def _intervals(metrics: Arrays) -> Intervals:
    return {task: {name: interval(values) for name, values in named.items()} for task, named in metrics.items()}


def _skill(measured: skill.Skill | None) -> Skill | None:
    if measured is None:
        return None
    return Skill(
        tasks={name: interval(values) for name, values in measured.tasks.items()},
        mean=interval(measured.mean),
        worst=interval(measured.worst),
        worst_task=measured.worst_task,
    )


def _first(values: dict[str, dict[str, NDArray[np.float64]]]) -> Metrics:
    return {task: {name: number(array[0]) for name, array in metrics.items()} for task, metrics in values.items()}


def number(value: Any) -> float | None:
    """For JSON, which has no NaN: undefined is null."""
    return float(value) if np.isfinite(value) else None
