"""What may enter the board: a whole run of a suite as it ships today, on the images that the suite names."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from mtlattack.canonical import canonical_json
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation import Suite, list_suites
from mtlattack.evaluation.members import expand
from mtlattack.evidence import Evidence
from mtlattack.leaderboard.rows.plan import Plan, PlannedSuite, check_evidence, ran_on
from mtlattack.leaderboard.suites import has_board, shipped_suite, suite_tasks
from mtlattack.tasks import Task

_IMAGES = ("id", "image")


def check_entry(evidence: Evidence) -> None:
    """InputError names the first thing that keeps a run off the board, see `entry_problems`."""
    for problem in entry_problems(evidence):
        raise problem


def entry_problems(evidence: Evidence) -> Iterator[InputError]:
    """All that keeps a run off the board: its suite is unknown, has another version or content here, or was changed for
    the run; images, labels or tasks are not the suite's; a task is judged otherwise than by default; attacks, their
    options, thresholds, passes or order are not what the suite makes of these tasks. Nothing for one that may enter.
    """
    try:
        plan = check_evidence(evidence)
        assert plan.suite is not None
        suite = _suite(plan.suite)
    except InputError as error:
        # Without a plan, or a suite to hold it against, there is nothing more to say.
        yield error
        return
    for find in (_data_problems, _task_problems, _attack_problems):
        yield from map(InputError, find(plan, evidence, suite))


def _suite(found: PlannedSuite) -> Suite:
    suite = shipped_suite(found.name)
    if suite is None:
        raise InputError(f"suite.name: {UnknownNameError('suite', found.name, list_suites())}")
    if not has_board(suite):
        raise InputError(
            f"suite.name: {found.name!r} has no leaderboard: one says which images it is run on, and attacks with "
            "`standard`"
        )
    if found.version != suite.version:
        raise InputError(
            f"suite.version is {found.version}, {suite.name} is at version {suite.version}: versions never mix, "
            "run it again"
        )
    if found.overrides:
        raise InputError(f"suite.overrides: {', '.join(found.overrides)} was changed, expected the suite as it ships")
    if found.sha256 != suite.sha256:
        raise InputError(f"suite.sha256 is {found.sha256}, that of {suite.name} v{suite.version} is {suite.sha256}")
    return suite


def _data_problems(plan: Plan, evidence: Evidence, suite: Suite) -> Iterator[str]:
    wanted, found = suite.data_sha256 or {}, plan.data.sha256
    tasks = suite_tasks(suite)
    for name in tasks:
        if name not in found:
            yield f"tasks: {name} is missing, {suite.name} is about {', '.join(tasks)}"
    for name in found:
        if name not in wanted:
            yield f"tasks: {name} is none of {suite.name}, which is about {', '.join(tasks)}"
    for name, digest in wanted.items():
        if name in found and found[name] != digest:
            yield f"data.sha256.{name} is {found[name]}, expected {digest}: not the images of {suite.name}"
    for name in _IMAGES:
        if name not in found:
            yield f"data.sha256.{name} is missing"
    # As the data set has it: the ids that stand in the evidence are the suite's own.
    ids = hashlib.sha256(json.dumps(evidence.ids).encode()).hexdigest()
    if ids != wanted.get("id"):
        yield f"data.sha256.id: the ids in the evidence have {ids}, expected {wanted.get('id')}"
    for field, value, expected in (
        ("data.name", plan.data.name, suite.data),
        ("data.split", plan.data.split, suite.split),
        ("seed", plan.seed, suite.seed),
        ("batch_size", plan.batch_size, suite.batch_size),
        *(("environment.dtype", part.dtype, "float32") for part in ran_on(evidence)),
    ):
        if value != expected:
            yield f"{field} is {value!r}, expected {expected!r}"


def _task_problems(plan: Plan, evidence: Evidence, suite: Suite) -> Iterator[str]:
    known = suite_tasks(suite)
    if set(evidence.tasks) != set(known):
        yield f"tasks are {', '.join(evidence.tasks)}, expected {', '.join(known)}"
    for name, task in evidence.tasks.items():
        for option, value in _changed(task).items():
            yield f"tasks.{name}.config.{option} is {value!r}, expected the default: prepared labels are read with it"


def _changed(task: Task) -> dict[str, Any]:
    """The options that a task has otherwise than by default; such as have no default are the labels' own."""
    if not is_dataclass(task):
        return {}
    return {
        option.name: getattr(task, option.name)
        for option in fields(task)
        if option.default is not MISSING and getattr(task, option.name) != option.default
    }


def _attack_problems(plan: Plan, evidence: Evidence, suite: Suite) -> Iterator[str]:
    tasks = evidence.tasks
    if set(tasks) != set(suite_tasks(suite)):
        return
    jobs, ensembles = expand(suite.create_attacks(tasks), tasks)
    low = evidence.plan["preparation"].get("search", "float32") != "float32"
    expected = []
    for attack in jobs:
        cost = attack.cost_with_search(len(tasks)) if low else attack.cost(len(tasks))
        expected.append(
            {
                "config": attack.config(),
                "white_box": attack.white_box,
                "forward_passes": cost.forward,
                "backward_passes": cost.backward,
            }
        )
    for place, (found, wanted) in enumerate(zip(evidence.plan["attacks"], expected, strict=False)):
        yield from _differences(f"attacks.{place}", found, wanted)
    if len(evidence.plan["attacks"]) != len(expected):
        yield f"attacks: there are {len(evidence.plan['attacks'])}, {suite.name} has {len(expected)}"
    if not _equal(evidence.plan["ensembles"], ensembles):
        yield f"ensembles: expected those of {suite.name}"


def _differences(place: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    for key in dict.fromkeys([*wanted, *found]):
        if key not in found or key not in wanted or not _equal(found[key], wanted[key]):
            if isinstance(found.get(key), Mapping) and isinstance(wanted.get(key), Mapping):
                yield from _differences(f"{place}.{key}", found[key], wanted[key])
            else:
                yield f"{place}.{key} is {found.get(key)!r}, the suite has {wanted.get(key)!r}"


def _equal(one: Any, other: Any) -> bool:
    """As JSON: True is not 1."""
    return canonical_json(one) == canonical_json(other)
