"""How far a verifier's numbers may be from a row's.

Attacks are chaotic: an instruction set, a version or a device that rounds otherwise turns signs of gradients, and the
attack ends elsewhere. The constants below are at least twice the largest difference between honest runs that was
measured, see `benchmarks/leaderboard`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isnan, sqrt

from mtlattack.leaderboard.verifying.agreement import ALL_TASKS, Difference, Measure


@dataclass(frozen=True)
class Spread:
    """What is tolerated of an attack on 8 images, as shares of its mean log loss ratio over images and tasks."""

    all_tasks: float
    task: float
    image: float
    metrics: float


@dataclass(frozen=True)
class Arithmetic:
    """What is tolerated: of clean losses (as a log) and metrics, of attacks on several tasks at once (`joint`), and of
    those on one, under which the losses of the others drift (`single`)."""

    clean_loss: float
    clean_metrics: float
    joint: Spread
    single: Spread


_IMAGES = 8
FLOAT32 = Arithmetic(
    clean_loss=2e-5,
    clean_metrics=1e-3,
    joint=Spread(all_tasks=0.005, task=0.015, image=0.1, metrics=0.03),
    single=Spread(all_tasks=0.02, task=0.05, image=0.4, metrics=0.07),
)
# Where the row or its verifier multiplies in TF32, as CUDA devices do unless told otherwise.
TF32 = Arithmetic(
    clean_loss=1e-3,
    clean_metrics=2e-3,
    joint=Spread(all_tasks=0.013, task=0.07, image=0.4, metrics=0.1),
    single=Spread(all_tasks=0.08, task=0.16, image=0.9, metrics=0.25),
)
# Where the row's attacks, and so the verifier's, searched in bfloat16.
BFLOAT16 = Arithmetic(
    clean_loss=FLOAT32.clean_loss,
    clean_metrics=FLOAT32.clean_metrics,
    joint=Spread(all_tasks=0.035, task=0.16, image=1.2, metrics=0.27),
    single=Spread(all_tasks=0.08, task=0.16, image=1.2, metrics=0.27),
)


def arithmetic_of(*, tf32: bool, search: str) -> Arithmetic:
    """What to tolerate of a row whose attacks search in the precision `search`, if either side computes in TF32 or
    not."""
    if search == "float32":
        return TF32 if tf32 else FLOAT32
    clean = TF32 if tf32 else FLOAT32
    return replace(BFLOAT16, clean_loss=clean.clean_loss, clean_metrics=clean.clean_metrics)


@dataclass(frozen=True)
class Finding:
    """A difference, and how large it may be."""

    difference: Difference
    tolerance: float

    @property
    def share(self) -> float:
        """Of the tolerance that the difference takes: above 1 it is not explained by how computers differ. ∞ for what
        is undefined on one side, or on both."""
        size = abs(self.difference.size)
        if isnan(size) or isnan(self.tolerance):
            return inf
        return size / self.tolerance if self.tolerance else inf if size else 0.0

    @property
    def ok(self) -> bool:
        """Whether it is tolerated."""
        return self.share <= 1

    def __str__(self) -> str:
        """What differs, and how much of its tolerance that takes."""
        share = "beyond any" if self.share == inf else f"{self.share:.0%}"
        return f"{self.difference.measure} of {self.difference.subject}: {share}"


@dataclass(frozen=True)
class Agreement:
    """All that was compared of the clean pass, or of one attack (`name` at `eps`, in image units)."""

    name: str
    eps: float | None
    findings: list[Finding]

    @property
    def ok(self) -> bool:
        """Whether every difference is tolerated."""
        return self.farthest.ok

    @property
    def farthest(self) -> Finding:
        """The finding that takes most of its tolerance."""
        return max(self.findings, key=lambda finding: finding.share)

    def __str__(self) -> str:
        """How far apart at most."""
        return str(self.farthest) if self.farthest.share else "equal to the last bit"


def judge_clean(differences: Sequence[Difference], images: int, arithmetic: Arithmetic) -> Agreement:
    """The clean pass over `images` images."""
    allowed: dict[Measure, float] = {
        "labels": 0.0,
        "clean loss": arithmetic.clean_loss,
        "clean metrics": arithmetic.clean_metrics * _narrowing(images),
    }
    return Agreement("clean", None, [Finding(each, allowed[each.measure]) for each in differences])


def judge_attack(
    name: str, eps: float, differences: Sequence[Difference], images: int, arithmetic: Arithmetic
) -> Agreement:
    """One attack on `images` images; of `differences` that of all tasks stands first.

    Means over images are tolerated less the more images there are, as 1/√images; and all by the strength that the
    verifier found: what the row reports of it may be forged.
    """
    spread = arithmetic.single if "-single:" in name else arithmetic.joint
    strength, narrowing = abs(differences[0].found), _narrowing(images)
    rounding = 2 * arithmetic.clean_loss
    allowed: dict[Measure, float] = {
        "log ratio": spread.task * strength * narrowing + rounding,
        "image": spread.image * strength + rounding,
        "metrics": spread.metrics * strength * narrowing + 2 * arithmetic.clean_metrics * narrowing,
        # One image may turn; a little more, for the mean is rounded.
        "noted": 1.001 / images,
    }
    together = spread.all_tasks * strength * narrowing + rounding
    return Agreement(
        name,
        eps,
        [Finding(each, together if each.subject == ALL_TASKS else allowed[each.measure]) for each in differences],
    )


def _narrowing(images: int) -> float:
    return sqrt(_IMAGES / images)
