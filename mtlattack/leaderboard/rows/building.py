"""A row from evidence: all but its model card and its submitter is computed, and can be computed again."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlattack.analysis import Record
from mtlattack.analysis.record import AttackResult
from mtlattack.analysis.report import Analysis, analyse, interval, to_record
from mtlattack.errors import InputError
from mtlattack.evidence import Evidence
from mtlattack.leaderboard.rows.plan import Circumstances, Plan
from mtlattack.leaderboard.rows.schema import EvidenceReference, ModelCard, Row, Submitter
from mtlattack.leaderboard.rows.units import UNITS, to_si
from mtlattack.schemas import validate
from mtlattack.tasks import TaskMap

Arrays = Mapping[str, Mapping[str, NDArray[np.float64]]]


def build_row(evidence: Evidence, card: ModelCard, submitted: Submitter, reference: EvidenceReference) -> Row:
    """The row that `evidence` proves, with what the submitter says of model and self.

    InputError names the field of a plan or of a result that cannot stand in a row: among others a run outside a suite
    or without attacks, weights or parameters other than the card's, a number that is not finite.
    """
    plan = check_evidence(evidence)
    _check_card(plan, card)
    with np.errstate(over="ignore", invalid="ignore"):
        analysis = analyse(evidence)
        record = to_record(analysis)
    return validate(Row, _document(analysis, record, plan) | _said(card, submitted, reference), "row: ")


def check_evidence(evidence: Evidence) -> Plan:
    """The plan of submitted evidence; InputError names what in it, or in its circumstances, is wrong."""
    plan = validate(Plan, evidence.plan, "evidence: plan: ")
    validate(Circumstances, evidence.environment, "evidence: environment: ")
    if plan.suite is None:
        raise InputError("evidence: plan: suite: the run was outside a suite, expected one of the leaderboard's")
    if not plan.attacks:
        raise InputError("evidence: plan: attacks: a clean run, expected the attacks of its suite")
    if len(evidence.ids) != plan.data.images:
        raise InputError(f"evidence: plan: data.images is {plan.data.images}, there are {len(evidence.ids)} ids")
    for ensemble in plan.ensembles:
        if not all(0 <= member < len(plan.attacks) for member in ensemble.members):
            raise InputError(f"evidence: plan: ensembles: {ensemble.name} has members {ensemble.members}")
    return plan


def _check_card(plan: Plan, card: ModelCard) -> None:
    for name, said, found in (
        ("weights_sha256", card.weights_sha256, plan.model.sha256),
        ("parameters", card.parameters, plan.model.parameters),
    ):
        if said != found:
            raise InputError(f"model.{name} is {said}, the evidence has {found}")


def _said(card: ModelCard, submitted: Submitter, reference: EvidenceReference) -> dict[str, Any]:
    return {"model": card, "submitted": submitted, "evidence": reference}


def _document(analysis: Analysis, record: Record, plan: Plan) -> dict[str, Any]:
    assert plan.suite is not None
    tasks = analysis.evidence.tasks
    changes = [*(job.change for job in analysis.jobs), *analysis.ensembles]
    attacks = [_attack(result, change.metrics, tasks) for result, change in zip(record.attacks, changes, strict=True)]
    return {
        "suite": plan.suite.model_dump(exclude={"overrides"}),
        "data": plan.data.model_dump(exclude={"fingerprint"}),
        "tasks": {
            name: {
                "config": task.config(),
                "metrics": {
                    m.name: {"unit": UNITS[m.unit].si, "higher_is_better": m.higher_is_better}
                    for m in task.metric_table
                },
            }
            for name, task in tasks.items()
        },
        "threat": {
            "norm": record.attacks[0].norm,
            "eps": list(dict.fromkeys(result.eps for result in record.attacks)),
            "quantized": bool(record.attacks[0].config.get("quantized", False)),
        },
        "clean": _intervals(analysis.clean_metrics, tasks),
        "clean_losses": record.clean_losses,
        "attacks": attacks,
        "flags": [flag.model_dump() for flag in record.flags],
        "checked": record.checked,
        "cost": {
            "forward_passes": sum(attack.forward_passes for attack in plan.attacks),
            "backward_passes": sum(attack.backward_passes for attack in plan.attacks),
            "seconds": float(sum(outcome.seconds.sum() for outcome in analysis.evidence.attacked)),
        },
        "environment": _environment(analysis.evidence, record),
    }


def _attack(result: AttackResult, metrics: Arrays, tasks: TaskMap) -> dict[str, Any]:
    kept = result.model_dump(exclude={"norm", "metrics", "relative"})
    return kept | {"metrics": _intervals(metrics, tasks)}


def _intervals(metrics: Arrays, tasks: TaskMap) -> dict[str, Any]:
    """Values in SI with their intervals, from `[1 + resamples]` in the tasks' units."""
    return {
        name: {m.name: interval(to_si(metrics[name][m.name], m.unit)).model_dump() for m in task.metric_table}
        for name, task in tasks.items()
    }


def _environment(evidence: Evidence, record: Record) -> dict[str, Any]:
    found, numeric = evidence.environment, evidence.plan["environment"]
    kept = {key: found[key] for key in ("commit", "system", "cpus", "started", "command")}
    return {
        **numeric,
        **kept,
        "search_precision": record.search_precision,
        "batch_size": record.batch_size,
        "seed": record.seed,
        "bootstrap": record.bootstrap,
    }
