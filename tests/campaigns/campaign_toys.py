"""Tiny images, campaigns on them, and what they must end with."""

import os
import sys
from collections.abc import Iterable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import process_toys

from mtlattack.campaigns import Campaign
from mtlattack.campaigns.cells import Cell, expand
from mtlattack.campaigns.engine import Circumstances
from mtlattack.campaigns.worker import Worker
from mtlattack.cli import main
from mtlattack.evidence import Evidence, read_evidence

SIZE = 8


def write_images(path: Path, images: int) -> Path:
    """A prepared file of random images with segmentation and depth."""
    draw = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file.attrs.update(format="mtlattack-dataset", format_version=1, name="toy", height=SIZE, width=SIZE)
        file.attrs.update(license="MIT", citation="none")
        test = file.create_group("test")
        test["id"] = [f"{number:04d}" for number in range(images)]
        test["image"] = draw.integers(0, 256, (images, SIZE, SIZE, 3)).astype(np.uint8)
        test["segmentation"] = draw.integers(0, 3, (images, SIZE, SIZE)).astype(np.uint8)
        test["segmentation"].attrs["classes"] = 3
        test["depth"] = draw.integers(500, 9000, (images, SIZE, SIZE)).astype(np.uint16)
        test["depth"].attrs.update(scale=0.001, unit="metre")
    return path


def toy_campaign(**changes: Any) -> Campaign:
    """Two models × two seeds."""
    content = {"suites": ["toy.toml"], "models": ["toy_models:toy", "toy_models:seeded"], "seeds": [0, 1]}
    return Campaign.model_validate(content | changes)


def write_campaign(path: Path, campaign: Campaign) -> Path:
    """The TOML file of it."""
    lines = [f"{key} = {_toml(value)}" for key, value in campaign.model_dump(exclude_defaults=True).items()]
    path.write_text("\n".join(lines) + "\n")
    return path


def numbers(path: Path) -> list[np.ndarray[Any, Any]]:
    """All arrays of an evidence file that do not depend on the clock."""
    evidence: Evidence = read_evidence(path)
    outcomes = [evidence.clean, *evidence.attacked]
    return [x for o in outcomes for x in (o.losses, o.perturbation, *o.statistics.values())]


def run_undisturbed(campaign: Campaign, out: Path) -> list[Cell]:
    """All cells, one after the other in this process."""
    worker = Worker(Circumstances(str(out.resolve()), os.getcwd(), campaign.threads, list(sys.argv)))
    cells = expand(campaign)
    for cell in cells:
        result = worker.run(cell)
        assert result.error is None, result.error
    return cells


def assert_same(cells: Iterable[Cell], out: Path, expected: Path) -> None:
    """Each cell has the numbers that it has in the other folder, to the last bit."""
    for cell in cells:
        found, wanted = (numbers(folder / cell.name / "evidence.h5") for folder in (out, expected))
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other)


def done_marks(out: Path) -> int:
    """How many images of attacks are done in all cells, read beside the processes that write."""
    count = 0
    for path in out.glob("*/evidence.h5"):
        try:
            with h5py.File(path, "r", locking=False) as file:
                count += int(file["attacks/0000/done"][:].sum())
        except (OSError, KeyError):
            continue
    return count


def start(*arguments: object) -> BaseProcess:
    """`mtlattack ARGUMENTS…` in a process of its own."""
    return process_toys.start(_run, [*map(str, arguments)])


def _run(arguments: list[str]) -> None:
    sys.argv = ["mtlattack", *arguments]
    with Path("said.txt").open("a") as sink:
        sys.stdout = sys.stderr = sink
        main()


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else repr(value)
