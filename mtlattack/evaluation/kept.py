"""Records that were derived are kept, where they are asked for again.

What is kept is named by the evidence and by the code that derived it, so that it is never out of date: another version
of this program, or a new number in a record, derives everything anew.
"""

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from pydantic import ValidationError

import mtlattack
from mtlattack.analysis import Record
from mtlattack.data.cache import cache_folder
from mtlattack.files import read_sealed, write_sealed
from mtlattack.tasks.plugins import VARIABLE as PLUGINS

# The rooms whose code makes a record of evidence, and the files below them that word what is in it.
_DERIVING = ("tasks/**/*.py", "evidence/**/*.py", "analysis/**/*.py", "epsilon.py", "printing.py", "wording.py")


def kept_record(sha256: str, derive: Callable[[], Record]) -> Record:
    """The record of the evidence with this SHA-256, from the cache if it is there; else `derive` makes it, as always
    where kinds of task come from a module of the user's, whose code no name of ours tells."""
    if os.environ.get(PLUGINS):
        return derive()
    kept = cache_folder() / "records" / f"{sha256}-{code_digest()[:16]}.json"
    try:
        return Record.model_validate((read_sealed(kept) or {}).get("record"))
    except ValidationError:
        record = derive()
        _keep(kept, record)
        return record


@cache
def code_digest() -> str:
    """SHA-256 over the source of all that derives, and the version of NumPy, which draws the resamples."""
    digest = hashlib.sha256(version("numpy").encode())
    root = Path(mtlattack.__file__).parent
    for pattern in _DERIVING:
        for path in sorted(root.glob(pattern)):
            digest.update(f"\0{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _keep(path: Path, record: Record) -> None:
    """Where nothing can be written nothing is kept, nor is a number that JSON does not have."""
    plain = json.loads(record.model_dump_json())
    with suppress(OSError, ValidationError):
        if Record.model_validate(plain) == record:
            write_sealed(path, {"record": plain})
