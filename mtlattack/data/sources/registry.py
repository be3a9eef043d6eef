"""The data sets that can be prepared, by name."""

from contextlib import suppress
from inspect import signature
from pathlib import Path
from typing import Any, Protocol

from mtlattack.data.cache import cache_folder
from mtlattack.data.prepared import open_prepared
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.registry import Registry


class Prepare(Protocol):
    """Turns one data set's published files into a prepared file, whole or not at all."""

    def __call__(self, source: Path, out: Path, *args: Any, **kwargs: Any) -> Path:
        """Read `source` (a folder or a file), write `out`, and return `out`.

        All take the keyword `size` (height, width) of the images; the other keywords are a source's own options.
        InputError names the file that is wrong.
        """
        ...


SOURCES: Registry[Prepare] = Registry("source of data")
NAMELESS = ("folder",)
"""Sources whose data sets go by their paths: in the cache the next one would replace the last."""


def prepare(
    name: str,
    source: str | Path,
    out: str | Path | None = None,
    *,
    size: tuple[int, int] | None = None,
    **options: Any,
) -> Path:
    """Prepare the data set `name` from its published files; by default into the cache, where `load_dataset` looks.

    `size` is (height, width); by default what the data set's own function says, as are its `options`. Killed or broken
    off at any moment, the same call goes on where it was. InputError for an unknown name or option and for every fault
    of the source, which it names; the file is not written then, and what is finished of it is kept for the next call.
    A prepared file that is there already is replaced, any other file is an InputError.
    """
    function = SOURCES.get(name)
    known = source_options(name)
    for option in options:
        if option not in known:
            raise UnknownNameError(f"option of {name}", option, known)
    if out is None and name in NAMELESS:
        raise InputError(f"{name} is many data sets, none of which has the name {name}.h5: say where to with --out")
    place = cache_folder() / f"{name}.h5" if out is None else Path(out)
    if place.is_file() and not _is_prepared(place):
        raise InputError(f"{place} is there already and no prepared file, expected another place or to remove it")
    return function(Path(source), place, **options, **({} if size is None else {"size": size}))


def _is_prepared(path: Path) -> bool:
    with suppress(InputError):
        open_prepared(path).close()
        return True
    return False


def source_options(name: str) -> list[str]:
    """Names of a source's own options."""
    return [x.name for x in signature(SOURCES.get(name)).parameters.values() if x.kind is x.KEYWORD_ONLY][1:]


def list_sources(pattern: str = "*") -> list[str]:
    """Names of the data sets that can be prepared and match a glob."""
    return SOURCES.names(pattern)
