"""One process at a time in a folder, and the others are told which."""

import getpass
import hashlib
import json
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from mtlattack.errors import InputError


class InUseError(InputError):
    """Another process has the folder."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Inside, `folder`, which need not exist yet, is this process's alone, which may take it again.

    InUseError says who on this machine has it. A process that is killed lets go of it. What says so lies among the
    system's temporary files: a folder where nothing came of a command stays as it was.
    """
    lock, holder = _acquired(folder)
    try:
        yield
    finally:
        if lock.lock_counter == 1:
            holder.unlink(missing_ok=True)
        lock.release()


@contextmanager
def taking_turns(path: Path) -> Iterator[None]:
    """Inside, making the file at `path` is this process's alone; another that is at it is waited for."""
    place, known_by = _known_by(path)
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        lock = FileLock(place / f"{known_by}.turn")
        lock.acquire()
    except OSError as error:
        raise InputError(f"cannot lock {path} in {place} ({error})") from None
    try:
        yield
    finally:
        lock.release()


def _known_by(path: Path) -> tuple[Path, str]:
    """Where locks lie, and what that of a path is called."""
    place = Path(tempfile.gettempdir()) / f"mtlattack-locks-{getpass.getuser()}"
    return place, hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]


def _acquired(folder: Path) -> tuple[BaseFileLock, Path]:
    place, known_by = _known_by(folder)
    holder = place / f"{known_by}.json"
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        # One object a file and process, so that whoever has the folder may take it again.
        lock = FileLock(place / f"{known_by}.lock", blocking=False, is_singleton=True)
        lock.acquire()
        if lock.lock_counter == 1:
            holder.write_text(json.dumps(_self()))
    except Timeout:
        who = _describe(holder)
        raise InUseError(f"{folder} is in use by {who}; wait for it, or choose another folder") from None
    except OSError as error:
        raise InputError(f"cannot lock {folder} in {place} ({error})") from None
    return lock, holder


def _self() -> dict[str, str | int]:
    command = " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]])
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "command": command, "started": started}


def _describe(holder: Path) -> str:
    try:
        who = json.loads(holder.read_text())
        return f"process {who['pid']} on {who['host']} since {who['started']} ({who['command']})"
    except (OSError, ValueError, LookupError, TypeError, RecursionError):  # it has only just begun, or is ending
        return "another process"
