"""Intervals over models that are judged on the same images, against what is known of them."""

import numpy as np
import pytest

from mtlattack.studies.nested import DRAWS, effect, effects, resampled


def models(count: int, between: float, within: float, mean: float = 0.0) -> list[np.ndarray]:
    """Each with a mean of its own, `[1 + 500]` under resamples of its images."""
    rng = np.random.default_rng(3)
    centres = mean + between * rng.standard_normal(count)
    return [np.concatenate([[c], c + within * rng.standard_normal(500)]) for c in centres]


@pytest.mark.parametrize(("between", "within"), [(1.0, 0.0), (0.0, 1.0), (1.0, 0.5)])
def test_the_spread_is_that_of_both_levels(between: float, within: float) -> None:
    """Of n models drawn again: (variance between + twice the variance within)/n, the price of crossed bootstraps."""
    by_model = models(40, between, within)
    value, draws = resampled(by_model)
    centres = np.array([values[0] for values in by_model])
    assert value == pytest.approx(centres.mean()) and len(draws) == DRAWS
    expected = (centres.var() + 2 * np.mean([values[1:].var() for values in by_model])) / len(by_model)
    assert draws.var() == pytest.approx(expected, rel=0.15)


def test_the_luck_of_images_that_all_models_share_does_not_cancel_out() -> None:
    luck = np.random.default_rng(5).standard_normal(500)
    _, draws = resampled([np.concatenate([[0.3], 0.3 + luck]) for _ in range(8)])
    assert draws.std() == pytest.approx(luck.std(), rel=0.1)


def test_resamples_that_are_no_number_show_nothing() -> None:
    found = effect([np.array([0.1, *[np.nan] * 200])] * 3)
    assert found.p == 1 and not found.above and not found.below


def test_above_and_below_zero() -> None:
    up, down, none = (effect(models(5, 0.1, 0.1, mean)) for mean in (1, -1, 0))
    assert up.above and not up.below and down.below and not down.above and not (none.above or none.below)
    assert up.low < up.value < up.high and up.p == pytest.approx(2 / (DRAWS + 1))
    assert str(up).startswith(f"{up.value:.3g} [")


def test_two_models_show_nothing() -> None:
    found = effect(models(2, 0, 0.1, 1.0))
    assert found.low > 0 and not found.known and not found.above


def test_the_same_every_time_and_whatever_the_order_of_comparisons() -> None:
    one, other = models(4, 1, 1, 0.3), models(4, 1, 1, 0.5)
    assert effects({"a": one, "b": other}) == {**effects({"b": other, "a": one})}


def test_p_values_are_holms() -> None:
    """The smallest times the number of comparisons, and so on down."""
    rng = np.random.default_rng(0)
    by_name = {
        name: [np.concatenate([[mean], mean + rng.standard_normal(500)]) for _ in range(4)]
        for name, mean in (("a", 1.2), ("b", 0.9), ("c", 0.1))
    }
    alone = {name: effect(by_model).p for name, by_model in by_name.items()}
    together = {name: each.p for name, each in effects(by_name).items()}
    assert alone["a"] < alone["b"] < alone["c"]
    assert together["a"] == pytest.approx(3 * alone["a"])
    assert together["b"] == pytest.approx(max(2 * alone["b"], together["a"]))
    assert together["c"] == pytest.approx(max(alone["c"], together["b"]))
