"""`standard`: its members are run once each, and its row is what a brute-force choice among their evidence gives."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from evaluation_toys import hand_evidence, outcome, random_outcome

from mtlattack.analysis import read_run
from mtlattack.analysis.ablation import ablation
from mtlattack.analysis.change import LOSS_FLOOR, measure_change, weighted_metrics
from mtlattack.analysis.record import AttackResult
from mtlattack.analysis.summaries import SKILL
from mtlattack.analysis.tables import notes, render, render_text, to_markdown
from mtlattack.attacks import Attack, Standard, create_attack, list_attacks
from mtlattack.attacks.standard import Member
from mtlattack.data import Batch, PreparedDataset
from mtlattack.errors import InputError
from mtlattack.evaluation import evaluate as evaluate_anywhere
from mtlattack.evaluation import load_suite
from mtlattack.evaluation.judging import judge as measure
from mtlattack.evaluation.members import expand
from mtlattack.evidence import Evidence
from mtlattack.models import MultiTaskNetwork, prepare_for_attack
from mtlattack.printing import width_of
from mtlattack.tasks import EdgeTexture, Keypoints2D, TaskMap

EPS = 4 / 255
evaluate = partial(evaluate_anywhere, device="cpu")
TWO: TaskMap = {task.name: task for task in (EdgeTexture(), Keypoints2D())}


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The members of `standard` with few steps."""
    few = [replace(m, options={**m.options, "steps": 3}) for m in Standard.composition]
    monkeypatch.setattr(Standard, "composition", tuple(few))


def standard(eps: float = EPS, **options: Any) -> Attack:
    return create_attack("standard", eps=eps, **options)


def with_ensemble(evidence: Evidence, members: Sequence[int]) -> Evidence:
    evidence.plan["ensembles"] = [
        {"name": "standard", "version": 1, "norm": "linf", "eps": EPS, "seed": 0, "members": [*members]}
    ]
    return evidence


def row(evidence: Evidence) -> AttackResult:
    return evidence.report().record.attacks[-1]


def random_evidence(members: int = 3, images: int = 9, unlabelled: int = 1) -> Evidence:
    """Members that are each the worst on some images; some images have no valid pixel for keypoints."""
    rng = np.random.default_rng(0)
    outcomes = {f"pgd-{i}": random_outcome(TWO, images, rng, factor=2) for i in range(members)}
    clean = random_outcome(TWO, images, rng)
    for one in (clean, *outcomes.values()):
        one.losses[4 : 4 + unlabelled, 1], one.statistics["keypoints2d"][4 : 4 + unlabelled] = 0, 0
    evidence = with_ensemble(hand_evidence(list(TWO.values()), clean, outcomes), range(members))
    return replace(evidence, constant=random_outcome(TWO, images, rng, factor=4).statistics)


# --- the composition


def test_members_follow_tasks_and_norm() -> None:
    names = [member.name for member in standard().members(["depth", "my_task"])]  # type: ignore[attr-defined]
    assert names == [
        "apgd-relative",
        "apgd-skill+dlr",
        "apgd-single:depth",
        "apgd-single:my_task",
        "square-relative",
    ]
    for norm in ("l2", "l1", "l0", "patch"):
        members = standard(1, norm=norm).members(["depth"])  # type: ignore[attr-defined]
        assert [m.name for m in members] == ["apgd-relative", "apgd-skill+dlr", "apgd-single:depth"]
        assert {m.threat.norm for m in members} == {norm}
    quantized = standard(seed=3, quantized=True).members(["depth"])  # type: ignore[attr-defined]
    assert all(m.threat.quantized and m.seed == 3 for m in quantized)


def test_it_is_named_and_listed() -> None:
    assert list_attacks("stand*") == ["standard"] and str(standard()) == "standard (linf 4/255)"
    assert create_attack(**standard(seed=2).config()) == standard(seed=2)
    with pytest.raises(InputError, match="standard takes no option 'steps'; it takes: none"):
        standard(steps=3)
    suite = load_suite("rooms-linf").model_copy(update={"attacks": ["standard", "apgd-dgba"], "eps": [4]})
    assert [attack.name for attack in suite.create_attacks(TWO)] == ["standard", "apgd-dgba"]


def test_a_member_that_is_asked_for_by_itself_is_run_once() -> None:
    own = create_attack("apgd-single:edge_texture", eps=EPS, steps=20)
    other = create_attack("apgd-dgba", eps=EPS, steps=10)
    attacks, ensembles = expand([standard(), own, standard(8 / 255), other, standard()], TWO)
    members = ["apgd-relative", "apgd-skill+dlr", "apgd-single:keypoints2d", "square-relative"]
    again = [*members[:2], "apgd-single:edge_texture", *members[2:]]
    assert [a.name for a in attacks] == ["apgd-single:edge_texture", "apgd-dgba", *members, *again]
    assert [e["members"] for e in ensembles] == [[2, 3, 0, 4, 5], [6, 7, 8, 9, 10]]
    assert [e["eps"] for e in ensembles] == [EPS, 8 / 255]
    assert json.loads(json.dumps(ensembles)) == ensembles


# --- the row


def test_each_task_takes_its_worst_member_and_the_joint_numbers_one() -> None:
    """Two images, two members; by hand."""
    clean = outcome([[1.0, 1.0], [1.0, 1.0]], edge_texture=[[10, 10], [10, 10]], keypoints2d=[[10, 10], [10, 10]])
    # Image 0: the first member is worse jointly (+2, +0 against +.5, +1); image 1: the second one.
    first = outcome([[3.0, 1.0], [1.5, 1.0]], edge_texture=[[10, 30], [10, 15]], keypoints2d=[[10, 10], [10, 10]])
    second = outcome([[1.5, 2.0], [1.0, 5.0]], edge_texture=[[10, 15], [10, 10]], keypoints2d=[[10, 20], [10, 50]])
    evidence = hand_evidence(list(TWO.values()), clean, {"pgd-a": first, "pgd-b": second})
    result = row(with_ensemble(evidence, [0, 1]))
    assert result.task_change == {"edge_texture": pytest.approx(-1.25), "keypoints2d": pytest.approx(-2.5)}
    assert (result.worst.value, result.worst_task) == (pytest.approx(-2.5), "keypoints2d")
    assert result.loss_change.value == pytest.approx((2 / 2 + 4 / 2) / 2)
    assert result.log_ratio.value == pytest.approx((np.log(3) / 2 + np.log(5) / 2) / 2)
    assert result.arp.value == pytest.approx((-1 - 2) / 2)
    assert result.members == {
        "pgd-a": {"joint": 0.5, "edge_texture": 1.0, "keypoints2d": 0.0},
        "pgd-b": {"joint": 0.5, "edge_texture": 0.0, "keypoints2d": 1.0},
    }
    assert (result.forward_passes, result.backward_passes) == (22, 20)
    assert result.config == {
        "name": "standard", "version": 1, "norm": "linf", "eps": EPS, "seed": 0, "members": ["pgd-a", "pgd-b"],
    }  # fmt: skip


def test_choice_against_brute_force() -> None:
    evidence = random_evidence()
    clean, members, result = evidence.clean, evidence.attacked, row(evidence)
    joint, by_task, shares = [], {name: [] for name in TWO}, np.zeros((3, 3))
    for image in range(9):
        valid = [i for i, name in enumerate(TWO) if clean.statistics[name][image, 0] > 0]
        floor = np.maximum(clean.losses[image], LOSS_FLOOR)
        changes = [np.mean([m.losses[image, i] / floor[i] - 1 for i in valid]) for m in members]
        joint.append(int(np.argmax(changes)))
        shares[joint[-1], 0] += 1 / 9
        for i, name in enumerate(TWO):
            # By the headline metric of the image alone: a loss would know the scale of the logits.
            alone = [float(TWO[name].metrics(m.statistics[name][image])[TWO[name].headline]) for m in members]
            better = TWO[name].headline_metric.higher_is_better
            by_task[name].append(int(np.argmax(np.nan_to_num([-a if better else a for a in alone], nan=0.0))))
            shares[by_task[name][-1], 1 + i] += (i in valid) / (9 - i)
    assert len(set(joint)) > 1
    for i, (name, task) in enumerate(TWO.items()):
        sums = sum(members[by_task[name][n]].statistics[name][n] for n in range(9))
        for metric, value in task.metrics(sums).items():
            assert result.metrics[name][metric] == pytest.approx(float(value))
        found = [result.members[f"pgd-{m}"][name] for m in range(3)]  # type: ignore[index]
        assert found == pytest.approx(shares[:, 1 + i])
    mixed = outcome(
        [members[joint[n]].losses[n] for n in range(9)],
        **{name: [members[joint[n]].statistics[name][n] for n in range(9)] for name in TWO},
    )
    once = np.ones((1, 9))
    change = measure_change(clean, weighted_metrics(clean.statistics, TWO, once), mixed, TWO, once)
    for key in ("arp", "loss_change", "log_ratio"):
        assert getattr(result, key).value == pytest.approx(getattr(change, key)[0])


def test_no_member_is_stronger_where_the_choice_is_made() -> None:
    record = random_evidence(unlabelled=0).report().record
    *members, whole = record.attacks
    assert whole.loss_change.value >= max(m.loss_change.value for m in members)  # type: ignore[operator]
    assert whole.loss_change.low <= whole.loss_change.value <= whole.loss_change.high  # type: ignore[operator]


def test_one_member_is_the_member() -> None:
    result, alone = (random_evidence(1).report().record.attacks[i] for i in (1, 0))
    for key in ("metrics", "relative", "task_change", "arp", "loss_change", "log_ratio", "worst", "max_l2", "seconds"):
        assert getattr(result, key) == getattr(alone, key)


# --- in a run


@pytest.mark.usefixtures("short")
def test_run_leaves_members_and_goes_on(network: MultiTaskNetwork, data: PreparedDataset, tmp_path: Path) -> None:
    path, attacks = tmp_path / "evidence.h5", [standard(), create_attack("fgsm-total", eps=EPS)]
    record = evaluate(network, data, attacks, path=path).report().record
    names = [member.name for member in standard().members(list(network.tasks))]  # type: ignore[attr-defined]
    assert [r.name for r in record.attacks] == ["fgsm-total", *names, "standard"]
    assert read_run(path).report().record == record
    assert evaluate(network, data, attacks, path=path).report().record == record
    for other in ([attacks[1], *standard().members(list(network.tasks))], [standard()]):  # type: ignore[attr-defined]
        with pytest.raises(InputError, match="holds another run"):
            evaluate(network, data, other, path=path)
    text = render_text(record)
    assert max(map(len, text.splitlines())) <= width_of(render(record))
    assert "standard (linf 4/255) took for the image as a" in text
    assert f"- {notes(record)[0]}" in to_markdown(record).splitlines()


@pytest.mark.usefixtures("short")
def test_called_by_itself_it_gives_the_joint_choice(
    trained: MultiTaskNetwork, rooms: PreparedDataset, batch: Batch
) -> None:
    """The images that it returns have the losses that stand in the evidence of the member chosen for them."""
    evidence = evaluate(trained, rooms, [standard()])
    judge = prepare_for_attack(trained, batch.images)
    images = standard()(judge, batch.images, batch.targets, batch.ids)
    losses = measure(judge, images, batch.targets, batch.images).losses
    stacked = np.stack([o.losses for o in evidence.attacked])
    chosen = np.argmax((stacked / evidence.clean.losses).mean(2), 0)
    np.testing.assert_allclose(losses, stacked[chosen, np.arange(len(chosen))], rtol=1e-4)
    result = row(evidence)
    assert result.loss_change.value == pytest.approx((losses / evidence.clean.losses - 1).mean(), rel=1e-4)


def test_call_costs_what_it_says(monkeypatch: pytest.MonkeyPatch, batch: Batch, trained: MultiTaskNetwork) -> None:
    monkeypatch.setattr(Standard, "composition", (Member("fgsm-total"), Member("noise-dgba", {"restarts": 2})))
    count = 0

    class Counting:
        tasks = trained.tasks

        def __call__(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
            nonlocal count
            count += 1
            predictions: dict[str, torch.Tensor] = trained(images)
            return predictions

    standard()(Counting(), batch.images, batch.targets)
    assert (count, 1) == ((cost := standard().cost(len(trained.tasks))).forward, cost.backward) == (6, 1)


# --- what a member adds


def test_ablation_is_the_difference_to_the_rest() -> None:
    evidence = random_evidence()
    whole = row(evidence)
    added = ablation(evidence, evidence.plan["ensembles"][0])
    assert list(added) == ["pgd-0", "pgd-1", "pgd-2"]
    for left_out, (_, contribution) in enumerate(added.items()):
        rest = row(with_ensemble(random_evidence(), [i for i in range(3) if i != left_out]))
        for key in ("loss_change", "log_ratio", "arp", "worst"):
            difference = getattr(whole, key).value - getattr(rest, key).value
            assert getattr(contribution, key).value == pytest.approx(difference)
        difference = SKILL.of(whole).value - SKILL.of(rest).value  # type: ignore[operator]
        assert contribution.skill is not None and contribution.skill.value == pytest.approx(difference)
    complete = random_evidence(unlabelled=0)
    for contribution in ablation(complete, complete.plan["ensembles"][0]).values():
        assert contribution.loss_change.low >= 0  # type: ignore[operator]


def test_a_member_that_is_never_chosen_adds_nothing() -> None:
    evidence = random_evidence(2)
    weak = outcome(evidence.clean.losses / 2, **evidence.clean.statistics)
    evidence.attacked[1] = weak
    added = ablation(evidence, evidence.plan["ensembles"][0])["pgd-1"]
    for interval in (added.loss_change, added.log_ratio, added.arp, added.worst):
        assert (interval.value, interval.low, interval.high) == (0, 0, 0)
    assert ablation(random_evidence(1), {"members": [0]}) == {}
