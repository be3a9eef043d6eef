"""Where data files lie: beside the checkout, or in the user's cache."""

import os
from pathlib import Path

_CHECKOUT = Path(__file__).parents[2] / "datasets"


def cache_folder() -> Path:
    """Folder for all that can be made again: `$MTLATTACK_CACHE`, else `mtlattack` in `$XDG_CACHE_HOME` (which counts if
    it is absolute), else in `~/.cache`."""
    if own := os.environ.get("MTLATTACK_CACHE"):
        return Path(own)
    caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (caches if caches.is_absolute() else Path.home() / ".cache") / "mtlattack"


def find_file(name: str) -> Path | None:
    """A data file by name, in the checkout's `datasets/` or in the cache; None if it is in neither."""
    return next((path for path in (_CHECKOUT / name, cache_folder() / name) if path.is_file()), None)
