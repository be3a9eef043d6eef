"""What no program can help, a full disk or no memory, is said in one line, and nothing that was there is lost."""

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cli_toys import CommandLine
from cli_toys import files as contents
from full_disk_toys import assert_said_in_words, full_disk
from matplotlib.figure import Figure

from mtlattack import commit, files
from mtlattack.figures import save_figure

KEPT = "; what is finished is kept, the same command goes on from there"
FAULTS: dict[str, tuple[Exception, str]] = {
    "full disk": (OSError(errno.ENOSPC, "No space left on device", "x"), "[Errno 28] No space left on device: 'x'"),
    "read-only": (OSError(errno.EROFS, "Read-only file system", "x"), "[Errno 30] Read-only file system: 'x'"),
    "not allowed": (PermissionError(errno.EACCES, "Permission denied", "x"), "[Errno 13] Permission denied: 'x'"),
    "a file as a folder": (
        NotADirectoryError(errno.ENOTDIR, "Not a directory", "x"),
        "[Errno 20] Not a directory: 'x'",
    ),
    "a name that is too long": (
        OSError(errno.ENAMETOOLONG, "File name too long", "x"),
        f"[Errno {errno.ENAMETOOLONG}] File name too long: 'x'",
    ),
    "memory": (MemoryError(), "out of memory (no more is given); a smaller --batch-size takes less"),
    "numpy's memory": (
        MemoryError("Unable to\nallocate"),
        "out of memory (Unable to allocate); a smaller --batch-size",
    ),
    "torch's memory": (
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        "out of memory (DefaultCPUAllocator: can't allocate memory",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_in_one_line(fault: str, cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    error, message = FAULTS[fault]

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(sys.modules["mtlattack.cli.main"], "_run", fail)
    said = cli.bad("layout")
    assert said.startswith(message) and said.endswith(KEPT)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["run", "--out", ""], "--out"), (["run", "--out="], "--out"), (["", "x"], "mtlattack"), (["show", ""], "show")],
)
def test_nothing_where_something_is_wanted(arguments: list[str], named: str, cli: CommandLine) -> None:
    assert cli.bad(*arguments) == f"what follows {named} is empty: is a variable not set?"


@pytest.mark.parametrize("is_folder", [True, False])
def test_a_record_that_is_not_ours_stays(is_folder: bool, cli: CommandLine, rooms: Path, checkpoint: Path) -> None:
    place = Path("out/record.json")
    place.parent.mkdir()
    place.mkdir() if is_folder else place.write_text("mine")
    command = ("run", "--model", checkpoint, "--data", rooms, "--limit", 1, "--attacks", "none", "--out", "out")
    assert cli.bad(*command) == "out/record.json is there and is of no run of this folder; choose another --out"
    assert is_folder or place.read_text() == "mine"


def test_names_that_are_no_utf8(cli: CommandLine, rooms: Path, checkpoint: Path) -> None:
    out = os.fsdecode(b"\xff\xfe")
    command = ("run", "--model", checkpoint, "--data", rooms, "--limit", 1, "--attacks", "none", "--device", "cpu")
    ran = cli(*command, "--out", out)
    assert ran.code == 0 and "xff" in json.loads((Path(out) / "record.json").read_text())["environment"]["command"]


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "No such file", "x"), RuntimeError("x"), KeyError()])
def test_other_errors_are_not_hidden(error: Exception, cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise error

    monkeypatch.setattr(sys.modules["mtlattack.cli.main"], "_run", fail)
    with pytest.raises(type(error)):
        cli("layout")


def test_a_disk_that_is_full_at_any_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json"
    files.write_json(path, {"old": 1})
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for place in ("pathlib.Path.write_bytes", "os.replace"):
        with monkeypatch.context() as patched:
            patched.setattr(place, full)
            with pytest.raises(OSError, match="No space left"):
                files.write_json(path, {"new": 2})
        assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_picture_that_the_disk_takes_in_part_is_as_it_was(tmp_path: Path) -> None:
    figure = Figure()
    for kind in ("png", "svg"):
        path = save_figure(figure, tmp_path / f"x.{kind}", metadata={"Title": "old"})
        before = path.read_bytes()
        assert_said_in_words(lambda to=path: save_figure(figure, to), 100, tmp_path)  # type: ignore[misc]
        assert path.read_bytes() == before


def test_looking_at_the_commit_leaves_the_checkout_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full would leave the lock of git's index behind."""
    source = tmp_path / "mtlattack" / "x.py"
    source.parent.mkdir()
    source.write_text("")
    identity = ["-c", "user.name=x", "-c", "user.email=x@y"]
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    os.utime(source, (0, 0))  # so that git would note another time
    before = contents(tmp_path / ".git")
    monkeypatch.setattr(commit, "ROOT", tmp_path)
    with full_disk(10):
        assert re.fullmatch("[0-9a-f]{12}", commit.describe_commit.__wrapped__())
    assert contents(tmp_path / ".git") == before


def test_a_run_that_the_disk_has_no_room_for(cli: CommandLine, rooms: Path, checkpoint: Path) -> None:
    """Neither for its lock, nor for its evidence, nor for its record."""
    base = ["--model", checkpoint, "--data", rooms, "--device", "cpu", "--limit", 1, "--batch-size", 1]
    run = ["run", *base, "--attacks", "fgsm-total", "--out", "out"]
    for largest, place in ((100, "cannot lock out in"), (3000, "cannot write out/evidence.h5")):
        with full_disk(largest):
            said = cli.bad(*run)
        assert said.startswith(place) and "File too large" in said and not contents(Path("out"))
    table, whole = cli.good(*run), contents(Path("out"))
    Path("out/record.json").unlink()
    with full_disk(2000):
        said = cli.bad(*run)
    assert said == f"[Errno 27] File too large: 'out/record.json'{KEPT}"
    assert contents(Path("out")) == {"evidence.h5": whole["evidence.h5"]}
    assert cli.good(*run) == table and contents(Path("out")) == whole


def test_images_that_the_disk_has_no_room_for(cli: CommandLine, rooms: Path, checkpoint: Path) -> None:
    base = ["--model", checkpoint, "--data", rooms, "--device", "cpu", "--limit", 1, "--batch-size", 1]
    craft = ["craft", *base, "--attacks", "fgsm-total", "--out", "out/images.h5"]
    with full_disk(3000):
        said = cli.bad(*craft)
    assert said.startswith("cannot write out/images.h5 ([Errno 27] File too large") and not contents(Path("out"))
