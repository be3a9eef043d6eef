"""What is wrong with the labels of a data set: collected image by image, and said of all at once."""

from collections.abc import Sequence

from mtlattack.errors import InputError

# So many are named.
_NAMED = 5


class Faults:
    """Labels whose numbers are none of their task's."""

    def __init__(self) -> None:
        self._found: dict[str, list[tuple[str, str]]] = {}

    def add(self, task: str, identity: str, fault: str | None) -> None:
        """What is wrong with a task's label of an image, by its id, if anything (`Task.fault`)."""
        if fault is not None:
            self._found.setdefault(task, []).append((identity, fault))

    def check(self, where: str) -> None:
        """InputError if anything was wrong: by task the first fault, and in which images there is one."""
        if self._found:
            raise InputError(f"{where}: " + "; ".join(map(_said, self._found, self._found.values())))


def _said(task: str, faults: Sequence[tuple[str, str]]) -> str:
    named = ", ".join(repr(identity) for identity, _ in faults[:_NAMED])
    more = f" and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
    return f"{task} has {faults[0][1]}, in image{'s' if len(faults) > 1 else ''} {named}{more}"
