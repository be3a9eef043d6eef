"""Reading MATLAB files that may be missing, cut off, or something else than their name says."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtlattack.errors import InputError, one_line
from mtlattack.reading.mat_elements import check_elements


def find_mat(folder: Path, stem: str, what: str) -> Path:
    """The file `<stem>.mat` of a folder, or else the only `<stem>*.mat`; InputError says `what` is missing."""
    exact = folder / f"{stem}.mat"
    if exact.is_file():
        return exact
    matches = sorted(folder.glob(f"{stem}*.mat"))
    if not matches:
        raise InputError(f"{folder} has no {stem}.mat: {what}")
    if len(matches) > 1:
        raise InputError(f"{folder} has several {stem}*.mat: {', '.join(path.name for path in matches)}; keep one")
    return matches[0]


def read_mat(path: Path, *names: str) -> dict[str, NDArray[Any]]:
    """Variables of a MATLAB file up to version 7; structs become arrays of records, cells arrays of objects."""
    import scipy.io  # What is prepared does without.

    try:
        content = path.read_bytes()
        check_elements(content, names)
        variables = scipy.io.loadmat(BytesIO(content), variable_names=names)
    except NotImplementedError:
        raise InputError(f"{path} is a MATLAB 7.3 file, expected an older one, as published") from None
    except Exception as error:  # scipy raises whatever its parser trips over first in a broken file
        raise InputError(f"{path} is truncated or no MATLAB file ({one_line(error) or type(error).__name__})") from None
    missing = [name for name in names if name not in variables]
    if missing:
        raise InputError(f"{path} has no variable {missing[0]!r}")
    return {name: variables[name] for name in names}


@contextmanager
def open_mat73(path: Path) -> Iterator[h5py.File]:
    """A MATLAB 7.3 file, which is HDF5 with the dimensions of every array in reverse order."""
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path} is truncated or no MATLAB 7.3 file ({one_line(error)})") from None
    with file:
        yield file


def strings_of(cell: NDArray[Any]) -> list[str]:
    """The strings of a cell array read by `read_mat`."""
    return [str(np.ravel(entry)[0]) if np.size(entry) else "" for entry in np.ravel(cell)]


def strings_of_73(file: h5py.File, name: str) -> list[str]:
    """The strings of a cell array of a MATLAB 7.3 file: references to arrays of UTF-16 code units."""
    return [np.ravel(file[entry]).astype("<u2").tobytes().decode("utf-16-le") for entry in np.ravel(file[name])]
