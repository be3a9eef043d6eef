"""Resamples of very many images are of groups of them: the same totals, intervals of the same width."""

import numpy as np
import pytest

from mtlattack.analysis import resampling
from mtlattack.analysis.resampling import GroupWeights, resampling_weights


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than 500 images count as many, and are drawn in 400 groups."""
    monkeypatch.setattr(resampling, "MOST_APART", 500)
    monkeypatch.setattr(resampling, "GROUPS", 400)


@pytest.mark.parametrize("shape", [(1003,), (1003, 3)])
def test_groups_are_sums_of_their_images(shape: tuple[int, ...], few: None) -> None:
    weights = resampling_weights(1003, 20, 0)
    assert isinstance(weights, GroupWeights)
    values = np.random.default_rng(0).normal(size=shape)
    by_image = weights.groups[:, np.arange(1003) % 400]
    np.testing.assert_allclose(weights @ values, by_image @ values, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose((weights @ values)[0], values.sum(0), rtol=1e-10)
    counts = weights @ (values > 0)
    np.testing.assert_array_equal(counts, by_image @ (values > 0))


def test_few_images_are_drawn_apart() -> None:
    weights = resampling_weights(30, 10, 0)
    assert isinstance(weights, np.ndarray) and weights.shape == (11, 30)
    assert (weights.sum(1) == 30).all() and (weights[0] == 1).all()


def test_the_interval_is_as_wide(few: None) -> None:
    """Standard errors of a mean and of a ratio, against what is known of them, to 4 × 1/√(2·400)."""
    draw = np.random.default_rng(1)
    values, sizes = draw.exponential(size=4000), draw.integers(1, 9, 4000)
    weights = resampling_weights(4000, 1000, 0)
    mean = (weights @ values)[1:] / (weights @ np.ones(4000))[1:]
    assert mean.std() == pytest.approx(values.std() / np.sqrt(4000), rel=0.15)
    ratio = (weights @ (values * sizes))[1:] / (weights @ sizes)[1:]
    whole = (values * sizes).sum() / sizes.sum()
    expected = np.sqrt((((values - whole) * sizes) ** 2).sum()) / sizes.sum()
    assert ratio.std() == pytest.approx(expected, rel=0.15)
