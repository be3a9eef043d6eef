"""Rows of earlier schema versions, read as if they were of today's; what is stored never changes."""

from collections.abc import Callable, Mapping
from typing import Any

from mtlattack.errors import InputError
from mtlattack.leaderboard.rows.schema import SCHEMA_VERSION

Document = dict[str, Any]


def without_numbers(document: Document) -> Document:
    """Version 1 stored numbers too; what is derived from the evidence is right, and they are not looked at."""
    kept = ("format", "suite", "model", "submitted", "evidence")
    return {key: document[key] for key in kept if key in document}


# From a version to the next: pure functions of the document. A fixture of every version stays in the tests for ever.
MIGRATIONS: Mapping[int, Callable[[Document], Document]] = {1: without_numbers}


def migrate(
    document: Document,
    migrations: Mapping[int, Callable[[Document], Document]] = MIGRATIONS,
    newest: int = SCHEMA_VERSION,
) -> Document:
    """The document as one of schema version `newest`; the one given stays as it is.

    InputError for a version that is none, or newer than this program.
    """
    version = document.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= newest:
        raise InputError(f"schema_version is {version!r}, expected a whole number from 1 to {newest}")
    for step in range(version, newest):
        document = {**migrations[step](document), "schema_version": step + 1}
    return document
