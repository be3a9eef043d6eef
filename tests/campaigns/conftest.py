"""A folder with tiny images and models, in which campaigns run."""

import shutil
from pathlib import Path

import pytest
from campaign_toys import write_images


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: four images in `toy.h5`, the models of `toy_models`, a suite `toy.toml`, an empty cache."""
    write_images(tmp_path / "toy.h5", 4)
    shutil.copy(Path(__file__).with_name("toy_models.py"), tmp_path)
    (tmp_path / "toy.toml").write_text(
        'name = "toy"\nversion = 1\ndescription = "tiny"\nmodel = "toy_models:seeded"\ndata = "toy.h5"\n'
        'batch_size = 2\neps = [4]\nattacks = ["pgd-total"]\n[options.pgd]\nsteps = 3\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MTLATTACK_CACHE", str(tmp_path / "cache"))
    return tmp_path
