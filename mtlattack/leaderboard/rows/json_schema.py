"""The schema of a row for other programs: JSON Schema, as it lies beside the rows."""

from typing import Any

from mtlattack.leaderboard.rows.schema import SCHEMA_VERSION, Row

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def row_json_schema() -> dict[str, Any]:
    """What a row's file must be: types, bounds and patterns. That its numbers follow from its evidence is for `check`
    to say."""
    named = {"$schema": _DIALECT, "title": f"mtlattack leaderboard row, version {SCHEMA_VERSION}"}
    return {**named, **{key: value for key, value in Row.model_json_schema().items() if key != "title"}}
