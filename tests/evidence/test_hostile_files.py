"""HDF5 files from strangers: what is in them is looked at before it is believed. Each case was found by fuzzing."""

import json
import lzma
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from test_merging import IMAGES, write

from mtlattack.analysis.run import read_run
from mtlattack.campaigns.description import load_campaign
from mtlattack.data import load_dataset, write_rooms
from mtlattack.errors import InputError
from mtlattack.evaluation import load_suite
from mtlattack.evaluation.keeping import ImageFile
from mtlattack.evidence import read_evidence
from mtlattack.evidence.packing.sealed import unseal
from mtlattack.models import load_checkpoint
from mtlattack.tasks import Depth
from mtlattack.training import load_recipe

Spoil = Callable[[h5py.File], object]


def as_another(name: str, **made: object) -> Spoil:
    """An array of another type or shape in the place of one."""

    def spoil(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, **made)

    return spoil


def link(name: str, to: h5py.SoftLink | h5py.ExternalLink) -> Spoil:
    def spoil(file: h5py.File) -> None:
        del file[name]
        file[name] = to

    return spoil


def planned(**changes: object) -> Spoil:
    return lambda file: file.attrs.modify("plan", json.dumps(json.loads(file.attrs["plan"]) | changes))


def shown(**changes: object) -> Spoil:
    """What the first calls of the model have shown."""
    calls = {"images": 2, "again": 0.0, "alone": None, "without_gradient": [], "looks": None} | changes
    return lambda file: file.attrs.modify("environment", json.dumps({"calls": calls}))


def elsewhere(name: str, **to: object) -> Spoil:
    """An array of the same type and shape that lies in another file."""

    def spoil(file: h5py.File) -> None:
        kind, shape = file[name].dtype, file[name].shape
        del file[name]
        file.create_dataset(name, shape, kind, **to)

    return spoil


def through_another(file: h5py.File) -> None:
    """The same values, in a file beside it."""
    other = Path(file.filename).with_name("other.h5")
    with h5py.File(other, "w") as beside:
        file.copy("clean", beside)
    link("clean", h5py.ExternalLink(str(other), "/clean"))(file)


def long_texts(file: h5py.File) -> None:
    """Ids that all are one long text in the file."""
    ids = file["id"]
    place, size = ids.id.get_offset(), len(ids)
    ids[0] = "x" * 60_000
    file.flush()
    with Path(file.filename).open("r+b") as raw:
        raw.seek(place)
        first = raw.read(16)
        raw.seek(place)
        raw.write(first * size)


def unwritten(name: str, images: int) -> Spoil:
    """As many images as one likes, of which nothing is stored."""

    def spoil(file: h5py.File) -> None:
        kind, shape, attributes = file[name].dtype, file[name].shape, dict(file[name].attrs)
        del file[name]
        file.create_dataset(name, (images, *shape[1:]), kind, chunks=True).attrs.update(attributes)

    return spoil


def as_a_group(file: h5py.File) -> None:
    del file["clean/losses"]
    file.create_group("clean/losses")


bomb = as_another("clean/done", shape=(2**30, 2**20), dtype="u1", chunks=True, compression="gzip")


def spoiled_value(file: h5py.File) -> None:
    file["attacks/0000/perturbation"][0, 0] = np.inf


SPOILED: dict[str, tuple[Spoil, str]] = {
    "a group": (as_a_group, "losses is missing, or no array"),
    "texts": (as_another("clean/losses", data=["x"] * 4), "clean/losses is object"),
    "no image": (as_another("clean/losses", data=np.zeros((0, 1), "f4")), "expected floats"),
    "a bomb": (bomb, "expected unsigned"),
    "a bomb of the right type": (unwritten("clean/done", IMAGES), "claims 7 bytes, of which 0 are stored"),
    "a bomb of ids": (unwritten("id", 2**40), "id claims .* bytes, of which 0 are stored"),
    "one text for all ids": (long_texts, "id claims 420,000 bytes of text, more than the file has"),
    "values of another file": (through_another, "clean lies in another file"),
    "bytes of another file": (
        elsewhere("clean/done", external=[("/etc/passwd", 0, 100)]),
        "clean/done lies in other files",
    ),
    "a link to itself": (link("clean/done", h5py.SoftLink("/clean/done")), "is damaged"),
    "a link elsewhere": (link("clean", h5py.ExternalLink("/etc/passwd", "/")), "is damaged"),
    "not finite": (spoiled_value, "attacks/0000/perturbation holds values that are not finite"),
    "no plan": (lambda f: f.attrs.modify("plan", "[" * 100_000), "attribute plan is no JSON"),
    "plan of another kind": (lambda f: f.attrs.modify("plan", "3"), "attribute plan is no JSON object"),
    "an attack without a threat": (planned(attacks=[{"config": {"name": "x"}}]), "config.norm: Field required"),
    "a batch size that is none": (planned(batch_size="x"), "plan.batch_size: Input should be"),
    "first calls that show no numbers": (shown(looks={"depth": "x"}), "environment.calls.looks.depth: Input should be"),
    "first calls without a number": (shown(again="0.1"), "environment.calls.again: Input should be"),
    "no model": (planned(model=None), "plan.model: Input should be"),
    "members that are not": (
        planned(ensembles=[{"name": "e", "norm": "l2", "eps": 0.1, "members": [7]}]),
        "e has members that are no",
    ),
    "version": (lambda f: f.attrs.create("format_version", h5py.Empty("f")), "version None, expected"),
    "an id that is no text": (as_another("id", data=np.arange(4)), "id is missing, or no list of texts"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_what_is_wrong_is_said(case: str, tmp_path: Path) -> None:
    spoil, message = SPOILED[case]
    path = write(tmp_path, "1/1")
    with h5py.File(path, "r+") as file:
        spoil(file)
    with pytest.raises(InputError, match=message) as caught:
        read_evidence(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_kind_of_task_that_is_not_known_here_damages_nothing(tmp_path: Path) -> None:
    """The module that registers it was not given."""
    path, data = write(tmp_path, "1/1"), write_rooms(tmp_path / "rooms.h5", "test", 1)
    with h5py.File(path, "r+") as file:
        planned(tasks=[{"kind": "pose"}])(file)
    with h5py.File(data, "r+") as file:
        file.move("test/depth", "test/pose")
    told = "unknown task 'pose'; known: .*; of a kind of your own give the module with --plugin or "
    with pytest.raises(InputError, match=f"^{path}: {told}"):
        read_evidence(path)
    with pytest.raises(InputError, match=f"has no label for Depth.*; {told}"):
        load_dataset(data, tasks={"depth": Depth()})


def test_a_heap_in_which_hdf5_would_look_for_ever_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "1/1")
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    content[heap + 16 : heap + 32] = bytes(16)
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged: a list of texts in it does not end"):
        read_evidence(path)


def test_a_text_of_a_kind_that_hdf5_dies_over_is_refused(tmp_path: Path) -> None:
    """One byte: a sequence of characters that says that it is neither a sequence nor a text."""
    path = write(tmp_path, "1/1")
    text, neither = bytes([0x19, 1, 1, 0]), bytes([0x19, 9, 1, 0])
    content = path.read_bytes()
    assert text in content
    path.write_bytes(content.replace(text, neither))
    with pytest.raises(
        InputError, match=r"evidence.h5 is damaged \(attribute format holds neither numbers nor texts\)"
    ):
        read_evidence(path)


def test_a_plan_need_not_name_a_suite(tmp_path: Path) -> None:
    path = write(tmp_path, "1/1")
    with h5py.File(path, "r+") as file:
        plan = {name: x for name, x in json.loads(file.attrs["plan"]).items() if name not in ("suite", "batch_size")}
        file.attrs.modify("plan", json.dumps(plan))
    assert read_run(path).report().record.suite is None
    with h5py.File(path, "r+") as file:
        planned(preparation={"search": "float8"})(file)
    with pytest.raises(InputError, match="the evidence's record: search_precision: Input should be") as caught:
        read_run(path).report()
    assert "\n" not in str(caught.value)


def test_what_a_checkpoint_says_of_itself_does_not_break_the_line(tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "\n", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(InputError, match="is truncated or no safetensors file") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)
    told = {"__metadata__": {"mtlattack": "{}"}, "a": {"dtype": "\n", "shape": [1], "data_offsets": [0, 4]}}
    header = json.dumps(told).encode()
    with pytest.raises(InputError, match="this holds no safetensors") as caught:
        unseal(lzma.compress(struct.pack("<Q", len(header)) + header + bytes(4), check=lzma.CHECK_CRC64))
    assert "\n" not in str(caught.value)


def test_a_message_that_repeats_something_endless_is_short() -> None:
    text = str(InputError(f"classes is {'x' * 100_000}, expected a number"))
    assert len(text) < 2000 and text.startswith("classes is xxx") and text.endswith("xxx, expected a number")


@pytest.mark.parametrize("load", [load_suite, load_recipe, lambda name: load_campaign(Path(name))])
def test_a_description_nested_without_end_is_refused(load: Callable[[str], object], tmp_path: Path) -> None:
    path = tmp_path / "deep.toml"
    path.write_text("a = " + "[" * 100_000)
    with pytest.raises(InputError, match="deep.toml: it is nested too deeply"):
        load(str(path))


def refused(path: Path, load: Callable[[Path], object], spoils: list[tuple[Spoil, str]]) -> None:
    """A copy of the file, spoiled, is refused with the message; each spoil by itself."""
    for number, (spoil, message) in enumerate(spoils):
        copy = Path(shutil.copy(path, path.with_name(f"{number}.h5")))
        with h5py.File(copy, "r+") as file:
            spoil(file)
        with pytest.raises(InputError, match=message):
            load(copy)


def test_links_and_strangers_in_prepared_data(tmp_path: Path) -> None:
    path = write_rooms(tmp_path / "rooms.h5", "test", 1)
    spoils: list[tuple[Spoil, str]] = [
        (link("test/depth", h5py.SoftLink("/test/depth")), "is damaged"),
        (link("test/normals", h5py.ExternalLink("/etc/passwd", "/")), "is damaged"),
        (lambda file: file["test"].create_group("depth2"), "is damaged: /test/depth2 is no array"),
        (lambda file: file.attrs.create("height", np.inf), "attribute height is 'inf', expected a number of pixels"),
        (lambda file: file["test/segmentation"].attrs.create("classes", np.inf), "attribute 'classes' is 'inf', exp"),
    ]
    refused(path, load_dataset, spoils)


def test_what_is_wrong_with_images_is_said(tmp_path: Path) -> None:
    path = tmp_path / "images.h5"
    with h5py.File(path, "w") as file:
        file.attrs.update(format="mtlattack-images", format_version=1)
        file["id"] = ["a"]
        group = file.create_group("attacks/0000")
        group.attrs["config"] = json.dumps({"name": "mine", "norm": "linf", "eps": 0.1})
        group["images"] = np.zeros((1, 3, 4, 4), "f4")
    assert ImageFile(path).ids == ["a"]
    spoils: list[tuple[Spoil, str]] = [
        (lambda file: file.attrs.create("plan", "{"), "attribute plan is no JSON"),
        (lambda file: file["attacks/0000"].create_group("noted"), "noted is missing, or no array"),
        (lambda file: file["attacks/0000"].create_dataset("done", data=["x"]), "done is object"),
        (link("attacks/0000/images", h5py.SoftLink("/nowhere")), "images is missing, or no array"),
        (lambda file: file["attacks"].create_dataset("0001", data=1), "attacks/0001 is missing, or no group"),
    ]
    refused(path, ImageFile, spoils)
