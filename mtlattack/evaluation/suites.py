"""Suites: versioned TOML files that say what is run, so that numbers compare.

To read one that ships takes no attack: `attacks.…` loads them when it is called.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mtlattack import attacks
from mtlattack.attacks.options import TargetError, ThreatError
from mtlattack.attacks.threat import Threat
from mtlattack.canonical import json_digest
from mtlattack.epsilon import check_written, in_image_units
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.schemas import Seed, list_named, load_named
from mtlattack.tasks import TaskMap

if TYPE_CHECKING:
    from mtlattack.attacks import Attack

SUITES = Path(__file__).parent / "suites"
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Suite(BaseModel):
    """What a benchmark run consists of. For l_inf, `eps` counts grey levels of 255; else it is what `Threat` says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: int = Field(ge=1, description="raised whenever numbers would change")
    description: str
    model: str | None = Field(None, description="model to run when none is given")
    data: str
    split: str = "test"
    every: int = Field(1, ge=1, description="only every so many-th image")
    limit: int | None = Field(None, ge=1, description="only the first so many images, of these")
    batch_size: int = Field(16, ge=1)
    seed: Seed = 0
    norm: Literal["linf", "l2", "l1", "l0", "patch"] = "linf"
    quantize: bool = Field(False, description="8-bit images stay 8-bit under attack")
    eps: list[float] = Field(min_length=1)
    headline: float | None = Field(None, description="the ε that a leaderboard shows first; else the middle one")
    attacks: list[str] = Field(description="names, or globs over the names for the model's tasks; empty: clean only")
    options: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="options by step rule, aggregator or attack"
    )
    target: dict[str, str] | None = Field(
        None, min_length=1, description="goals by task, as `--target` takes them, to which every attack leads"
    )
    data_sha256: dict[str, Sha256] | None = Field(
        None, description="`PreparedDataset.digests` of what a row of the leaderboard was measured on; no row without"
    )

    @model_validator(mode="after")
    def _check_eps(self) -> "Suite":
        for eps in self.eps:
            check_written(eps, self.norm)
            Threat(self.norm, in_image_units(eps, self.norm), self.quantize)
        if len(set(self.eps)) != len(self.eps):
            raise ValueError(f"eps {self.eps} holds a value twice")
        if self.headline is not None and self.headline not in self.eps:
            raise ValueError(f"headline {self.headline:g} is not one of eps {self.eps}")
        return self

    def check_options(self) -> None:
        """InputError unless every kind of `options` is there and takes them."""
        for kind, options in self.options.items():
            attacks.check_options(kind, options)

    @property
    def sha256(self) -> str:
        """Identity of what is run: of all but its description, its own model and what is shown first."""
        # No target is left out, so that suites are what they were before there were any.
        absent = {"target"} if self.target is None else set()
        return json_digest(self.model_dump(mode="json", exclude={"description", "model", "headline"} | absent))

    def create_attacks(self, tasks: TaskMap) -> "list[Attack]":
        """The attacks on a model with these tasks: every ε of every attack, in the suite's order.

        Of what a glob names those that are made for the suite's threat and lead to its target, if it has one;
        InputError where there are none, and for one named in full that is not or does not.
        """
        names = [name for name in expand_names(self.attacks, tasks) if name in self.attacks or self._fits(name)]
        if self.attacks and not names:
            what = f"{self.norm} and leads to a target" if self.target else self.norm
            raise InputError(f"none of the attacks that {', '.join(self.attacks)} names is made for {what}")
        return [self._create(name, in_image_units(eps, self.norm)) for eps in self.eps for name in names]

    def _fits(self, name: str) -> bool:
        try:
            self._create(name, in_image_units(self.eps[0], self.norm))
        except (ThreatError, TargetError):
            return False
        return True

    def _create(self, name: str, eps: float) -> "Attack":
        options = attacks.options_for(name, self.options)
        threat: dict[str, Any] = {"eps": eps, "norm": self.norm, "quantized": self.quantize}
        return attacks.create_attack(name, **threat, seed=self.seed, target=self.target, **options)


def expand_names(patterns: list[str], tasks: TaskMap) -> list[str]:
    """Attack names for globs, each name once, in the order of the globs; UnknownNameError for one that matches none."""
    chosen: dict[str, None] = {}
    for pattern in patterns:
        matches = attacks.list_attacks(pattern, tasks=list(tasks))
        if not matches:
            criterion = pattern.partition("+")[2]
            if criterion and not attacks.list_criteria(criterion):
                raise UnknownNameError("criterion", criterion, attacks.list_criteria())
            raise UnknownNameError("attack", pattern, attacks.list_attacks(tasks=list(tasks)))
        chosen.update(dict.fromkeys(matches))
    return list(chosen)


def load_suite(name: str) -> Suite:
    """A suite by name, or by the path of a TOML file; InputError names the field that is wrong."""
    suite = load_named(Suite, "suite", name, SUITES)
    if name not in list_suites():  # Of those that ship the tests look at the options.
        try:
            suite.check_options()
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
    return suite


def list_suites(pattern: str = "*") -> list[str]:
    """Names of the suites that ship and match a glob."""
    return list_named(SUITES, pattern)
