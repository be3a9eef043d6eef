"""W1 to W4: the rules on made-up numbers whose verdict is known, and a cell that is small."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtlattack.studies import Measured
from mtlattack.studies.representation import RepresentationStudy, sweeps
from mtlattack.studies.representation.adversarial_stage import AdversarialStage
from mtlattack.studies.representation.crossover import Crossover, crossings
from mtlattack.studies.representation.diversity import Diversity
from mtlattack.studies.representation.more_data import MoreData
from mtlattack.studies.slopes import loglog_slope, mean

SEEDS = np.random.default_rng(0).uniform(0.9, 1.1, 12)
SIZES = [10.0, 40.0, 160.0, 640.0]
Curves = Mapping[str, Any]


def cell(axis: str, values: list[float], curves: Curves, **settings: Any) -> Measured:
    """A cell of one arm; `curves` by learner are functions of the value, times something near 1 a seed."""
    excess = {name: [[float(f(v) * s) for s in SEEDS] for v in values] for name, f in curves.items()}
    given = {"arm": "squared-l2", "axis": axis, "values": values, **settings}
    return Measured(f"{axis}-{values[0]}", given, {"excess": excess, "least": [0.3]})


def over_m(**curves: Any) -> list[Measured]:
    return [cell("m", SIZES, curves)]


def over(axis: str, values: list[float], **curves: Any) -> list[Measured]:
    return [cell(axis, [value], curves, **{axis: value}) for value in values]


def test_a_power_law_is_found() -> None:
    slope = loglog_slope(SIZES, SEEDS[:, None] * np.asarray(SIZES) ** -0.7)
    assert slope.value == pytest.approx(-0.7) and slope.high - slope.low < 1e-9
    found, wide = mean(SEEDS), mean(SEEDS, comparisons=10)
    assert wide.low < found.low < found.value < found.high < wide.high


def test_w1_asks_for_a_rate_before_the_floor() -> None:
    rates = {"true": lambda m: 1 / m}
    steep = over("t", [4, 8, 16, 32], robust=lambda t: 5 / t + 0.01, true=lambda t: 0.01)
    assert MoreData().judge(steep + over_m(**rates)).outcome == "holds"
    slow = over("t", [4, 8, 16, 32], robust=lambda t: t**-0.3, true=lambda t: 0.001)
    assert MoreData().judge(slow + over_m(**rates)).outcome == "fails"
    assert MoreData().judge(over_m(true=lambda m: m)).outcome == "fails"
    # Two points before the floor say nothing of a slope.
    floored = over("n", [20, 40, 80], robust=lambda n: 0.05 if n < 80 else 0.011, true=lambda n: 0.01)
    assert MoreData().judge(floored).outcome == "undecided"
    assert MoreData().judge([]).outcome == "undecided"


def test_w2_asks_for_more_excess_with_less_diversity() -> None:
    values = [0.1, 0.25, 0.5, 1.0]
    assert Diversity().judge(over("weakest", values, robust=lambda v: 1 / v)).outcome == "holds"
    assert Diversity().judge(over("weakest", values, robust=lambda v: v)).outcome == "fails"


def test_w3_asks_for_a_gain_that_is_largest_where_labels_are_few() -> None:
    def judge(clean: Any) -> str:
        return AdversarialStage().judge(over_m(robust=lambda m: 1 / m, clean=clean)).outcome

    assert judge(lambda m: 2 / m) == "holds"
    assert judge(lambda m: 0.5 / m) == "fails"
    assert judge(lambda m: 1.01 / m) == "fails"
    assert judge(lambda m: 1 / m + 0.05) == "undecided"


def test_w4_asks_for_a_change_of_sign() -> None:
    def judge(alone: Any) -> Any:
        return Crossover().judge(over_m(robust=lambda m: 0.02 + 0 * m, alone=alone))

    found = judge(lambda m: 2 / m)
    assert found.outcome == "holds"
    assert found.numbers["squared-l2"]["crossover"][0] == pytest.approx(100, rel=0.3)
    assert judge(lambda m: 0.01 + 0 * m).outcome == "fails"
    assert judge(lambda m: 0.05 + 0 * m).outcome == "fails"


def test_a_crossing_is_interpolated_in_the_logarithm() -> None:
    found = crossings([1, 100, 10_000], np.array([[1, -1, -1.0], [1, 1, -1], [1, 1, 1], [-1, -1, 1]]))
    np.testing.assert_allclose(found, [10, 1000, np.nan, np.nan])


def test_a_tiny_study_from_cells_to_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "DIMENSION", 6)
    monkeypatch.setattr(sweeps, "RANK", 2)
    monkeypatch.setattr(sweeps, "QUICK_SEEDS", 3)
    monkeypatch.setattr(sweeps, "QUICK", {"t": (2.0,), "m": (10.0, 40.0)})
    study = RepresentationStudy()
    cells = study.cells(quick=True)
    measured = [
        Measured(each.name, each.settings, study.measure(each.settings, tmp_path))
        for each in (replace(each, settings={**each.settings, "n": 12, "m": 30}) for each in cells)
    ]
    assert all((np.asarray(each.numbers["excess"]["true"]) > -1e-6).all() for each in measured)
    assert {claim.judge(measured).outcome for claim in study.claims} <= {"holds", "fails", "undecided"}
    assert len(study.tables(measured)) == 4
    (picture,) = study.plot(measured, tmp_path)
    assert picture.stat().st_size > 10_000


def test_the_full_study_has_the_seeds_and_axes_it_says() -> None:
    cells = RepresentationStudy().cells(quick=False)
    assert len({each.name for each in cells}) == len(cells) == 4 * (4 + 4 + 1 + 4 + 3) + 1
    assert all(len(each.settings["seeds"]) >= 8 for each in cells)
