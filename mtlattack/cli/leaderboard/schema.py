"""`mtlattack leaderboard schema`: the JSON Schema that is published beside the rows."""

import json

from mtlattack.leaderboard.rows.json_schema import row_json_schema


def print_schema() -> None:
    """Print the JSON Schema of a row."""
    print(json.dumps(row_json_schema(), indent=1, ensure_ascii=False))
