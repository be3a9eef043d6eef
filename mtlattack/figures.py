"""Saving pictures."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from mtlattack.errors import InputError


def save_figure(figure: Figure, path: Path, **options: Any) -> Path:
    """Write a figure, making its folder, and return its path; `options` go to matplotlib. InputError if it cannot."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, **options)
    except OSError as error:
        raise InputError(f"cannot write {path} ({error})") from None
    return path
