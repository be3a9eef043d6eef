"""JSON of strangers: one reading, or none.

Python's own reader takes NaN and Infinity, the last of two equal keys, integers of any length, floats that overflow,
lone surrogates that cannot be written again, and recurses as deep as the text says. None of it is JSON that hashes the
same everywhere (cf. RFC 8785 on I-JSON), so all of it is refused here.
"""

import json
import math
import re
from typing import Any, NoReturn

from mtlattack.errors import InputError

# Beyond this, neighbours of an integer are the same number to whoever reads it as a double.
GREATEST_INTEGER = 2**53
# A double needs at most 24 characters; what is longer says nothing more.
MOST_DIGITS = 64

# A string (closed or not, so that the scan stays linear), or a bracket outside of strings.
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{\]}]', re.DOTALL)


def parse_json(text: bytes, *, most_bytes: int, most_depth: int = 32) -> Any:
    """The one value that `text` is the JSON of: numbers finite, integers within ±2⁵³, keys unique, text Unicode.

    InputError says what is wrong (not where the text came from) for more than `most_bytes`, for lists and objects
    nested more than `most_depth` deep, for what is not UTF-8 or no JSON. Time and memory are linear in the text: no
    more than some 40 times its bytes.
    """
    if len(text) > most_bytes:
        raise InputError(f"JSON has {len(text):,} bytes, at most {most_bytes:,} are read")
    try:
        string = text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"JSON is not UTF-8 ({error.reason} at byte {error.start})") from None
    _check_depth(string, most_depth)
    try:
        value = json.loads(
            string,
            parse_constant=_refuse_constant,
            parse_float=_finite_float,
            parse_int=_exact_integer,
            object_pairs_hook=_unique_keys,
        )
    except json.JSONDecodeError as error:
        raise InputError(f"this is no JSON ({error})") from None
    # Only an escape can make one: UTF-8 has no surrogates.
    if "\\u" in string:
        _check_surrogates(value)
    return value


def _check_depth(string: str, most: int) -> None:
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(string):
        mark = match[0][0]
        depth += (mark in "[{") - (mark in "]}")
        if depth > most:
            raise InputError(f"JSON is nested more than {most} deep at character {match.start()}")


def _check_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        wrong = error.object[error.start : error.end]
        raise InputError(f"JSON has a string with half a surrogate pair ({wrong!a})") from None


def _refuse_constant(name: str) -> NoReturn:
    raise InputError(f"JSON has {name}; numbers are finite")


def _finite_float(digits: str) -> float:
    _check_length(digits)
    number = float(digits)
    if not math.isfinite(number):
        raise InputError(f"JSON has the number {digits}, which is beyond float64")
    return number


def _exact_integer(digits: str) -> int:
    _check_length(digits)
    number = int(digits)
    if abs(number) > GREATEST_INTEGER:
        raise InputError(f"JSON has the integer {digits}; integers are within ±2^53")
    return number


def _check_length(digits: str) -> None:
    if len(digits) > MOST_DIGITS:
        raise InputError(f"JSON has a number of {len(digits):,} characters ({digits[:20]}…), at most {MOST_DIGITS}")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InputError(f"JSON has the key {key[:60]!a} twice in one object")
            seen.add(key)
    return found
