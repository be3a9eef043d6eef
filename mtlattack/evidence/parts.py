"""What evidence was made on, where it was not one machine all the time: its parts, each with an environment."""

from collections.abc import Mapping, Sequence
from typing import Any

# What can change a number by rounding, and is no part of the plan.
NUMERIC = ("versions", "device", "dtype", "tf32", "threads", "cpu_capability")
_SAID = ("shard", "started", "system", *NUMERIC)


def parts_of(environment: Mapping[str, Any], plan: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The environments of the parts that evidence with this `environment` was made in: one, if it says nothing else.

    Evidence of earlier versions has what is numeric of it in its plan.
    """
    whole = {**environment, **((plan or {}).get("environment") or {})}
    if whole.get("parts"):
        return [dict(part) for part in whole["parts"]]
    return [{key: whole[key] for key in _SAID if key in whole}]


def differing(parts: Sequence[Mapping[str, Any]]) -> list[str]:
    """In which of NUMERIC the parts are not all alike."""
    return [key for key in NUMERIC if any(part.get(key) != parts[0].get(key) for part in parts)]
