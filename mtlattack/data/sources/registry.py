"""The data sets that can be prepared, by name."""

from pathlib import Path
from typing import Protocol

from mtlattack.data.cache import cache_folder
from mtlattack.registry import Registry


class Prepare(Protocol):
    """Turns one data set's published files into a prepared file, whole or not at all."""

    def __call__(self, source: Path, out: Path, *, size: tuple[int, int] = ...) -> Path:
        """Read `source` (a folder or a file), write `out` with images of `size` (height, width), and return `out`.

        InputError names the file that is wrong.
        """
        ...


SOURCES: Registry[Prepare] = Registry("source of data")


def prepare(
    name: str, source: str | Path, out: str | Path | None = None, *, size: tuple[int, int] | None = None
) -> Path:
    """Prepare the data set `name` from its published files; by default into the cache, where `load_dataset` looks.

    `size` is (height, width); by default what the data set's own function says. InputError for an unknown name and
    for every fault of the source, which it names; nothing is left behind then.
    """
    function = SOURCES.get(name)
    place = cache_folder() / f"{name}.h5" if out is None else Path(out)
    return function(Path(source), place) if size is None else function(Path(source), place, size=size)


def list_sources(pattern: str = "*") -> list[str]:
    """Names of the data sets that can be prepared and match a glob."""
    return SOURCES.names(pattern)
