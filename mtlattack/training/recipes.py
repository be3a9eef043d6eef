"""Recipes: everything that makes a checkpoint, as a TOML file."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from mtlattack.errors import UnknownNameError
from mtlattack.schemas import list_named, load_named

RECIPES = Path(__file__).parent / "recipes"


class Recipe(BaseModel):
    """How a network is trained. Network fields are those of `models.NetworkConfig`, its tasks come from the data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="name of the checkpoint")
    data: str = Field(description="data set by name or path; its `train` split is used")
    tasks: list[str] = Field(min_length=1, description="labels of the data to train on")
    network: dict[str, Any] = Field(description="backbone, layout, head…")
    task_weights: dict[str, float] = Field(default_factory=dict, description="factor on a task's loss, default 1")
    epochs: int = Field(ge=1)
    batch_size: int = Field(16, ge=1)
    learning_rate: float = Field(2e-3, gt=0, description="peak of a one-cycle schedule with AdamW")
    weight_decay: float = Field(1e-2, ge=0)
    zoom: float = Field(1.5, ge=1)
    colour: float = Field(0.2, ge=0, le=1)
    mirror: bool = True
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    stored_dtype: Literal["float32", "float16"] = "float16"
    seed: int = 0
    license: str = "MIT"

    @field_validator("task_weights")
    @classmethod
    def _weights_are_of_tasks(cls, weights: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        for name in weights:
            if name not in info.data.get("tasks", weights):
                raise UnknownNameError("task", name, info.data["tasks"])
        return weights


def load_recipe(name: str) -> Recipe:
    """A recipe by name, or by the path of a TOML file; InputError names the field that is wrong."""
    return load_named(Recipe, "recipe", name, RECIPES)


def list_recipes(pattern: str = "*") -> list[str]:
    """Names of the recipes that ship and match a glob."""
    return list_named(RECIPES, pattern)
