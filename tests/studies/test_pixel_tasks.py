"""The covariance formula against closed forms and synthetic gradients; its pieces against loops by hand."""

import numpy as np
import pytest
import torch
from measured_toys import cell

from mtlattack.studies.pixel_tasks import COUNTS, M1, moments, pixel_gradients, predicted_norm, slope_of


def test_independent_tasks() -> None:
    norms = [predicted_norm(count, 1.0, 0.0) for count in (1, 2, 4, 8, 16)]
    assert norms == pytest.approx([1, 0.7071, 0.5, 0.3536, 0.25], abs=1e-4)


@pytest.mark.parametrize("rho", [0.0, 0.1, 0.5])
def test_synthetic_gradients_of_equal_correlation(rho: float) -> None:
    """√ρ·common + √(1 − ρ)·own has variance 1 and correlation ρ: the mean of M is √((1 + (M − 1)ρ)/M) long."""
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(1, 20_000, generator=generator)
    gradients = rho**0.5 * common + (1 - rho) ** 0.5 * torch.randn(16, 20_000, generator=generator)
    own, shared = moments(list(gradients))
    assert shared / own == pytest.approx(rho, abs=0.02)
    for count in (1, 2, 4, 8, 16):
        measured = float(gradients[:count].mean(0).norm()) / own**0.5
        assert measured == pytest.approx(((1 + (count - 1) * rho) / count) ** 0.5, rel=0.03)
        assert predicted_norm(count, own, shared) == pytest.approx(measured * own**0.5, rel=0.03)


def test_moments_by_hand() -> None:
    gradients = list(torch.randn(5, 7, generator=torch.Generator().manual_seed(1)))
    own, shared = moments(gradients)
    pairs = [float(one @ other) for i, one in enumerate(gradients) for j, other in enumerate(gradients) if i != j]
    assert own == pytest.approx(np.mean([float(each @ each) for each in gradients]), rel=1e-6)
    assert shared == pytest.approx(np.mean(pairs), rel=1e-5)
    # Together they give the mean of all exactly.
    mean = torch.stack(gradients).mean(0)
    assert predicted_norm(5, own, shared) == pytest.approx(float(mean.norm()), rel=1e-6)


def test_gradients_are_those_of_the_mean_over_the_pixels() -> None:
    images = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(2))
    weight = torch.arange(1.0, 21.0)
    sets = [torch.tensor([3]), torch.tensor([0, 7, 19])]

    def losses_of(predictions: torch.Tensor) -> torch.Tensor:
        return weight * predictions.sum(1).flatten()

    for chosen, found in zip(sets, pixel_gradients(lambda x: x, images, losses_of, sets), strict=True):
        expected = torch.zeros(3, 20)
        expected[:, chosen] = weight[chosen] / len(chosen)
        torch.testing.assert_close(found, expected.flatten())


def test_the_slope_of_a_power_law_is_its_exponent() -> None:
    norms = 3.0 * np.array(COUNTS) ** -0.43
    assert slope_of(COUNTS, np.stack([norms, norms**2])) == pytest.approx([-0.43, -0.86])


def measured(exponent: float, off: float = 1.0, networks: int = 3) -> list:
    """Cells in which norms fall by a power, and the prediction is off by a factor."""
    counts = [1, 10, 100]
    norms = np.array([predicted_norm(count, 1.0, 0.0) for count in counts]) * np.array(counts) ** (exponent + 0.5)
    squares = [(norms**2 * off).tolist()] * 4
    return [cell(f"n{i}", {}, counts=counts, squared_norms=squares, own=1.0, shared=0.0) for i in range(networks)]


@pytest.mark.parametrize(
    ("cells", "outcome"),
    [
        (measured(-0.5), "holds"),
        (measured(-0.5, networks=2), "undecided"),
        (measured(-0.5, off=1.5), "fails"),
        (measured(-0.2), "fails"),
    ],
)
def test_the_rule_of_m1(cells: list, outcome: str) -> None:
    assert M1().judge(cells).outcome == outcome
