"""JSON of strangers: everything that Python's reader takes and that two readers may read differently is refused."""

import json
import re
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlattack.canonical import canonical_json
from mtlattack.errors import InputError
from mtlattack.reading.strict_json import GREATEST_INTEGER, parse_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-GREATEST_INTEGER, GREATEST_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def read(text: str | bytes, **bounds: Any) -> Any:
    data = text if isinstance(text, bytes) else text.encode()
    return parse_json(data, **{"most_bytes": 10_000_000, **bounds})


@given(VALUES)
def test_what_json_writes_is_read_as_json_reads_it(value: Any) -> None:
    for text in (canonical_json(value), json.dumps(value, indent=2).encode()):
        assert read(text) == value == json.loads(text)


@given(st.binary(max_size=40) | st.text('{}[]":,\\u0d89eE+-.1NaIfnt ', max_size=40).map(str.encode))
def test_any_bytes_are_read_as_json_reads_them_or_refused(data: bytes) -> None:
    try:
        value = read(data, most_depth=8)
    except InputError:
        return
    assert value == json.loads(data)


@pytest.mark.parametrize(
    "text, message",
    [
        ("NaN", "JSON has NaN; numbers are finite"),
        ('{"a": [-Infinity]}', "JSON has -Infinity"),
        ("1e999", "the number 1e999, which is beyond float64"),
        ("[-1e309]", "-1e309"),
        (str(2**53 + 1), "the integer 9007199254740993; integers are within ±2^53"),
        (str(-(2**53) - 1), "within"),
        ("1" * 5000, "a number of 5,000 characters (11111111111111111111…)"),
        ("0." + "1" * 5000, "a number of 5,002 characters"),
        ('{"a": 1, "b": {"c": 2, "c": 2}}', "the key 'c' twice in one object"),
        ('{"a": 1, "\\u0061": 1}', "the key 'a' twice"),
        (r'"\ud800"', r"half a surrogate pair ('\ud800')"),
        (r'[{"a\udc00\ud800": 1}]', r"half a surrogate pair ('\udc00\ud800')"),
        (b'"\xed\xa0\x80"', "JSON is not UTF-8 (invalid continuation byte at byte 1)"),
        (b'"\xff"', "not UTF-8"),
        ("[1]".encode("utf-16"), "not UTF-8"),
        (b"\xef\xbb\xbf[1]", "this is no JSON (Unexpected UTF-8 BOM"),
        ("", "this is no JSON (Expecting value: line 1 column 1"),
        ("[1,]", "this is no JSON"),
        ("{'a': 1}", "this is no JSON"),
        ("[1] [2]", "this is no JSON (Extra data"),
        ("01", "this is no JSON"),
        ('"a', "this is no JSON (Unterminated string"),
        ('"\n"', "this is no JSON (Invalid control character"),
        ("]" * 40 + "[" * 40, "this is no JSON"),
        (b"\x80\x04\x95.", "not UTF-8"),
    ],
)
def test_what_two_readers_may_read_differently_is_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        read(text)


@pytest.mark.parametrize(
    "text, value",
    [
        (str(2**53), 2**53),
        ("1.7976931348623157e308", 1.7976931348623157e308),
        ("1e-999", 0.0),
        (r'"\ud83d\ude00"', "\U0001f600"),
        ('"]]]]{{{{[[[["', "]]]]{{{{[[[["),
        ('["\\"[[[[", "\\\\", []]', ['"[[[[', "\\", []]),
        (' {"a" : {}, "b" : [ ] } ', {"a": {}, "b": []}),
    ],
)
def test_what_is_near_the_edge_is_read(text: str, value: Any) -> None:
    assert read(text, most_depth=2) == value


@pytest.mark.parametrize("opening, closing", [("[", "]"), ('{"a":', "}")])
def test_the_depth_that_is_allowed_is_read_and_no_more(opening: str, closing: str) -> None:
    def nested(depth: int) -> str:
        return opening * depth + ("1" if opening != "[" else "") + closing * depth

    assert read(nested(32)) == json.loads(nested(32))
    with pytest.raises(InputError, match="nested more than 32 deep at character"):
        read(nested(33))
    with pytest.raises(InputError, match="nested more than 32 deep"):
        read(opening * 1_000_000)


def test_no_more_bytes_are_read_than_allowed() -> None:
    assert read("[1]", most_bytes=3) == [1]
    with pytest.raises(InputError, match=re.escape("JSON has 1,002 bytes, at most 1,001 are read")):
        read('"' + "x" * 1000 + '"', most_bytes=1001)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "text",
    [
        "[" + "[]," * 100_000 + "[]]",
        "[" + "{}," * 100_000 + "{}]",
        "[" + '{"":0},' * 40_000 + "0]",
        "{" + "".join(f'"{i:x}":0,' for i in range(30_000)) + '"":0}',
        '"' + '\\"' * 150_000,
        '"\U0001f600' + "\\ud83d\\ude00" * 25_000 + '"',
        "[" + "9" * 300_000 + "]",
        "[" * 300_000,
        "{" + '"a":0,' * 50_000 + '"a":0}',
    ],
    ids=lambda text: text[:12],
)
def test_time_and_memory_stay_linear_in_the_text(text: str) -> None:
    data = text.encode()
    tracemalloc.start()
    try:
        begin = time.process_time()
        try:
            read(data)
        except InputError:
            pass
        seconds, peak = time.process_time() - begin, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 * len(data)
    assert seconds < 5
