"""FEATURE: away from what the shared encoder sees, whatever the tasks are."""

from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.aggregators.encoder import FEATURES, Encoder, of_features
from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.aggregators.total import Total
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.problem import Problem
from mtlattack.tasks import Model, predict


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
    def opening(self) -> Cost:
        return Cost(1, 0)

    def check_model(self, model: Model, images: Tensor) -> None:
        with torch.no_grad():
            predict(Encoder(model, FeatureDistance()), images)

    def problem(self, problem: Problem, noise: Noise) -> Problem:
        clean = predict(Encoder(problem.model, FeatureDistance()), problem.images)[FEATURES].detach()
        return of_features(problem, FeatureDistance(), clean)


class FeatureDistance:
    """The mean over an image's feature of the squared difference, for features `[B, …]`, `[B]`."""

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Squares of differences, their mean over the feature's entries, per image."""
        squares = (prediction - target).square()
        # By channel first: the sum over a lone image, and over that alone, would be split over the threads.
        return squares.flatten(2).mean(2).mean(1) if squares.ndim > 2 else squares.mean(1)
