"""FIA: against those of the shared encoder's features on which the tasks rely."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.aggregators.base import log_score
from mtlattack.attacks.aggregators.encoder import check_features, of_features
from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.aggregators.total import Total
from mtlattack.attacks.checks import check_predictions
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.norms import normalise
from mtlattack.attacks.options import check_fraction, check_whole
from mtlattack.attacks.problem import Problem
from mtlattack.errors import InputError
from mtlattack.tasks import Model, joint_features

# A feature, or one of each of several models.
_Features = Tensor | tuple[Tensor, ...]
_Call = Callable[[Tensor], tuple[Mapping[str, Tensor], _Features]]


@AGGREGATORS.register("fia")
@dataclass(frozen=True, kw_only=True)
class FeatureImportance(Total):
    """Ascend ⟨w, E(x')⟩ per image, w = Σ_n ∇_E ℓ(x ⊙ M_n), of length 1, E a model's `shared_features`: features that
    the tasks rely on are taken away, others added (Wang et al. 2021, arXiv 2107.14185, there −ℓ is a class's logit).

    Here ℓ = Σ_i log L_i, in which no task dominates by its scale. M_n drops each value of the clean image with the
    probability `drop`, as the paper's 30 and .3, `masks` times, which blurs what belongs to this one model. Masks are
    drawn by image; w is the searching model's. Then no head runs and no target is read. The model must have
    `with_shared_features(images) -> (predictions, features)`, all from one pass; InputError otherwise. Of an ensemble,
    E is the features of all its sources, w of length 1 over them together. Opens with `masks` forward and backward
    passes, through the heads alone; then one backward pass a step.
    """

    kind: ClassVar[str] = "fia"
    looks_at_tasks: ClassVar[bool] = False

    masks: int = 30
    drop: float = 0.3

    def __post_init__(self) -> None:
        check_whole("masks", self.masks)
        check_fraction("drop", self.drop)

    @property
    def opening(self) -> Cost:
        return Cost(self.masks, self.masks)

    def check_model(self, model: Model, images: Tensor) -> None:
        with torch.no_grad():
            _, features = _looker(model)(images.clone())
        for part in _parts(features):
            check_features(part, len(images))

    def problem(self, problem: Problem, noise: Noise) -> Problem:
        return of_features(problem, WeightedFeatures(), self._importance(problem, noise))

    def _importance(self, problem: Problem, noise: Noise) -> Tensor:
        """w `[B, …]`, float32."""
        look, images = _looker(problem.search), problem.images
        total: Tensor | None = None
        for n in range(self.masks):
            chance = (noise.apart(f"fia {n}").uniform(images.shape[1:], 0).to(images) + 1) / 2
            gradient = _gradient(look, problem, images * (chance >= self.drop))
            total = gradient if total is None else total + gradient
        assert total is not None
        return normalise(total.reshape(*total.shape[:2], -1, 1), 2).view_as(total)


class WeightedFeatures:
    """The sum over an image's feature of its entries, each times its weight, for features `[B, …]`, `[B]`."""

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Products, their sum over the feature's entries, per image."""
        products = prediction * target
        # By channel first, as the distance of features is.
        return products.flatten(2).sum(2).sum(1) if products.ndim > 2 else products.sum(1)


def _looker(model: Model) -> _Call:
    call: Any = getattr(model, "with_shared_features", None)
    if not callable(call):
        raise InputError(
            f"model {type(model).__name__} has no `with_shared_features(images) -> (predictions, Tensor [B, …])`: give "
            "it this method, or make it with wrap(…, features='submodule')"
        )
    return call  # type: ignore[no-any-return]


def _gradient(look: _Call, problem: Problem, points: Tensor) -> Tensor:
    """∇_E Σ_i log L_i at `points` `[B, 3, H, W]`, float32 `[B, …]`: one forward pass, one backward to the features."""
    with torch.enable_grad():
        # A graph that reaches the features must begin somewhere.
        predictions, features = look(points.clone().requires_grad_())
        parts = _parts(features)
        for part in parts:
            check_features(part, len(points))
        check_predictions(predictions, problem.tasks)
        losses = [task.loss(predictions[name], problem.targets[name]).float() for name, task in problem.tasks.items()]
        if not all(part.requires_grad for part in parts):
            raise InputError("the shared features have no gradient in the image: nothing is known of their importance")
        score = log_score(torch.stack(losses, 1))
        gradients = torch.autograd.grad(score.sum(), parts, allow_unused=True, materialize_grads=True)
    found = [torch.nan_to_num(gradient.float()) for gradient in gradients]
    return joint_features(found) if isinstance(features, tuple) else found[0]


def _parts(features: _Features) -> tuple[Tensor, ...]:
    return features if isinstance(features, tuple) else (features,)
