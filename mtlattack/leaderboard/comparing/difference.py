"""What differs between two rows: what they say, where they stand, and how their models differ on the same images."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mtlattack.errors import UnknownNameError
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.comparing.paired import PairedDifference, paired_differences
from mtlattack.leaderboard.rows.schema import Row
from mtlattack.registry import match_names

# What a record says of the run, beside its numbers.
_RUN = ("data", "environment", "seed", "batch_size", "search_precision", "bootstrap")


@dataclass(frozen=True)
class FieldDifference:
    """A field, named by its path, and what each row has there; None where it has nothing."""

    field: str
    one: Any
    two: Any


@dataclass(frozen=True)
class Comparison:
    """Two rows, `one` and `two`: what they say differently, and their paired differences; where there are none,
    `remark` says why."""

    fields: list[FieldDifference]
    paired: list[PairedDifference]
    remark: str | None

    def narrowed(self, eps: float | None, attack: str) -> "Comparison":
        """What is about one ε (image units) and the attacks that match a glob; clean ones are called `clean`.

        UnknownNameError if there are differences, but none of such attacks.
        """
        names = {each.attack for each in self.paired}
        wanted = set(match_names(list(names), attack))
        if names and not wanted:
            raise UnknownNameError("attack", attack, names)
        kept = [each for each in self.paired if each.attack in wanted and eps in (None, each.eps)]
        return replace(self, paired=kept)


def compare_rows(one: StoredRow, two: StoredRow) -> Comparison:
    """What both say always; paired differences of one suite version alone.

    InputError for evidence that is missing, or not what its row says.
    """
    remark = why_apart(one.row, two.row)
    paired = paired_differences(one.read_evidence(), two.read_evidence()) if remark is None else []
    return Comparison(compare_cards(one, two), paired, remark)


def compare_cards(one: StoredRow, two: StoredRow) -> list[FieldDifference]:
    """The fields that differ, of the row and of what its record says of data, environment and the like."""
    first, second = (dict(_flat(_said(stored))) for stored in (one, two))
    names = dict.fromkeys([*first, *second])
    return [
        FieldDifference(name, first.get(name), second.get(name))
        for name in names
        if first.get(name) != second.get(name)
    ]


def why_apart(one: Row, two: Row) -> str | None:
    """Why numbers of both do not compare; None if they are of one suite, version and content."""
    first, second = (f"{row.suite.name} v{row.suite.version}" for row in (one, two))
    if first != second:
        return f"numbers of {first} and {second} do not compare: versions never mix"
    if one.suite.sha256 != two.suite.sha256:
        contents = f"{one.suite.sha256[:8]}, {two.suite.sha256[:8]}"
        return f"the rows' {first} has two contents ({contents}): numbers do not compare"
    return None


def _said(stored: StoredRow) -> dict[str, Any]:
    record = stored.record.model_dump(mode="json", include=set(_RUN))
    return {**stored.row.model_dump(mode="json"), **record}


def _flat(value: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    """Fields of nested objects by their path; lists stay whole."""
    for key, item in value.items():
        path = f"{place}.{key}" if place else key
        if isinstance(item, Mapping):
            yield from _flat(item, path)
        else:
            yield path, item
