"""What tests of all folders share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples everywhere and every time; other ones with `--hypothesis-profile explore`.
settings.register_profile("same", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile("same")

# Tiny networks gain nothing from threads, and threads that wait for a busy core cost minutes. Set before torch loads,
# so that processes which tests start have it as well.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Workers of pytest-xdist are given one, which would count as the width of what is printed.
os.environ.pop("COLUMNS", None)


@pytest.fixture(autouse=True)
def same_chance() -> None:
    """Weights that a test draws are the same whatever ran before it, in whichever process."""
    import torch

    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data that is no part of the project; tests that need it are skipped where it is not at hand.

    `$MTLATTACK_SHARED_DATA`, or `shared/data` beside the checkout.
    """
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("MTLATTACK_SHARED_DATA") or beside)
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder} (set MTLATTACK_SHARED_DATA)")
    return folder
