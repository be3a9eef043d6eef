"""What may enter the board: a whole run of a suite as it ships today, on the images that the suite names."""

from collections.abc import Mapping
from typing import Any

from mtlattack.errors import InputError
from mtlattack.evaluation import Evidence, Suite, load_suite
from mtlattack.evaluation.ensembles import expand
from mtlattack.leaderboard.building import check_evidence
from mtlattack.leaderboard.plan import Plan, PlannedSuite

_NOT_TASKS = ("id", "image")


def check_entry(evidence: Evidence) -> None:
    """InputError names the first thing that keeps a run off the board: its suite is unknown, has another version or
    content here, or was changed for the run; images, labels or tasks are not the suite's; attacks, their options,
    thresholds, passes or order are not what the suite makes of these tasks."""
    plan = check_evidence(evidence)
    assert plan.suite is not None
    suite = _suite(plan.suite)
    _check_data(plan, suite)
    _check_attacks(evidence, suite)


def _suite(found: PlannedSuite) -> Suite:
    suite = load_suite(found.name)
    if suite.name != found.name or suite.data_sha256 is None:
        raise InputError(f"suite.name: {found.name!r} has no leaderboard: it does not say which images it is run on")
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


def _check_data(plan: Plan, suite: Suite) -> None:
    wanted, found = suite.data_sha256 or {}, plan.data.sha256
    tasks = [name for name in wanted if name not in _NOT_TASKS]
    for name in tasks:
        if name not in found:
            raise InputError(f"tasks: {name} is missing, {suite.name} is about {', '.join(tasks)}")
    for name in found:
        if name not in wanted:
            raise InputError(f"tasks: {name} is none of {suite.name}, which is about {', '.join(tasks)}")
    for name, digest in wanted.items():
        if found.get(name) != digest:
            raise InputError(
                f"data.sha256.{name} is {found.get(name)}, expected {digest}: not the images of {suite.name}"
            )
    if plan.data.split != suite.split:
        raise InputError(f"data.split is {plan.data.split!r}, expected {suite.split!r}")


def _check_attacks(evidence: Evidence, suite: Suite) -> None:
    tasks = evidence.tasks
    known = {name for name in suite.data_sha256 or {} if name not in _NOT_TASKS}
    if set(tasks) != known:
        raise InputError(f"tasks are {', '.join(tasks)}, expected {', '.join(sorted(known))}")
    jobs, ensembles = expand(suite.create_attacks(tasks), list(tasks))
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
        _compare(f"attacks.{place}", found, wanted)
    if len(evidence.plan["attacks"]) != len(expected):
        raise InputError(f"attacks: there are {len(evidence.plan['attacks'])}, {suite.name} has {len(expected)}")
    if evidence.plan["ensembles"] != ensembles:
        raise InputError(f"ensembles: expected those of {suite.name}")


def _compare(place: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for key in dict.fromkeys([*wanted, *found]):
        if key not in found or key not in wanted or found[key] != wanted[key]:
            if isinstance(found.get(key), Mapping) and isinstance(wanted.get(key), Mapping):
                _compare(f"{place}.{key}", found[key], wanted[key])
            else:
                raise InputError(f"{place}.{key} is {found.get(key)!r}, the suite has {wanted.get(key)!r}")
