"""One verdict of several parts."""

from collections.abc import Mapping

from mtlattack.studies.study import Outcome


def together(outcomes: Mapping[str, Outcome]) -> Outcome:
    """Holds if all hold, fails if any fails."""
    if not outcomes:
        return "undecided"
    if "fails" in outcomes.values():
        return "fails"
    return "holds" if set(outcomes.values()) == {"holds"} else "undecided"


def listed(outcomes: Mapping[str, Outcome]) -> str:
    """`holds in a, b; fails in c`."""
    parts = []
    for outcome in ("holds", "fails", "undecided"):
        names = [name for name, found in outcomes.items() if found == outcome]
        if names:
            parts.append(f"{outcome}{' in' if outcome != 'undecided' else ':'} {', '.join(names)}")
    return "; ".join(parts)
