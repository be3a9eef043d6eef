"""Attacks that are no step rule with an aggregator, by name."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from torch import Tensor

from mtlattack.attacks.aggregators import Aggregator
from mtlattack.attacks.attack import Attack
from mtlattack.attacks.options import check_norm
from mtlattack.errors import InputError
from mtlattack.registry import Registry
from mtlattack.tasks import Model

# What every attack has; other fields of one are options that it takes.
_PARTS = ("threat", "seed", "aggregator")


@dataclass(frozen=True, kw_only=True)
class StandaloneAttack(Attack):
    """An attack with a loop of its own, named `<kind>`. Its dataclass fields are the options that it takes."""

    kind: ClassVar[str]
    # Threat norms that it is made for; None: any.
    norms: ClassVar[tuple[str, ...] | None] = None

    def __post_init__(self) -> None:
        check_norm(self.kind, self.norms, self.threat.norm)

    @property
    def name(self) -> str:
        return self.kind

    def options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in standalone_options(self.kind)}


@dataclass(frozen=True, kw_only=True)
class AggregatedAttack(StandaloneAttack):
    """One that follows an aggregator, named `<kind>-<aggregator>`, whose options it takes too."""

    # Whether only an aggregator that looks at tasks will do.
    needs_tasks: ClassVar[bool] = False

    aggregator: Aggregator

    def __post_init__(self) -> None:
        super().__post_init__()
        check_norm(self.aggregator.kind, self.aggregator.norms, self.threat.norm)
        if self.needs_tasks and not self.aggregator.looks_at_tasks:
            raise InputError(f"{self.aggregator.kind} looks at no task, which {self.kind} needs")

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.aggregator.name}"

    def check_model(self, model: Model, images: Tensor) -> None:
        self.aggregator.check_model(model, images)

    def options(self) -> dict[str, Any]:
        return super().options() | self.aggregator.config()


ATTACKS: Registry[type[StandaloneAttack]] = Registry("attack")


def follows_aggregator(kind: str) -> bool:
    """Whether the registered kind is named together with an aggregator."""
    return issubclass(ATTACKS.get(kind), AggregatedAttack)


def can_follow(kind: str, aggregator: type[Aggregator]) -> bool:
    """Whether the registered kind can be named together with this kind of aggregator."""
    attack = ATTACKS.get(kind)
    return issubclass(attack, AggregatedAttack) and (aggregator.looks_at_tasks or not attack.needs_tasks)


def standalone_options(kind: str) -> tuple[str, ...]:
    """Names of the options that a registered kind takes, beside those of its aggregator."""
    return tuple(field.name for field in fields(ATTACKS.get(kind)) if field.name not in _PARTS)
