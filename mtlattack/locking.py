"""One process at a time in a folder, and the others are told which."""

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from mtlattack.errors import InputError

_LOCK, _HOLDER = ".lock", ".holder.json"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Inside, `folder` (made where it is missing) is this process's alone, which may take it again.

    InputError says who has it, or that nothing can be written there. A process that is killed lets go of it.
    """
    lock = _acquired(folder)
    holder = folder / _HOLDER
    try:
        yield
    finally:
        if lock.lock_counter == 1:
            holder.unlink(missing_ok=True)
        lock.release()


def _acquired(folder: Path) -> BaseFileLock:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # One object a file and process, so that whoever has the folder may take it again.
        lock = FileLock(folder / _LOCK, blocking=False, is_singleton=True)
        lock.acquire()
        if lock.lock_counter == 1:
            (folder / _HOLDER).write_text(json.dumps(_self()))
    except Timeout:
        raise InputError(
            f"{folder} is in use by {_describe(folder / _HOLDER)}; wait for it, or choose another folder"
        ) from None
    except OSError as error:
        raise InputError(f"cannot write {folder} ({error})") from None
    return lock


def _self() -> dict[str, str | int]:
    command = " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]])
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "command": command, "started": started}


def _describe(holder: Path) -> str:
    try:
        who = json.loads(holder.read_text())
        return f"process {who['pid']} on {who['host']} since {who['started']} ({who['command']})"
    except (OSError, ValueError, KeyError):  # it has only just begun, or is ending
        return "another process"
