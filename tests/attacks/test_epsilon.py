"""ε in its two units."""

import pytest

from mtlattack.attacks import Threat
from mtlattack.epsilon import as_written, epsilon_text, in_image_units, largest_written, parse_epsilons
from mtlattack.errors import InputError


def test_l_inf_is_written_in_grey_levels_and_the_rest_as_it_is() -> None:
    assert in_image_units(8, "linf") == 8 / 255 and in_image_units(0.5, "l2") == 0.5
    for level in range(1, 256):
        assert as_written(in_image_units(level, "linf"), "linf") == pytest.approx(level, rel=1e-15)
        assert epsilon_text(level / 255, "linf") == f"{level}/255"
    assert as_written(3, "l0") == 3


@pytest.mark.parametrize(
    ("norm", "eps", "text"),
    [
        ("linf", 0.5 / 255, "0.5/255"),
        ("l2", 0.5, "0.5"),
        ("l1", 12.0, "12"),
        ("l0", 30, "30 px"),
        ("patch", 0.02, "2 %"),
    ],
)
def test_in_print(norm: str, eps: float, text: str) -> None:
    assert epsilon_text(eps, norm) == text
    assert str(Threat(norm, eps)) == f"{norm} {text}"


def test_the_largest_written_is_the_largest_that_a_threat_takes() -> None:
    for norm in ("linf", "patch"):
        largest = in_image_units(largest_written(norm), norm)
        Threat(norm, largest)
        with pytest.raises(InputError, match="outside"):
            Threat(norm, largest * 1.001)
    assert largest_written("l2") == float("inf")


def test_options_are_read() -> None:
    assert parse_epsilons("4, 8,.5") == [4, 8, 0.5]
    with pytest.raises(InputError, match=r"--eps '4;8', expected numbers like 4,8 \(levels of 255\), or all$"):
        parse_epsilons("4;8", otherwise=", or all")
