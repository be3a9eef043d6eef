"""What no program can help, a full disk or no memory, is said in one line, and nothing that was there is lost."""

import errno
import sys
from pathlib import Path

import pytest
from cli_toys import CommandLine

from mtlattack import files

KEPT = "; what is finished is kept, the same command goes on from there"
FAULTS: dict[str, tuple[Exception, str]] = {
    "full disk": (OSError(errno.ENOSPC, "No space left on device", "x"), "[Errno 28] No space left on device: 'x'"),
    "read-only": (OSError(errno.EROFS, "Read-only file system", "x"), "[Errno 30] Read-only file system: 'x'"),
    "not allowed": (PermissionError(errno.EACCES, "Permission denied", "x"), "[Errno 13] Permission denied: 'x'"),
    "a file as a folder": (
        NotADirectoryError(errno.ENOTDIR, "Not a directory", "x"),
        "[Errno 20] Not a directory: 'x'",
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

    for place in ("pathlib.Path.write_text", "os.replace"):
        with monkeypatch.context() as patched:
            patched.setattr(place, full)
            with pytest.raises(OSError, match="No space left"):
                files.write_json(path, {"new": 2})
        assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
