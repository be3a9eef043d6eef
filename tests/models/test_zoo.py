"""The models that ship."""

import pytest
import torch
from model_toys import random_images

from mtlattack.errors import UnknownNameError
from mtlattack.models import create_model, file_hash, list_models, model_path, read_description

SHIPPED = {"rooms-resnet10t.shared": 2.5e6, "rooms-resnet10t.separate": 2.5e6, "nyuv2-resnet10t.shared": 4e6}
ROOMS = ["segmentation", "depth", "normals", "edge_texture", "keypoints2d"]


def test_zoo_ships_models():
    assert set(SHIPPED) <= set(list_models())
    for name, size in SHIPPED.items():
        assert model_path(name).stat().st_size <= size, name
        assert model_path(name).with_name(f"{name}.md").is_file(), f"{name} has no card"
    assert list_models("*.separate") == ["rooms-resnet10t.separate"]


@pytest.mark.parametrize("name", list_models())
def test_every_shipped_model_predicts_its_tasks(name):
    model = create_model(name)
    path = model_path(name)
    assert path.name == f"{name}-{file_hash(path)[:8]}.safetensors"
    assert not any(module.training for module in model.modules())
    assert list(model.tasks) == (ROOMS if name.startswith("rooms") else ROOMS[:3])
    assert str(model.config.layout) == name.rpartition(".")[2]
    assert read_description(path)["provenance"]["train_fingerprint"]
    assert all(value.isfinite().all() for value in model.state_dict().values())
    with torch.no_grad():
        for images in (random_images(2, 96, 128), torch.zeros(1, 3, 96, 128), torch.ones(1, 3, 96, 128)):
            for task, values in model(images).items():
                assert values.shape == (len(images), model.tasks[task].channels, 96, 128)
                assert values.isfinite().all()


@pytest.mark.parametrize("name", list_models())
def test_the_card_of_a_shipped_model_names_its_file(name):
    assert model_path(name).name in model_path(name).with_name(f"{name}.md").read_text()


def test_an_unknown_model_names_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown model 'rooms-resnet10t.shard'"):
        create_model("rooms-resnet10t.shard")
