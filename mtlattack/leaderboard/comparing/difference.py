"""What differs between two rows: what they say, and every number, where numbers may be compared."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evidence import Evidence
from mtlattack.evidence.packing.compact import MOST_BYTES, unpack
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.comparing.paired import PairedDifference, paired_differences
from mtlattack.leaderboard.rows.numbers import Number, Place, numbers_of
from mtlattack.leaderboard.rows.schema import Row
from mtlattack.reading.hostile import read_regular
from mtlattack.registry import match_names

# Of a row everything but its numbers and what the attacks of a suite are.
_CARDS = ("suite", "model", "submitted", "data", "threat", "environment", "evidence", "schema_version")


class VersionsMixed(InputError):
    """Numbers of different suites, or versions of one, were to be compared."""


@dataclass(frozen=True)
class FieldDifference:
    """A field, named by its path, and what each row has there; None where it has nothing."""

    field: str
    one: Any
    two: Any


@dataclass(frozen=True)
class NumberDifference:
    """A number that both rows have at one place, as the rows hold it."""

    one: Number
    two: Number

    @property
    def place(self) -> Place:
        """Where both stand."""
        return self.one.place

    @property
    def difference(self) -> float | None:
        """Second minus first; None where one is undefined."""
        one, two = self.one.interval.value, self.two.interval.value
        return None if one is None or two is None else two - one

    @property
    def overlap(self) -> bool | None:
        """Whether the intervals have a value in common; None where one has no interval."""
        one, two = self.one.interval, self.two.interval
        if one.low is None or one.high is None or two.low is None or two.high is None:
            return None
        return one.low <= two.high and two.low <= one.high

    @property
    def differs(self) -> bool:
        """Whether value or interval are not the same."""
        return self.one.interval != self.two.interval


@dataclass(frozen=True)
class Comparison:
    """Two rows, `one` and `two`: their cards, their numbers, and their paired differences.

    Without numbers, or without paired differences, `remark` says why.
    """

    fields: list[FieldDifference]
    numbers: list[NumberDifference]
    paired: list[PairedDifference]
    remark: str | None

    def narrowed(self, eps: float | None, attack: str) -> "Comparison":
        """What is about one ε (image units) and the attacks that match a glob; clean ones are called `clean`.

        UnknownNameError if there are numbers, but none of such attacks.
        """
        names = {each.place.attack for each in self.numbers}
        wanted = set(match_names(list(names), attack))
        if names and not wanted:
            raise UnknownNameError("attack", attack, names)
        return replace(
            self,
            numbers=[x for x in self.numbers if x.place.attack in wanted and eps in (None, x.place.eps)],
            paired=[x for x in self.paired if x.attack in wanted and eps in (None, x.eps)],
        )


def compare_rows(one: StoredRow, two: StoredRow) -> Comparison:
    """Cards always; numbers of one suite version alone; paired differences if the evidence of both lies beside them.

    InputError for evidence that is not what its row says.
    """
    fields = compare_cards(one.row, two.row)
    try:
        numbers = compare_numbers(one.row, two.row)
    except VersionsMixed as mixed:
        return Comparison(fields, [], [], str(mixed))
    first, second = evidence_of(one), evidence_of(two)
    if first is None or second is None:
        missing = (one if first is None else two).evidence_path
        return Comparison(fields, numbers, [], f"no evidence at {missing}: the rows cannot be paired")
    return Comparison(fields, numbers, paired_differences(first, second), None)


def compare_cards(one: Row, two: Row) -> list[FieldDifference]:
    """The fields that differ, of suite, model card, submitter, data, threat, environment and evidence."""
    found = [_flat({key: row.model_dump(mode="json")[key] for key in _CARDS}) for row in (one, two)]
    first, second = (dict(pairs) for pairs in found)
    names = dict.fromkeys([*first, *second])
    return [
        FieldDifference(name, first.get(name), second.get(name))
        for name in names
        if first.get(name) != second.get(name)
    ]


def check_comparable(one: Row, two: Row) -> None:
    """VersionsMixed unless both are of one suite, version and content."""
    if (one.suite.name, one.suite.version) != (two.suite.name, two.suite.version):
        raise VersionsMixed(
            f"numbers of {one.suite.name} v{one.suite.version} and {two.suite.name} v{two.suite.version} do not "
            "compare: versions never mix"
        )
    if one.suite.sha256 != two.suite.sha256:
        raise VersionsMixed(
            f"the rows' {one.suite.name} v{one.suite.version} has two contents ({one.suite.sha256[:8]}, "
            f"{two.suite.sha256[:8]}): numbers do not compare"
        )


def compare_numbers(one: Row, two: Row) -> list[NumberDifference]:
    """Every number that both rows have, equal or not, in the first row's order; VersionsMixed as `check_comparable`."""
    check_comparable(one, two)
    second = {number.place: number for number in numbers_of(two)}
    return [
        NumberDifference(number, second[number.place]) for number in numbers_of(one) if number.place in second
    ]  # fmt: skip


def evidence_of(stored: StoredRow) -> Evidence | None:
    """The evidence that a row's numbers come from; None where it is not at hand, InputError where it is another's."""
    path, reference = stored.evidence_path, stored.row.evidence
    if not path.exists() and not path.is_symlink():
        return None
    try:
        content = read_regular(path, MOST_BYTES)
    except InputError as error:
        raise InputError(f"{path} {error}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != reference.sha256:
        raise InputError(f"{path} has the SHA-256 {found}, row {stored.id} says {reference.sha256}")
    return unpack(content, str(path))


def _flat(value: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    """Fields of nested objects by their path; lists stay whole."""
    for key, item in value.items():
        path = f"{place}.{key}" if place else key
        if isinstance(item, Mapping):
            yield from _flat(item, path)
        else:
            yield path, item
