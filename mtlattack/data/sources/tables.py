"""Labels of whole images in a table: a CSV file with a row an image."""

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlattack.data.sources.files import read_bytes
from mtlattack.errors import InputError, UnknownNameError


class Table:
    """Numbers of some `columns` of CSV files, by the column that holds the images' ids; each file is read once.

    A cell may hold one of `names`, which stands for its place among them; an empty one is `empty`.
    """

    def __init__(self, id_column: str, columns: Sequence[str], names: Sequence[str] = (), *, empty: float) -> None:
        self._id, self._columns, self._empty = id_column, list(columns), empty
        self._names = {name: float(place) for place, name in enumerate(names)}
        self._rows: dict[Path, dict[str, dict[str, str]]] = {}

    def row(self, path: Path, identity: str, shape: tuple[int, ...]) -> NDArray[Any]:
        """The numbers of an image as an array of this shape, float64; InputError names the file, the id, the cell."""
        if path not in self._rows:
            self._rows[path] = self._read(path)
        if identity not in self._rows[path]:
            raise InputError(f"{path} has no row for {identity!r} in its column {self._id!r}")
        cells = self._rows[path][identity]
        return np.array([self._number(path, identity, cells[name]) for name in self._columns]).reshape(shape)

    def _read(self, path: Path) -> dict[str, dict[str, str]]:
        try:
            text = read_bytes(path).decode("utf-8-sig")
            reader = csv.DictReader(StringIO(text, newline=""), restval="", strict=True)
            rows = list(reader)
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path} is no table in UTF-8 ({error})") from None
        for name in (self._id, *self._columns):
            if name not in (reader.fieldnames or ()):
                raise UnknownNameError(f"column of {path}:", name, reader.fieldnames or ())
        found: dict[str, dict[str, str]] = {}
        for row in rows:
            if row[self._id] in found:
                raise InputError(f"{path} has two rows for {row[self._id]!r}")
            found[row[self._id]] = row
        return found

    def _number(self, path: Path, identity: str, cell: str) -> float:
        text = cell.strip()
        if not text:
            return self._empty
        if text in self._names:
            return self._names[text]
        try:
            return float(text)
        except ValueError:
            known = f", or one of {', '.join(self._names)}" if self._names else ""
            raise InputError(f"{path}: {text!r} of {identity!r}, expected a number{known}") from None
