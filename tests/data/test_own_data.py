"""Anybody's images and labels: in every form the batches and hashes of a prepared file; what is refused, in words."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from data_toys import SIZE
from PIL import Image
from torch import Tensor
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
)

from mtlattack.data import PreparedDataset, as_batch, join_batches, labelled_images
from mtlattack.errors import InputError
from mtlattack.tasks import Depth, Normals, PrincipalCurvature, Segmentation, Task

TASKS: dict[str, Task] = {"segmentation": Segmentation(3), "depth": Depth(), "normals": Normals()}
SEGMENTATION = {"segmentation": Segmentation(3)}
COUNT = 4


@pytest.fixture(scope="module")
def prepared(toy: Path) -> PreparedDataset:
    return PreparedDataset(toy, tasks=TASKS, limit=COUNT)


@pytest.fixture(scope="module")
def content(prepared: PreparedDataset) -> "Content":
    return Content(prepared)


class Content:
    """What stands in the prepared file, as somebody may hold it."""

    def __init__(self, prepared: PreparedDataset) -> None:
        whole = join_batches([prepared[place] for place in range(COUNT)])
        self.prepared, self.images, self.targets = prepared, whole.images, whole.targets
        self.levels = (whole.images * 255).round().to(torch.uint8)
        self.arrays = [image.permute(1, 2, 0).numpy() for image in self.levels]
        self.labels = [{name: each[place] for name, each in whole.targets.items()} for place in range(COUNT)]

    def pictures(self) -> list[tuple[Image.Image, dict[str, Any]]]:
        """As files of a folder are read: pictures, class numbers in bytes, depth in double precision, normals last."""
        return [
            (
                Image.fromarray(array),
                {
                    "segmentation": Image.fromarray(label["segmentation"].numpy().astype(np.uint8)),
                    "depth": label["depth"].double().numpy()[..., None],
                    "normals": label["normals"].permute(1, 2, 0),
                    "boxes": None,
                },
            )
            for array, label in zip(self.arrays, self.labels, strict=True)
        ]


class Folder(Dataset[dict[str, Any]]):
    """Items as dicts; the memory of the last image is used again for the next."""

    def __init__(self, content: Content) -> None:
        self.content, self.buffer = content, np.empty_like(content.arrays[0])

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, place: int) -> dict[str, Any]:
        self.buffer[:] = self.content.arrays[place]
        return {"image": self.buffer, **self.content.labels[place]}


class Named(Folder):
    name, split, ids = "my-rooms", "val", ["d", "c", "b", "a"]


def stacked(items: list[dict[str, Any]]) -> tuple[Tensor, dict[str, Tensor]]:
    images = torch.stack([torch.from_numpy(item["image"].copy()).permute(2, 0, 1) for item in items]) / 255
    return images, {name: torch.stack([item[name] for item in items]) for name in TASKS}


FORMS: dict[str, Callable[[Content], Any]] = {
    "pairs": lambda c: list(zip(c.images, c.labels, strict=True)),
    "pairs of bytes": lambda c: list(zip(c.levels, c.labels, strict=True)),
    "pairs of arrays": lambda c: tuple(zip(c.arrays, c.labels, strict=True)),
    "pictures": Content.pictures,
    "stacked": lambda c: (c.images, c.targets),
    "stacked arrays": lambda c: (np.stack(c.arrays), {name: each.numpy() for name, each in c.targets.items()}),
    "stacked levels as floats": lambda c: (c.levels.float(), c.targets),
    "stacked doubles": lambda c: [c.levels.double() / 255, c.targets],
    "a list of pictures, stacked labels": lambda c: ([picture for picture, _ in c.pictures()], c.targets),
    "a dict": lambda c: {"image": np.stack(c.arrays), **c.targets},
    "a data set of dicts": Folder,
    "a loader": lambda c: DataLoader(Folder(c), batch_size=3),
    "a shuffled loader": lambda c: DataLoader(Folder(c), batch_size=3, shuffle=True),
    "a loader of another collate_fn": lambda c: DataLoader(Folder(c), batch_size=2, collate_fn=stacked),
    "a loader that drops nothing": lambda c: DataLoader(Folder(c), batch_size=2, drop_last=True),
    "parts put together": lambda c: ConcatDataset([Subset(Folder(c), [0]), Subset(Folder(c), [1, 2, 3])]),
    "a part of a prepared file": lambda c: Subset(c.prepared, range(COUNT)),
    "a loader of a prepared file": lambda c: DataLoader(c.prepared, 3, collate_fn=join_batches),
}


@pytest.mark.parametrize("form", FORMS)
def test_in_every_form_the_same_bits_and_hashes(form: str, content: Content) -> None:
    prepared, data = content.prepared, labelled_images(FORMS[form](content), TASKS)
    assert (len(data), data.size, data.tasks) == (COUNT, SIZE, TASKS)
    identity, expected = data.identify(), prepared.identify()
    own = "prepared" not in form
    assert data.ids == (["0", "1", "2", "3"] if own else prepared.ids)
    digests = expected.digests | ({"id": identity.digests["id"]} if own else {})
    assert identity.digests == digests
    for place in range(COUNT):
        one, other = data[place], prepared[place]
        assert torch.equal(one.images, other.images) and one.images.dtype == torch.float32
        for name, target in other.targets.items():
            assert torch.equal(one.targets[name], target) and one.targets[name].dtype == target.dtype
    batches = zip(data.label_batches("depth", 3), prepared.label_batches("depth", 3), strict=True)
    assert all(torch.equal(*pair) for pair in batches)
    assert labelled_images(data, TASKS) is data and labelled_images(prepared, TASKS) is prepared


def test_names_are_those_that_a_data_set_has(content: Content) -> None:
    data = labelled_images(DataLoader(Named(content)), TASKS)
    assert (data.name, data.split, data.ids) == ("my-rooms", "val", Named.ids)
    part = labelled_images(Subset(Named(content), [3, 1]), TASKS)
    assert part.ids == ["a", "c"] and part[0].ids == ["a"]
    plain = labelled_images(Folder(content), TASKS)
    assert (plain.name, plain.split) == ("Folder", "all")
    assert plain.identify().fingerprint != data.identify().fingerprint


def test_a_whole_file_has_the_same_fingerprint(toy: Path) -> None:
    """Where its labels are all that it holds and stand at default steps, ids and all."""
    copy = toy.with_name("three.h5")
    with h5py.File(toy, locking=False) as source, h5py.File(copy, "w") as file:
        file.attrs.update(source.attrs)
        for name in ("id", "image", *TASKS):
            source.copy(f"test/{name}", file.require_group("test"))
    data = PreparedDataset(copy)
    assert labelled_images(Subset(data, range(len(data))), data.tasks).identify() == data.identify()


def test_labels_of_one_task_may_stand_alone(content: Content) -> None:
    masks = content.targets["segmentation"]
    for data in (
        TensorDataset(content.images, masks),
        (content.levels, masks),
        list(zip(content.arrays, masks, strict=True)),
    ):
        batch = labelled_images(data, SEGMENTATION)[2]
        assert torch.equal(batch.targets["segmentation"], masks[2:3]) and torch.equal(batch.images, content.images[2:3])


def test_what_no_file_holds_exactly_is_hashed_as_it_is(content: Content) -> None:
    """No image or label is rounded to be hashed: the least change is another content."""
    images = content.images * 0.999
    tasks: dict[str, Task] = {"depth": Depth(), "principal_curvature": PrincipalCurvature()}
    bent = torch.randn(COUNT, 2, *SIZE)

    def digests(images: Tensor, depth: Tensor, bent: Tensor) -> dict[str, str]:
        return labelled_images((images, {"depth": depth, "principal_curvature": bent}), tasks).identify().digests

    before = digests(images, content.targets["depth"], bent)
    images[0, 0, 0, 0] += 1e-6
    bent[3, 1, 2, 2] += 1e-6
    after = digests(images, content.targets["depth"], bent)
    assert {name for name in before if before[name] != after[name]} == {"image", "principal_curvature"}


def test_labels_that_are_not_there_are_left_out_and_named(content: Content) -> None:
    data = labelled_images([(content.images[0], {"depth": content.labels[0]["depth"], "boxes": 3})], TASKS)
    assert list(data.tasks) == ["depth"] and data.labels == ["depth", "boxes"]
    with pytest.raises(InputError, match="unknown label of own-images: 'normals'"):
        data.label_batches("normals")


def test_a_batch_is_made_of_stacked_things(content: Content) -> None:
    batch = as_batch(content.arrays, {name: each.numpy() for name, each in content.targets.items()}, TASKS)
    assert torch.equal(batch.images, content.images) and batch.ids == ["0", "1", "2", "3"]


# --- what is refused


class Endless(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(())


class Chance(Folder):
    def __getitem__(self, place: int) -> dict[str, Any]:
        return {"image": torch.rand(3, *SIZE), **self.content.labels[place]}


class Twice(Folder):
    ids = ("a", "b", "a", "c")


def images_as(change: Callable[[Tensor], Any]) -> Callable[[Content], Any]:
    return lambda c: [(change(image), label) for image, label in zip(c.images, c.labels, strict=True)]


def label_as(name: str, change: Callable[[Tensor], Any]) -> Callable[[Content], Any]:
    return lambda c: [
        (image, label | {name: change(label[name])}) for image, label in zip(c.images, c.labels, strict=True)
    ]


REFUSED: dict[str, tuple[Callable[[Content], Any], str]] = {
    "a name": (lambda c: "rooms", "the data is 'rooms', expected .*; load_dataset\\('rooms'\\) opens prepared data"),
    "nothing": (lambda c: None, "the data is None, expected prepared data, a data set or a list of \\(image, labels"),
    "images alone": (lambda c: c.images, r"the data is a Tensor of shape \(4, 3, 12, 16\), expected"),
    "a generator": (lambda c: iter([]), "the data is a list_iterator, expected"),
    "no image": (lambda c: [], "the data is a list of 0 without an image"),
    "what is read in a row": (lambda c: Endless(), "Endless is read in a row alone, expected a data set with"),
    "a loader of that": (lambda c: DataLoader(Endless()), "Endless is read in a row alone"),
    "draws": (
        lambda c: DataLoader(Folder(c), sampler=WeightedRandomSampler([1.0] * COUNT, COUNT)),
        "the DataLoader draws images by WeightedRandomSampler, expected each once: give the data set, or a torch",
    ),
    "draws with replacement": (
        lambda c: DataLoader(Folder(c), sampler=RandomSampler(Folder(c), replacement=True)),
        "draws images by RandomSampler, expected each once",
    ),
    "drops": (
        lambda c: DataLoader(Folder(c), batch_size=3, drop_last=True),
        r"leaves out the last 1 of 4 images \(drop_last=True\), expected all: give the data set",
    ),
    "an id twice": (Twice, "a Twice has the image id 'a' twice"),
    "three things": (
        lambda c: TensorDataset(c.images, c.targets["depth"], c.targets["normals"]),
        r"image '0' of TensorDataset is a tuple of 3, expected \(image, labels by task\) or a dict with 'image'",
    ),
    "labels of which task": (
        lambda c: TensorDataset(c.images, c.targets["depth"]),
        "the labels of image '0' of TensorDataset are a Tensor, expected them by task: segmentation, depth, normals",
    ),
    "another key": (lambda c: [{"img": c.images[0]}], "unknown key of image '0' of own-images: 'image'; did you me"),
    "fewer labels": (
        lambda c: (c.images, {"depth": c.targets["depth"][:3]}),
        r"depth is a Tensor of shape \(3, 12, 16\), expected one for each of the 4 images",
    ),
    "normalised": (
        images_as(lambda x: (x - 0.5) / 0.2),
        r"image '0' of own-images has values from -2.\d+ to 2.\d+, expected \[0, 1\], or .* look normalised, which `wr",
    ),
    "NaN": (images_as(lambda x: x * torch.nan), "image '0' of own-images has values from nan to nan, expected"),
    "levels and between": (images_as(lambda x: x * 250.3), "values from .* that are not whole, expected .*: give"),
    "beyond bytes": (images_as(lambda x: (x * 65535).int()), "values from .* expected .* whole numbers from 0 to 255"),
    "two ranges": (
        lambda c: [(c.images[0], c.labels[0]), (c.levels[1].float(), c.labels[1])],
        "image '1' of own-images has values from 0 to 25., the first one in .0, 1., expected one range for all",
    ),
    "two ranges, bytes first": (
        lambda c: [(c.levels[0], c.labels[0]), (c.images[1], c.labels[1])],
        r"image '1' of own-images has values from 0 to [01.\d]+ that are not whole",
    ),
    "grey": (images_as(lambda x: x[:1]), r"image '0' of own-images has shape \(1, 12, 16\), expected \(3, H, W\) or"),
    "either way": (images_as(lambda x: x[:, :, :3]), r"shape \(3, 12, 3\), which may be \(3, H, W\) or \(H, W, 3\)"),
    "with alpha": (
        lambda c: [(Image.fromarray(c.arrays[0]).convert("RGBA"), c.labels[0])],
        "image '0' of own-images is a picture of mode 'RGBA', expected RGB, or for labels one of L",
    ),
    "an image that is none": (images_as(lambda x: "x.png"), "image '0' of own-images is 'x.png', expected a tensor"),
    "two sizes": (
        lambda c: [(c.images[0], c.labels[0]), (c.images[1, :, :8], c.labels[1])],
        r"image '1' of own-images is \(8, 16\), the first one \(12, 16\): expected one size",
    ),
    "a label of another size": (
        label_as("depth", lambda x: x[:8]),
        r"depth of image '0' of own-images has shape \(8, 16\), expected \(12, 16\) as its image has",
    ),
    "a label that comes and goes": (
        lambda c: [(c.images[0], c.labels[0]), (c.images[1], {"depth": c.labels[1]["depth"]})],
        "unknown label of image '1' of own-images: 'segmentation'",
    ),
    "classes between": (
        label_as("segmentation", lambda x: x / 10),
        r"segmentation of image '0' of own-images is float32, expected a class a pixel \(it holds 25.5\)",
    ),
    "classes as truth": (label_as("segmentation", lambda x: x > 1), "is bool, expected a class a pixel"),
    "millimetres, perhaps": (
        label_as("depth", lambda x: (x * 1000).int()),
        "depth of image '0' of own-images is int32, expected floating-point numbers in the task's unit",
    ),
    "classes": (
        label_as("segmentation", lambda x: torch.where(x == 2, 3, x)),
        "own-images: segmentation has class 3, expected 0 to 2 or 255, in images '0', '1', '2', '3'$",
    ),
    "several faults": (
        lambda c: [
            (
                c.images[k],
                {"depth": c.labels[k]["depth"] - 9, "normals": (1 + k // 2) * c.labels[k]["normals"]},
            )
            for k in (0, 1, 2, 3, 0, 1)
        ],
        "own-images: depth has the value -.*, in images '0', '1', '2', '3', '4' and 1 more; normals has a normal of "
        r"length [12].\d+, expected 1, or 0 or NaN for none, in images '2', '3'$",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_could_be_taken_two_ways_or_none_is_refused(case: str, content: Content) -> None:
    make, message = REFUSED[case]
    with pytest.raises(InputError, match=message):
        labelled_images(make(content), TASKS).identify()


def test_an_item_that_is_another_each_time_is_found_out(content: Content) -> None:
    data = labelled_images(Chance(content), TASKS)
    data.identify()
    with pytest.raises(
        InputError, match="image '0' of Chance is another one than when it was first read: expected a data set"
    ):
        data[0]


def test_what_is_not_hashed_is_checked_where_it_is_read(content: Content) -> None:
    """As by `craft`, which needs no hash."""
    data = labelled_images(label_as("segmentation", lambda x: x * 0 + 7)(content), TASKS)
    with pytest.raises(InputError, match="own-images: segmentation has class 7, expected 0 to 2 or 255, in image '2'"):
        data[2]


def test_prepared_labels_that_are_none_are_named_by_their_images(copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        file["test/segmentation"][1, 5, 5] = file["test/segmentation"][3, 5, 5] = 3
        file["test/normals"][2, 5, 5] = (9, 9, 9)
        file["test/reshading"][0, 0, 0] = 300
    data = PreparedDataset(copy, tasks={"segmentation": Segmentation(3), "normals": Normals()})
    expected = (
        "segmentation has class 3, expected 0 to 2 or 255, in images 'test-1', 'test-3'; normals has a normal of length"
    )
    with pytest.raises(InputError, match=rf"copy.h5: test: {expected} 0.123, expected 1 or 0, in image 'test-2'$"):
        data.identify()
    assert PreparedDataset(copy, tasks={"depth": Depth()}).identify()  # What nobody asks for is nobody's fault.
