"""What a run may say of its circumstances beside what every run says."""

from typing import Any

import pytest
from checking_toys import changed
from leaderboard_toys import row_of

from mtlattack.errors import InputError
from mtlattack.evidence import NUMERIC, Evidence, parts_of
from mtlattack.leaderboard.rows.deriving import record_of


@pytest.mark.parametrize("said", [{"judge": 1.8, "search": 2.3}, {"judge": None, "search": None}, None])
def test_a_run_with_cuda_graphs_may_enter(said: Any, tiny_evidence: Evidence) -> None:
    record = record_of(changed(tiny_evidence, lambda e: e.environment.update(cuda_graphs=said)))
    assert record.environment["cuda_graphs"] == said


@pytest.mark.parametrize("said", [{"judge": -1.0}, {"jury": 1.0}, {"judge": "fast"}, 2.0])
def test_nothing_else_of_them(said: Any, tiny_evidence: Evidence) -> None:
    with pytest.raises(Exception, match=r"evidence: environment: cuda_graphs"):
        row_of(changed(tiny_evidence, lambda e: e.environment.update(cuda_graphs=said)))


def test_a_run_of_several_parts_may_enter(tiny_evidence: Evidence) -> None:
    parts = [part | {"shard": f"{number}/2", "threads": number} for number in (1, 2) for part in ran(tiny_evidence)]
    record = record_of(changed(tiny_evidence, lambda e: e.environment.update(parts=parts)))
    assert [part["threads"] for part in record.environment["parts"]] == [1, 2]


@pytest.mark.parametrize("said", [{"threads": "two"}, {"started": "now"}, {"device": "a\nb"}, {"more": 1}])
def test_parts_are_said_as_they_are(said: Any, tiny_evidence: Evidence) -> None:
    parts = [part | said for part in ran(tiny_evidence)]
    with pytest.raises(InputError, match=rf"evidence: environment: parts.0.{next(iter(said))}"):
        record_of(changed(tiny_evidence, lambda e: e.environment.update(parts=parts)))


@pytest.mark.parametrize("said", [1700000000, 1.5, "2026-13-01T00:00:00+00:00", "2026-11-21", None])
def test_a_start_is_a_time_with_its_zone_in_text(said: Any, tiny_evidence: Evidence) -> None:
    with pytest.raises(InputError, match="evidence: environment: started"):
        record_of(changed(tiny_evidence, lambda e: e.environment.update(started=said)))


def test_evidence_of_earlier_versions_has_its_device_in_the_plan(tiny_evidence: Evidence) -> None:
    def move(evidence: Evidence) -> None:
        evidence.plan["environment"] = {key: evidence.environment.pop(key) for key in NUMERIC}

    assert record_of(changed(tiny_evidence, move)) == record_of(tiny_evidence)
    with pytest.raises(InputError, match="evidence: environment: versions: Field required"):
        record_of(changed(tiny_evidence, lambda e: [e.environment.pop(key) for key in NUMERIC]))


def ran(evidence: Evidence) -> list[dict[str, Any]]:
    return parts_of(evidence.environment, evidence.plan)


@pytest.mark.parametrize("said", [{"depth": {"ratio": 1.0}}, {}, None])
def test_a_run_may_say_what_predictions_looked_like(said: Any, tiny_evidence: Evidence) -> None:
    record = record_of(changed(tiny_evidence, lambda e: e.environment["calls"].update(looks=said)))
    assert record.environment["calls"]["looks"] == said


@pytest.mark.parametrize("said", [{"depth": {"ratio": "1"}}, {"depth": 1.0}, {"a\nb": {}}, [1.0]])
def test_looks_are_numbers_by_task(said: Any, tiny_evidence: Evidence) -> None:
    with pytest.raises(InputError, match=r"evidence: environment: calls.looks"):
        record_of(changed(tiny_evidence, lambda e: e.environment["calls"].update(looks=said)))
