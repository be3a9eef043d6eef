"""Attacks that are fitted first: on which images stands in the plan; a resumed run ends with the same numbers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from evaluation_toys import Fickle

from mtlattack.attacks import Attack, UniversalAttack, create_attack
from mtlattack.data import PreparedDataset, load_dataset
from mtlattack.errors import InputError
from mtlattack.evaluation import evaluate
from mtlattack.evaluation.fitting import BATCH_SIZE, FittingBatches
from mtlattack.models import MultiTaskNetwork, prepare_for_attack

EPS = 4 / 255


def attacks() -> list[Attack]:
    return [create_attack("universal-dgba", eps=EPS, epochs=2), create_attack("fgsm-total", eps=EPS)]


def test_a_fitted_attack_is_what_a_plain_fit_makes(
    network: MultiTaskNetwork, data: PreparedDataset, small_path: Path
) -> None:
    fit_data = load_dataset(small_path, tasks=network.tasks, ids=data.ids[1:3])
    evidence = evaluate(network, data, attacks(), fit_data=fit_data, batch_size=3, device="cpu")
    entry, other = evidence.plan["attacks"]
    assert (entry["forward_passes"], entry["backward_passes"]) == (0, 0) and "fit" not in other
    assert entry["fit"] == {
        "data": {
            "name": "rooms", "split": "test", "images": 2, "fingerprint": fit_data.fingerprint(),
            "sha256": fit_data.digests(),
        },
        "batch_size": 16, "forward_passes": 2, "backward_passes": 2,
    }  # fmt: skip
    attack = attacks()[0]
    assert isinstance(attack, UniversalAttack)
    prepared, cpu = prepare_for_attack(network, data[0].images), torch.device("cpu")
    fitted = attack.fit(prepared, FittingBatches(fit_data, cpu))
    for row in range(len(data)):
        item = data[row]
        moved = fitted(prepared, item.images, item.targets)
        assert evidence.attacked[0].perturbation[row, 0] == (moved.double() - item.images.double()).abs().max()
        losses = [task.loss(prepared(moved)[name], item.targets[name]).item() for name, task in network.tasks.items()]
        np.testing.assert_allclose(evidence.attacked[0].losses[row], losses, rtol=1e-5)


def test_without_other_images_those_that_are_attacked_are_fitted_on(
    network: MultiTaskNetwork, data: PreparedDataset
) -> None:
    evidence = evaluate(network, data, attacks(), device="cpu")
    assert evidence.plan["attacks"][0]["fit"]["data"] == evidence.plan["data"]
    whole = evaluate(network, data, attacks(), batch_size=1, device="cpu")
    np.testing.assert_array_equal(whole.attacked[0].perturbation, evidence.attacked[0].perturbation)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("calls", [1, 5])
def test_a_resumed_run_fits_again_and_ends_with_the_same_numbers(
    network: MultiTaskNetwork, data: PreparedDataset, tmp_path: Path, calls: int
) -> None:
    whole = evaluate(Fickle(network), data, attacks(), path=tmp_path / "whole.h5", batch_size=1, device="cpu")
    model = Fickle(network)
    evaluate(model, data, attacks(), batch_size=1, device="cpu")
    # Each image costs three measurements and one gradient.
    broken = Fickle(network, fail_at=model.calls.count - calls)
    with pytest.raises(RuntimeError, match="out of patience"):
        evaluate(broken, data, attacks(), path=tmp_path / "part.h5", batch_size=1, device="cpu")
    resumed = evaluate(Fickle(network), data, attacks(), path=tmp_path / "part.h5", batch_size=1, device="cpu")
    for one, other in zip(whole.attacked, resumed.attacked, strict=True):
        np.testing.assert_array_equal(one.losses, other.losses)
        np.testing.assert_array_equal(one.perturbation, other.perturbation)


def test_a_finished_attack_is_not_fitted_again(
    network: MultiTaskNetwork, data: PreparedDataset, tmp_path: Path
) -> None:
    evaluate(Fickle(network), data, attacks(), path=tmp_path / "run.h5", device="cpu")
    first, again = Fickle(network), Fickle(network)
    evaluate(first, data, [], device="cpu")
    evaluate(again, data, attacks(), path=tmp_path / "run.h5", device="cpu")
    assert again.calls.count < first.calls.count


def test_batches_are_of_sixteen_in_order(data: PreparedDataset) -> None:
    many = load_dataset(data.path, tasks=data.tasks, ids=data.ids[:3])
    batches = FittingBatches(many, torch.device("cpu"))
    assert BATCH_SIZE == 16 and len(batches) == 1 and len(batches[0][0]) == 3
    assert torch.equal(batches[0][0][2:], data[2].images)
    with pytest.raises(IndexError):
        batches[1]


def test_a_fit_that_fails_says_where(network: MultiTaskNetwork, data: PreparedDataset) -> None:
    attack = create_attack("universal-single:nothing", eps=EPS)
    with pytest.raises(InputError, match=r"universal-single:nothing \(linf 4/255\), fitted on test of rooms: unknown"):
        evaluate(network, data, [attack], device="cpu")
    fewer = load_dataset(data.path, tasks={"depth": data.tasks["depth"]}, limit=2)
    with pytest.raises(InputError, match="the images to fit on have labels for depth, not as those to attack"):
        evaluate(network, data, attacks(), fit_data=fewer, device="cpu")
