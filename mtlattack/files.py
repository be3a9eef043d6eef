"""Writing files whole or not at all, so that a kill at any moment leaves the old one or the new one."""

import hashlib
import itertools
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mtlattack.errors import InputError, one_line

_SEAL = "sha256"
_BEFORE = re.compile(r"before-\d+")


def file_name(text: str) -> str:
    """A text as the name of a file or folder: what may not stand in one becomes `_`."""
    return re.sub(r"[^\w.-]+", "_", text)


def set_aside(folder: Path, names: Iterable[str] | None = None) -> Path | None:
    """Move what an earlier run left in `folder` to its `before-1`, or the next free number, and say so in one line on
    standard error: hours may be in it. `names` are the files and folders that belong to it, by default all.

    The new folder, where the same commands find it; None where there was nothing. InputError if it cannot be moved.
    """
    there = sorted(path for path in folder.iterdir() if not _BEFORE.fullmatch(path.name)) if folder.is_dir() else []
    moved = there if names is None else [path for path in there if path.name in set(names)]
    if not moved:
        return None
    place = next(place for n in itertools.count(1) if not (place := folder / f"before-{n}").exists())
    try:
        place.mkdir()
        for path in moved:
            path.rename(place / path.name)
    except OSError as error:
        raise InputError(f"cannot keep what is in {folder} ({error}); choose another --out") from None
    print(f"what was in {folder} is kept in {place}", file=sys.stderr)
    return place


def write_whole(path: Path, text: str) -> None:
    """Write a text file whole or not at all, in UTF-8; an OSError names it."""
    write_whole_bytes(path, text.encode())


def write_whole_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file whole or not at all; an OSError names it."""
    with whole_file(path) as partial:
        try:
            partial.write_bytes(content)
        except OSError as error:
            error.filename = str(path)  # The system names what it opens, and not what it writes to.
            raise


def write_json(path: Path, document: Any) -> None:
    """Write a JSON file whole or not at all, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(document, indent=1) + "\n")


def json_value(text: str | bytes) -> Any:
    """What a JSON text says; ValueError for what is none, and for what is nested without end."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: Path, remedy: str = "") -> Any:
    """What a JSON file says; InputError, with what to do about it, for one that cannot be read."""
    try:
        return json_value(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is damaged or no JSON ({one_line(error)}){remedy}") from None


def write_sealed(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON object of which `read_sealed` can tell whether it is still what was written."""
    write_json(path, {**document, _SEAL: _digest(document)})


def read_sealed(path: Path) -> dict[str, Any] | None:
    """The JSON object that `write_sealed` wrote; None where there is none, or where anything in it is another."""
    try:
        document = json_value(path.read_bytes())
        same = isinstance(document, dict) and document.pop(_SEAL, None) == _digest(document)
    except (OSError, ValueError):
        return None
    return document if same else None


def _digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of what is read where it is written."""
    read = json.loads(json.dumps(document))
    return hashlib.sha256(json.dumps(read, sort_keys=True).encode()).hexdigest()


def write_section(path: Path, name: str, made_by: str, text: str) -> None:
    """Replace what stands in a text file between `<!-- name: made by … -->` and `<!-- /name -->`; InputError if it has
    not both in this order."""
    begin, end = f"<!-- {name}: made by {made_by} -->", f"<!-- /{name} -->"
    before, found, rest = path.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise InputError(f"{path} has no section from {begin} to {end}")
    write_whole(path, f"{before}{begin}\n{text}{end}{after}")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A place beside `path` to write to; it replaces `path` when the block ends, and is removed if that raises.

    One name for all processes: what a killed one left behind is overwritten.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def check_same_plan(path: Path, what: str, stored: Any, plan: Mapping[str, Any]) -> None:
    """InputError names in what the plan of a run (or `what` it is) that is `stored` at a path differs from `plan`: in
    everything, where that is no object."""
    known = stored if isinstance(stored, Mapping) else {}
    other = [key for key, value in plan.items() if key not in known or known[key] != value]
    if other:
        raise InputError(
            f"{path} holds another {what} (other {', '.join(other)}); start anew with --fresh or choose another --out"
        )


def check_room(path: Path, size: int) -> None:
    """OSError unless a file of `size` bytes can be written at `path`, where nothing is left.

    For a library that does not survive a full disk: HDF5 takes the process with it.
    """
    try:
        with path.open("wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
    finally:
        path.unlink(missing_ok=True)
