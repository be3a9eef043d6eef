"""The files of checkpoints by name and hash, without reading what is in them."""

import hashlib
import os
import re
from pathlib import Path

from mtlattack.errors import InputError

SUFFIX = ".safetensors"
# Digits alone are no hash but a date, or a number of steps: `net-20240101.safetensors`.
HASH = "(?=[0-9]*[a-f])[0-9a-f]{8}"
_HASHED_NAME = re.compile(rf"^(?P<name>.+)-(?P<hash>{HASH})\.safetensors$")


def checkpoint_name(path: Path) -> str:
    """The model's name without hash and suffix."""
    match = _HASHED_NAME.match(path.name)
    return match["name"] if match else path.stem


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_hash(path: Path) -> None:
    """InputError for a file that is not there, or has another hash than its name says."""
    if not os.path.isfile(path):
        raise InputError(f"no checkpoint file {path}")
    match = _HASHED_NAME.match(path.name)
    if match and file_hash(path)[:8] != match["hash"]:
        found = file_hash(path)[:8]
        raise InputError(
            f"{path} was changed: its content has hash {found}, its name {match['hash']}; if that is none, rename it"
        )
