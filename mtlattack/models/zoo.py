"""The models that ship, by name: `<data>-<backbone>.<layout>`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mtlattack.errors import UnknownNameError
from mtlattack.models.checkpoint_files import SUFFIX, checkpoint_name
from mtlattack.registry import match_names

if TYPE_CHECKING:
    from mtlattack.models.network import MultiTaskNetwork

WEIGHTS = Path(__file__).parent / "weights"


def list_models(pattern: str = "*") -> list[str]:
    """Names of the shipped models that match a glob, in natural order."""
    return match_names(list(_files()), pattern)


def model_path(name: str) -> Path:
    """Checkpoint file of a shipped model; UnknownNameError with the nearest name otherwise."""
    files = _files()
    if name not in files:
        raise UnknownNameError("model", name, files)
    return files[name]


def create_model(name: str) -> MultiTaskNetwork:
    """A shipped model with its trained weights, in eval mode."""
    from mtlattack.models.checkpoints import load_checkpoint  # With torch, which names do without.

    model = load_checkpoint(model_path(name))
    model.given_name = name
    return model


def _files() -> dict[str, Path]:
    return {checkpoint_name(path): path for path in sorted(WEIGHTS.glob(f"*{SUFFIX}"))}
