"""V1 to V4: differences of robust skill between heads, paired over seeds and images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mtlattack.studies.nested import Array, effects
from mtlattack.studies.representation_vision.cells import head_name
from mtlattack.studies.study import Claim, Measured, Outcome, Verdict

Key = tuple[str, int, str]
"""Target, number of source tasks, stage 1."""
Comparisons = dict[str, list[Array]]
LEVEL = (
    "two-sided p < .05 by the hierarchical bootstrap over seeds, then test images; Holm over the claim's comparisons"
)


class Skills:
    """Robust skill `[1 + resamples]` by target, t, stage 1, stage 2, labels and seed."""

    def __init__(self, measured: Sequence[Measured]) -> None:
        self._heads: dict[Key, dict[int, Mapping[str, Mapping[str, list[float]]]]] = {}
        for cell in measured:
            key = (cell.settings["target"], cell.settings["t"], cell.settings["stage1"])
            self._heads.setdefault(key, {})[cell.settings["seed"]] = cell.numbers["heads"]
        self.labels = sorted({count for cell in measured for count in cell.settings["labels"]})
        self.targets = sorted({target for target, _, _ in self._heads})
        self.sources = sorted({count for _, count, _ in self._heads})

    def of(self, key: Key, head: str, kind: str = "robust") -> dict[int, Array]:
        """Skill of one head by seed; nothing for a backbone that was not measured."""
        return {seed: np.asarray(heads[head][kind]) for seed, heads in self._heads.get(key, {}).items()}

    def difference(self, one: tuple[Key, str], other: tuple[Key, str]) -> list[Array]:
        """By how much one head is better than another, for each seed that has both."""
        first, second = self.of(*one), self.of(*other)
        return [first[seed] - second[seed] for seed in first if seed in second]


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
        return (
            "Difference of robust skill, which is below 0 where a constant answer is better: "
            f"{self.what} Holds if every difference that has to be above 0 is and none is "
            f"below, fails if one is below 0 ({LEVEL}); else, or with fewer than 3 seeds, undecided."
        )

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


def _groups(skills: Skills) -> list[tuple[str, int]]:
    return [(target, count) for target in skills.targets for count in skills.sources]


def _by_labels(skills: Skills, one: tuple[str, str], other: tuple[str, str]) -> dict[int, Comparisons]:
    """For each m, by target and t, a backbone's head (stage 1 and 2) minus another's."""
    return {
        m: {
            f"{target} t={t} m={m}": skills.difference(
                ((target, t, one[0]), head_name(one[1], m)), ((target, t, other[0]), head_name(other[1], m))
            )
            for target, t in _groups(skills)
        }
        for m in skills.labels
    }


def stage_one(skills: Skills) -> tuple[Comparisons, Comparisons]:
    """Adversarial minus clean backbone, by t and m; the smallest m is needed."""
    found = _by_labels(skills, ("robust", "robust"), ("clean", "robust"))
    few, *more = skills.labels
    return found[few], {name: each for m in more for name, each in found[m].items()}


def stage_two(skills: Skills) -> tuple[Comparisons, Comparisons]:
    """Adversarial minus clean head on the adversarial backbone, by t and m; the largest m is needed."""
    found = _by_labels(skills, ("robust", "robust"), ("robust", "clean"))
    *fewer, many = skills.labels
    return found[many], {name: each for m in fewer for name, each in found[m].items()}


def more_tasks(skills: Skills) -> tuple[Comparisons, Comparisons]:
    """Most minus fewest source tasks, both stages adversarial; the smallest m is needed."""
    few, *more = skills.labels
    least, most = skills.sources[0], skills.sources[-1]

    def at(m: int) -> Comparisons:
        if least == most:
            return {}
        head = head_name("robust", m)
        return {
            f"{target} m={m}": skills.difference(((target, most, "robust"), head), ((target, least, "robust"), head))
            for target in skills.targets
        }

    return at(few), {name: each for m in more for name, each in at(m).items()}


def more_labels(skills: Skills) -> tuple[Comparisons, Comparisons]:
    """Most minus fewest labels, both stages adversarial, needed; and every step to more labels."""

    def step(target: str, t: int, one: int, other: int) -> list[Array]:
        key = (target, t, "robust")
        return skills.difference((key, head_name("robust", other)), (key, head_name("robust", one)))

    few, many = skills.labels[0], skills.labels[-1]
    needed = {f"{target} t={t} m={few}→{many}": step(target, t, few, many) for target, t in _groups(skills)}
    steps = {
        f"{target} t={t} m={one}→{other}": step(target, t, one, other)
        for target, t in _groups(skills)
        for one, other in zip(skills.labels, skills.labels[1:], strict=False)
        if (one, other) != (few, many)
    }
    return needed, steps


V1 = Compared(
    "V1",
    "An adversarially trained backbone beats a clean one under equal (adversarial) heads where labels are few.",
    "adversarial minus clean stage 1, stage 2 adversarial, by t and m; it has to be above 0 at the smallest m.",
    stage_one,
)
V2 = Compared(
    "V2",
    "More source tasks make a backbone on which the target's head is more robust.",
    "most minus fewest source tasks, both stages adversarial, by m; it has to be above 0 at the smallest m.",
    more_tasks,
)
V3 = Compared(
    "V3",
    "More labels of the target make its head more robust.",
    "largest minus smallest m, both stages adversarial, by t, has to be above 0; every step of m is looked at too.",
    more_labels,
)
V4 = Compared(
    "V4",
    "On an adversarially trained backbone an adversarially trained head beats a clean one.",
    "adversarial minus clean stage 2, stage 1 adversarial, by t and m; it has to be above 0 at the largest m.",
    stage_two,
)
