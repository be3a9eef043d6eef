"""The ledger: what may follow what, and lines that nobody has looked at."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

from mtlattack.errors import InputError
from mtlattack.leaderboard import ledger
from mtlattack.leaderboard.ledger import NEXT, STATUSES, Event, Status, append, check_event, read_ledger, statuses

A, B = "a" * 16, "b" * 16
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def event(status: Status, row: str = A, hours: float = 0, successor: str | None = None) -> Event:
    if status == "superseded" and successor is None:
        successor = B
    return Event(row=row, status=status, at=NOW + timedelta(hours=hours), by="somebody", successor=successor)


def test_events_are_appended_and_the_last_counts(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    assert read_ledger(path) == []
    events = [event("self-reported"), event("self-reported", B), event("verified", hours=1), event("disputed", hours=2)]
    kept = b""
    for each in events:
        append(path, each)
        assert path.read_bytes().startswith(kept)
        kept = path.read_bytes()
    assert read_ledger(path) == events
    assert {row: last.status for row, last in statuses(events).items()} == {A: "disputed", B: "self-reported"}
    with pytest.raises(InputError, match="is disputed: status 'self-reported', expected verified or retracted or"):
        append(path, event("self-reported", hours=3))
    assert path.read_bytes() == kept


def test_of_two_that_append_at_once_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger.jsonl"
    read = ledger.read_ledger

    def slowly(place: Path) -> list[Event]:
        found = read(place)
        time.sleep(0.05)
        return found

    monkeypatch.setattr(ledger, "read_ledger", slowly)
    with ThreadPoolExecutor(2) as pool:
        ended = [each.exception() for each in [pool.submit(append, path, event("self-reported")) for _ in range(2)]]
    assert sorted(type(each) for each in ended if each) == [InputError] and len(read(path)) == 1


@pytest.mark.parametrize(("before", "after"), list(product([None, *STATUSES], STATUSES)))
def test_what_may_follow_what(before: Status | None, after: Status) -> None:
    last = None if before is None else event(before)
    if after in NEXT[before]:
        check_event(event(after, hours=1), last, NOW + timedelta(hours=1))
    else:
        with pytest.raises(InputError, match=f"row {A} is {before or 'new'}: status '{after}', expected"):
            check_event(event(after, hours=1), last, NOW + timedelta(hours=1))


def test_clocks() -> None:
    with pytest.raises(InputError, match="is in the future"):
        check_event(event("self-reported", hours=1.1), None, NOW)
    check_event(event("self-reported", hours=0.9), None, NOW)
    with pytest.raises(InputError, match="is before .*, its last event"):
        check_event(event("verified", hours=-1), event("self-reported"), NOW)


def test_successors() -> None:
    with pytest.raises(InputError, match="cannot supersede itself"):
        check_event(event("superseded", successor=A), event("self-reported"), NOW)
    with pytest.raises(InputError, match="status 'verified' has no successor, got b+; only superseded has one"):
        check_event(event("verified", successor=B), event("self-reported"), NOW)
    alone = event("superseded").model_copy(update={"successor": None})
    with pytest.raises(InputError, match="its successor is missing"):
        check_event(alone, event("self-reported"), NOW)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{}", "row: Field required"),
        (b"[]", "expected a JSON object, got a list"),
        (b"", "no JSON"),
        (b'{"row": NaN}', "NaN"),
        (b"\xff", "UTF-8"),
        (b"{" * 9000, "bytes"),
        (b'{"row":"x","status":"verified","at":"2026-01-01T00:00:00Z","by":"a"}', "row: .*pattern"),
        (b'{"row":"' + A.encode() + b'","status":"best","at":"2026-01-01T00:00:00Z","by":"a"}', "status"),
        (b'{"row":"' + A.encode() + b'","status":"verified","at":"2026-01-01T00:00:00","by":"a"}', "at"),
        (b'{"row":"' + A.encode() + b'","status":"verified","at":1767225600,"by":"a"}', "at: expected a time as text"),
        (
            b'{"row":"' + A.encode() + b'","status":"verified","at":"1767225600","by":"a"}',
            "at: expected a time as text",
        ),
        (b'{"row":"' + A.encode() + b'","status":"verified","at":"2026-01-01T00:00:00Z","by":""}', "by"),
    ],
)
def test_a_wrong_line_is_named(line: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    append(path, event("self-reported"))
    with path.open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(InputError, match=message) as caught:
        read_ledger(path)
    assert str(caught.value).startswith(f"{path}, line 2: ")


def test_an_unfinished_line_and_a_link(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"{}")
    with pytest.raises(InputError, match="the last line does not end"):
        read_ledger(path)
    link = tmp_path / "link.jsonl"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is a link"):
        read_ledger(link)
