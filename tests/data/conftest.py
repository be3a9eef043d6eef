"""The toy file, and a copy of it that a test may spoil."""

import shutil
from pathlib import Path

import pytest
from data_toys import write_toy


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared file with a label of every kind."""
    return write_toy(tmp_path_factory.mktemp("toy") / "toy.h5")


@pytest.fixture
def copy(toy: Path, tmp_path: Path) -> Path:
    """A copy of the toy file, to be spoiled."""
    return Path(shutil.copy(toy, tmp_path / "copy.h5"))
