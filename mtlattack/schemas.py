"""Named TOML files and other descriptions behind a pydantic schema; what is wrong with one is said in one line."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ValidationError

from mtlattack.errors import InputError, UnknownNameError
from mtlattack.registry import match_names

M = TypeVar("M", bound=BaseModel)


def check_seed(seed: int) -> int:
    """The seed; InputError unless it is a whole number of at least 0."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InputError(f"seed {seed!r}, expected a whole number of at least 0")
    return seed


Seed = Annotated[int, AfterValidator(check_seed)]


def validate(schema: type[M], content: Mapping[str, Any], place: str = "") -> M:
    """`content` as a `schema`; InputError with `place` before it names the field that is wrong."""
    try:
        return schema.model_validate(dict(content))
    except ValidationError as error:
        raise InputError(place + first_problem(error)) from None


def load_named(schema: type[M], kind: str, name: str, folder: Path) -> M:
    """The `kind` called `name` in `folder`, or the TOML file of this path; InputError says what is wrong with it."""
    return validate(schema, read_named(kind, name, folder), f"{named_path(name, folder)}: ")


def read_named(kind: str, name: str, folder: Path) -> dict[str, Any]:
    """The content of the `kind` called `name` in `folder`, or of the TOML file of this path, not validated."""
    path = named_path(name, folder)
    if not os.path.isfile(path):
        if name.endswith(".toml"):
            raise InputError(f"no {kind} file {path}")
        raise UnknownNameError(kind, name, list_named(folder))
    return read_toml(path)


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file; InputError where it cannot be read, and says where it is wrong."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # tomllib's own error and that of a decoder are of this kind
        raise InputError(f"{path}: {error}") from None
    except RecursionError:
        raise InputError(f"{path}: it is nested too deeply") from None


def named_path(name: str, folder: Path) -> Path:
    """Where the TOML file of a name, or of a path, is."""
    return Path(name) if name.endswith(".toml") else folder / f"{name}.toml"


def list_named(folder: Path, pattern: str = "*") -> list[str]:
    """Names of the TOML files in `folder` that match a glob."""
    return match_names([path.stem for path in folder.glob("*.toml")], pattern)


def first_problem(error: ValidationError) -> str:
    """In one line: the field, what is wrong with it, and what was there."""
    first = error.errors()[0]
    if first["type"] == "value_error":  # one of ours, which says it all
        return str(first["ctx"]["error"])
    place = _short(".".join(map(str, first["loc"])))
    return f"{place}: {first['msg']} (got {_short(repr(first['input']))})"


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:197] + "..."
