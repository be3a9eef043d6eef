"""Augmentation: labels mean afterwards what the image shows, and chance depends on names alone."""

from pathlib import Path

import pytest
import torch
from kind_toys import draw_target, every_task
from training_toys import SIZE, write_data

from mtlattack.data import Batch, PreparedDataset, load_dataset, loader
from mtlattack.training.augmentation import Augmentation, AugmentedDataset, mirror, zoom

TASKS = every_task(9)
WHOLE = [name for name, task in TASKS.items() if not task.dense]
DISTANCES = ("depth", "depth_euclidean", "inverse_depth")


def scene(height: int = 24, width: int = 32, seed: int = 0) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Random labels of every sort with invalid pixels."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(3, height, width, generator=generator)
    labels = {
        "segmentation": torch.randint(0, 9, (height, width), generator=generator),
        "normals": torch.nn.functional.normalize(torch.randn(3, height, width, generator=generator), dim=0),
        "principal_curvature": torch.randn(2, height, width, generator=generator),
    }
    labels |= {kind: 1 + torch.rand(height, width, generator=generator) for kind in DISTANCES}
    labels |= {kind: draw_target(TASKS[kind], 1, (0, 0), generator)[0] for kind in WHOLE}
    labels |= {kind: torch.rand(height, width, generator=generator) for kind in TASKS if kind not in labels}
    invalid = torch.rand(height, width, generator=generator) < 0.2
    labels["segmentation"][invalid] = 255
    for kind in DISTANCES:
        labels[kind][invalid] = 0
    labels["normals"][:, invalid] = 0
    return image, labels


def test_mirror_flips_everything_and_the_sign_of_x_of_normals_alone():
    image, labels = scene()
    before = {name: label.clone() for name, label in labels.items()}
    mirrored, flipped = mirror(image, labels, TASKS)
    assert torch.equal(mirrored, image.flip(2))
    for name in WHOLE:
        assert torch.equal(flipped[name], labels[name])
    for name in set(TASKS) - {"normals", *WHOLE}:
        assert torch.equal(flipped[name], labels[name].flip(-1))
    x, y, z = labels["normals"].flip(2)
    assert torch.equal(flipped["normals"], torch.stack([-x, y, z]))
    assert all(torch.equal(labels[name], value) for name, value in before.items())


def test_mirroring_twice_is_the_identity():
    image, labels = scene()
    again, restored = mirror(*mirror(image, labels, TASKS), TASKS)
    assert torch.equal(again, image)
    assert all(torch.equal(restored[name], label) for name, label in labels.items())


@pytest.mark.parametrize("factor", [1.0, 1.2, 1.5, 2.0])
def test_zoom_divides_depth_and_blends_no_label(factor):
    image, labels = scene()
    enlarged, zoomed = zoom(image, labels, TASKS, factor, (0.3, 0.8))
    assert enlarged.shape == image.shape and {k: v.shape for k, v in zoomed.items()} == {
        k: v.shape for k, v in labels.items()
    }
    assert zoomed["segmentation"].dtype == torch.int64
    assert set(zoomed["segmentation"].unique().tolist()) <= set(labels["segmentation"].unique().tolist())
    for kind in ("depth", "depth_euclidean"):
        assert torch.isin(zoomed[kind], labels[kind] / factor).all()
    assert torch.isin(zoomed["inverse_depth"], labels["inverse_depth"] * factor).all()
    invalid = zoomed["segmentation"] == 255
    assert invalid.any() and not invalid.all()
    assert all(torch.equal(zoomed[kind] == 0, invalid) for kind in DISTANCES)
    for kind in ("reshading", "edge_texture", "keypoints2d", "principal_curvature"):
        assert torch.isin(zoomed[kind], labels[kind]).all()
    assert torch.equal((zoomed["normals"] == 0).all(0), invalid)
    columns = {tuple(v.tolist()) for v in labels["normals"].flatten(1).T}
    assert {tuple(v.tolist()) for v in zoomed["normals"].flatten(1).T} <= columns
    assert all(torch.equal(zoomed[kind], labels[kind]) for kind in WHOLE)
    if factor == 1:
        assert torch.equal(enlarged, image) and all(torch.equal(zoomed[k], v) for k, v in labels.items())


@pytest.mark.parametrize("factor", [1.3, 1.45, 1.77])
@pytest.mark.parametrize("position", [(0.0, 0.0), (1.0, 1.0), (0.4, 0.7)])
def test_labels_stay_where_the_image_is(factor, position):
    height, width = 60, 80
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    image = torch.stack([columns, rows, columns]).float()
    for channel, coordinate in ((0, columns), (1, rows)):
        labels = {"edge_texture": coordinate.float()}
        enlarged, zoomed = zoom(image, labels, TASKS, factor, position)
        offset = (zoomed["edge_texture"] - enlarged[channel])[2:-2, 2:-2]
        assert offset.abs().max() <= 0.5 + 1e-4
        assert abs(float(offset.mean())) < 0.05  # No shift to one side.


def test_zoomed_inverse_depth_is_that_of_zoomed_depth():
    image, labels = scene()
    labels["inverse_depth"] = torch.where(labels["depth"] > 0, 1 / labels["depth"], 0)
    _, zoomed = zoom(image, labels, TASKS, 1.4, (0.2, 0.7))
    expected = torch.where(zoomed["depth"] > 0, 1 / zoomed["depth"], 0)
    torch.testing.assert_close(zoomed["inverse_depth"], expected)


def test_a_tilted_plane_keeps_its_normal():
    normal = torch.nn.functional.normalize(torch.tensor([0.5, -0.3, -1.0]), dim=0)
    x = torch.linspace(-0.5, 0.5, 32).expand(24, 32)
    y = torch.linspace(-0.4, 0.4, 24).view(-1, 1).expand(24, 32)
    depth = -2 / (normal[0] * x + normal[1] * y + normal[2])
    labels = {"depth": depth, "normals": normal.view(3, 1, 1).repeat(1, 24, 32)}
    _, zoomed = zoom(torch.zeros(3, 24, 32), labels, TASKS, 1.5, (0.5, 0.5))
    assert torch.equal(zoomed["normals"], labels["normals"])
    assert torch.isin(zoomed["depth"], depth / 1.5).all()


def test_the_whole_keeps_images_in_range_and_its_arguments_untouched():
    image, labels = scene()
    kept, before = image.clone(), {name: label.clone() for name, label in labels.items()}
    seen = []
    for seed in range(20):
        result, _ = Augmentation(colour=1)(image, labels, TASKS, torch.Generator().manual_seed(seed))
        assert result.min() >= 0 and result.max() <= 1 and result.shape == image.shape
        seen.append(result)
    assert all(not torch.equal(a, b) for i, a in enumerate(seen) for b in seen[:i])
    assert torch.equal(image, kept) and all(torch.equal(labels[name], value) for name, value in before.items())


def test_mirror_zoom_and_colour_can_be_switched_off():
    image, labels = scene()
    plain = Augmentation(mirror=False, zoom=1, colour=0)
    for seed in range(10):
        result, same = plain(image, labels, TASKS, torch.Generator().manual_seed(seed))
        assert torch.equal(result, image) and all(torch.equal(same[name], label) for name, label in labels.items())
    mirrors = [
        Augmentation(zoom=1, colour=0)(image, labels, TASKS, torch.Generator().manual_seed(s)) for s in range(20)
    ]
    flips = sum(torch.equal(result, image.flip(-1)) for result, _ in mirrors)
    assert 3 < flips < 17 and flips + sum(torch.equal(result, image) for result, _ in mirrors) == 20


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> PreparedDataset:
    path: Path = write_data(tmp_path_factory.mktemp("data") / "toy.h5")
    return load_dataset(path, "train")


def by_id(batches) -> dict[str, list[torch.Tensor]]:
    result = {}
    for batch in batches:
        for i, identity in enumerate(batch.ids):
            result[identity] = [batch.images[i], *(target[i] for target in batch.targets.values())]
    return result


def augmented(data: PreparedDataset, seed: int = 0, epoch: int = 0) -> AugmentedDataset:
    result = AugmentedDataset(data, data.tasks, Augmentation(), seed)
    result.epoch = epoch
    return result


def equal(a: dict[str, list[torch.Tensor]], b: dict[str, list[torch.Tensor]]) -> list[bool]:
    assert set(a) == set(b)
    return [all(torch.equal(x, y) for x, y in zip(a[key], b[key], strict=True)) for key in a]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_augmentation_does_not_depend_on_order_batch_or_workers(data):
    straight = by_id(loader(augmented(data), 1))
    assert len(straight) == len(data) == 10
    assert all(equal(by_id(loader(augmented(data), 4, shuffle_seed=5)), straight))
    assert all(equal(by_id(loader(augmented(data), 3, workers=2, shuffle_seed=6)), straight))
    torch.manual_seed(99)
    assert all(equal(by_id(augmented(data)[i] for i in reversed(range(10))), straight))
    subset = load_dataset(data.path, "train", ids=["image-7", "image-2"])
    few = by_id(loader(augmented(subset), 2))
    assert all(equal(few, {key: straight[key] for key in few}))


def test_augmentation_depends_on_seed_epoch_and_id(data):
    first = by_id(loader(augmented(data), 4))
    for other in (augmented(data, seed=1), augmented(data, epoch=1)):
        assert not any(equal(by_id(loader(other, 4)), first))
    same = Batch(["x"], torch.rand(1, 3, *SIZE), {})
    renamed = [Batch([name], same.images, {}) for name in ("a", "b")]
    a, b = (AugmentedDataset(renamed, {}, Augmentation(), 0)[i].images for i in (0, 1))
    assert not torch.equal(a, b)
