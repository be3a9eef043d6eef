"""Filters against points that lie far off, one class that is rare, and the alarm on data of its own kind."""

import numpy as np
import pytest
from poisoning_toys import toy_tasks

from mtlattack.errors import InputError
from mtlattack.poisoning import Learner, TaskSet, make_tasks
from mtlattack.poisoning.defences import FILTERS, DriftAlarm, Trimmed, resample

LEARNER = Learner(relation=0.1)


def with_outliers(feature: float, label: float) -> TaskSet:
    """Toy tasks whose first one ends with four points of these features, with a label that fits none of the others."""
    points = list(toy_tasks().points)
    x, y = points[0]
    points[0] = np.concatenate([x, np.full((4, x.shape[1]), feature)]), np.concatenate([y, np.full(4, label)])
    return make_tasks("regression", points)


@pytest.mark.parametrize(
    ("name", "feature", "label"), [("trimmed", 0.1, 30.0), ("consensus", 0.1, 30.0), ("range", 9.0, 0.0)]
)
def test_points_far_off_are_dropped_and_most_others_kept(name: str, feature: float, label: float) -> None:
    """By their labels where losses are looked at, by their features where these are."""
    masks = FILTERS.get(name)().keep(LEARNER, with_outliers(feature, label))
    assert not masks[0][-4:].any()
    assert np.mean(np.concatenate([masks[0][:-4], *masks[1:]])) > 0.7


def test_trimming_drops_its_share_of_each_task() -> None:
    masks = Trimmed(share=0.1).keep(LEARNER, toy_tasks(points=40))
    assert [int((~mask).sum()) for mask in masks] == [4, 4, 4, 4]


@pytest.mark.parametrize("name", ["trimmed", "consensus", "range"])
def test_every_class_keeps_a_point(name: str) -> None:
    tasks = toy_tasks("classification")
    x, y = tasks.points[0]
    rare = make_tasks("classification", [(x, (np.arange(len(y)) == 3).astype(float)), *tasks.points[1:]])
    for (_, labels), mask in zip(rare.points, FILTERS.get(name)().keep(LEARNER, rare), strict=True):
        assert set(labels[mask]) == set(labels)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_a_share_that_is_none(share: float) -> None:
    with pytest.raises(InputError, match=f"trimmed share {share:g}, expected above 0 and below 1"):
        Trimmed(share=share)


def test_the_alarm_is_quiet_on_resamples_and_loud_on_other_relations() -> None:
    trusted = toy_tasks(points=60)
    alarm = DriftAlarm.calibrate(LEARNER, trusted, seed=0)
    generator = np.random.default_rng(7)
    assert np.mean([alarm.drift(LEARNER, resample(trusted, generator)) > 1 for _ in range(10)]) <= 0.4
    turned = [(x, -y if task == 0 else y) for task, (x, y) in enumerate(trusted.points)]
    assert alarm.drift(LEARNER, make_tasks("regression", turned)) > 1
    assert alarm.drift(LEARNER, trusted) == 0
