"""All that is known of a kind of task, each kind by its row; and a kind that nobody has heard of."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from task_toys import ROWS, Row, pair_of, uniform, valid_places

from mtlattack.data import load_dataset, preview, verify
from mtlattack.data.writing import PreparedWriter, number_label
from mtlattack.errors import InputError
from mtlattack.tasks import Regression, Scalar, Segmentation, task_from_config, task_types
from mtlattack.tasks.base import is_finite
from mtlattack.tasks.painting import INVALID
from mtlattack.tasks.registry import TASKS


@dataclass(frozen=True)
class Albedo(Regression):
    """A made-up kind that says no more than it must: red, green and blue of the bare surface, NaN where unknown."""

    kind: ClassVar[str] = "albedo"
    target_channels: ClassVar[tuple[int, ...]] = (3,)

    @property
    def channels(self) -> int:
        return 3

    def valid(self, target):
        return is_finite(target).all(1)


FOREIGN = Row(Albedo(), uniform, invalid=(float("nan"),), stored={"scale": 0.001, "invalid": 65535})
KINDS = [*ROWS.values(), FOREIGN]
every_kind = pytest.mark.parametrize("row", KINDS, ids=lambda row: row.task.kind)
numbers = pytest.mark.parametrize(
    "row", [row for row in KINDS if isinstance(row.task, Regression) and row.task.scaled], ids=lambda row: row.task.kind
)


@every_kind
def test_a_label_is_found_by_its_name_and_read_back(row):
    task = row.task
    assert type(task).serves(task.kind) and not type(task).serves(task.kind + "_x")
    assert type(task).from_stored(row.stored) == task
    raw = np.zeros(task.stored_shape((4, 6)), task.stored_dtype)
    label = task.decode(raw, row.stored)
    assert label.shape == (*task.target_channels, *((4, 6) if task.dense else ()))
    assert task.stored_fault(raw, row.stored) is None
    if task.scaled:
        with pytest.raises(InputError, match=f"{task.name} has no attribute 'scale'"):
            task.decode(raw, {})


def test_only_a_second_segmentation_has_a_number_in_its_name():
    assert [kind for kind, task in task_types().items() if task.serves(f"{kind}40")] == [
        "classification",
        "segmentation",
    ]


@pytest.mark.parametrize("row", [row for row in KINDS if row.faulty], ids=lambda row: row.task.kind)
def test_stored_numbers_that_mean_nothing_are_named(row):
    pixel, message = row.faulty
    raw = np.zeros(row.task.stored_shape((4, 6)), row.task.stored_dtype)
    raw[(2, 3) if row.task.dense else ()] = pixel if row.task.target_channels else pixel[0]
    assert row.task.stored_fault(raw, row.stored) == message


@numbers
def test_numbers_come_back_from_the_file_within_half_a_step(row):
    task, (_, target) = row.task, pair_of(row, 3, batch=1)
    mask, step = valid_places(row, target)[0], row.stored["scale"]
    values = target[0].nan_to_num(0, 0, 0).double().numpy()
    values = values.transpose(1, 2, 0) if task.target_channels else values
    known = np.broadcast_to(mask[..., None], values.shape) if task.target_channels else mask
    raw = task.encode(np.where(known, values, 0), known, step)
    assert raw.dtype == task.stored_dtype and (raw == task.stored_invalid).any() and not known.all()
    back = task.decode(raw, {"scale": step, "invalid": task.stored_invalid})[None]
    assert np.array_equal(valid_places(row, back)[0], mask)
    error = (back - target)[0].abs()[..., torch.from_numpy(mask)]
    assert error.max() <= step / 2 * (1 + 1e-3)


@numbers
def test_numbers_that_do_not_fit_are_refused(row):
    values = np.full((2, 2, *row.task.target_channels), 0.5)
    values[0, 0] = 1e6
    with pytest.raises(InputError, match=r"1e\+06, expected"):
        row.task.encode(values, np.ones_like(values, bool), row.task.stored_step)


@every_kind
def test_a_prediction_as_label_is_painted_as_labels_are(row):
    task, (prediction, target) = row.task, pair_of(row, 0)
    label = task.as_label(prediction)
    assert label.shape == target.shape and label.dtype == target.dtype
    for shown in (label, target):
        painting = task.paint(shown.numpy())
        assert painting.pictures.shape == (*valid_places(row, shown).shape, 3)
        assert painting.pictures.min() >= 0 and painting.pictures.max() <= 1
        grey = (painting.pictures == INVALID).all(-1)
        assert np.array_equal(grey, ~valid_places(row, shown))


@every_kind
def test_mirroring_both_changes_no_loss_and_mirroring_twice_nothing(row):
    task, (prediction, target) = row.task, pair_of(row, 1)
    mirrored = torch.stack([task.mirrored(label) for label in target])
    again = torch.stack([task.mirrored(label) for label in mirrored])
    torch.testing.assert_close(again, target, equal_nan=True, rtol=0, atol=0)
    # What a network that sees the mirrored image should say; logits have no label's form.
    answer = prediction.flip(-1) if task.dense else prediction
    if task.target_channels:
        answer = torch.stack([task.mirrored(one) for one in prediction])
    torch.testing.assert_close(task.loss(answer, mirrored), task.loss(prediction, target))


@every_kind
def test_zooming_changes_distances_alone(row):
    task, (_, target) = row.task, pair_of(row, 2)
    zoomed = task.zoomed(target, 2.0)
    torch.testing.assert_close(zoomed, target * 2**row.zoom_power if row.zoom_power else target, equal_nan=True)
    assert np.array_equal(valid_places(row, zoomed), valid_places(row, target))


@every_kind
def test_divergence_is_none_between_equals_and_finite(row):
    task, (one, target), (other, _) = row.task, pair_of(row, 0), pair_of(row, 1)
    apart = task.divergence(one, other)
    assert apart.shape == valid_places(row, target).shape and apart.isfinite().all() and (apart > 0).all()
    assert task.divergence(one, one).abs().max() < 1e-5


@every_kind
def test_statistics_contradict_nothing_until_a_pixel_is_added(row):
    task, (prediction, target) = row.task, pair_of(row, 5)
    statistics, losses = task.statistics(prediction, target).double().numpy(), task.loss(prediction, target).numpy()
    assert not any(found.images.any() for found in task.contradictions(statistics, losses))
    labels = task.labels_of(statistics)
    assert len(labels) == 4 and np.array_equal(labels[:, 0], valid_places(row, target).sum((1, 2)))
    assert np.array_equal(labels, task.labels_of(task.statistics(-prediction, target).double().numpy()))
    statistics[1, 0] += 1
    found = [each for each in task.contradictions(statistics, losses) if each.images.any()]
    assert found and all(each.images.tolist() == [False, True, False, False] for each in found)


@every_kind
def test_the_constant_of_a_kind_has_its_shape(row):
    _, target = pair_of(row, 5)
    assert row.task.best_constant([target]).shape == (row.task.channels,)


@pytest.fixture
def albedo(monkeypatch):
    monkeypatch.setitem(TASKS._entries, "albedo", Albedo)
    return FOREIGN


def test_a_kind_that_nobody_knows_works_everywhere(albedo, tmp_path: Path):
    """From a file, checked and painted, to its config and back."""
    task, path, size = albedo.task, tmp_path / "toy.h5", (7, 9)
    _, target = pair_of(albedo, 0, batch=3)
    known = np.isfinite(target.numpy().transpose(0, 2, 3, 1))
    header = {"name": "toy", "size": size, "license": "MIT", "citation": "none"}
    with PreparedWriter(path, **header) as writer:
        writer.add_split("test", ["a", "b", "c"], {"albedo": number_label(task)})
        for row, values in enumerate(target.nan_to_num(0).double().numpy().transpose(0, 2, 3, 1)):
            raw = task.encode(values, known[row], task.stored_step)
            writer.write("test", row, {"image": np.zeros((*size, 3), np.uint8), "albedo": raw})
    assert verify(path).ok
    data = load_dataset(path)
    assert data.tasks == {"albedo": task} and task_from_config(task.config()) == task
    read = torch.cat([data[k].targets["albedo"] for k in range(3)])
    torch.testing.assert_close(read, target, rtol=0, atol=0.00051, equal_nan=True)
    assert preview(data, tmp_path / "toy.png").is_file()


def test_a_scalar_is_painted_with_its_unit_and_below_zero():
    painting = Scalar("m²").paint(np.array([-3.0, 1.0, np.nan], np.float32))
    assert painting.unit == "m²" and painting.scale is not None and painting.scale[1:] == pytest.approx((-2.96, 0.96))
    assert painting.pictures.shape == (3, 1, 1, 3) and (painting.pictures[2] == INVALID).all()


def test_classes_are_painted_with_their_names():
    labels = np.array([[[0, 2, 255]]])
    painting = Segmentation(3).paint(labels, ["wall", "floor", "lamp"])
    assert [name for name, _ in painting.legend] == ["wall", "lamp"]
    assert painting.scale is None
    assert [tuple(colour) for _, colour in painting.legend] == [tuple(c) for c in painting.pictures[0, 0, :2]]
