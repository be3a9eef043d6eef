"""Which row may take another one's place."""

from mtlattack.errors import InputError
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.rows.schema import Row


def check_succession(old: StoredRow, successor: Row) -> None:
    """InputError unless both are of one version of one suite, and of one model by its name or by its weights."""
    before, after = old.row.suite, successor.suite
    if (before.name, before.version) != (after.name, after.version):
        raise InputError(
            f"row {old.id} is of {before.name} v{before.version}, its successor of {after.name} v{after.version}: "
            "expected the same suite and version"
        )
    one, other = old.row.model, successor.model
    if one.name != other.name and one.weights_sha256 != other.weights_sha256:
        raise InputError(
            f"row {old.id} is of {one.name}, its successor of {other.name} with other weights: "
            "expected the same model, by name or by weights"
        )
