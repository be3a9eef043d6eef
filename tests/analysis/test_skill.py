"""Skill against what is computed by hand; what no model can do about it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from evaluation_toys import hand_evidence, outcome
from torch import Tensor

from mtlattack.analysis import Run
from mtlattack.analysis.change import weighted_metrics
from mtlattack.analysis.resampling import resampling_weights
from mtlattack.analysis.skill import constant_metrics, measure_skill
from mtlattack.evidence import Outcome
from mtlattack.tasks import Depth, Segmentation

TASKS = {"segmentation": Segmentation(3), "depth": Depth()}
IMAGES = 6
generator = torch.Generator().manual_seed(0)
TARGETS = {
    "segmentation": torch.randint(0, 3, (IMAGES, 8, 8), generator=generator),
    "depth": 1 + 4 * torch.rand(IMAGES, 8, 8, generator=generator),
}


def noisy(amount: float) -> dict[str, Tensor]:
    """Predictions that are off by so much; 0 is perfect."""
    logits = torch.nn.functional.one_hot(TARGETS["segmentation"], 3).permute(0, 3, 1, 2).float()
    rng = torch.Generator().manual_seed(1)
    return {
        "segmentation": logits + amount * torch.randn(logits.shape, generator=rng),
        "depth": (TARGETS["depth"] + amount * torch.randn(TARGETS["depth"].shape, generator=rng))[:, None],
    }


def measured(predictions: dict[str, Tensor]) -> Outcome:
    statistics = {n: task.statistics(predictions[n], TARGETS[n]).double().numpy() for n, task in TASKS.items()}
    losses = np.stack([task.loss(predictions[n], TARGETS[n]).numpy() for n, task in TASKS.items()], 1)
    return outcome(losses, **statistics)


def constants() -> dict[str, Tensor]:
    return {
        name: task.best_constant([TARGETS[name]])[None, :, None, None].expand(IMAGES, -1, 8, 8)
        for name, task in TASKS.items()
    }


def run_of(clean: dict[str, Tensor], **attacked: dict[str, Tensor]) -> Run:
    outcomes = {name.replace("_", "-"): measured(predictions) for name, predictions in attacked.items()}
    run = hand_evidence(list(TASKS.values()), measured(clean), outcomes)
    return replace(run, constant=measured(constants()).statistics)


def test_perfect_is_one_and_a_constant_is_zero() -> None:
    record = run_of(noisy(0), pgd_total=constants()).report().record
    assert record.clean_skill is not None
    assert {name: skill.value for name, skill in record.clean_skill.tasks.items()} == {"segmentation": 1, "depth": 1}
    assert (record.clean_skill.mean.value, record.clean_skill.worst.value) == (1, 1)
    (robust,) = record.robust_skill
    assert (robust.attack, robust.norm, robust.eps, robust.quantized) == ("pgd-total", "linf", 4 / 255, False)
    assert (robust.skill.mean.value, robust.skill.mean.low, robust.skill.mean.high) == (0, 0, 0)


def test_by_hand() -> None:
    """1 − e/e_constant for depth, (mIoU − constant)/(100 − constant) for segmentation; what is below 0 counts as 0."""
    run = run_of(noisy(0.5), pgd_total=noisy(9.0))
    record = run.report().record
    for found, outcome_ in ((record.clean_skill, run.clean), (record.attacks[0].skill, run.attacked[0])):
        assert found is not None and run.constant is not None
        values = {n: task.metrics(outcome_.statistics[n].sum(0))[task.headline] for n, task in TASKS.items()}
        least = {n: task.metrics(run.constant[n].sum(0))[task.headline] for n, task in TASKS.items()}
        miou = (values["segmentation"] - least["segmentation"]) / (100 - least["segmentation"])
        depth = 1 - values["depth"] / least["depth"]
        assert found.tasks["segmentation"].value == pytest.approx(float(miou))
        assert found.tasks["depth"].value == pytest.approx(float(depth))
        assert found.mean.value == pytest.approx((max(0, float(miou)) + max(0, float(depth))) / 2)
        assert found.worst.value == pytest.approx(max(0.0, min(float(miou), float(depth))))
        assert found.worst_task == ("depth" if depth < miou else "segmentation")


@pytest.mark.parametrize("factor", [2.0**-6, 64.0])
def test_a_scale_of_the_logits_changes_nothing(factor: float) -> None:
    scaled = noisy(0.5) | {"segmentation": factor * noisy(0.5)["segmentation"]}
    one, other = (run_of(clean, pgd_total=noisy(2)).report().record for clean in (noisy(0.5), scaled))
    assert one.clean_skill == other.clean_skill
    assert one.attacks[0].log_ratio != other.attacks[0].log_ratio


def test_order_and_parts_change_nothing() -> None:
    """Statistics are additive: any order of the images, any two parts of them, give the same."""
    run = run_of(noisy(0.5))
    once = np.ones((1, IMAGES))
    constant = constant_metrics(run, once)
    assert constant is not None and run.constant is not None
    whole = measure_skill(weighted_metrics(run.clean.statistics, TASKS, once), constant, TASKS)
    order = [3, 0, 5, 1, 4, 2]
    turned = {name: values[order] for name, values in run.clean.statistics.items()}
    again = measure_skill(weighted_metrics(turned, TASKS, once), constant, TASKS)
    assert whole.mean == pytest.approx(again.mean)
    parts = {name: np.stack([values[:2].sum(0), values[2:].sum(0)]) for name, values in turned.items()}
    merged = measure_skill(weighted_metrics(parts, TASKS, np.ones((1, 2))), constant, TASKS)
    assert merged.mean == pytest.approx(whole.mean)


def test_the_attack_that_leaves_least_is_the_robust_one() -> None:
    record = run_of(noisy(0.2), fgsm_total=noisy(0.6), pgd_total=noisy(1.5), pgd_dgba=noisy(1.0)).report().record
    left = {result.name: result.skill.mean.value for result in record.attacks if result.skill}
    (robust,) = record.robust_skill
    assert robust.attack == min(left, key=left.__getitem__) == "pgd-total"  # type: ignore[arg-type]


def test_an_ensemble_is_one_perturbation_an_image() -> None:
    """Its mean is of the member that leaves each image least, found here one image at a time."""
    run = run_of(noisy(0.2), pgd_total=noisy(0.8), pgd_dgba=noisy(0.9) | {"depth": noisy(0.4)["depth"]})
    run.plan["ensembles"] = [{"name": "both", "norm": "linf", "eps": 4 / 255, "version": 1, "members": [0, 1]}]
    assert run.constant is not None
    chosen = []
    for image in range(IMAGES):
        means = []
        for member in run.attacked:
            skills = [
                task.skill(
                    task.metrics(member.statistics[n][image])[task.headline],
                    task.metrics(run.constant[n][image])[task.headline],
                )
                for n, task in TASKS.items()
            ]
            means.append(np.mean(np.maximum(skills, 0)))
        chosen.append(int(np.argmin(means)))
    mixed = {n: sum(run.attacked[m].statistics[n][i] for i, m in enumerate(chosen)) for n in TASKS}
    expected = [
        max(
            0.0,
            float(
                task.skill(task.metrics(mixed[n])[task.headline], task.metrics(run.constant[n].sum(0))[task.headline])
            ),
        )
        for n, task in TASKS.items()
    ]
    result = run.report().record.attacks[-1]
    assert result.name == "both" and result.skill is not None
    assert result.skill.mean.value == pytest.approx(np.mean(expected))


def test_evidence_without_constants_has_no_skill() -> None:
    record = replace(run_of(noisy(0.5), pgd_total=noisy(2)), constant=None).report().record
    assert record.clean_skill is None and record.robust_skill == [] and record.attacks[0].skill is None


def test_resamples_draw_skill_with_the_images() -> None:
    run = run_of(noisy(0.5))
    weights = resampling_weights(IMAGES, 50, 0)
    constant = constant_metrics(run, weights)
    assert constant is not None and run.constant is not None
    skill = measure_skill(weighted_metrics(run.clean.statistics, TASKS, weights), constant, TASKS)
    row = weights[7]
    sums, least = ({n: row @ statistics[n] for n in TASKS} for statistics in (run.clean.statistics, run.constant))
    by_hand = TASKS["depth"].skill(
        TASKS["depth"].metrics(sums["depth"])["rel_error"], TASKS["depth"].metrics(least["depth"])["rel_error"]
    )
    assert skill.tasks["depth"][7] == pytest.approx(float(by_hand))
