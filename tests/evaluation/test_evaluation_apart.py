"""A run in two parts is the run; images that anyone made are held against what they claim."""

import json
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
from evaluation_toys import Little, assert_equal

from mtlattack.attacks import create_attack
from mtlattack.data import PreparedDataset, join_batches
from mtlattack.errors import InputError
from mtlattack.evaluation import ImageFile, craft, craft_to, judge, judge_from
from mtlattack.evaluation import evaluate as evaluate_anywhere

evaluate = partial(evaluate_anywhere, device="cpu")
ATTACKS = [
    create_attack("apgd-dgba", eps=4 / 255, steps=2),
    create_attack("noise-dgba", eps=0.5, norm="l2"),
    create_attack("fgsm-total", eps=4 / 255, quantized=True),
]


def test_crafted_and_judged_is_the_plain_run(network: Little, data: PreparedDataset, tmp_path: Path) -> None:
    plain = evaluate(network, data, ATTACKS, batch_size=3)
    file = craft_to(tmp_path / "images.h5", network, data, ATTACKS, batch_size=3, device="cpu")
    run = judge_from(file, network, data, batch_size=3, device="cpu")
    assert_equal(run, plain)
    for name, values in plain.constant.items():  # type: ignore[union-attr]
        assert (run.constant[name] == values).all()  # type: ignore[index]
    assert {key: value for key, value in run.plan.items() if key != "judged"} == plain.plan
    lines = str(run.report()).splitlines()
    assert any(line.startswith("images that were given, made they say on Little") for line in lines)


def test_batches_are_those_of_a_run(network: Little, data: PreparedDataset) -> None:
    plain = evaluate(network, data, ATTACKS[:1], batch_size=3)
    losses = [
        judge(network, each.result.images, each.clean.targets, each.clean.images).losses
        for each in craft(network, data, ATTACKS[0], batch_size=3, device="cpu")
    ]
    np.testing.assert_allclose(np.concatenate(losses), plain.attacked[0].losses, rtol=1e-4)


def test_images_meet_another_model(network: Little, data: PreparedDataset, tmp_path: Path) -> None:
    file = craft_to(tmp_path / "images.h5", network, data, ATTACKS[:1], device="cpu")
    victim = Little(network.tasks, seed=1)
    run = judge_from(file, victim, data, device="cpu")
    assert (run.clean.losses == evaluate(victim, data, []).clean.losses).all()
    assert run.plan["judged"]["source"]["sha256"] != run.plan["model"]["sha256"]


def by_hand(path: Path, data: PreparedDataset, images: np.ndarray, **claim: object) -> Path:
    """A file as anybody's own program writes it."""
    with h5py.File(path, "w") as file:
        file.attrs.update(format="mtlattack-images", format_version=1)
        file["id"] = data.ids
        group = file.create_group("attacks/0000")
        group.attrs["config"] = json.dumps({"name": "mine", "norm": "linf", "eps": 4 / 255} | claim)
        group["images"] = images
    return path


def test_anybodys_images_are_judged_and_what_nobody_knows_is_said(
    network: Little, data: PreparedDataset, tmp_path: Path
) -> None:
    clean = join_batches([data[i] for i in range(len(data))]).images.numpy()
    moved = np.clip(clean + np.float32(4 / 255), 0, 1)
    run = judge_from(ImageFile(by_hand(tmp_path / "a.h5", data, moved)), network, data, device="cpu")
    (result,) = run.report().record.attacks
    assert (result.name, result.forward_passes, result.backward_passes) == ("mine", None, None)
    text = str(run.report())
    assert "?+?" in text and "nobody says on which model" in text


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x + np.float32(6 / 255), "outside linf 4/255: a value would have to change by 0.0078"),
        (lambda x: x + 2, "holds values outside [0, 1]"),
        (lambda x: x * np.float32(np.nan), "holds values outside [0, 1]"),
        (lambda x: x[:, :, 1:], "images are (23, 32), those of the data (24, 32)"),
        (lambda x: x[1:], "expected float32 or uint8 (4, 3, H, W)"),
        (lambda x: x.astype(np.float64), "is float64 (4, 3, 24, 32)"),
    ],
)
def test_what_is_not_as_it_claims_is_refused(
    spoil: object, message: str, network: Little, data: PreparedDataset, tmp_path: Path
) -> None:
    dark = join_batches([data[i] for i in range(len(data))]).images.numpy() * np.float32(1)
    path = by_hand(tmp_path / "a.h5", data, spoil(dark))  # type: ignore[operator]
    with pytest.raises(InputError) as caught:
        judge_from(ImageFile(path), network, data, device="cpu")
    assert message in str(caught.value) or ("outside" in message and "outside" in str(caught.value))


def test_a_plan_that_says_other_than_the_attacks_is_refused(
    network: Little, data: PreparedDataset, tmp_path: Path
) -> None:
    path = tmp_path / "images.h5"
    craft_to(path, network, data, ATTACKS[:1], device="cpu")
    with h5py.File(path, "r+") as file:
        group = file["attacks/0000"]
        group.attrs["config"] = json.dumps(json.loads(group.attrs["config"]) | {"eps": 16 / 255})
    with pytest.raises(InputError, match=r"its plan and its attacks do not say the same"):
        judge_from(ImageFile(path), network, data, device="cpu")


def test_images_of_other_data_are_refused(network: Little, data: PreparedDataset, tmp_path: Path) -> None:
    file = craft_to(tmp_path / "images.h5", network, data, ATTACKS[:1], device="cpu")
    fewer = PreparedDataset(data.path, data.split, tasks=network.tasks, limit=2)
    with pytest.raises(InputError, match="holds images of other data than test of rooms"):
        judge_from(file, network, fewer, device="cpu")
    with pytest.raises(InputError, match="holds images of another plan; start anew with --fresh"):
        craft_to(tmp_path / "images.h5", network, data, ATTACKS[1:], device="cpu")


def test_an_interrupted_craft_goes_on(network: Little, data: PreparedDataset, tmp_path: Path) -> None:
    path = tmp_path / "images.h5"
    craft_to(path, network, data, ATTACKS[:1], batch_size=2, device="cpu")
    with h5py.File(path) as file:
        whole = file["attacks/0000/images"][:]
    with h5py.File(path, "r+") as file:
        file["attacks/0000/done"][2:] = 0
        file["attacks/0000/images"][2:] = 0
    with pytest.raises(InputError, match="is not finished: apgd-dgba lacks 2 images"):
        judge_from(ImageFile(path), network, data, device="cpu")
    craft_to(path, network, data, ATTACKS[:1], batch_size=2, device="cpu")
    with h5py.File(path) as file:
        assert (file["attacks/0000/images"][:] == whole).all()
