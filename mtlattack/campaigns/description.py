"""The TOML file of a campaign: which models meet which suites, with which seeds, and how."""

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mtlattack.errors import InputError
from mtlattack.schemas import Seed, read_toml, validate


class ModelEntry(BaseModel):
    """A model that takes its weights from a file of their own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(description="module:factory")
    checkpoint: str = Field(description="file of weights")


class Campaign(BaseModel):
    """Each list is an axis, and every combination of its entries is a cell: a run. An axis that is left out is as the
    suite says. Names and values are those of `mtlattack run`; paths are relative to the current folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    suites: list[str] = Field(min_length=1, description="names or TOML files")
    models: list[str | ModelEntry] = Field(
        default_factory=list, description="zoo names or globs over them, .safetensors files, module:factory"
    )
    data: list[str] = Field(default_factory=list, description="names or prepared files")
    attacks: list[str | list[str]] = Field(
        default_factory=list, description="an entry is a name or glob, or a list of them, that are run in one cell"
    )
    eps: list[float | list[float]] = Field(
        default_factory=list, description="an entry is an ε as suites write it, or a list of them, for one cell"
    )
    seeds: list[Seed] = Field(default_factory=list)

    norm: str | None = Field(None, description="this and the following hold for all cells")
    quantize: bool | None = None
    every: int | None = None
    limit: int | None = None
    batch_size: int | None = None
    target: dict[str, str] | None = Field(None, description="goals by task, as a suite's")
    precision: str = Field("float32", description="of the gradients: float32, bfloat16 or auto")
    cuda_graphs: Literal["auto", "on", "off"] = "auto"
    device: str | None = None

    threads: int = Field(1, ge=1, description="CPU threads of a cell; they stand in its evidence")
    gpus_per_cell: float | None = Field(
        None, ge=0, le=1, description="share of a GPU that a cell takes; default: a whole one where there are any"
    )
    retries: int = Field(2, ge=0, description="how often a cell starts again after its worker was lost")


def load_campaign(path: Path) -> Campaign:
    """The campaign that a TOML file describes; InputError names the field that is wrong."""
    if not os.path.exists(path):
        raise InputError(f"no campaign file {path}")
    return validate(Campaign, read_toml(path), f"{path}: ")
