"""Recipes: those that ship, and what is refused."""

import pytest
from training_toys import write_data, write_recipe

from mtlattack.errors import InputError, UnknownNameError
from mtlattack.models import create_network
from mtlattack.tasks import Segmentation, create_task
from mtlattack.training import list_recipes, load_recipe, train, training_data


def test_the_zoos_recipes_ship():
    expected = {"rooms-resnet10t.shared", "rooms-resnet10t.separate", "nyuv2-resnet10t.shared"}
    assert expected <= set(list_recipes())
    assert list_recipes("*.separate") == ["rooms-resnet10t.separate"]


@pytest.mark.parametrize("name", list_recipes())
def test_every_shipped_recipe_builds_its_network(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    tasks = [Segmentation(13) if task == "segmentation" else create_task(task) for task in recipe.tasks]
    network = create_network({**recipe.network, "tasks": [task.config() for task in tasks]})
    assert list(network.tasks) == recipe.tasks
    assert network.config.layout == name.rpartition(".")[2]


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown recipe 'rooms-resnet10t.shred'; did you mean 'rooms-resnet10t"):
        load_recipe("rooms-resnet10t.shred")
    with pytest.raises(InputError, match="no recipe file none.toml"):
        load_recipe("none.toml")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("epochs = 0", "epochs: .*got 0"),
        ('epochs = "many"', "epochs: .*got 'many'"),
        ("epoch = 3", "epoch: "),
        ("learning_rate = -1.0", "learning_rate"),
        ('precision = "float8"', "precision.*float8"),
        ("zoom = 0.5", "zoom"),
        ("tasks = []", "tasks"),
        ("task_weights = { normal = 2.0 }", "unknown task 'normal'; did you mean 'normals'?"),
        ("task_weights = { edge_texture = 2.0 }", "recipe.toml: unknown task 'edge_texture'"),
        ("epochs = = 3", "recipe.toml"),
    ],
)
def test_a_bad_field_is_named_with_the_file(tmp_path, more, message):
    path = write_recipe(tmp_path, tmp_path / "toy.h5", more)
    with pytest.raises(InputError, match=message) as error:
        load_recipe(path)
    assert path in str(error.value)


def test_labels_that_the_data_lacks_are_named(tmp_path):
    data = write_data(tmp_path / "toy.h5", 2)
    recipe = load_recipe(write_recipe(tmp_path, data, 'tasks = ["depth", "edge_texture"]'))
    with pytest.raises(InputError, match="toy.h5 has no labels for edge_texture; it has depth, normals, segmentation"):
        training_data(recipe)
    with pytest.raises(InputError, match="no data file"):
        training_data(recipe, str(tmp_path / "none.h5"))


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"backbone": "resnet10"}, "unknown backbone 'resnet10'"),
        ({"layuot": "shared"}, "layuot"),
        ({"head_width": "wide"}, "head_width"),
        ({"layout": "sharde"}, "sharde"),
    ],
)
def test_a_bad_network_is_refused_before_training(tmp_path, field, message):
    recipe = load_recipe(write_recipe(tmp_path, write_data(tmp_path / "toy.h5", 2)))
    recipe = recipe.model_copy(update={"network": recipe.network | field})
    with pytest.raises(InputError, match=message):
        train(recipe, tmp_path / "state.pt", workers=0)
    assert not (tmp_path / "state.pt").exists()


def test_training_data_has_the_recipes_tasks_in_order_and_takes_a_limit(tmp_path):
    data = write_data(tmp_path / "toy.h5", 3)
    recipe = load_recipe(write_recipe(tmp_path, data, 'tasks = ["normals", "segmentation"]'))
    chosen = training_data(recipe, limit=2)
    assert list(chosen.tasks) == ["normals", "segmentation"] and len(chosen) == 2 and chosen.split == "train"
