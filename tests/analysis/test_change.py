"""From statistics to changes, against computation by hand on a few images."""

import numpy as np
import pytest
from evaluation_toys import hand_evidence, outcome, random_outcome
from numpy.typing import ArrayLike

from mtlattack.analysis.change import Change, measure_change, relative_change, weighted_metrics
from mtlattack.analysis.record import AttackResult, Interval
from mtlattack.analysis.resampling import resampling_weights
from mtlattack.evidence import Outcome
from mtlattack.tasks import Depth, EdgeTexture, Keypoints2D, Segmentation, Task

TWO = [EdgeTexture(), Keypoints2D()]


def change_of(tasks: list[Task], clean: Outcome, attacked: Outcome) -> Change:
    by_name, weights = {task.name: task for task in tasks}, np.ones((1, len(clean.losses)))
    return measure_change(clean, weighted_metrics(clean.statistics, by_name, weights), attacked, by_name, weights)


def result_of(tasks: list[Task], clean: Outcome, attacked: Outcome) -> AttackResult:
    return hand_evidence(tasks, clean, {"pgd-total": attacked}).report().record.attacks[0]


def intervals(result: AttackResult) -> list[Interval]:
    return [result.arp, result.loss_change, result.log_ratio, result.worst]


@pytest.mark.parametrize(
    ("clean", "value", "higher", "expected"),
    [
        (50, 25, True, -0.5),
        (50, 75, True, 0.5),
        (2, 3, False, -0.5),
        (2, 1, False, 0.5),
        (-2, -1, True, 0.5),
        (-2, -1, False, -0.5),
        (0, 1, True, np.nan),
        (np.nan, 1, True, np.nan),
        (1, np.nan, False, np.nan),
    ],
)
def test_relative_change_is_negative_where_worse(clean: float, value: float, higher: bool, expected: float) -> None:
    change = relative_change(np.array([float(clean)]), np.array([float(value)]), higher_is_better=higher)
    np.testing.assert_array_equal(change, [expected])


@pytest.mark.parametrize("higher", [True, False])
def test_no_change_is_plus_zero(higher: bool) -> None:
    change = relative_change(np.array([3.0]), np.array([3.0]), higher_is_better=higher)
    assert change == 0 and not np.signbit(change)


def test_arp_by_hand() -> None:
    """Sums over both images first, then ratios: depth has 10 and 30 valid pixels."""
    clean = outcome(
        np.ones((2, 2)),
        depth=[[10, 2, 1, 4, 8, 9, 10], [30, 6, 3, 12, 24, 27, 30]],
        edge_texture=[[10, 1], [10, 3]],
    )
    attacked = outcome(
        np.ones((2, 2)),
        depth=[[10, 12, 2, 40, 4, 9, 10], [30, 4, 6, 24, 12, 27, 30]],
        edge_texture=[[10, 2], [10, 3]],
    )
    change = change_of([Depth(), EdgeTexture()], clean, attacked)
    # abs 8→16, rel 4→8, square sum 16→64 (rmse doubles), delta1 32→16 of 40, delta2 and delta3 unchanged; l1 4→5.
    relative = {"abs_error": -1.0, "rel_error": -1.0, "rmse": -1.0, "delta1": -0.5, "delta2": 0.0, "delta3": 0.0}
    assert {name: values[0] for name, values in change.relative["depth"].items()} == pytest.approx(relative)
    assert change.metrics["depth"]["delta1"][0] == pytest.approx(40.0)
    assert change.relative["edge_texture"]["l1"][0] == pytest.approx(-0.25)
    assert change.tasks["depth"][0] == pytest.approx(-3.5 / 6)
    assert change.arp[0] == pytest.approx((-3.5 / 6 - 0.25) / 2)
    assert change.worst[0] == pytest.approx(-3.5 / 6)


def test_loss_change_and_log_ratio_by_hand() -> None:
    """Means over images, then over tasks; the second image has no valid pixels for keypoints and does not count."""
    pixels = {"edge_texture": [[10, 1], [10, 1]], "keypoints2d": [[10, 1], [0, 0]]}
    clean = outcome([[1.0, 0.5], [2.0, 0.0]], **pixels)
    attacked = outcome([[3.0, 4.0], [1.0, 0.0]], **pixels)
    change = change_of(TWO, clean, attacked)
    assert change.loss_change[0] == pytest.approx(((2 - 0.5) / 2 + 7) / 2)
    assert change.log_ratio[0] == pytest.approx(((np.log(3) - np.log(2)) / 2 + np.log(8)) / 2)


def test_perfect_clean_loss_counts_as_the_floor() -> None:
    pixels = {"edge_texture": [[10, 1]]}
    change = change_of([EdgeTexture()], outcome([[0.0]], **pixels), outcome([[1e-6]], **pixels))
    assert change.log_ratio[0] == pytest.approx(np.log(100))


def test_resample_without_valid_images_is_undefined_but_no_other() -> None:
    pixels = {"edge_texture": [[10, 1], [0, 0]]}
    tasks = {"edge_texture": EdgeTexture()}
    clean, attacked = outcome([[1.0], [0.0]], **pixels), outcome([[2.0], [0.0]], **pixels)
    weights = np.array([[1.0, 1.0], [0.0, 2.0]])
    change = measure_change(clean, weighted_metrics(clean.statistics, tasks, weights), attacked, tasks, weights)
    np.testing.assert_array_equal(change.loss_change, [1.0, np.nan])
    np.testing.assert_array_equal(change.arp, [0.0, np.nan])


def test_class_driven_to_zero_costs_its_whole_share() -> None:
    """Two classes occur, both found perfectly; then every pixel of the second is taken for a third."""

    def statistics(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> list[list[float]]:
        return [[10, *np.ravel([tp, fp, fn])]]

    clean = outcome([[1.0]], segmentation=statistics([6, 4, 0], [0, 0, 0], [0, 0, 0]))
    attacked = outcome([[1.0]], segmentation=statistics([6, 0, 0], [0, 0, 4], [0, 4, 0]))
    change = change_of([Segmentation(3)], clean, attacked)
    assert change.metrics["segmentation"]["miou"][0] == pytest.approx(50)
    assert change.relative["segmentation"]["miou"][0] == pytest.approx(-0.5)
    assert change.relative["segmentation"]["pixel_accuracy"][0] == pytest.approx(-0.4)


def test_task_without_a_valid_pixel_leaves_the_others_alone() -> None:
    clean = outcome([[1.0, 0.0]], edge_texture=[[10, 2]], keypoints2d=[[0, 0]])
    attacked = outcome([[2.0, 0.0]], edge_texture=[[10, 3]], keypoints2d=[[0, 0]])
    result = result_of(TWO, clean, attacked)
    assert result.task_change == {"edge_texture": pytest.approx(-0.5), "keypoints2d": None}
    assert result.arp.value == result.worst.value == pytest.approx(-0.5)
    assert (result.worst_task, result.loss_change.value) == ("edge_texture", pytest.approx(1.0))


# --- intervals


def test_identical_outcomes_give_exactly_zero() -> None:
    clean = random_outcome({task.name: task for task in TWO}, 20, np.random.default_rng(0))
    for interval in intervals(result_of(TWO, clean, clean)):
        assert (interval.value, interval.low, interval.high) == (0, 0, 0)


def test_clean_and_attacked_are_resampled_together() -> None:
    """Every image's errors double: however the images differ, each resample says −100 %."""
    rng = np.random.default_rng(0)
    sums = rng.lognormal(0, 2, 30)
    clean = outcome(sums[:, None], edge_texture=np.stack([np.full(30, 10), sums], 1))
    attacked = outcome(2 * sums[:, None], edge_texture=np.stack([np.full(30, 10), 2 * sums], 1))
    result = result_of([EdgeTexture()], clean, attacked)
    for interval, expected in zip(intervals(result), (-1, 1, np.log(2), -1), strict=True):
        assert (interval.value, interval.low, interval.high) == pytest.approx((expected,) * 3, rel=1e-9)


def test_intervals_hold_the_value_and_shrink_with_images() -> None:
    tasks, rng = {task.name: task for task in TWO}, np.random.default_rng(0)
    widths = []
    for images in (10, 1000):
        clean, attacked = random_outcome(tasks, images, rng), random_outcome(tasks, images, rng, factor=2)
        found = intervals(result_of(TWO, clean, attacked))
        assert all(i.low is not None and i.low < i.value < i.high for i in found)  # type: ignore[operator]
        widths.append([i.high - i.low for i in found])  # type: ignore[operator]
    # Ten times narrower in theory.
    ratio = np.array(widths[0]) / np.array(widths[1])
    assert (ratio > 4).all() and (ratio < 25).all()


def test_interval_is_a_point_where_all_images_are_equal() -> None:
    tasks = {task.name: task for task in TWO}
    one = random_outcome(tasks, 1, np.random.default_rng(0))
    two = random_outcome(tasks, 1, np.random.default_rng(1), factor=3)
    clean, attacked = (
        outcome(np.repeat(o.losses, 9, 0), **{n: np.repeat(v, 9, 0) for n, v in o.statistics.items()})
        for o in (one, two)
    )
    for interval in intervals(result_of(TWO, clean, attacked)):
        assert (interval.low, interval.high) == pytest.approx((interval.value,) * 2, rel=1e-9)


def test_interval_covers_as_often_as_it_says() -> None:
    """The mean log loss ratio of 40 images from a known distribution, 60 times: 95 % of the intervals hold its mean."""
    rng, hits = np.random.default_rng(5), 0
    weights = resampling_weights(40, 400, 0)
    for _ in range(60):
        pixels = {"edge_texture": np.full((40, 2), 10.0)}
        attacked = outcome(np.exp(rng.normal(1, 1, (40, 1))), **pixels)
        clean = outcome(np.ones((40, 1)), **pixels)
        tasks = {"edge_texture": EdgeTexture()}
        change = measure_change(clean, weighted_metrics(clean.statistics, tasks, weights), attacked, tasks, weights)
        low, high = np.percentile(change.log_ratio[1:], [2.5, 97.5])
        hits += low < 1 < high
    assert 50 <= hits < 60


def test_resampling_is_seeded_and_draws_as_many_images_as_there_are() -> None:
    weights = resampling_weights(7, 50, seed=1)
    np.testing.assert_array_equal(weights, resampling_weights(7, 50, seed=1))
    assert (weights != resampling_weights(7, 50, seed=2)).any()
    assert weights.shape == (51, 7) and (weights[0] == 1).all() and (weights.sum(1) == 7).all()
    assert weights[1:].std() > 0.5


def test_an_error_sum_that_overflowed_leaves_its_metric_undefined() -> None:
    """Also where resamples leave that image out: no infinity times zero, and no warning."""
    rows = [[10, np.inf], [10, 3.0], [10, 4.0]]
    weights = resampling_weights(3, 200, 0)
    metrics = weighted_metrics({"edge_texture": rows}, {"edge_texture": EdgeTexture()}, weights)
    assert not np.isfinite(metrics["edge_texture"]["l1"]).any()
    result = result_of([EdgeTexture()], *(outcome(np.ones((3, 1)), edge_texture=rows) for _ in range(2)))
    assert result.metrics["edge_texture"]["l1"] is None
