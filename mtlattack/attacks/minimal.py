"""Minimal perturbations: the smallest ε of each image at which its losses have grown by a threshold."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.attack import Result
from mtlattack.attacks.balls import Ball
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.norms import norm, overwrite, per_image
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.options import ThreatError, check_positive, check_whole
from mtlattack.attacks.problem import Problem
from mtlattack.attacks.standalone import ATTACKS, AggregatedAttack
from mtlattack.tasks import LOSS_FLOOR

# Share of the threat's ε that is tried first.
_FIRST = 0.25
# By what factor ε may change, after the first step and at last.
_LARGEST_FACTOR, _SMALLEST_FACTOR = 4.0, 1.02
# Length of the first and the last step as a share of the image's own ε.
_FIRST_LENGTH, _LAST_LENGTH = 2.0, 0.2
_MOMENTUM = 0.75
# Forward passes that settle how much of the change found is needed, and by how much each may correct it.
_CLOSING = 4
_CORRECTION = 1.1
# What is aimed at, as a share of the threshold: a little more, lest rounding miss it.
_AIM = 1 + 1e-4


@ATTACKS.register("minimal")
@dataclass(frozen=True, kw_only=True)
class MinimalAttack(AggregatedAttack):
    """The smallest ‖x' − x‖_∞ of each image at which its mean relative loss change reaches `threshold`.

    That is (1/T) Σ_i L_i(x')/L_i(x) − 1 over the T tasks that the aggregator looks at; the threat's ε is the limit.
    In place of ALMA-prox's multipliers (Rony et al. 2023, arXiv 2206.07179), every image has an ε of its own as in FMN
    (Pintor et al. 2021, arXiv 2102.12827): after each gradient pass, ε ← ε·(threshold/change), as if the change were
    linear in ε, by a factor whose limits fall from 4 to 1.02; x' − x is scaled with it and moved along the
    aggregator's direction by a length that falls from 2ε to .2ε, with APGD's momentum. At last the smallest
    perturbation that passed is shortened or stretched in a few forward passes of the model itself.

    Gives the smallest perturbation found that passes by the model itself (`found` is 1), else its strongest point.
    Tasks without a loss on the clean image do not count. Costs `steps` backward passes (times the aggregator's) and
    `steps` + 6 forward passes, and those that the aggregator opens with.
    """

    kind: ClassVar[str] = "minimal"
    norms: ClassVar[tuple[str, ...] | None] = ("linf",)
    needs_tasks: ClassVar[bool] = True

    steps: int = 40
    threshold: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("steps", self.steps)
        check_positive("threshold", self.threshold)
        if self.threat.quantized:
            raise ThreatError(f"{self.kind} looks for changes of less than a grey level: not for 8-bit images")

    def cost(self, num_tasks: int) -> Cost:
        gradients = self.steps * self.aggregator.backward_passes(num_tasks)
        return self.aggregator.opening + Cost(2 + self.steps + _CLOSING, gradients)

    def perturb(self, problem: Problem, noise: Noise) -> Result:
        objective, ball = Objective(problem, self.aggregator, noise=noise), self.threat.ball(problem.images)
        change = _Change(objective.losses(problem.images))
        candidate = self._search(objective, ball, change)
        best = self._closed(objective, ball, change, candidate)
        return Result(best.points, objective.diagnostics | {"found": best.passes.float()})

    def _search(self, objective: Objective, ball: Ball, change: "_Change") -> Tensor:
        """The smallest perturbation that passed, or the strongest, as the search sees them."""
        points = before = ball.images
        eps = torch.full_like(points[:, 0, 0, 0], _FIRST * ball.eps)
        best = _Smallest(ball, self.threshold)
        objective.begin(self.steps)
        for step in range(self.steps):
            losses, direction = objective.ascent(points)
            if not step:
                # Against the search's own clean losses: what it is off by is no change.
                seen = _Change(losses)
            reached = seen.of(losses)
            best.offer(points, reached)
            done = step / max(self.steps - 1, 1)
            after = eps
            if step:
                after = (eps * self._factor(reached, done)).clamp_max(ball.eps)
            ratio = per_image(after / eps)
            x, earlier = (ball.images + ratio * (p - ball.images) for p in (points, before))
            length = per_image(after) * _between(_FIRST_LENGTH, _LAST_LENGTH, done)
            target = _within(ball, x + length * ball.steepest(direction), after)
            if step:
                ahead = x + _MOMENTUM * (target - x) + (1 - _MOMENTUM) * (x - earlier)
                target = _within(ball, ahead, after)
            points, before, eps = target, x, after
        # The last point has no gradient pass that scores it.
        best.offer(points, change.of(objective.losses(points)))
        return best.points

    def _factor(self, reached: Tensor, done: float) -> Tensor:
        """By what ε changes where so much was reached."""
        limit = _between(_LARGEST_FACTOR, _SMALLEST_FACTOR, done)
        wanted = _AIM * self.threshold / reached.clamp_min(self.threshold / _LARGEST_FACTOR)
        return wanted.clamp(1 / limit, limit)

    def _closed(self, objective: Objective, ball: Ball, change: "_Change", candidate: Tensor) -> "_Smallest":
        """The smallest part or multiple of the candidate's perturbation that passes by the model itself."""
        delta = candidate - ball.images
        share = torch.ones_like(delta[:, 0, 0, 0])
        best = _Smallest(ball, self.threshold)
        for _ in range(_CLOSING):
            points = ball.project(ball.images + per_image(share) * delta)
            reached = change.of(objective.losses(points))
            best.offer(points, reached)
            wanted = _AIM * self.threshold / reached.clamp_min(self.threshold / _CORRECTION)
            share = share * wanted.clamp(1 / _CORRECTION, _CORRECTION)
        return best


class _Change:
    """The mean relative change of losses since the clean image, over the tasks that had one there."""

    def __init__(self, clean: Tensor) -> None:
        self._counts = (clean > LOSS_FLOOR).to(clean)
        self._clean = clean.clamp_min(LOSS_FLOOR)

    def of(self, losses: Tensor) -> Tensor:
        """From losses `[B, T]` to `[B]`; 0 for an image without any such task."""
        return ((losses / self._clean - 1) * self._counts).sum(1) / self._counts.sum(1).clamp_min(1)


class _Smallest:
    """Each image's smallest point that passed; while none has, the one that reached most."""

    def __init__(self, ball: Ball, threshold: float) -> None:
        self._images, self._threshold = ball.images, threshold
        self.points = ball.images.clone()
        nothing = torch.zeros_like(ball.images[:, 0, 0, 0])
        self._size, self._reached, self.passes = nothing, nothing - math.inf, nothing.bool()

    def offer(self, points: Tensor, reached: Tensor) -> None:
        """Points `[B, 3, H, W]` whose losses changed by `reached` `[B]`."""
        size, passes = norm(points - self._images, math.inf), reached >= self._threshold
        smaller = passes & (~self.passes | (size < self._size))
        better = torch.where(self.passes, smaller, passes | (reached > self._reached))
        overwrite(self.points, better, points)
        self._size = torch.where(better, size, self._size)
        self._reached = torch.where(better, reached, self._reached)
        self.passes = self.passes | passes


def _within(ball: Ball, points: Tensor, eps: Tensor) -> Tensor:
    """The points of the ball that are no further than `eps` `[B]` from the images."""
    reach = per_image(eps)
    return ball.project(torch.clamp(points, ball.images - reach, ball.images + reach))


def _between(first: float, last: float, done: float) -> float:
    """From `first` to `last` in equal factors, `done` in [0, 1]."""
    return first * (last / first) ** done
