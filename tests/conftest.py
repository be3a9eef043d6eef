"""What tests of all folders share."""

import os
from collections import defaultdict
from pathlib import Path
from zlib import crc32

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


@pytest.hookimpl(tryfirst=True)  # Before `-m` looks at the marks.
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the cases of a test that is `sampled(n)` one in n stays in the default run, the same of a file's tests that
    have the same cases, so that these share what they computed; the others are slow."""
    grids: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("sampled"):
            grids[item.nodeid.partition("[")[0]].append(item)
    for cases in grids.values():
        mark = cases[0].get_closest_marker("sampled")
        assert mark is not None
        (every,) = mark.args
        cases.sort(key=lambda item: crc32(f"{item.path.name}{item.nodeid.partition('[')[2]}".encode()))
        for item in cases[-(-len(cases) // every) :]:
            item.add_marker(pytest.mark.slow)


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
