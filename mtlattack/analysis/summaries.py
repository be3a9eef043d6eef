"""The numbers that sum up what an attack did, for tables, pages, plots and exports: one place for all of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mtlattack.analysis.record import AttackResult, Interval, RobustSkill, Skill

UNDEFINED = Interval(value=None, low=None, high=None)


@dataclass(frozen=True)
class Summary:
    """A number with its interval: its name for programs and for people, what it says, where it is found, whether a
    strong attack makes it small, and whether it is read in per cent."""

    key: str
    title: str
    meaning: str
    of: Callable[[AttackResult], Interval]
    strong_is_low: bool
    percent: bool

    def strongest(self, results: Iterable[AttackResult]) -> AttackResult | None:
        """The first of the attacks that are strongest by this number; None where it is defined for none."""
        known = [(value, result) for result in results if (value := self.of(result).value) is not None]
        if not known:
            return None
        choose = min if self.strong_is_low else max
        return choose(known, key=lambda pair: pair[0])[1]


def mean_of(skill: Skill | None) -> Interval:
    """Skill over all tasks; undefined where there is none."""
    return UNDEFINED if skill is None else skill.mean


def worst_of(skill: Skill | None) -> Interval:
    """Skill of the worst task; undefined where there is none."""
    return UNDEFINED if skill is None else skill.worst


SKILL = Summary(
    "skill", "skill", "mean over tasks of the skill that is left: 1 perfect, 0 no better than a constant answer",
    lambda r: mean_of(r.skill), True, False,
)  # fmt: skip
ARP = Summary(
    "arp", "arp %", "average relative performance: mean relative change of the metrics, negative is worse",
    lambda r: r.arp, True, True,
)  # fmt: skip
LOSS_CHANGE = Summary(
    "loss_change", "loss change %", "mean over images and tasks of (L' − L)/L", lambda r: r.loss_change, False, True
)
LOG_RATIO = Summary(
    "log_ratio", "log loss ratio", "mean over images and tasks of log(L'/L)", lambda r: r.log_ratio, False, False
)
WORST = Summary(
    "worst", "worst task %", "change of the task that lost most, mean over its metrics", lambda r: r.worst, True, True
)
SUMMARIES = (SKILL, ARP, LOSS_CHANGE, LOG_RATIO, WORST)


def robust_skill(attacks: Iterable[AttackResult]) -> list[RobustSkill]:
    """For each threat, in the order in which these first occur, the skill that the attack leaves which leaves the least
    (the first of equals); nothing for a threat where no attack has a defined skill."""
    groups: dict[tuple[str, float, bool], list[AttackResult]] = {}
    for result in attacks:
        threat = (result.norm, result.eps, bool(result.config.get("quantized", False)))
        groups.setdefault(threat, []).append(result)
    strongest = [(threat, SKILL.strongest(results)) for threat, results in groups.items()]
    return [
        RobustSkill(norm=norm, eps=eps, quantized=quantized, attack=result.name, skill=result.skill)
        for (norm, eps, quantized), result in strongest
        if result is not None and result.skill is not None
    ]
