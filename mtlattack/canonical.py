"""JSON in one form, so that equal values have equal hashes."""

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    """Keys in order, no blanks, UTF-8, the shortest decimals that give each float back; ValueError for what is not
    finite."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def json_digest(value: Any) -> str:
    """SHA-256 of the canonical form, hexadecimal."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
