"""What the board asks of a row's record: its tasks in the suite's order, its threats, and the attacks of one ε."""

from collections.abc import Iterable

from mtlattack.analysis import AttackResult, Record
from mtlattack.analysis.record import RobustSkill
from mtlattack.analysis.summaries import LOG_RATIO
from mtlattack.analysis.tables import threat_text
from mtlattack.attacks import Threat
from mtlattack.epsilon import in_image_units
from mtlattack.evaluation import Suite
from mtlattack.leaderboard.suites import shipped_suite, suite_tasks
from mtlattack.tasks import Task, task_from_config


def tasks_of(record: Record) -> dict[str, Task]:
    """The tasks that were judged, by name: in the order of the suite, behind them those that it does not know."""
    found = {task.name: task for task in map(task_from_config, record.tasks)}
    suite = _suite_of(record)
    order = [name for name in (suite_tasks(suite) if suite else ()) if name in found]
    return {name: found[name] for name in [*order, *(name for name in found if name not in order)]}


def threats_of(record: Record) -> list[Threat]:
    """What attackers might do, in the order in which it first occurs: of a suite's run one threat an ε."""
    found = ((result.norm, result.eps, bool(result.config.get("quantized", False))) for result in record.attacks)
    return [Threat(*each) for each in dict.fromkeys(found)]


def levels_of(record: Record) -> list[float]:
    """The ε that were run, in image units, in the suite's order."""
    return list(dict.fromkeys(result.eps for result in record.attacks))


def headline_eps(record: Record) -> float:
    """The ε, in image units, that stands first: the suite's own, or the middle one where that suite does not ship."""
    levels, suite = sorted(levels_of(record)), _suite_of(record)
    if suite is not None and suite.headline is not None:
        wanted = in_image_units(suite.headline, suite.norm)
        return min(levels, key=lambda eps: abs(eps - wanted))
    return levels[len(levels) // 2]


def threat_texts(results: Iterable[AttackResult]) -> dict[float, str]:
    """Every ε of attacks, in image units and ascending, and how its threat prints."""
    return {each.eps: threat_text(each) for each in sorted(results, key=lambda each: each.eps)}


def threat_at(record: Record, eps: float) -> Threat:
    """The threat of one of its ε."""
    return next(threat for threat in threats_of(record) if threat.eps == eps)


def attacks_at(record: Record, eps: float) -> list[AttackResult]:
    """The attacks at one of its ε, in the suite's order."""
    return [result for result in record.attacks if result.eps == eps]


def strongest(record: Record, eps: float) -> AttackResult:
    """Of the attacks at `eps` the one with the highest mean log loss ratio over images and tasks."""
    found = attacks_at(record, eps)
    return LOG_RATIO.strongest(found) or found[0]


def robust_at(record: Record, eps: float) -> RobustSkill | None:
    """The skill that is left at `eps`; None where the evidence knows no constant answer, or no skill is defined."""
    return next((robust for robust in record.robust_skill if robust.eps == eps), None)


def _suite_of(record: Record) -> Suite | None:
    """The shipped suite that was run, in the version that ships."""
    return shipped_suite(record.suite["name"], record.suite["version"]) if record.suite else None
