"""FEATURE: away from what the shared encoder sees, whatever the tasks are."""

from collections.abc import Callable
from typing import ClassVar, cast

from torch import Tensor

from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.aggregators.total import Total
from mtlattack.attacks.problem import Problem
from mtlattack.errors import InputError
from mtlattack.tasks import Model, Task, predict


@AGGREGATORS.register("feature")
class SharedFeature(Total):
    """Ascend ‖E(x') − E(x)‖² per image, the mean over the feature's entries, E a model's `shared_features`.

    As feature-space attacks do (Sabour et al. 2016, arXiv 1511.05122, there toward another image's features): no head
    runs and no target is read. E(x) is the judging model's, one forward pass more a run. The distance is 0 and flat at
    the clean image, so climbs start at noise. InputError for a model without shared features.
    """

    kind: ClassVar[str] = "feature"
    looks_at_tasks: ClassVar[bool] = False
    flat_at_clean: ClassVar[bool] = True

    @property
    def opening_passes(self) -> int:
        return 1

    def problem(self, problem: Problem) -> Problem:
        judge = _Encoder(problem.model)
        search = judge if problem.search is problem.model else _Encoder(problem.search)
        clean = predict(judge, problem.images)[FeatureDistance.name].detach()
        return Problem(judge, search, judge.tasks, {FeatureDistance.name: clean}, problem.images)


class FeatureDistance:
    """The mean over an image's feature of the squared difference, for features `[B, …]`, `[B]`."""

    name = "features"

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Squares of differences, their mean over the feature's entries, per image."""
        squares = (prediction - target).square()
        # By channel first: the sum over a lone image, and over that alone, would be split over the threads.
        return squares.flatten(2).mean(2).mean(1) if squares.ndim > 2 else squares.mean(1)


class _Encoder:
    """A model's shared encoder as a model of the one task `features`."""

    # All that an objective asks of a task is its loss.
    tasks = {FeatureDistance.name: cast(Task, FeatureDistance())}

    def __init__(self, model: Model) -> None:
        encode = getattr(model, "shared_features", None)
        if not callable(encode):
            raise InputError(
                f"model {type(model).__name__} has no `shared_features(images) -> Tensor [B, …]`: give it this method, "
                "or make it with wrap(…, features=…)"
            )
        self._encode: Callable[[Tensor], Tensor] = encode

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        features = self._encode(images)
        if not isinstance(features, Tensor) or features.ndim < 2 or len(features) != len(images):
            came = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
            raise InputError(f"shared_features gives {came}, expected a tensor [{len(images)}, …]")
        return {FeatureDistance.name: features}
