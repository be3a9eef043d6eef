"""The rules of the studies of attacks on cells that are made up, the attacks that they need, and each study, small."""

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from attack_toys import ToyNet, toy_batch
from measured_toys import cell, numbers

from mtlattack.attacks import create_attack, create_step
from mtlattack.attacks.composed import ComposedAttack
from mtlattack.attacks.threat import Threat
from mtlattack.studies import Measured, find_study, run_study
from mtlattack.studies.balance import C1_LOSSES, C1_PERFORMANCE, C5_LOSSES, contestants
from mtlattack.studies.joint_attack import M2, Among, drops, slope
from mtlattack.studies.loss_scale import C2, FACTORS, Scaled
from mtlattack.studies.networks import ROOMS
from mtlattack.studies.sharing import C3, C4, carried, rank_correlation
from mtlattack.studies.trained import SEEDS, reseeded
from mtlattack.training import load_recipe

TASKS = ["segmentation", "depth", "normals"]
STUDIES = ["balance", "loss-scale", "sharing", "pixel-tasks", "joint-attack"]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name in ("balance", "loss-scale", "joint-attack")))
        for name in STUDIES
    ],
)
def test_the_quick_study_ends_with_a_verdict_and_goes_on_where_it_was(name: str, tmp_path: Path) -> None:
    finished = run_study(find_study(name), tmp_path, quick=True)
    assert finished.verdicts.keys() == {claim.name for claim in finished.study.claims}
    # One or two networks show nothing, whatever they say.
    assert {verdict.outcome for verdict in finished.verdicts.values()} <= {"undecided", "fails"}
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("cells/*/result.json")}
    assert len(before) == len(finished.study.cells(True))
    again = run_study(find_study(name), tmp_path, quick=True)
    assert again.verdicts == finished.verdicts
    assert before == {path: path.stat().st_mtime_ns for path in before}


# --- balance


def balanced(dgba: float, total: float, single: float, networks: int = 4, training: str = "clean") -> list[Measured]:
    """Networks on which the attacks reach so much loss change, and half as much negative arp."""
    values = {"dgba": dgba, "total": total, "single:depth": single}
    return [
        cell(
            f"n{i}", {"training": training},
            attacks={
                name: {"loss_change": numbers(value, seed=i), "arp": numbers(-value / 2, seed=i)}
                for name, value in values.items()
            },
        )
        for i in range(networks)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "outcome", "told"),
    [
        (balanced(3, 2, 1), "holds", "the nearest is total: 1 ["),
        (balanced(3, 2, 4), "fails", "single:depth is stronger by 1: -1 ["),
        (balanced(3, 3, 1), "undecided", "no difference shown from total 0 ["),
        (balanced(3, 2, 1, networks=2), "undecided", "no difference shown from total"),
    ],
)
def test_the_rule_of_c1(cells: list[Measured], outcome: str, told: str) -> None:
    for claim in (C1_LOSSES, C1_PERFORMANCE):
        assert claim.judge(cells).outcome == outcome
    assert told in C1_LOSSES.judge(cells).because


def test_c5_looks_at_trained_models_alone() -> None:
    cells = [*balanced(3, 4, 1), *balanced(3, 2, 1, training="robust")]
    assert C1_LOSSES.judge(cells).outcome == "fails" and C5_LOSSES.judge(cells).outcome == "holds"


def test_contestants_make_equal_backward_passes() -> None:
    attacks = contestants(TASKS, {"passes": 12, "eps": 4})
    assert attacks.keys() == {"dgba", "total", "signsum", *(f"single:{task}" for task in TASKS)}
    assert {attack.cost(3).backward for attack in attacks.values()} == {12}


# --- loss-scale


def scaled(aggregator: str, factor: float) -> torch.Tensor:
    attack = ComposedAttack(
        threat=Threat("linf", 0.05),
        aggregator=create_attack(f"pgd-{aggregator}", eps=0.05).aggregator,  # type: ignore[attr-defined]
        step=create_step("apgd", steps=5),
        criterion=Scaled("depth", factor),
    )
    return attack(ToyNet(), *toy_batch(3))


def test_dgba_does_not_feel_the_scale_of_a_loss_and_the_sum_does() -> None:
    """A power of two: to the last bit."""
    assert torch.equal(scaled("dgba", 2.0**6), scaled("dgba", 1.0))
    assert not torch.equal(scaled("total", 2.0**6), scaled("total", 1.0))
    plain = create_attack("apgd-total", eps=0.05, steps=5)(ToyNet(), *toy_batch(3))
    assert torch.equal(scaled("total", 1.0), plain)
    single = create_attack("apgd-single:depth", eps=0.05, steps=5)(ToyNet(), *toy_batch(3))
    near = (scaled("total", 2.0**20) - single).abs() < 1e-6
    assert near.float().mean() > 0.9


def by_factor(leads: Sequence[float], dgba: Sequence[float] = (3, 3, 3, 3, 3)) -> list[Measured]:
    return [
        cell(
            f"n{i}-{factor}", {"model": f"n{i}", "task": "depth", "factor": factor},
            attacks={"dgba": {"loss_change": numbers(own)}, "total": {"loss_change": numbers(own - lead, seed=1)}},
        )
        for i in range(3)
        for factor, lead, own in zip(FACTORS, leads, dgba, strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "outcome"),
    [
        (by_factor([2, 1, 0.5, 1, 2]), "holds"),
        (by_factor([0.5, 0.5, 0.5, 0.5, 2]), "undecided"),
        (by_factor([0.1, 0.5, 0.5, 0.5, 2]), "fails"),
        (by_factor([2, 1, 0.5, 1, 2], dgba=[3, 3, 3, 3, 3.1]), "fails"),
    ],
)
def test_the_rule_of_c2(cells: list[Measured], outcome: str) -> None:
    assert C2().judge(cells).outcome == outcome


# --- joint-attack


def test_a_set_of_one_task_and_of_all() -> None:
    config = Among(chosen=("depth", "normals")).config()
    assert json.loads(json.dumps(config)) == config
    for chosen, name in ((("depth",), "single:depth"), (tuple(TASKS), "total")):
        attack = ComposedAttack(
            threat=Threat("linf", 0.05), aggregator=Among(chosen=chosen), step=create_step("pgd", steps=3)
        )
        expected = create_attack(f"pgd-{name}", eps=0.05, steps=3)(ToyNet(), *toy_batch(3))
        assert torch.equal(attack(ToyNet(), *toy_batch(3)), expected)


def jointly(by_size: dict[int, float], networks: int = 3) -> list[Measured]:
    """Networks of three tasks, each of which drops by so much in a set of this size."""
    sets = ["a", "b", "c", "a+b", "a+c", "b+c", "a+b+c"]
    attacks = {
        label: {f"task:{task}": numbers(-by_size[len(label.split("+"))], 0.001, seed=place) for task in "abc"}
        for place, label in enumerate(sets)
    }
    found = {str(size): values.tolist() for size, values in drops(attacks).items()}
    return [cell(f"n{i}", {}, drops=found) for i in range(networks)]


def test_drops_and_their_slope() -> None:
    (one,) = jointly({1: 1.0, 2: 0.8, 3: 0.6}, 1)
    found = {int(size): np.array(values) for size, values in one.numbers["drops"].items()}
    assert {size: values[0] for size, values in found.items()} == pytest.approx({1: 1.0, 2: 0.8, 3: 0.6})
    fitted = np.polyfit(np.log([1, 2, 3]), [1.0, 0.8, 0.6], 1)[0]
    assert slope(found)[0] == pytest.approx(fitted)


@pytest.mark.parametrize(
    ("by_size", "outcome"),
    [({1: 1.0, 2: 0.8, 3: 0.6}, "holds"), ({1: 1.0, 2: 1.1, 3: 1.2}, "fails"), ({1: 1.0, 2: 1.0, 3: 1.0}, "undecided")],
)
def test_the_rule_of_m2(by_size: dict[int, float], outcome: str) -> None:
    assert M2().judge(jointly(by_size)).outcome == outcome


# --- sharing


def shared(
    transfer: dict[str, float], degree: float = 0.5, seed: int = 0, clean: float = 0.5, left: float = 0.1
) -> Measured:
    """Three tasks; pair "a|b" has so much transfer both ways, and a depth by the alphabet."""
    attacks: dict = {"dgba": {"skill": numbers(left, 0.001)}}
    for i in "abc":
        attacks[f"single:{i}"] = {
            f"task:{j}": numbers(-2.0 if i == j else -2.0 * transfer["|".join(sorted((i, j)))], 0.001, ord(i) + ord(j))
            for j in "abc"
        }
    depth = {"a|b": 0.2, "a|c": 0.4, "b|c": 0.8}
    settings = {"model": "rooms-x", "seed": seed}
    return cell("n", settings, attacks=attacks, depth=depth, degree=degree, clean_skill=numbers(clean, 0.001))


def test_transfer_by_hand() -> None:
    pairs, values = carried(shared({"a|b": 0.1, "a|c": 0.2, "b|c": 0.3}))
    found = dict(zip(pairs, values[0], strict=True))
    assert found[("a", "b")] == found[("b", "a")] == pytest.approx(0.1) and found[("c", "b")] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("transfer", "outcome"),
    [({"a|b": 0.1, "a|c": 0.2, "b|c": 0.3}, "holds"), ({"a|b": 0.3, "a|c": 0.2, "b|c": 0.1}, "fails")],
)
def test_the_rule_of_c3(transfer: dict[str, float], outcome: str) -> None:
    cells = [shared(transfer)] * 3
    rho = rank_correlation(cells[0])
    assert rho is not None and rho[0] == pytest.approx(1 if outcome == "holds" else -1, abs=0.05)
    assert C3().judge(cells).outcome == outcome
    assert C3().judge(cells[:2]).outcome == "undecided"


@pytest.mark.parametrize(("name", "robust"), [("balance", 2), ("sharing", 0)])
def test_layouts_are_trained_from_every_seed(name: str, robust: int) -> None:
    cells = find_study(name).cells(False)
    trained_ones = [each.settings for each in cells if "train_images" in each.settings]
    wanted = {*product((*ROOMS.clean, *ROOMS.robust[:robust]), SEEDS)}
    assert sorted((each["model"], each["seed"]) for each in trained_ones) == sorted(wanted)
    for each in trained_ones:
        assert each.get("training", "clean") == ("robust" if each["model"] in ROOMS.robust else "clean")


@pytest.mark.parametrize("name", ["rooms-resnet10t.degree68", "rooms-resnet10t.degree68.at-dgba"])
def test_they_are_trained_as_the_shipped_one_in_fewer_steps_and_share_no_weights_with_it(name: str) -> None:
    shipped, other = load_recipe(name), reseeded(name, 3, 5, 16)
    changed = {key for key, value in shipped if getattr(other, key) != value}
    assert changed - {"start", "validation"} == {"seed", "epochs", "batch_size"}
    assert (other.seed, other.epochs, other.batch_size, other.start) == (3, 5, 16, None)


def test_the_rule_of_c4() -> None:
    def trained(clean: float, left: float, seeds: int) -> list[Measured]:
        one = {"a|b": 0.1, "a|c": 0.2, "b|c": 0.3}
        return [
            shared(one, degree, seed, 0.5 + clean * degree, 0.2 + left * degree)
            for seed in range(seeds)
            for degree in (0.0, 0.5, 1.0)
        ]

    assert C4().judge(trained(0.1, -0.1, 3)).outcome == "holds"
    assert C4().judge(trained(-0.1, -0.1, 3)).outcome == "fails"
    told = C4().judge(trained(0.1, -0.1, 1))
    assert told.outcome == "undecided" and "1 seed a layout, 3 needed" in told.because
