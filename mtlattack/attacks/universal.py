"""Universal perturbations: one δ for all images, fitted beforehand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from mtlattack.attacks.attack import Attack, Result
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.gradients import Memory
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.norms import norm, normalise, per_image
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.options import check_positive, check_whole
from mtlattack.attacks.posing import posed
from mtlattack.attacks.problem import Problem
from mtlattack.attacks.standalone import ATTACKS, AggregatedAttack
from mtlattack.errors import InputError
from mtlattack.tasks import Model

# Images `[B, 3, H, W]` and their targets by task.
Labelled = tuple[Tensor, Mapping[str, Tensor]]


@ATTACKS.register("universal")
@dataclass(frozen=True, kw_only=True)
class UniversalAttack(AggregatedAttack):
    """One δ for all images (Moosavi-Dezfooli et al. 2017, arXiv 1610.08401), fitted by stochastic gradient ascent.

    δ ← Π_ε(δ + α_k·steepest(Σ_b d_b)), d_b the aggregator's direction for image b at Π(x_b + δ), each of length 1, as
    its length has no meaning (UAP-PGD; Shafahi et al. 2020, arXiv 1811.11304). From noise, `epochs` times through the
    batches in their order; α_k falls from `step_size` (ε/4 by default) in equal amounts toward 0.

    An aggregator that looks back (minmax, wgd, ta-moo) goes on where it was when it last saw the image: one fit is one
    climb. Of saga, which keeps whole gradients, nothing is kept: it starts anew with every batch.

    It must be fitted first, and is then free: no pass at attack time. δ depends on the seed, on the fitting images and
    on how they are batched, not on the images that it is used on nor on their batches.
    """

    kind: ClassVar[str] = "universal"
    norms: ClassVar[tuple[str, ...] | None] = ("linf", "l2")

    epochs: int = 10
    step_size: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("epochs", self.epochs)
        if self.step_size is not None:
            check_positive("step_size", self.step_size)

    @property
    def white_box(self) -> bool:
        return False

    def fit(self, model: Model, batches: Sequence[Labelled], *, search: Model | None = None) -> "FittedUniversal":
        """The attack with its δ, for images of the size of these; `search` gives the gradients in the model's place.

        `batches` are read `epochs` times, in order. InputError for none, for images of different sizes, and for what no
        attack takes.
        """
        if not isinstance(batches, Sequence):
            raise InputError(
                f"{self.name} cannot be fitted on a {type(batches).__name__}, expected a sequence of (images, targets "
                "by task); `evaluate` and `craft` fit it on any data by `fit_data=`"
            )
        if not len(batches):
            raise InputError(f"{self.name} cannot be fitted on no images")
        delta: Tensor | None = None
        steps = self.epochs * len(batches)
        memories: list[Memory] = [{} for _ in range(len(batches))]
        for step in range(steps):
            images, targets = batches[step % len(batches)]
            with posed(model, images, targets, search) as problem:
                delta = self._start(images) if delta is None else delta
                memory = memories[step % len(batches)]
                delta = self._climbed(problem, delta, self._length() * (1 - step / steps), memory)
                # A number or some an image: more would not fit into memory for a whole data set.
                memories[step % len(batches)] = {name: kept for name, kept in memory.items() if kept.ndim <= 2}
        assert delta is not None
        return FittedUniversal(threat=self.threat, seed=self.seed, attack=self, delta=delta)

    def perturb(self, problem: Problem, noise: Noise) -> Result:
        raise InputError(
            f"{self.name} is not fitted: attack.fit(model, batches) gives the attack to run; `evaluate` does so"
        )

    def cost(self, num_tasks: int) -> Cost:
        return Cost(0, 0)

    def fitting_cost(self, num_tasks: int) -> Cost:
        """Forward and backward passes for each fitting image on a model of so many tasks."""
        each = self.aggregator.opening + Cost(1, self.aggregator.backward_passes(num_tasks))
        return Cost(self.epochs * each.forward, self.epochs * each.backward)

    def options(self) -> dict[str, Any]:
        return super().options() | {"step_size": self._length()}

    def _length(self) -> float:
        return self.step_size or self.threat.radius / 4

    def _start(self, images: Tensor) -> Tensor:
        """Noise of the images' size in the ball, `[3, H, W]`."""
        noise, shape = Noise(self.seed, [self.kind]), images.shape[1:]
        draw = noise.uniform(shape, 0) if self.threat.norm == "linf" else noise.in_ball(shape, 0)
        return (self.threat.eps * draw[0]).to(images)

    def _climbed(self, problem: Problem, delta: Tensor, length: float, memory: Memory) -> Tensor:
        """δ after one step on one batch, with what the aggregator remembers of it."""
        check_size(problem.images, delta)
        ball, objective = self.threat.ball(problem.images), Objective(problem, self.aggregator)
        objective.begin(1, memory)
        _, directions = objective.gradient(ball.project(problem.images + delta))
        common = normalise(directions, 1 if self.threat.norm == "linf" else 2).sum(0, keepdim=True)
        moved = delta + length * ball.steepest(common)[0]
        if self.threat.norm == "linf":
            return moved.clamp(-self.threat.eps, self.threat.eps)
        size = per_image(norm(moved[None], 2))
        return (moved[None] * (self.threat.eps / size.clamp_min(self.threat.eps)))[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedUniversal(Attack):
    """x → Π(x + δ) with one δ, `delta` `[3, H, W]`, for all images; made by `UniversalAttack.fit`, whose name it has.

    InputError for images of another size.
    """

    attack: UniversalAttack
    delta: Tensor

    @property
    def name(self) -> str:
        return self.attack.name

    @property
    def white_box(self) -> bool:
        return False

    def perturb(self, problem: Problem, noise: Noise) -> Result:
        check_size(problem.images, self.delta)
        ball = self.threat.ball(problem.images)
        return Result(ball.project(problem.images + self.delta.to(problem.images)), {})

    def cost(self, num_tasks: int) -> Cost:
        return Cost(0, 0)

    def options(self) -> dict[str, Any]:
        return self.attack.options()


def check_size(images: Tensor, delta: Tensor) -> None:
    """InputError unless the images are of the size of δ."""
    if images.shape[1:] != delta.shape:
        size, expected = ("×".join(map(str, tensor.shape[-2:])) for tensor in (images, delta))
        raise InputError(f"images are {size}, the universal perturbation was fitted on images {expected}")
