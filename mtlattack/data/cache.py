"""Where data files lie: beside the checkout, or in the user's cache."""

import os
from pathlib import Path

_CHECKOUT = Path(__file__).parents[2] / "datasets"


def cache_folder() -> Path:
    """Folder for rendered and prepared data: `$MTLATTACK_CACHE`, or `~/.cache/mtlattack`."""
    return Path(os.environ.get("MTLATTACK_CACHE") or Path.home() / ".cache" / "mtlattack")


def find_file(name: str) -> Path | None:
    """A data file by name, in the checkout's `datasets/` or in the cache; None if it is in neither."""
    return next((path for path in (_CHECKOUT / name, cache_folder() / name) if path.is_file()), None)
