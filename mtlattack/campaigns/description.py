"""The TOML file of a campaign: which models meet which suites, with which seeds, and how."""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mtlattack.errors import InputError
from mtlattack.evaluation.suites import SUITES
from mtlattack.models.checkpoint_files import SUFFIX
from mtlattack.schemas import Seed, named_path, read_toml, validate

_FILES = (".h5", ".hdf5", SUFFIX)


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

    @model_validator(mode="after")
    def _check_axes(self) -> "Campaign":
        """No cell twice; globs over models may have some in common."""
        for axis in ("suites", "models", "data", "attacks", "eps", "seeds"):
            known: dict[Any, Any] = {}
            for entry in getattr(self, axis):
                meant = _meant(axis, entry)
                if meant in known:
                    again = "" if entry == known[meant] else f", the second time as {_said(entry)}"
                    raise InputError(f"{axis} holds {_said(known[meant])} twice{again}")
                known[meant] = entry
        return self


def _meant(axis: str, entry: Any) -> Any:
    """What two entries of an axis share that mean the same: a file has several paths, and `[4]` is 4."""
    if isinstance(entry, ModelEntry):
        return entry.model, os.path.realpath(entry.checkpoint)
    if isinstance(entry, list):
        return tuple(entry) if len(entry) != 1 else entry[0]
    if axis == "suites":
        return os.path.realpath(named_path(entry, SUITES))
    return os.path.realpath(entry) if str(entry).endswith(_FILES) else entry


def _said(entry: Any) -> str:
    return f"{entry.model} with {entry.checkpoint}" if isinstance(entry, ModelEntry) else repr(entry)


def load_campaign(path: Path) -> Campaign:
    """The campaign that a TOML file describes; InputError names the field that is wrong."""
    if not os.path.exists(path):
        raise InputError(f"no campaign file {path}")
    return validate(Campaign, read_toml(path), f"{path}: ")
