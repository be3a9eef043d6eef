"""P1 to P4: the rules on made-up numbers whose verdict is known, and a study that is tiny."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtlattack.errors import InputError
from mtlattack.poisoning import Kind
from mtlattack.studies import Measured, run_study
from mtlattack.studies.poisoning import PoisoningStudy, measuring, sources
from mtlattack.studies.poisoning.claims import Correlated, Exact, Stronger
from mtlattack.studies.poisoning.reading import compared
from mtlattack.studies.poisoning.related import Related

SPLITS = [1, 2, 3, 4, 5]
NOISE = [-0.01, 0.01, 0.0, 0.02, -0.02]


def attacks(key: str, table: str = "a", splits: Sequence[int] = SPLITS, **means: float) -> list[Measured]:
    """Cells of both modes; after each attack `key` is its mean and a little noise of its own."""
    return [
        Measured(
            f"{table}-{mode}-{seed}",
            {"table": table, "part": mode, "seed": seed},
            {"attacks": {name: {key: value + NOISE[(seed + i) % 5]} for i, (name, value) in enumerate(means.items())}},
        )
        for mode in ("direct", "indirect")
        for seed in splits
    ]


def pairs(slope: float, decoupled: float = 0.0, table: str = "a") -> list[Measured]:
    """Rises that grow with |Ω| by `slope`, but for the noise."""
    omega = np.linspace(0.1, 1, 8)
    chance = np.random.default_rng(0)
    return [
        Measured(
            f"{table}-pairs-{seed}",
            {"table": table, "part": "pairs", "seed": seed},
            {
                "omega": omega.tolist(), "correlation": omega.tolist(), "decoupled_rise": [decoupled],
                "rise": (slope * omega + 0.1 * chance.normal(size=8)).tolist(),
            },
        )
        for seed in SPLITS
    ]  # fmt: skip


@pytest.mark.parametrize(("claim", "key", "other"), [(Stronger(), "error", "random"), (Exact(), "utility", "frozen")])
def test_p1_and_p4_compare_two_attacks_of_the_same_splits(claim: Any, key: str, other: str) -> None:
    def outcome(more: float, **given: Any) -> str:
        return claim.judge(attacks(key, **given, **{"patom": 1 + more, other: 1.0})).outcome

    assert [outcome(more) for more in (0.5, -0.5, 0.0)] == ["holds", "fails", "undecided"]
    assert outcome(0.5, splits=[1, 2]) == "undecided"
    # One table of two that says otherwise is enough.
    mixed = attacks(key, **{"patom": 1.5, other: 1.0}) + attacks(key, "b", **{"patom": 0.5, other: 1.0})
    verdict = claim.judge(mixed)
    assert verdict.outcome == "fails" and verdict.numbers["b direct"]["mean"] == pytest.approx(-0.5, abs=0.02)
    assert "holds in a direct, a indirect; fails in b direct, b indirect" in verdict.because


def test_p2_asks_for_rises_with_omega_and_for_none_without_relation() -> None:
    claim = Related()
    assert [claim.judge(pairs(slope)).outcome for slope in (3.0, -3.0, 0.0)] == ["holds", "fails", "undecided"]
    assert claim.judge(pairs(3.0, decoupled=1e-3)).outcome == "fails"
    assert claim.judge(pairs(3.0)).numbers["a"]["omega"]["mean"] > 0.8


def test_p3_asks_for_more_than_clean_and_more_than_random() -> None:
    def outcome(**means: float) -> str:
        return Correlated().judge(attacks("within", **means)).outcome

    assert outcome(clean=0.3, random=0.4, patom=0.6) == "holds"
    assert outcome(clean=0.3, random=0.6, patom=0.6) == "undecided"
    assert outcome(clean=0.6, random=0.2, patom=0.4) == "fails"


def test_many_comparisons_are_corrected() -> None:
    barely = [0.1, 0.3, 0.2, 0.05, 0.4]
    alone = compared({"one": barely})["one"]
    among = compared({"one": barely} | {f"n{i}": [-1.0, 1.0, 0.1, -0.2, 0.2] for i in range(9)})["one"]
    assert alone.outcome == "holds" and among.outcome == "undecided" and among.p == pytest.approx(10 * alone.p)
    assert compared({"same": [0.0] * 3})["same"].outcome == "undecided"
    assert compared({"same": [1.0] * 3})["same"].outcome == "holds"


def test_nothing_measured_decides_nothing() -> None:
    assert {claim.judge([]).outcome for claim in PoisoningStudy().claims} == {"undecided"}


def test_a_tiny_study_from_cells_to_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "TOYS", {"toy-regression": Kind.REGRESSION})
    for name, value in (("QUICK_SEEDS", (1,)), ("QUICK_ITERATIONS", 2), ("QUICK_PAIRS", 3)):
        monkeypatch.setattr(measuring, name, value)
    finished = run_study(PoisoningStudy(), tmp_path, quick=True)
    cells: Mapping[str, Any] = finished.record["cells"]
    assert len(cells) == 3 and {verdict.outcome for verdict in finished.verdicts.values()} == {"undecided"}
    found = cells["toy-regression-direct-seed1"]["numbers"]
    assert (found["tasks"], found["points"]) == (6, 240)
    assert found["attacks"]["patom"]["utility"] > found["attacks"]["random"]["utility"] > 0
    assert found["attacks"]["clean"]["injected"] == 0 < found["attacks"]["patom"]["injected"]
    of_pairs = cells["toy-regression-pairs-seed1"]["numbers"]
    assert max(of_pairs["rise"]) > 1e-4 > 1e-8 > max(map(abs, of_pairs["decoupled_rise"]))
    assert [picture.name for picture in finished.pictures] == ["correlations.png", "pairs.png"]
    assert all(picture.stat().st_size > 5_000 for picture in finished.pictures)


@pytest.mark.slow
def test_the_quick_study_judges_every_claim(tmp_path: Path) -> None:
    verdicts = run_study(PoisoningStudy(), tmp_path, quick=True).verdicts
    assert list(verdicts) == ["P1", "P2", "P3", "P4"] and all(verdict.because for verdict in verdicts.values())


def test_the_full_study_takes_the_tables_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTLATTACK_CACHE", str(tmp_path))
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "school.mat").touch()
    cells = PoisoningStudy().cells(quick=False)
    tables = {cell.settings["table"] for cell in cells}
    assert {"school", "frozen-rooms"} <= tables and not {"landmine", "mnist"} & tables
    assert len({cell.name for cell in cells}) == len(cells) == 15 * len(tables)
    monkeypatch.setattr(sources, "SOURCES", {"landmine": sources.SOURCES["landmine"]})
    monkeypatch.setattr(measuring, "SOURCES", {"landmine": sources.SOURCES["landmine"]})
    with pytest.raises(InputError, match=r"no table is at hand: put published files \(.*\) into .*tables"):
        PoisoningStudy().cells(quick=False)
