"""Recipes: those that ship, and what is refused."""

import h5py
import numpy as np
import pytest
import torch
from training_toys import write_data, write_recipe

from mtlattack.data import load_dataset
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation import evaluate
from mtlattack.models import create_network, parse_layout
from mtlattack.tasks import Segmentation, create_task
from mtlattack.training import Adversarial, list_recipes, load_recipe, train, training_data


def test_the_zoos_recipes_ship():
    rooms = [f"rooms-resnet10t.{layout}" for layout in ("shared", "degree68", "degree32", "separate")]
    nyuv2 = [f"nyuv2-resnet10t.{layout}" for layout in ("shared", "degree53", "separate")]
    robust = [f"{name}.at-dgba" for name in rooms + nyuv2] + ["rooms-resnet10t.shared.at-total"]
    assert set(rooms + nyuv2 + robust) <= set(list_recipes())
    assert list_recipes("*.separate") == ["nyuv2-resnet10t.separate", "rooms-resnet10t.separate"]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", list_recipes())
def test_every_shipped_recipe_builds_its_network(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    known = {"segmentation": Segmentation(13), "segmentation40": Segmentation(40)}
    tasks = [{**(known.get(name) or create_task(name)).config(), "name": name} for name in recipe.tasks]
    network = create_network({**recipe.network, "tasks": tasks})
    assert list(network.tasks) == recipe.tasks
    if recipe.adversarial is not None:  # It starts from the clean one of the same description.
        assert recipe.start == name.partition(".at-")[0] and load_recipe(recipe.start).network == recipe.network
        assert name.endswith(".at-" + recipe.adversarial.attack.partition("-")[2])
    layout = name.partition(".at-")[0].rpartition(".")[2]
    if layout.startswith("degree"):
        assert round(100 * parse_layout(network.config.layout, recipe.tasks, 5).sharing_degree) == int(layout[6:])
    else:
        assert network.config.layout == layout


def test_a_second_label_of_a_kind_is_learned_under_its_own_name(tmp_path):
    data = write_data(tmp_path / "toy.h5", count=4)
    with h5py.File(data, "r+") as file:
        coarse = file["train/segmentation"]
        labels = np.where(coarse[:] == 255, 255, coarse[:] + 2)
        fine = file["train"].create_dataset("segmentation5", data=labels)
        fine.attrs.update({**coarse.attrs, "classes": 5})
    recipe = load_recipe(write_recipe(tmp_path, data, 'tasks = ["segmentation5", "segmentation"]\nepochs = 1'))
    found = training_data(recipe)
    assert (found[0].targets["segmentation5"] == torch.from_numpy(labels.astype(np.int64))[:1]).all()
    network = train(recipe, tmp_path / "state.pt", device="cpu", workers=0, report=lambda text: None).result
    assert {name: task.channels for name, task in network.tasks.items()} == {"segmentation5": 5, "segmentation": 3}
    run = evaluate(network, load_dataset(data, "train", tasks=network.tasks), [], device="cpu")
    assert list(run.report().record.clean) == ["segmentation5", "segmentation"]


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
        ('main_tasks = ["dept"]', "unknown task 'dept'; did you mean 'depth'?"),
        ("main_tasks = []", "main_tasks is empty"),
        ('main_tasks = ["depth", "depth"]', "a task is there twice in depth, depth"),
        ('tasks = ["depth", "depth"]', "a task is there twice in depth, depth"),
        ("task_weights = { depth = -1.0 }", "task_weights.depth"),
        ('name = "a/b"', "name: "),
        (f'name = "{"a" * 200}"', "name: "),
        ('precision = "float16"\nadversarial = { eps = 4 }', "float16 has no room for an attack's gradients"),
        ("average = 1.0", "average"),
        ('adversarial = { attack = "pgd-dbga" }', "unknown attack 'pgd-dbga'; did you mean 'pgd-dgba'?"),
        ('adversarial = { attack = "universal-dgba" }', "universal-dgba is fitted on many images first"),
        ('adversarial = { method = "trades", attack = "minimal-total" }', "nothing to grow from"),
        ('adversarial = { method = "trades", attack = "pgd-total+segpgd" }', "segpgd weighs losses on labels"),
        ("seed = -1", "seed -1, expected a whole number of at least 0"),
        ("seed = 5000000000", "seed: Input should be less than or equal to 4294967295"),
        ("adversarial = { eps = 0 }", r"eps 0 is outside \(0, 255\] for linf"),
        ("adversarial = { eps = 300 }", r"eps 300 is outside \(0, 255\] for linf"),
        ("adversarial = { eps = -1, norm = 'l2' }", r"eps -1 is outside \(0, ∞\) for l2"),
        ('adversarial = { method = "free" }', "adversarial.method"),
        ("validation = { images = 0 }", "validation.images"),
        ('base = "none.toml"', "no recipe file none.toml"),
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
    with pytest.raises(InputError, match="toy.h5 has no labels for edge_texture; it has depth, normals, segmentation$"):
        training_data(recipe)
    with h5py.File(data, "r+") as file:
        file.copy("train/depth", "train/pose")
    with pytest.raises(InputError, match="no labels for pose; it has depth, .*; unknown task 'pose'; .* --plugin or"):
        training_data(recipe.model_copy(update={"tasks": ["pose"]}))
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


def test_a_derived_recipe_changes_what_it_says_and_no_more(tmp_path):
    base = write_recipe(tmp_path, tmp_path / "toy.h5")
    derived = tmp_path / "derived.toml"
    derived.write_text(f'base = "{base}"\nname = "derived"\n[network]\nhead_width = 12\n[adversarial]\neps = 8')
    expected = load_recipe(base).model_dump()
    expected |= {"name": "derived", "network": expected["network"] | {"head_width": 12}}
    expected["adversarial"] = Adversarial(eps=8).model_dump()
    assert load_recipe(str(derived)).model_dump() == expected


def test_a_recipe_that_is_its_own_base_is_refused(tmp_path):
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{one}.toml").write_text(f'base = "{tmp_path / other}.toml"')
    with pytest.raises(InputError, match="is its own base: .*a.toml → .*b.toml → .*a.toml"):
        load_recipe(str(tmp_path / "a.toml"))


def test_auxiliary_weighting_is_that_of_mao(tmp_path):
    """Mean of the main tasks + λ/|aux| · sum of the auxiliary ones; without main tasks, the plain weighted sum."""
    path = write_recipe(tmp_path, tmp_path / "toy.h5", 'main_tasks = ["segmentation"]\nauxiliary_weight = 0.01')
    assert load_recipe(path).loss_weights() == {"segmentation": 1.0, "depth": 0.005, "normals": 0.005}
    path = write_recipe(tmp_path, tmp_path / "toy.h5", 'main_tasks = ["depth", "normals"]\nauxiliary_weight = 0.1')
    assert load_recipe(path).loss_weights() == {"segmentation": 0.1, "depth": 0.5, "normals": 0.5}
    path = write_recipe(tmp_path, tmp_path / "toy.h5", "task_weights = { depth = 2.0 }")
    assert load_recipe(path).loss_weights() == {"segmentation": 1.0, "depth": 2.0, "normals": 1.0}


def test_the_attack_of_a_recipe(tmp_path):
    attack = Adversarial(attack="apgd-single:depth", norm="l2", eps=1.5, steps=3).create_attack(7)
    assert attack.name == "apgd-single:depth" and attack.seed == 7
    assert attack.config()["eps"] == 1.5 and attack.config()["steps"] == 3 and attack.config()["norm"] == "l2"
    single = Adversarial(attack="fgsm-total", eps=4).create_attack(0)
    assert single.cost(3).backward == 1 and single.config()["eps"] == 4 / 255


@pytest.mark.parametrize("name", ["fgsm-total+segpgd", "noise-total", "standard"])
def test_an_attack_without_a_number_of_steps_is_given_none(name):
    attack = Adversarial(attack=name, steps=3).create_attack(7)
    assert (attack.name, attack.seed) == (name, 7) and "steps" not in attack.config()
