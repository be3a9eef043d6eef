"""Rows of every schema version are read for ever."""

import hashlib
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from mtlattack.errors import InputError
from mtlattack.evidence.packing.compact import read_compact
from mtlattack.leaderboard.board import Board
from mtlattack.leaderboard.rows.deriving import record_of
from mtlattack.leaderboard.rows.identity import row_id
from mtlattack.leaderboard.rows.migrations import MIGRATIONS, migrate
from mtlattack.leaderboard.rows.schema import SCHEMA_VERSION, Row
from mtlattack.schemas import validate

FIXTURES = Path(__file__).parent / "fixtures"


def test_there_is_a_way_from_every_version() -> None:
    assert set(MIGRATIONS) == set(range(1, SCHEMA_VERSION))


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_a_board_of_every_version_reads_and_computes(version: int) -> None:
    [stored] = Board(FIXTURES / f"v{version}").read_all()
    assert stored.document["schema_version"] == version and stored.row.schema_version == SCHEMA_VERSION
    assert stored.path.stem == row_id(stored.document)
    packed = stored.evidence_path.read_bytes()
    assert hashlib.sha256(packed).hexdigest() == stored.row.evidence.sha256
    assert stored.record == record_of(read_compact(stored.evidence_path))
    assert (stored.record.clean_skill is None) == (version == 1)


def test_numbers_that_version_1_stored_are_those_that_are_derived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtlattack.analysis.report.RESAMPLES", 1000)
    [stored] = Board(FIXTURES / "v1").read_all()
    record = record_of(read_compact(stored.evidence_path))
    for derived, kept in zip(record.attacks, stored.document["attacks"], strict=True):
        assert derived.log_ratio.value == pytest.approx(kept["log_ratio"]["value"], rel=1e-9)
        assert derived.arp.low == pytest.approx(kept["arp"]["low"], rel=1e-9)


def test_what_version_1_stored_beside_its_card_is_not_looked_at() -> None:
    [stored] = Board(FIXTURES / "v1").read_all()
    edited = {**stored.document, "attacks": "none of yours", "clean": None}
    assert validate(Row, migrate(edited)) == stored.row


def test_migrations_are_applied_in_order_and_change_nothing_that_is_stored() -> None:
    def second(document: dict[str, Any]) -> dict[str, Any]:
        return document | {"names": [document["name"]]}

    def third(document: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in document.items() if key != "name"} | {"count": len(document["names"])}

    stored = {"schema_version": 1, "name": "a"}
    before = deepcopy(stored)
    assert migrate(stored, {1: second, 2: third}, 3) == {"schema_version": 3, "names": ["a"], "count": 1}
    assert stored == before
    two = {"schema_version": 2, "name": "a", "names": ["a", "b"]}
    assert migrate(two, {1: second, 2: third}, 3)["count"] == 2
    assert migrate({"schema_version": 3}, {}, 3) == {"schema_version": 3}


@pytest.mark.parametrize("version", [0, 4, -1, "1", 1.0, True, None])
def test_no_version_of_ours(version: object) -> None:
    with pytest.raises(InputError, match="expected a whole number from 1 to 3"):
        migrate({"schema_version": version}, {}, 3)
    with pytest.raises(InputError, match="schema_version is None"):
        migrate({}, {}, 3)
