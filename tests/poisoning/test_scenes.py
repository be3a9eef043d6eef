"""Tasks of whole images by hand, and the same learned tasks under evasion."""

import numpy as np
import pytest
import torch

from mtlattack.attacks import create_attack
from mtlattack.data import load_dataset
from mtlattack.errors import InputError
from mtlattack.models import create_model
from mtlattack.poisoning import Kind, Learner, make_tasks
from mtlattack.poisoning.evasion import SceneModel, perturbed_features
from mtlattack.poisoning.splitting import units_of
from mtlattack.poisoning.vision import Scenes, _class_labels, pool, read_scenes, scene_tasks, shared_network

MODEL = "rooms-resnet10t.shared"


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    network = create_model(MODEL)
    labelled = {name: network.tasks[name] for name in ("segmentation", "depth")}
    return read_scenes(network, load_dataset("rooms", tasks=labelled, limit=20), Kind.REGRESSION)


def test_labels_are_those_of_the_images(scenes: Scenes) -> None:
    network, data = create_model(MODEL), load_dataset("rooms", limit=20)
    names = data.class_names("segmentation")
    assert names is not None
    for row in (0, 7):
        batch = data[row]
        depth, classes = batch.targets["depth"][0], batch.targets["segmentation"][0]
        assert scenes.labels["mean depth"][row] == pytest.approx(float(depth[depth > 0].mean()), rel=1e-5)
        share = float((classes == 1).float().mean() / (classes != 255).float().mean())
        assert scenes.labels[f"share {names[1]}"][row] == pytest.approx(share, rel=1e-5)
        with torch.no_grad():
            expected = network.shared_features(batch.images).mean((2, 3))[0]
        np.testing.assert_allclose(scenes.features[row], expected, rtol=1e-4, atol=1e-6)


def test_an_image_without_labelled_pixels_has_no_class() -> None:
    shares = np.array([[0.2, 0.8], [0.9, 0.1], [0.4, 0.6], [np.nan, np.nan]])
    labels = _class_labels(shares, ["wall", "floor"], Kind.CLASSIFICATION)
    np.testing.assert_array_equal(labels["mostly wall"], [0, 1, 0, np.nan])
    np.testing.assert_array_equal(labels["mostly floor"], [1, 0, 1, np.nan])
    assert _class_labels(shares[3:], ["wall", "floor"], Kind.CLASSIFICATION) == {}


def test_splits_are_put_together_and_images_are_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    # The images of `train` take long to draw.
    monkeypatch.setattr(
        "mtlattack.poisoning.vision.load_dataset", lambda data, split, **chosen: load_dataset(data, **chosen)
    )
    splits = ["test", "train"]
    one, both = (scene_tasks("rooms", MODEL, splits[:count], Kind.REGRESSION, 6) for count in (1, 2))
    assert both.sizes == [12] * len(both) and set(both.names) <= set(one.names)
    np.testing.assert_array_equal(both.points[0][0], np.tile(one.points[0][0], (2, 1)))
    assert both.rows is not None and all(rows.tolist() == list(range(12)) for rows in both.rows)


def test_a_network_without_shared_features_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtlattack.poisoning.vision.resolve_model", lambda name: (torch.nn.Linear(1, 1), name))
    with pytest.raises(InputError, match="mine is a Linear, expected a network of ours with shared features"):
        shared_network("mine")


def test_evasion_raises_the_learners_own_loss(scenes: Scenes) -> None:
    """What the model says of an image is what the learner says of its features, and attacks make it worse."""
    network, data = shared_network(MODEL), load_dataset("rooms", limit=4)
    names = ["mean depth", "share floor"]
    raw = make_tasks(Kind.REGRESSION, [(scenes.features, scenes.labels[name]) for name in names], names)
    units = units_of(raw)
    tasks = units.of(raw)
    parameters = Learner(relation=0.1).fit(tasks).parameters
    model = SceneModel(network, Kind.REGRESSION, names, units, parameters)
    images = torch.cat([data[row].images for row in range(4)])
    with torch.no_grad():
        said = torch.cat([model(images)[name][:, 0] for name in names], 2)[:, 0]
    x = np.column_stack([tasks.points[0][0][:4], np.ones(4)])
    np.testing.assert_allclose(said, x @ parameters, rtol=1e-3, atol=1e-3)
    labels = {name: y[:4] for name, (_, y) in zip(names, tasks.points, strict=True)}
    attack = create_attack("apgd-total", eps=4 / 255, steps=3)
    moved = (perturbed_features(model, attack, [(images, labels)]) - units.feature_mean) / units.feature_scale
    target = np.column_stack(list(labels.values()))

    def loss(features: np.ndarray) -> np.ndarray:
        return ((np.column_stack([features, np.ones(4)]) @ parameters - target) ** 2).sum(1)

    with torch.no_grad():
        clean = (pool(network, images).numpy() - units.feature_mean) / units.feature_scale
    assert (loss(moved) > loss(clean)).all()
