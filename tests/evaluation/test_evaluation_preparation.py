"""The copy that searches and the copy that judges: how near they are, and that the judge has the last word."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from evaluation_toys import Little
from torch import Tensor, nn

from mtlattack.attacks import Attack, create_attack
from mtlattack.data import Batch, PreparedDataset
from mtlattack.evaluation import evaluate as evaluate_anywhere
from mtlattack.evaluation.judging import judge as measure
from mtlattack.evaluation.preparation import gradient_agreement, prepare
from mtlattack.models import MultiTaskNetwork, lower_precision, prepare_for_attack

EPS = 4 / 255
evaluate = partial(evaluate_anywhere, device="cpu")


def pgd() -> Attack:
    return create_attack("pgd-dgba", eps=EPS, steps=2)


def test_results_of_bfloat16_are_judged_in_float32(
    trained: MultiTaskNetwork, rooms: PreparedDataset, batch: Batch
) -> None:
    attacks = [create_attack(name, eps=EPS, steps=3) for name in ("pgd-dgba", "apgd-dgba")]
    evidence = evaluate(trained, rooms, attacks, precision="bfloat16")
    judge = prepare_for_attack(trained, batch.images)
    search = lower_precision(judge)
    moved = [attack(judge, batch.images, batch.targets, batch.ids, search=search) for attack in attacks]
    for outcome, images in zip([evidence.clean, *evidence.attacked], [batch.images, *moved], strict=True):
        measured = measure(judge, images, batch.targets, batch.images)
        np.testing.assert_array_equal(outcome.losses, measured.losses)
        for task, values in measured.statistics.items():
            np.testing.assert_array_equal(outcome.statistics[task], values)
        plain, low = (measure(one, images, batch.targets, batch.images).losses for one in (trained, search))
        np.testing.assert_allclose(outcome.losses, plain, rtol=1e-4)
        assert np.abs(low / outcome.losses - 1).max() > 1e-4  # it would have shown


def test_bfloat16_is_as_strong_as_float32(trained: MultiTaskNetwork, rooms: PreparedDataset) -> None:
    attacks = [create_attack(name, eps=EPS, steps=4) for name in ("pgd-dgba", "apgd-total", "bim-signsum")]
    runs = [evaluate(trained, rooms, attacks, precision=p).report().record for p in ("float32", "bfloat16")]
    for plain, low in zip(*(run.attacks for run in runs), strict=True):
        for summary in ("log_ratio", "loss_change"):
            expected, value = (getattr(result, summary).value for result in (plain, low))
            assert expected > 0 and value == pytest.approx(expected, rel=0.05) and value != expected


# --- the agreement itself


def test_agreement_of_equal_and_of_opposite_models(trained: MultiTaskNetwork, batch: Batch) -> None:
    class Inverted(nn.Module):
        """Gradients of the other sign everywhere."""

        tasks = trained.tasks

        def forward(self, images: Tensor) -> dict[str, Tensor]:
            mirrored = 2 * images.detach() - images
            predictions: dict[str, Tensor] = trained(mirrored)
            return predictions

    assert gradient_agreement(trained, trained, batch) == 1  # type: ignore[arg-type]
    assert gradient_agreement(trained, Inverted(), batch) == 0  # type: ignore[arg-type]


def test_agreement_counts_where_the_model_has_a_gradient(trained: MultiTaskNetwork, batch: Batch) -> None:
    class Half(nn.Module):
        """Sees the left half alone, and in one of two cases upside down."""

        tasks = trained.tasks

        def __init__(self, inverted_columns: int) -> None:
            super().__init__()
            self.inverted = inverted_columns

        def forward(self, images: Tensor) -> dict[str, Tensor]:
            left = torch.arange(images.shape[-1]) < images.shape[-1] // 2
            seen = torch.where(left, images, images.detach())
            inverted = torch.arange(images.shape[-1]) < self.inverted
            predictions: dict[str, Tensor] = trained(torch.where(inverted, 2 * seen.detach() - seen, seen))
            return predictions

    assert gradient_agreement(Half(0), trained, batch) == 1  # type: ignore[arg-type]
    quarter = batch.images.shape[-1] // 4
    assert gradient_agreement(Half(0), Half(quarter), batch) == pytest.approx(0.5, abs=0.01)  # type: ignore[arg-type]


def test_agreement_without_any_gradient(trained: MultiTaskNetwork, batch: Batch) -> None:
    class Blind(nn.Module):
        tasks = trained.tasks

        def forward(self, images: Tensor) -> dict[str, Tensor]:
            predictions: dict[str, Tensor] = trained(0 * images)
            return predictions

    assert gradient_agreement(Blind(), Blind(), batch) == 0  # type: ignore[arg-type]


def test_preparing_leaves_the_model_as_it_was(network: MultiTaskNetwork, data: PreparedDataset) -> None:
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    prepared = prepare(network, data[0], "bfloat16")
    assert prepared.low and network.training
    assert all(p.requires_grad and p.grad is None for p in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.filterwarnings("ignore:only .* of gradient signs agree")
def test_under_any_grad_mode(precision: Any, mode: Any, network: Little, data: PreparedDataset) -> None:
    expected = evaluate(network, data, [pgd()], precision=precision)
    with mode():
        evidence = evaluate(network, data, [pgd()], precision=precision)
    np.testing.assert_array_equal(evidence.attacked[0].losses, expected.attacked[0].losses)
