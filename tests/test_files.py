"""JSON that we wrote and find again: what cannot be read is named in a line, what has changed is told from what has
not."""

import json
from pathlib import Path

import pytest

from mtlattack.errors import InputError
from mtlattack.files import read_json, read_sealed, write_sealed

DOCUMENT = {"b": [1.5, float("nan"), "é"], "a": {10: None, 9: 2**70}}


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000, b"9" * 5000, None])
def test_what_is_no_json_is_named_in_a_line(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"plan.json is damaged or no JSON \(.*\); start anew$") as told:
        read_json(path, "; start anew")
    assert "\n" not in str(told.value)
    assert read_sealed(path) is None


def test_what_was_written_is_read_and_what_has_changed_is_not(tmp_path: Path) -> None:
    path = tmp_path / "cell.json"
    write_sealed(path, DOCUMENT)
    assert json.dumps(read_sealed(path)) == json.dumps(DOCUMENT)
    text = path.read_text()
    for old, new in (("1.5", "1.6"), ("null", "0"), ('"9"', '"8"'), ("NaN", "Infinity"), ("sha256", "sha512")):
        path.write_text(text.replace(old, new))
        assert read_sealed(path) is None
    path.write_text("[]")
    assert read_sealed(path) is None
