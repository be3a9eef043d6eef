"""What makes a row this one: the hash of its document, and of what was measured."""

import hashlib
from typing import Any

from mtlattack.canonical import canonical_json
from mtlattack.leaderboard.rows.schema import Row

ID_DIGITS = 16


def row_document(row: Row) -> dict[str, Any]:
    """A row as plain JSON, as it is stored."""
    document: dict[str, Any] = row.model_dump(mode="json")
    return document


def row_id(document: dict[str, Any]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the canonical JSON of a stored document (never a migrated
    one)."""
    return hashlib.sha256(canonical_json(document)).hexdigest()[:ID_DIGITS]


def row_text(row: Row) -> str:
    """The content of a row's file: one canonical line, so that equal rows are equal files."""
    return canonical_json(row_document(row)).decode() + "\n"


def measured_identity(row: Row) -> tuple[str, int, str]:
    """Suite, version and weights: two rows that agree in these say the same thing twice."""
    return row.suite.name, row.suite.version, row.model.weights_sha256
