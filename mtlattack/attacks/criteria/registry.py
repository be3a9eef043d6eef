"""The criteria that there are, by name."""

from mtlattack.attacks.criteria.base import Criterion
from mtlattack.registry import Registry

CRITERIA: Registry[type[Criterion]] = Registry("criterion")


def create_criterion(name: str) -> Criterion:
    """The criterion called `name`; UnknownNameError otherwise."""
    return CRITERIA.get(name)()


def list_criteria(pattern: str = "*") -> list[str]:
    """Names of the criteria that match a glob."""
    return CRITERIA.names(pattern)
