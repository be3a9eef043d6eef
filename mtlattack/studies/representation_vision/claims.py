"""V1 to V6: differences of robust skill between heads, over held-out tasks and seeds, and test images in them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mtlattack.studies.nested import Array, effects
from mtlattack.studies.representation_vision.plan import IMAGENET, head_name
from mtlattack.studies.representation_vision.skills import LEAST, Arm, Skills, difference
from mtlattack.studies.study import Claim, Measured, Outcome, Verdict

Comparisons = Mapping[str, list[Array]]
RULE = (
    f"Difference of robust skill (below 0 where a constant answer is better, no less than {LEAST:g}), mean over "
    "held-out tasks and seeds: {} Holds if every difference that has to be above 0 is and none is below, fails if one "
    "is below 0 (two-sided p < .05 by the hierarchical bootstrap over pairs of held-out task and seed, then test "
    "images; Holm over the claim's comparisons); else, or with fewer than 3 pairs, undecided."
)


@dataclass(frozen=True)
class Compared(Claim):
    """Heads against heads: `comparisons` gives those that have to be above 0, and others that must not be below."""

    name: str
    sentence: str
    what: str
    comparisons: Callable[[Skills], tuple[Comparisons, Comparisons]]

    @property
    def rule(self) -> str:  # type: ignore[override]
        """The same for all but what is compared."""
        return RULE.format(self.what)

    def judge(self, measured: Sequence[Measured]) -> Verdict:
        """Apply the rule."""
        if not measured:
            return Verdict("undecided", "nothing was measured")
        needed, others = ({k: v for k, v in part.items() if v} for part in self.comparisons(Skills(measured)))
        found = effects({**needed, **others}) if needed else {}
        outcome: Outcome = "undecided"
        if any(each.below for each in found.values()):
            outcome = "fails"
        elif needed and all(found[name].above for name in needed):
            outcome = "holds"
        told = "; ".join(f"{name}: {each}" for name, each in found.items())
        return Verdict(outcome, told or "nothing to compare", {name: vars(each) for name, each in found.items()})


Heads = tuple[str, str]
"""Stage 1 and stage 2."""


def stage_one(skills: Skills) -> tuple[Comparisons, Comparisons]:
    """Adversarial minus clean backbone by t and m; needed at the smallest m, by `standard` too where that was run."""
    return _at(_own(skills), skills, ("robust", "robust"), ("clean", "robust"), skills.labels[0])


def more_tasks(skills: Skills) -> tuple[Comparisons, Comparisons]:
    """Most minus fewest source tasks, both stages adversarial; needed at the smallest m."""
    needed: dict[str, list[Array]] = {}
    others: dict[str, list[Array]] = {}
    for data, arms in skills.own().items():
        if len(arms) > 1:
            for m in skills.labels:
                part = needed if m == skills.labels[0] else others
                part[f"{data} m={m}"] = difference(_both(skills, arms[-1], m), _both(skills, arms[0], m))
    return needed, others


def more_labels(skills: Skills) -> tuple[Comparisons, Comparisons]:
    """Most minus fewest labels, both stages adversarial, needed; and every step to more labels."""

    def step(one: int, other: int) -> Comparisons:
        return {
            f"{arm} m={one}→{other}": difference(_both(skills, arm, other), _both(skills, arm, one))
            for arm in _own(skills)
        }

    few, many = skills.labels[0], skills.labels[-1]
    steps = [pair for pair in zip(skills.labels, skills.labels[1:], strict=False) if pair != (few, many)]
    return step(few, many), {name: each for pair in steps for name, each in step(*pair).items()}


def stage_two(skills: Skills) -> tuple[Comparisons, Comparisons]:
    """Adversarial minus clean head on the adversarial backbone, by t and m; needed at the largest m."""
    return _at(_own(skills), skills, ("robust", "robust"), ("robust", "clean"), skills.labels[-1])


def borrowed(skills: Skills) -> tuple[Comparisons, Comparisons]:
    """Adversarial minus clean backbone of another data set, by m; needed at the smallest m."""
    arms = [arm for arm in skills.arms if not arm.tasks and arm.origin != IMAGENET]
    return _at(arms, skills, ("robust", "robust"), ("clean", "robust"), skills.labels[0])


def pretrained(skills: Skills) -> tuple[Comparisons, Comparisons]:
    """Adversarial backbone of another data set minus ImageNet's clean one, by m; needed at the smallest m."""
    needed: dict[str, list[Array]] = {}
    others: dict[str, list[Array]] = {}
    for arm in (arm for arm in skills.arms if not arm.tasks and arm.origin != IMAGENET):
        for m in skills.labels:
            imagenet = skills.of(Arm(arm.data, 0, IMAGENET), "clean", head_name("robust", m))
            part = needed if m == skills.labels[0] else others
            part[f"{arm} minus {IMAGENET} m={m}"] = difference(_both(skills, arm, m), imagenet)
    return needed, others


def _at(
    arms: Sequence[Arm], skills: Skills, one: Heads, other: Heads, needed_at: int
) -> tuple[Comparisons, Comparisons]:
    """One pair of stages minus another by arm and m, by every attack that both were judged by."""
    needed: dict[str, list[Array]] = {}
    others: dict[str, list[Array]] = {}
    for arm in arms:
        for m in skills.labels:
            for name, kind in (("", "robust"), (" by standard", "standard")):
                pair = [skills.of(arm, first, head_name(second, m), kind) for first, second in (one, other)]
                part = needed if m == needed_at else others
                part[f"{arm} m={m}{name}"] = difference(*pair)
    return needed, others


def _own(skills: Skills) -> list[Arm]:
    return [arm for arms in skills.own().values() for arm in arms]


def _both(skills: Skills, arm: Arm, m: int) -> Mapping[tuple[str, int], Array]:
    """Skill where both stages are adversarial."""
    return skills.of(arm, "robust", head_name("robust", m))


V1 = Compared(
    "V1",
    "An adversarially trained backbone beats a clean one under equal (adversarial) heads where labels are few.",
    "adversarial minus clean stage 1, stage 2 adversarial, by data set, t and m, at the largest t by `standard` too; "
    "it has to be above 0 at the smallest m.",
    stage_one,
)
V2 = Compared(
    "V2",
    "More source tasks make a backbone on which the target's head is more robust.",
    "most minus fewest source tasks, both stages adversarial, by data set and m; it has to be above 0 at the smallest "
    "m.",
    more_tasks,
)
V3 = Compared(
    "V3",
    "More labels of the target make its head more robust.",
    "largest minus smallest m, both stages adversarial, by data set and t, has to be above 0; every step of m is "
    "looked at too.",
    more_labels,
)
V4 = Compared(
    "V4",
    "On an adversarially trained backbone an adversarially trained head beats a clean one.",
    "adversarial minus clean stage 2, stage 1 adversarial, by data set, t and m; it has to be above 0 at the largest "
    "m.",
    stage_two,
)
V5 = Compared(
    "V5",
    "So does an adversarially trained backbone of another data set against a clean one of it.",
    "adversarial minus clean backbone of the zoo, trained on the other data set, stage 2 adversarial, by data sets and "
    "m; it has to be above 0 at the smallest m.",
    borrowed,
)
V6 = Compared(
    "V6",
    "A small adversarially trained backbone of another data set beats a larger clean one of ImageNet.",
    "the zoo's adversarially trained backbone of the other data set minus ImageNet's EfficientNet-Lite0, stage 2 "
    "adversarial, by data set and m; it has to be above 0 at the smallest m.",
    pretrained,
)
