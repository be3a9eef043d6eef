"""The rule of M3 on cells that are made up, what a cell trains, and the quick study."""

from pathlib import Path

import pytest
from measured_toys import cell, numbers

from mtlattack.studies import Measured, find_study, run_study
from mtlattack.studies.auxiliary import EPS, M3_L2, M3_LINF, MATCHED, RULES, attacks_on, choose, recipe

WITHOUT, FAR, NEAR = None, 0.1, 0.01


def network(weight: float | None, seed: int, clean: float, kept: dict[str, float]) -> Measured:
    settings = {
        "main": "depth",
        "auxiliary": None if weight is None else "normals",
        "weight": weight,
        "seed": seed,
    }
    attacks = {f"{norm}-{rule}": numbers(kept[f"{norm}-{rule}"], 0.001, seed) for norm in EPS for rule in RULES}
    return cell(f"{weight}-{seed}", settings, clean=numbers(clean, 0.001, seed), attacks=attacks)


def study(seeds: int = 3, near: float = 0.01, **gain: float) -> list[Measured]:
    """Networks that keep .1 alone and so much more with λ = .01; with λ = .1 nothing, and clean skill is far off."""
    alone = {f"{norm}-{rule}": 0.1 for norm in EPS for rule in RULES}
    more = {label: value + gain.get(label.replace("-", "_"), 0.0) for label, value in alone.items()}
    nothing = dict.fromkeys(alone, 0.0)
    return [
        network(weight, seed, clean, kept)
        for seed in range(seeds)
        for weight, clean, kept in ((WITHOUT, 0.5, alone), (FAR, 0.7, nothing), (NEAR, 0.5 + near, more))
    ]


def test_the_weight_is_chosen_by_clean_skill_alone() -> None:
    (chosen,) = choose(study())
    assert chosen.weight == NEAR and chosen.apart == pytest.approx(0.01) and chosen.seeds.keys() == {0, 1, 2}
    assert choose(study(near=2 * MATCHED)) == []
    assert M3_L2.judge(study(near=2 * MATCHED)).outcome == "undecided"


@pytest.mark.parametrize(
    ("cells", "linf", "l2"),
    [
        (study(linf_pgd=0.1, linf_apgd=0.1, l2_pgd=0.1, l2_apgd=0.1), "holds", "holds"),
        (study(linf_pgd=0.1, linf_apgd=-0.1, l2_pgd=0.1, l2_apgd=0.0), "fails", "undecided"),
        (study(seeds=2, linf_pgd=0.1, linf_apgd=0.1, l2_pgd=-0.1, l2_apgd=-0.1), "undecided", "undecided"),
    ],
)
def test_the_rule_of_m3(cells: list[Measured], linf: str, l2: str) -> None:
    assert M3_LINF.judge(cells).outcome == linf
    assert M3_L2.judge(cells).outcome == l2


def test_the_recipe_of_a_cell_weighs_as_mao_et_al() -> None:
    size = {"train_images": 64, "epochs": 1}
    settings = {"main": "depth", "auxiliary": "normals", "weight": 0.01, "seed": 2, **size}
    assert recipe(settings).loss_weights() == {"depth": 1.0, "normals": 0.01}
    assert recipe(settings).seed == 2
    assert recipe(settings | {"auxiliary": None, "weight": None}).loss_weights() == {"depth": 1.0}


def test_attacks_go_for_the_main_task_in_both_norms() -> None:
    attacks = attacks_on("depth", 3)
    assert {attack.name for attack in attacks.values()} == {"pgd-single:depth", "apgd-single:depth"}
    assert {(attack.threat.norm, attack.threat.eps) for attack in attacks.values()} == set(EPS.items())


def test_the_full_study_has_every_weight_and_seed() -> None:
    cells = find_study("auxiliary").cells(False)
    assert len(cells) == len({each.name for each in cells}) == 33
    assert sum(each.settings["auxiliary"] is None for each in cells) == 6


def test_the_quick_study_ends_with_verdicts_and_goes_on_where_it_was(tmp_path: Path) -> None:
    finished = run_study(find_study("auxiliary"), tmp_path, quick=True)
    assert {verdict.outcome for verdict in finished.verdicts.values()} == {"undecided"}
    results = {path: path.stat().st_mtime_ns for path in tmp_path.glob("cells/*/result.json")}
    assert len(results) == 2
    again = run_study(find_study("auxiliary"), tmp_path, quick=True)
    assert again.record["cells"] == finished.record["cells"]
    assert results == {path: path.stat().st_mtime_ns for path in results}
