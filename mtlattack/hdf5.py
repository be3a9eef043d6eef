"""Opening the project's HDF5 files: each says its format and version, and neither is taken on trust."""

from collections.abc import Collection
from pathlib import Path

import h5py

from mtlattack.errors import InputError


def open_hdf5(path: Path, kind: str, *, format: str, versions: Collection[int], mode: str = "r") -> h5py.File:
    """Open a file of one of our formats; InputError if it is missing, truncated, foreign, or being written.

    `kind` is what the message calls it ("data", "evidence").
    """
    if not path.is_file():
        raise InputError(f"no {kind} file {path}")
    try:
        # Whoever reads takes no lock: it would stop the run that writes.
        file = h5py.File(path, mode, locking=False if mode == "r" else None)
    except BlockingIOError:
        raise InputError(f"{path} is being written by another run") from None
    except OSError as error:
        raise InputError(f"{path} is truncated or no HDF5 file ({error})") from None
    found = file.attrs.get("format"), file.attrs.get("format_version")
    if found[0] != format or found[1] not in versions:
        file.close()
        expected = " or ".join(map(str, versions))
        raise InputError(f"{path} has format {found[0]!r} version {found[1]}, expected {format!r} {expected}")
    return file
