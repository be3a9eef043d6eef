"""Anybody's data in every call that takes data: the numbers of a prepared file, bit for bit; labels that are none."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from evaluation_toys import Little, assert_equal
from torch.utils.data import DataLoader, Dataset, Subset

import mtlattack as mta
from mtlattack.data import PreparedDataset, join_batches, load_dataset
from mtlattack.evaluation import craft, craft_to, judge, judge_from, transfer, transfer_between_tasks
from mtlattack.tasks import Segmentation

ON: Any = {"device": "cpu", "batch_size": 3}
ATTACKS = [mta.create_attack("pgd-dgba", eps=4 / 255, steps=1), mta.create_attack("fgsm-total", eps=4 / 255)]


class Own(Dataset[Any]):
    """The content of a prepared file as somebody's items, with its ids."""

    def __init__(self, data: PreparedDataset) -> None:
        self.data, self.name, self.split, self.ids = data, data.name, data.split, data.ids

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, place: int) -> tuple[Any, dict[str, Any]]:
        batch = self.data[place]
        image = (batch.images[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        return image, {name: target[0] for name, target in batch.targets.items()}


def test_a_run_has_the_numbers_of_the_prepared_file(network: Little, data: PreparedDataset) -> None:
    expected = mta.evaluate(network, data, ATTACKS, **ON)
    found = mta.evaluate(network, DataLoader(Own(data), shuffle=True), ATTACKS, **ON)
    assert_equal(found, expected)
    assert found.ids == expected.ids and found.plan["constants"] == expected.plan["constants"]
    one, other = found.plan["data"], expected.plan["data"]
    told = {"id", "image", "segmentation", "depth", "normals"}
    assert {key: one["sha256"][key] for key in told} == {key: other["sha256"][key] for key in told}
    assert (one["name"], one["split"], one["images"]) == (other["name"], other["split"], other["images"])


def test_a_run_on_ones_own_data_goes_on_and_knows_other_data(
    network: Little, data: PreparedDataset, tmp_path: Path
) -> None:
    path, own = tmp_path / "evidence.h5", Own(data)
    first = mta.evaluate(network, own, ATTACKS[1:], path=path, **ON)
    again = mta.evaluate(network, own, ATTACKS[1:], path=path, **ON)
    assert np.array_equal(first.attacked[0].seconds, again.attacked[0].seconds)
    with pytest.raises(mta.InputError, match=r"holds another run \(other data"):
        mta.evaluate(network, Subset(own, [0, 1, 3, 2]), ATTACKS[1:], path=path, **ON)


def test_images_are_crafted_kept_and_judged(network: Little, data: PreparedDataset, tmp_path: Path) -> None:
    own, attack = Own(data), ATTACKS[0]
    crafted = list(craft(network, own, attack, **ON))
    for one, other in zip(crafted, craft(network, data, attack, **ON), strict=True):
        assert torch.equal(one.result.images, other.result.images) and one.clean.ids == other.clean.ids
    file = craft_to(tmp_path / "images.h5", network, own, [attack], **ON)
    assert_equal(judge_from(file, network, own, **ON), judge_from(file, network, data, **ON))
    turned = Own(data)
    turned.data = Subset(data, [1, 0, 2, 3])  # type: ignore[assignment]
    with pytest.raises(mta.InputError, match="was made of other images than those of rooms with the same ids"):
        judge_from(file, network, turned, **ON)


def test_judging_takes_arrays(network: Little, data: PreparedDataset) -> None:
    whole = join_batches([data[place] for place in range(len(data))])
    levels = (whole.images * 255).round().to(torch.uint8)
    arrays = {name: target.numpy() for name, target in whole.targets.items()}
    expected = judge(network, whole.images, whole.targets)
    for images, targets, clean in ((levels.permute(0, 2, 3, 1).numpy(), arrays, levels), (levels, whole.targets, None)):
        found = judge(network, images, targets, clean)
        assert np.array_equal(found.losses, expected.losses) and not found.perturbation.any()


def test_an_attack_is_fitted_on_ones_own_data(network: Little, data: PreparedDataset) -> None:
    attack = mta.create_attack("universal-total", eps=4 / 255, epochs=1)
    expected = mta.evaluate(network, data, [attack], fit_data=data, **ON)
    found = mta.evaluate(network, data, [attack], fit_data=list(Own(data)), **ON)
    assert_equal(found, expected)
    loader = DataLoader(Own(data), batch_size=2)
    with pytest.raises(mta.InputError, match="cannot be fitted on a DataLoader, expected a sequence of .*fit_data="):
        attack.fit(network, loader)


def test_a_transfer_between_models_and_tasks(network: Little, data: PreparedDataset) -> None:
    """A model with fewer tasks is compared in those that both have; labels are asked for what any predicts."""
    tasks = {name: network.tasks[name] for name in ("depth", "edge_texture", "keypoints2d")}
    models = {"all": Little(tasks), "one": Little({"depth": tasks["depth"]}, seed=1)}
    prepared, attack = load_dataset(data.path, tasks=tasks, limit=2), mta.create_attack("fgsm-total", eps=4 / 255)
    expected, found = (transfer(models, None, each, attack, **ON).record() for each in (prepared, Own(prepared)))
    assert found.matrices == expected.matrices
    assert all(found.data["sha256"][part] == expected.data["sha256"][part] for part in ("id", "image", "depth"))
    one = mta.create_attack("fgsm-single:depth", eps=4 / 255)
    matrix = transfer_between_tasks({"one": models["one"]}, Own(prepared), {"depth": one}, **ON).record().matrices[0]
    assert matrix.sources == matrix.victims == ["depth"]


# --- labels that do not fit


def misfits(data: PreparedDataset) -> Sequence[tuple[Any, str]]:
    items = [Own(data)[place] for place in range(2)]
    without = [(image, {name: x for name, x in labels.items() if name != "normals"}) for image, labels in items]
    renamed = [
        (image, {("normal" if name == "normals" else name): x for name, x in labels.items()}) for image, labels in items
    ]
    return [
        (renamed, "unknown label 'normals'; did you mean 'normal'?"),
        (without, "unknown label 'normals'; known: depth, edge_texture, keypoints2d, segmentation"),
        (
            load_dataset(data.path, tasks={"seg": data.tasks["segmentation"]}),
            r"load_dataset\(…, tasks=model.tasks\) takes",
        ),
    ]


def test_tasks_that_do_not_match_name_the_nearest(network: Little, data: PreparedDataset) -> None:
    for wrong, message in misfits(data):
        with pytest.raises(mta.InputError, match=f"the data gives labels for .*, the model predicts .*; .*{message}"):
            mta.evaluate(network, wrong, ATTACKS, **ON)
    seg = Little({"seg": data.tasks["segmentation"]})
    with pytest.raises(mta.InputError, match="what the data call 'segmentation' may be 'seg': load_dataset"):
        mta.evaluate(seg, load_dataset(data.path, tasks={"segmentation": data.tasks["segmentation"]}), ATTACKS, **ON)
    coarse = load_dataset(data.path, tasks={"segmentation": data.tasks["segmentation"]})
    with pytest.raises(
        mta.InputError, match=r"'segmentation' is Segmentation\(classes=14, .* in the data, Segmentation\(classes=9"
    ):
        mta.evaluate(Little({"segmentation": Segmentation(9)}), coarse, ATTACKS, **ON)


@pytest.mark.parametrize("value", [14, 200])
def test_prepared_classes_that_there_are_not_are_named_before_anything_is_done(
    value: int, network: Little, small_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "rooms.h5"
    path.write_bytes(small_path.read_bytes())
    with h5py.File(path, "r+") as file:
        file["test/segmentation"][1, 3, 3] = file["test/segmentation"][3, 3, 3] = value
    message = f"segmentation has class {value}, expected 0 to 13 or 255, in images 'test-00001', 'test-00003'"
    with pytest.raises(mta.InputError, match=message):
        mta.evaluate(network, load_dataset(path, tasks=network.tasks), ATTACKS, path=tmp_path / "evidence.h5", **ON)
    assert not (tmp_path / "evidence.h5").exists()


@pytest.mark.parametrize("value", [14, -1])
def test_classes_that_there_are_not_in_ones_own_data(value: int, network: Little, data: PreparedDataset) -> None:
    whole = join_batches([data[place] for place in range(len(data))])
    whole.targets["segmentation"][2, 3, 3] = value
    images, targets = whole.images, whole.targets
    said = f"has class {value}, expected 0 to 13 or 255"
    for call, message in (
        (
            lambda: mta.evaluate(network, (images, targets), ATTACKS, **ON),
            f"own-images: segmentation {said}, in image '2'",
        ),
        (
            lambda: transfer({"a": network}, None, (images, targets), ATTACKS[0], **ON),
            f"segmentation {said}, in image '2'",
        ),
        (lambda: next(iter(craft(network, (images, targets), ATTACKS[0], **ON))), f"segmentation {said}, in image '2'"),
        (lambda: ATTACKS[0](network, images, targets), f"target 'segmentation' of image 2 of the batch {said}"),
        (lambda: judge(network, images, targets), f"target 'segmentation' of image 2 of the batch {said}"),
    ):
        with pytest.raises(mta.InputError, match=message):
            call()
    with pytest.raises(mta.InputError, match="no target for task 'depth'"):
        judge(network, images, {name: each for name, each in targets.items() if name != "depth"})
