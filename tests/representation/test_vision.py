"""The vision case on toys: what is frozen stays, few labels are learned, what makes no sense is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from evaluation_toys import every_fourth_pixel, tiny_network

from mtlattack.attacks import create_attack
from mtlattack.cli import main
from mtlattack.data import PreparedDataset, load_dataset
from mtlattack.errors import InputError
from mtlattack.models import MultiTaskNetwork, create_network, load_checkpoint, save_checkpoint
from mtlattack.representation.vision import (
    HeadTraining,
    few_images,
    grafting,
    learn_head,
    source_recipe,
    with_foreign_head,
    with_imagenet_backbone,
    with_new_head,
)
from mtlattack.tasks import Depth, Normals, Task, task_from_config

NETWORK = {"backbone": "resnet10t", "backbone_options": {"channels": [8, 8, 16, 16], "stem_width": 8}, "head_width": 8}


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test images of the rooms at 24 × 32 pixels."""
    return every_fourth_pixel(load_dataset("rooms").path, tmp_path_factory.mktemp("rooms") / "small.h5")


@pytest.fixture(scope="module")
def depths(rooms: Path) -> Iterator[PreparedDataset]:
    yield PreparedDataset(rooms, tasks={"depth": load_dataset("rooms").tasks["depth"]})


def source() -> MultiTaskNetwork:
    return tiny_network({"normals": Normals()}, seed=3)


def renamed(task: Task, name: str) -> Task:
    return task_from_config({**task.config(), "name": name})


def test_a_new_head_stands_on_the_same_backbone() -> None:
    old = source()
    new = with_new_head(old, Depth(), seed=1)
    assert list(new.tasks) == ["depth"] and list(old.tasks) == ["normals"]
    images = torch.rand(2, 3, 24, 32)
    assert torch.equal(new.shared_features(images), old.shared_features(images))
    again, other = (with_new_head(old, Depth(), seed=seed) for seed in (1, 2))
    assert torch.equal(new(images)["depth"], again(images)["depth"])
    assert not torch.equal(new(images)["depth"], other(images)["depth"])


def test_a_task_of_other_images_may_have_the_name_of_a_source() -> None:
    images = torch.rand(2, 3, 24, 32)
    old = source()
    new = with_foreign_head(old, Normals(), seed=1)
    assert torch.equal(new.shared_features(images), old.shared_features(images))
    assert not torch.equal(new(images)["normals"], old(images)["normals"])
    apart = create_network({"tasks": [Normals().config(), Depth().config()], **NETWORK, "layout": "separate"})
    with pytest.raises(InputError, match="a backbone that all tasks share to its end"):
        with_foreign_head(apart, Normals())


def test_imagenets_weights_are_in_the_backbone_and_the_head_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no package holds ImageNet weights of 'resnet10t'"):
        with_imagenet_backbone(NETWORK, Depth())
    packaged = source()
    monkeypatch.setattr(
        grafting, "load_imagenet", lambda network: network.stages.load_state_dict(packaged.stages.state_dict())
    )
    one, again, other = (with_imagenet_backbone(packaged.config.model_dump(), Depth(), seed) for seed in (1, 1, 2))
    images = torch.rand(2, 3, 24, 32)
    assert list(one.tasks) == ["depth"] and not one.training
    assert torch.equal(one.shared_features(images), packaged.shared_features(images))
    assert torch.equal(one(images)["depth"], again(images)["depth"])
    assert not torch.equal(one(images)["depth"], other(images)["depth"])


@pytest.mark.parametrize("attacked", [False, True])
def test_only_the_head_learns(depths: PreparedDataset, attacked: bool) -> None:
    network, images = with_new_head(source(), Depth()), few_images(depths, 6, seed=0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    attack = create_attack("pgd-single:depth", eps=2 / 255, steps=1) if attacked else None
    losses = learn_head(network, images, HeadTraining(steps=20, batch_size=4, learning_rate=5e-2, attack=attack))
    assert len(losses) == 20 and sum(losses[-5:]) < 0.7 * sum(losses[:5])
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and all(name.startswith("heads.") for name in changed)
    assert not network.training and all(each.requires_grad for each in network.parameters())
    twin = with_new_head(source(), Depth())
    assert learn_head(twin, images, HeadTraining(steps=20, batch_size=4, learning_rate=5e-2, attack=attack)) == losses


def test_heads_learn_what_the_attack_shows_them(depths: PreparedDataset) -> None:
    images = few_images(depths, 8, seed=0)
    attack = create_attack("pgd-single:depth", eps=8 / 255, steps=2)
    left = []
    for seen in (None, attack):
        network = with_new_head(source(), Depth())
        learn_head(network, images, HeadTraining(steps=30, batch_size=8, attack=seen))
        hurt = attack(network, images.images, images.targets)
        with torch.no_grad():
            left.append(float(Depth().loss(network(hurt)["depth"], images.targets["depth"]).mean()))
    assert left[1] < left[0]


def test_few_images_begin_more_of_them(depths: PreparedDataset) -> None:
    few, more, other = (few_images(depths, count, seed) for count, seed in ((3, 5), (7, 5), (3, 6)))
    assert few.ids == more.ids[:3] != other.ids and len(set(more.ids)) == 7
    assert torch.equal(few.targets["depth"], more.targets["depth"][:3])
    for count in (0, len(depths) + 1):
        with pytest.raises(InputError, match=rf"{count} labelled images, expected 1 to the {len(depths)}"):
            few_images(depths, count, 0)


def test_stage_one_is_an_ordinary_training_without_the_target(rooms: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no source tasks, expected at least 1"):
        source_recipe("rooms", [], "depth", NETWORK)
    with pytest.raises(InputError, match="the target depth is a source task"):
        source_recipe("rooms", ["normals", "depth"], "depth", NETWORK)
    recipe = source_recipe(str(rooms), ["normals"], "depth", NETWORK, epochs=1, batch_size=4, precision="float32")
    assert recipe.network["layout"] == "shared" and recipe.tasks == ["normals"]
    assert recipe.name == "clean-normals" and recipe.adversarial is None


def test_what_makes_no_sense_is_refused(depths: PreparedDataset) -> None:
    with pytest.raises(InputError, match="the target normals is a source task"):
        with_new_head(source(), Normals())
    with pytest.raises(InputError, match="the target facing is a source task"):
        with_new_head(source(), renamed(Normals(), "facing"))
    tasks = [Normals().config(), Depth().config()]
    apart = create_network({"tasks": tasks, **NETWORK, "layout": "separate"})
    with pytest.raises(InputError, match="a backbone that all tasks share to its end"):
        with_new_head(apart, renamed(Depth(), "far"))
    for wrong, told in (({"steps": 0}, "steps 0"), ({"batch_size": 0}, "batch_size 0"), ({"learning_rate": 0}, "rate")):
        with pytest.raises(InputError, match=told):
            HeadTraining(**wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no labels for normals; there are depth"):
        learn_head(source(), few_images(depths, 2, 0), HeadTraining(steps=1))
    network = with_new_head(source(), Depth())
    images = few_images(depths, 2, 0)
    images.images.fill_(float("nan"))
    with pytest.raises(InputError, match="the head's loss is nan in step 1"):
        learn_head(network, images, HeadTraining(steps=1))


def test_the_result_is_a_checkpoint_that_is_attacked_like_any(
    rooms: Path, depths: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = with_new_head(source(), load_dataset("rooms").tasks["depth"])
    learn_head(network, few_images(depths, 4, 0), HeadTraining(steps=3))
    path = save_checkpoint(network, tmp_path, "few-depth")
    images = few_images(depths, 2, 0).images
    assert torch.equal(load_checkpoint(path)(images)["depth"], network(images)["depth"])
    options = ["--attacks", "fgsm-single:depth", "--limit", "2", "--out", str(tmp_path / "run")]
    monkeypatch.setattr("sys.argv", ["mtlattack", "run", "--checkpoint", str(path), "--data", str(rooms), *options])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert (tmp_path / "run" / "record.json").is_file()
