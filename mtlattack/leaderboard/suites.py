"""Suites by the names that rows give them: the only place where the board asks what ships."""

from mtlattack.evaluation import Suite, list_suites, load_suite

_NOT_TASKS = ("id", "image")


def shipped_suite(name: str, version: int | None = None) -> Suite | None:
    """The suite of this name as it ships today; None where there is none, or where it is at another `version`."""
    # Not `load_suite` at once, which takes paths too.
    suite = load_suite(name) if name in list_suites() else None
    return suite if suite is not None and version in (None, suite.version) else None


def has_board(suite: Suite) -> bool:
    """Whether runs of it may enter: it says which images it is run on, and attacks with `standard`."""
    return suite.data_sha256 is not None and "standard" in suite.attacks


def suite_tasks(suite: Suite) -> list[str]:
    """The tasks that a board's suite is about, in its order."""
    return [name for name in suite.data_sha256 or {} if name not in _NOT_TASKS]
