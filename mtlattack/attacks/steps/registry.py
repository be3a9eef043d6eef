"""The step rules that there are, by name."""

from dataclasses import fields
from typing import Any

from mtlattack.attacks.options import check_known
from mtlattack.attacks.steps.base import StepRule
from mtlattack.registry import Registry

STEPS: Registry[type[StepRule]] = Registry("step rule")


def create_step(kind: str, **options: Any) -> StepRule:
    """The step rule called `kind`; InputError for an option that it does not take or a value out of range."""
    check_known(kind, options, step_options(kind))
    return STEPS.get(kind)(**options)


def step_options(kind: str) -> tuple[str, ...]:
    """Names of the options that a step rule takes."""
    return tuple(field.name for field in fields(STEPS.get(kind)))


def list_steps(pattern: str = "*") -> list[str]:
    """Names of the step rules that match a glob."""
    return STEPS.names(pattern)
