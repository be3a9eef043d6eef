"""The models that ship."""

import pytest
import torch
from model_toys import random_images

from mtlattack.attacks import create_attack
from mtlattack.data import load_dataset
from mtlattack.errors import UnknownNameError
from mtlattack.evaluation import evaluate
from mtlattack.models import create_model, file_hash, list_models, model_path, parse_layout, read_description

LAYOUTS = {
    "rooms-resnet10t": ("shared", "degree68", "degree32", "separate"),
    "nyuv2-resnet10t": ("shared", "degree53", "separate"),
}
CLEAN = [f"{network}.{layout}" for network, layouts in LAYOUTS.items() for layout in layouts]
SHIPPED = [
    *CLEAN,
    *(f"{name}.at-dgba" for name in CLEAN),
    "rooms-resnet10t.shared.at-total",
    "nyuv2-efficientnetlite0.shared",
]
ROOMS = ["segmentation", "depth", "normals", "edge_texture", "keypoints2d"]


def test_the_zoo_covers_sharing_and_training():
    assert set(SHIPPED) <= set(list_models())
    assert list_models("*.separate") == ["nyuv2-resnet10t.separate", "rooms-resnet10t.separate"]
    for name in list_models():
        assert model_path(name).with_name(f"{name}.md").is_file(), f"{name} has no card"


def test_the_zoo_stays_small():
    assert sum(model_path(name).stat().st_size for name in list_models()) <= 42e6


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", list_models())
def test_every_shipped_model_predicts_its_tasks(name):
    model = create_model(name)
    path = model_path(name)
    assert path.name == f"{name}-{file_hash(path)[:8]}.safetensors"
    assert not any(module.training for module in model.modules())
    assert list(model.tasks) == (ROOMS if name.startswith("rooms") else ROOMS[:3])
    assert read_description(path)["provenance"]["train_fingerprint"]
    assert all(value.isfinite().all() for value in model.state_dict().values())
    with torch.no_grad():
        for images in (random_images(2, 96, 128), torch.zeros(1, 3, 96, 128), torch.ones(1, 3, 96, 128)):
            for task, values in model(images).items():
                assert values.shape == (len(images), model.tasks[task].channels, 96, 128)
                assert values.isfinite().all()


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", list_models())
def test_a_name_says_the_layout(name):
    layout = name.partition(".at-")[0].rpartition(".")[2]
    tree = create_model(name).layout
    if layout.startswith("degree"):
        assert round(100 * tree.sharing_degree) == int(layout.removeprefix("degree"))
    else:
        assert tree == parse_layout(layout, tree.tasks, tree.stages)


@pytest.mark.parametrize("name", list_models())
def test_the_card_of_a_shipped_model_names_its_file(name):
    assert model_path(name).name in model_path(name).with_name(f"{name}.md").read_text()


@pytest.mark.parametrize(
    "name",
    [
        # All say the same; the others take seconds each.
        pytest.param(f"rooms-resnet10t.{layout}", marks=[] if layout == "shared" else pytest.mark.slow)
        for layout in LAYOUTS["rooms-resnet10t"]
    ],
)
def test_adversarial_training_made_it_robust(name):
    """Under apgd-dgba at ε = 4/255 the robust twin's losses rise less, and its first three tasks lose less."""
    attack = create_attack("apgd-dgba", eps=4 / 255, steps=4)
    changes = []
    for twin in (name, f"{name}.at-dgba"):
        model = create_model(twin)
        report = evaluate(model, load_dataset("rooms", tasks=model.tasks, limit=8), [attack]).report()
        changes.append(report.record.attacks[0])
    assert changes[1].log_ratio.high < changes[0].log_ratio.low
    assert all(changes[1].task_change[task] > changes[0].task_change[task] for task in ROOMS[:3])


def test_an_unknown_model_names_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown model 'rooms-resnet10t.shard'"):
        create_model("rooms-resnet10t.shard")
