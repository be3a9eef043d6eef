"""Preparation survives SIGKILL at any moment: the same call goes on, and the file is that of an undisturbed run."""

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import process_toys
import pytest
from data_toys import LABELS, SIZE, toy_arrays
from full_disk_toys import assert_said_in_words
from published_toys import leftovers

from mtlattack.data import load_dataset, verify
from mtlattack.data.account import Drops
from mtlattack.data.sources.images import Arrays, Header, SourceImage, write_images
from mtlattack.data.writing import DEPTH_LABEL, Label, PreparedWriter
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.files import whole_file

COUNTS = {"train": 3, "test": 2}
HEADER: dict[str, Any] = {"name": "toy", "size": SIZE, "license": "MIT", "citation": "none"}


def write_source(folder: Path) -> Path:
    """A published data set: one file an image, which says what its arrays are drawn from."""
    for split, count in COUNTS.items():
        (folder / split).mkdir(parents=True)
        for k in range(count):
            (folder / split / f"{k}.txt").write_text(str(k + 100 * len(split)))
    (folder / "list.txt").write_text("both splits")
    return folder


def read(path: Path, made: list[Path], drops: Drops) -> Arrays:
    made.append(path)
    return toy_arrays(int(path.read_text()))


def prepare(source: Path, out: Path, made: list[Path] | None = None, labels: dict[str, Label] = LABELS) -> Path:
    """Prepare that data set; `made` collects the files of the images that were read."""
    made = [] if made is None else made
    images = {
        split: [
            SourceImage(f"{split}-{k}", (path,), partial(read, path, made))
            for k, path in enumerate(sorted((source / split).iterdir()))
        ]
        for split in COUNTS
    }
    header, files = Header("toy", "MIT", "none"), [source / "list.txt"]
    return write_images(out, header, images, labels, size=SIZE, root=source, files=files)


def fingerprints(path: Path) -> dict[str, str]:
    return {split: load_dataset(path, split).fingerprint() for split in COUNTS}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_source(tmp_path / "source")


# --- killed


def prepare_and_die(source: Path, out: Path, moment: int) -> None:
    """Prepare, but die at the `moment`-th step that changes the disk: after a data set, before or after a rename."""
    steps = 0

    def counting(function: Callable[..., Any], before: bool) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            nonlocal steps
            result = None if before else function(*arguments, **options)
            steps += 1
            if steps == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options) if before else result

        return counted

    os.replace = counting(counting(os.replace, True), False)
    h5py.Group.create_dataset = counting(h5py.Group.create_dataset, False)
    h5py.File.close = counting(h5py.File.close, True)
    prepare(source, out)


def run(source: Path, out: Path, moment: int) -> int:
    """Exit code of a process that prepares and dies at a moment, or ends before it."""
    process = process_toys.start(prepare_and_die, source, out, moment)
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


@pytest.mark.parametrize("start", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_killed_again_and_again_it_ends_with_the_same_file(start: int, source: Path, tmp_path: Path) -> None:
    """Each run gets a little further than it did before it was killed; no part is ever taken for whole."""
    whole = prepare(source, tmp_path / "whole.h5")
    out = tmp_path / "out" / "x.h5"
    kills = 0
    for moment in range(start, 300, 17):
        code = run(source, out, moment)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        kills += 1
        # The place itself is empty until everything is there.
        assert not out.exists() or fingerprints(out) == fingerprints(whole)
    assert kills >= 4
    assert leftovers(out.parent) == ["x.h5"]
    assert fingerprints(out) == fingerprints(whole) and verify(out, source).ok
    assert out.read_bytes() == whole.read_bytes()


def test_killed_once_nothing_finished_is_made_again(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "x.h5"
    assert run(source, out, 60) == -signal.SIGKILL
    parts = sorted(path.relative_to(out.parent) for path in out.parent.glob(".x.h5.parts/*/*.h5"))
    assert 0 < len(parts) < 5
    made: list[Path] = []
    prepare(source, out, made)
    assert len(made) == 5 - len(parts)


# --- broken off by an error, and what must not be taken over


@pytest.fixture
def broken_off(source: Path, tmp_path: Path) -> Path:
    """A place where the first three images are finished."""
    content = (source / "test" / "0.txt").read_text()
    (source / "test" / "0.txt").write_text("no number")
    with pytest.raises(ValueError, match="no number"):
        prepare(source, tmp_path / "out" / "x.h5")
    (source / "test" / "0.txt").write_text(content)
    return tmp_path / "out" / "x.h5"


def test_it_goes_on_where_it_was(source: Path, broken_off: Path) -> None:
    made: list[Path] = []
    prepare(source, broken_off, made)
    assert [str(path.relative_to(source)) for path in made] == ["test/0.txt", "test/1.txt"]
    assert leftovers(broken_off.parent) == ["x.h5"]


def test_another_image_is_made_again(source: Path, broken_off: Path, tmp_path: Path) -> None:
    (source / "train" / "1.txt").write_text("4711")
    made: list[Path] = []
    prepare(source, broken_off, made)
    assert [str(path.relative_to(source)) for path in made] == ["train/1.txt", "test/0.txt", "test/1.txt"]
    assert fingerprints(broken_off) == fingerprints(prepare(source, tmp_path / "new.h5"))


@pytest.mark.parametrize("what", ["list", "labels", "ids", "version"])
def test_another_plan_starts_anew(what: str, source: Path, broken_off: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    labels, count = dict(LABELS), 5
    if what == "list":
        (source / "list.txt").write_text("others")
    elif what == "labels":
        labels["depth"] = Label("uint16", attributes={"scale": 0.002, "frame": "another"})
    elif what == "ids":
        (source / "train" / "3.txt").write_text("9")
        count = 6
    else:
        monkeypatch.setattr("mtlattack.data.writing.__version__", "99")
    prepare(source, broken_off, made, labels)
    assert len(made) == count


def test_a_damaged_part_is_made_again(source: Path, broken_off: Path) -> None:
    """A kill leaves none, but a full disk or a power cut may."""
    part = next(broken_off.parent.glob(".x.h5.parts/train/0000001.h5"))
    part.write_bytes(part.read_bytes()[:100])
    made: list[Path] = []
    prepare(source, broken_off, made)
    assert source / "train" / "1.txt" in made and verify(broken_off, source).ok


def other_account(part: h5py.File) -> None:
    part.attrs["account"] = "[]"


def other_pixels(part: h5py.File) -> None:
    part["depth"][0, 0] += 1


def a_group(part: h5py.File) -> None:
    part.create_group("more")


def without_an_array(part: h5py.File) -> None:
    del part["depth"]


@pytest.mark.parametrize("spoil", [other_account, other_pixels, a_group, without_an_array])
def test_a_part_that_is_no_longer_what_was_written_is_made_again(
    spoil: Callable[[h5py.File], None], source: Path, broken_off: Path, tmp_path: Path
) -> None:
    with h5py.File(next(broken_off.parent.glob(".x.h5.parts/train/0000001.h5")), "r+") as part:
        spoil(part)
    made: list[Path] = []
    prepare(source, broken_off, made)
    assert source / "train" / "1.txt" in made
    assert fingerprints(broken_off) == fingerprints(prepare(source, tmp_path / "new.h5"))


def test_a_damaged_plan_starts_anew(source: Path, broken_off: Path) -> None:
    (broken_off.parent / ".x.h5.parts" / "train" / "plan.json").write_bytes(b"\xff")
    made: list[Path] = []
    prepare(source, broken_off, made)
    assert len(made) == 5


def test_on_a_full_disk_nothing_is_lost(source: Path, tmp_path: Path) -> None:
    """Without room for the lock, a plan, a part, and the whole."""
    whole, out = prepare(source, tmp_path / "whole.h5"), tmp_path / "out" / "x.h5"
    for largest in (100, 900, 4000, whole.stat().st_size + 60_000):
        assert_said_in_words(lambda: prepare(source, out), largest, tmp_path)
        assert not out.exists()
    made: list[Path] = []
    prepare(source, out, made)
    assert made == [] and out.read_bytes() == whole.read_bytes() and leftovers(out.parent) == ["x.h5"]


def test_one_run_at_a_time(tmp_path: Path) -> None:
    with PreparedWriter(tmp_path / "x.h5", **HEADER):
        with pytest.raises(InputError, match="x.h5"):
            PreparedWriter(tmp_path / "x.h5", **HEADER)


# --- the writer's own checks


def test_arrays_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    good = {"image": np.zeros((*SIZE, 3), np.uint8), "depth": np.zeros(SIZE, np.uint16)}
    cases: list[tuple[dict[str, np.ndarray], str]] = [
        ({"depth": good["depth"]}, "image 'a' of test has no 'image'"),
        ({"image": good["image"]}, "image 'a' of test has no 'depth'"),
        (good | {"dept": good["depth"]}, "unknown label of image 'a' of test: 'dept'; did you mean 'depth'"),
        (
            good | {"depth": good["depth"].astype(int)},
            r"depth of image 'a' of test is int64 \(12, 16\), expected uint16",
        ),
        (good | {"depth": good["depth"][1:]}, r"is uint16 \(11, 16\), expected uint16 \(12, 16\)"),
        (good | {"image": good["image"][..., 0]}, r"is uint8 \(12, 16\), expected uint8 \(12, 16, 3\)"),
    ]
    with pytest.raises(InputError, match="not finished: test lacks 1 of 2 images"):
        with PreparedWriter(tmp_path / "x.h5", **HEADER) as writer:
            writer.add_split("test", ["a", "b"], {"depth": DEPTH_LABEL})
            for arrays, message in cases:
                with pytest.raises(InputError, match=message):
                    writer.write("test", 0, arrays)
            with pytest.raises(InputError, match="image 2 of test, expected 0 to 1"):
                writer.write("test", 2, good)
            with pytest.raises(UnknownNameError, match="'tset'; did you mean 'test'"):
                writer.write("tset", 0, good)
            with pytest.raises(InputError, match="no file .*nowhere"):
                writer.write("test", 0, good, [tmp_path / "nowhere"])
            with pytest.raises(InputError, match="train has the image id 'a' twice"):
                writer.add_split("train", ["a", "b", "a"], {"depth": DEPTH_LABEL})
            with pytest.raises(InputError, match="train has the image id 'im.+', which is no UTF-8; rename its files"):
                writer.add_split("train", ["a", "im\udcff"], {"depth": DEPTH_LABEL})
            writer.write("test", 1, good)
    assert leftovers(tmp_path) == [".x.h5.parts"]


def test_sources_change_no_fingerprint(source: Path, tmp_path: Path) -> None:
    out = prepare(source, tmp_path / "x.h5")
    with_sources = fingerprints(out)
    with h5py.File(out, "a") as file:
        del file["sources"]
    assert fingerprints(out) == with_sources


# --- comparing with the source


def problems(path: Path, source: Path) -> list[str]:
    return [str(problem) for problem in verify(path, source).problems]


def test_changed_sources_are_named(source: Path, tmp_path: Path) -> None:
    out = prepare(source, tmp_path / "x.h5")
    with h5py.File(out) as file:
        assert [x.decode() for x in file["sources"]["split"]] == ["train"] * 4 + ["test"] * 3
        assert file["sources"]["bytes"][:].tolist() == [11, 3, 3, 3, 11, 3, 3]
    (source / "train" / "1.txt").unlink()
    (source / "test" / "1.txt").write_text("401 ")
    (source / "list.txt").write_text("both split_")
    found = problems(out, source)
    assert found[1] == f"train/1.txt is missing in {source}"
    assert found[2] == "test/1.txt has 4 bytes, recorded are 3"
    assert found[0].startswith("list.txt has the SHA-256 ") and "recorded is" in found[0] and len(found) == 3
    report = verify(out, source)
    assert not report.ok and all(split.fingerprint for split in report.splits)
    assert verify(out).ok


def test_records_that_are_missing_or_damaged(source: Path, tmp_path: Path, toy: Path) -> None:
    assert problems(toy, source) == ["no source files are recorded: prepare it anew to compare them"]
    out = prepare(source, tmp_path / "x.h5")
    with pytest.raises(InputError, match="no file or folder .*nowhere"):
        verify(out, tmp_path / "nowhere")
    with h5py.File(out, "a") as file:
        del file["sources"]
        file["sources"] = np.zeros(3)
    assert problems(out, source) == ["sources is no list with the fields split, file, bytes, sha256"]


def test_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as place:
        place.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and leftovers(tmp_path) == ["x.txt"]
    with whole_file(path) as place:
        place.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and leftovers(tmp_path) == ["x.txt"]
