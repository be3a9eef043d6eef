"""Recipes: everything that makes a checkpoint, as a TOML file."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from mtlattack.attacks import (
    Attack,
    MinimalAttack,
    UniversalAttack,
    create_attack,
    parts_of,
    takes_steps,
)
from mtlattack.epsilon import check_written, default_written, epsilon_text, in_image_units
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.schemas import Seed, list_named, named_path, read_named, validate
from mtlattack.wording import counted

RECIPES = Path(__file__).parent / "recipes"
Weight = Annotated[float, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Adversarial(_Part):
    """Which attack the network trains against, and how. For l_inf, `eps` counts grey levels of 255."""

    method: Literal["clean+adversarial", "adversarial", "trades"] = Field(
        "clean+adversarial", description="a clean and an adversarial batch a step, the latter alone, or TRADES"
    )
    attack: str = Field("pgd-dgba", description="any registered attack; it runs anew on every batch")
    norm: Literal["linf", "l2"] = "linf"
    eps: float = Field(description="default: the norm's, 4 levels for linf")
    steps: int = Field(2, ge=1, description="of an attack that takes a number of them")
    beta: float = Field(6, gt=0, description="trades: factor on the divergence")

    @model_validator(mode="before")
    @classmethod
    def _eps_of_norm(cls, content: Any) -> Any:
        if isinstance(content, dict) and "eps" not in content and content.get("norm", "linf") in ("linf", "l2"):
            return {**content, "eps": default_written(content.get("norm", "linf"))}
        return content

    @model_validator(mode="after")
    def _attack_fits(self) -> "Adversarial":
        check_written(self.eps, self.norm)
        attack = self.create_attack(0)
        _, _, criterion = parts_of(self.attack)
        if isinstance(attack, UniversalAttack):
            raise InputError(f"{attack.name} is fitted on many images first: nothing that runs anew on every batch")
        if self.method == "trades" and isinstance(attack, MinimalAttack):
            raise InputError(f"{attack.name} waits for losses to grow, and a divergence has nothing to grow from")
        if self.method == "trades" and criterion:
            raise InputError(f"{attack.name}: {criterion} weighs losses on labels, trades climbs divergences")
        return self

    def describe(self) -> str:
        """In words for cards: `clean+adversarial, pgd-dgba, linf ε = 4/255, 2 steps`."""
        size = epsilon_text(in_image_units(self.eps, self.norm), self.norm)
        return f"{self.method}, {self.attack}, {self.norm} ε = {size}, {counted(self.steps, 'step')}"

    def create_attack(self, seed: int) -> Attack:
        """The attack, its random starts drawn by `seed` and image."""
        steps = self.steps if takes_steps(self.attack) else None
        return create_attack(
            self.attack, eps=in_image_units(self.eps, self.norm), norm=self.norm, seed=seed, steps=steps
        )


class Validation(_Part):
    """What the validation curves are measured on; no choice is made by them."""

    split: str = "test"
    images: int | None = Field(None, ge=1, description="only the first so many")
    every: int = Field(1, ge=1, description="epochs from one measurement to the next")


class Recipe(_Part):
    """How a network is trained. Network fields are those of `models.NetworkConfig`, its tasks come from the data."""

    name: str = Field(pattern=r"^[\w.+-]+$", max_length=150, description="name of the checkpoint")
    data: str = Field(description="data set by name or path; its `train` split is used")
    tasks: list[str] = Field(min_length=1, description="labels of the data to train on")
    network: dict[str, Any] = Field(description="backbone, layout, head…")
    start: str | None = Field(None, description="weights to start from: zoo name, checkpoint, or imagenet")
    task_weights: dict[str, Weight] = Field(default_factory=dict, description="factor on a task's loss, default 1")
    main_tasks: list[str] | None = Field(None, description="the other tasks are auxiliary; default: all are main tasks")
    auxiliary_weight: float = Field(0.1, ge=0, description="λ: all auxiliary tasks together, where there are some")
    adversarial: Adversarial | None = Field(None, description="adversarial training; default: clean")
    epochs: int = Field(ge=1)
    batch_size: int = Field(16, ge=1)
    accumulation: int = Field(1, ge=1, description="batches whose gradients are averaged for one step")
    learning_rate: float = Field(2e-3, gt=0, description="peak of a one-cycle schedule with AdamW")
    weight_decay: float = Field(1e-2, ge=0)
    average: float = Field(0, ge=0, lt=1, description="decay of an exponential moving average of the weights; 0: none")
    zoom: float = Field(1.5, ge=1)
    colour: float = Field(0.2, ge=0, le=1)
    mirror: bool = True
    precision: Literal["float32", "bfloat16", "float16"] = Field("bfloat16", description="float16 needs CUDA")
    stored_dtype: Literal["float32", "float16"] = "float16"
    validation: Validation | None = Field(None, description="default: only the training losses are recorded")
    seed: Annotated[Seed, Field(le=2**32 - 1)] = 0
    license: str = "MIT"

    @field_validator("tasks", "main_tasks")
    @classmethod
    def _each_once(cls, names: list[str] | None) -> list[str] | None:
        if names is not None and len(set(names)) != len(names):
            raise InputError(f"a task is there twice in {', '.join(names)}")
        return names

    @field_validator("task_weights", "main_tasks")
    @classmethod
    def _names_are_tasks(cls, names: Any, info: ValidationInfo) -> Any:
        for name in names or ():
            if name not in info.data.get("tasks", names):
                raise UnknownNameError("task", name, info.data["tasks"])
        return names

    @model_validator(mode="after")
    def _main_tasks_exist(self) -> "Recipe":
        if self.main_tasks is not None and not self.main_tasks:
            raise InputError("main_tasks is empty, expected at least one task")
        return self

    @model_validator(mode="after")
    def _attack_has_range(self) -> "Recipe":
        if self.precision == "float16" and self.adversarial is not None:
            raise InputError("precision float16 has no room for an attack's gradients, which underflow; use bfloat16")
        return self

    def loss_weights(self) -> dict[str, float]:
        """Factor on each task's loss: `task_weights`, and with `main_tasks` the auxiliary weighting of Mao et al.

        Their total loss is the mean over main tasks + λ/|aux| · the sum over auxiliary ones (ECCV 2020, as in their
        code); without `main_tasks` it is the plain weighted sum.
        """
        weights = {name: self.task_weights.get(name, 1.0) for name in self.tasks}
        if self.main_tasks is None:
            return weights
        auxiliary = len(self.tasks) - len(self.main_tasks)
        return {
            name: weight * (1 / len(self.main_tasks) if name in self.main_tasks else self.auxiliary_weight / auxiliary)
            for name, weight in weights.items()
        }


def load_recipe(name: str) -> Recipe:
    """A recipe by name, or by the path of a TOML file; InputError names the field that is wrong.

    A recipe with a `base` is that other recipe with some fields changed; in a table, only the given keys change.
    """
    return validate(Recipe, _read(name, ()), f"{named_path(name, RECIPES)}: ")


def list_recipes(pattern: str = "*") -> list[str]:
    """Names of the recipes that ship and match a glob."""
    return list_named(RECIPES, pattern)


def _read(name: str, derived: tuple[str, ...]) -> dict[str, Any]:
    if name in derived:
        raise InputError(f"recipe {name} is its own base: {' → '.join([*derived, name])}")
    content = read_named("recipe", name, RECIPES)
    if "base" not in content:
        return content
    try:
        base = _read(str(content.pop("base")), (*derived, name))
    except InputError as error:
        raise InputError(f"{named_path(name, RECIPES)}: base: {error}") from None
    tables = {k: base[k] | v for k, v in content.items() if isinstance(v, dict) and isinstance(base.get(k), dict)}
    return base | content | tables
