"""A model's shared encoder, as a model of one task: what attacks on features climb."""

from collections.abc import Callable
from typing import Protocol, cast

from torch import Tensor

from mtlattack.attacks.problem import Problem
from mtlattack.errors import InputError
from mtlattack.tasks import Model, Task

FEATURES = "features"


class FeatureLoss(Protocol):
    """All that an objective asks of a task."""

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Of features and what they are held against, both `[B, …]`, one number an image, `[B]`."""


class Encoder:
    """A model's `shared_features` as a model of the one task `features`, whose loss is given.

    InputError for a model without them, and for what is no tensor `[B, …]`.
    """

    def __init__(self, model: Model, loss: FeatureLoss) -> None:
        encode = getattr(model, "shared_features", None)
        if not callable(encode):
            raise InputError(
                f"model {type(model).__name__} has no `shared_features(images) -> Tensor [B, …]`: give it this method, "
                "or make it with wrap(…, features=…)"
            )
        self._encode: Callable[[Tensor], Tensor] = encode
        self.tasks = {FEATURES: cast(Task, loss)}

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        features = self._encode(images)
        check_features(features, len(images))
        return {FEATURES: features}


def check_features(features: object, batch: int) -> None:
    """InputError for shared features of a batch that are no tensor `[B, …]`."""
    if not isinstance(features, Tensor) or features.ndim < 2 or len(features) != batch:
        came = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
        raise InputError(f"shared_features gives {came}, expected a tensor [{batch}, …]")


def of_features(problem: Problem, loss: FeatureLoss, target: Tensor) -> Problem:
    """The problem of the shared features alone: no head runs, and `loss` of them and `target` `[B, …]` is climbed."""
    judge = Encoder(problem.model, loss)
    search = judge if problem.search is problem.model else Encoder(problem.search, loss)
    return Problem(judge, search, judge.tasks, {FEATURES: target}, problem.images)
