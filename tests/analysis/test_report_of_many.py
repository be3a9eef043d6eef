"""Reports of very many images: block by block they say what they say of all images at once, in memory that stays."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtlattack.analysis import Run, report, resampling
from mtlattack.analysis.resampling import GroupWeights, Weights, resampling_weights
from mtlattack.evidence import ARRIVAL, Evidence, EvidenceFile, Measurement, job_names, store
from mtlattack.tasks import Depth, Segmentation, Task

TASKS: dict[str, Task] = {"segmentation": Segmentation(3), "depth": Depth()}
IMAGES = 1003
TARGET = {"depth": "x2"}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than 500 images count as very many, are drawn in 400 groups and stay in the file."""
    monkeypatch.setattr(resampling, "MOST_APART", 500)
    monkeypatch.setattr(resampling, "GROUPS", 400)
    monkeypatch.setattr(store, "IN_MEMORY", 500)
    monkeypatch.setattr(report, "RESAMPLES", 30)


def write(folder: Path, images: int) -> Path:
    """Evidence of two attacks, an ensemble of both and one with a target; some images have no label for a task."""
    attacks = [
        {"name": "pgd-single:depth", "norm": "linf", "eps": 4 / 255, "steps": 5},
        {"name": "noise-total", "norm": "linf", "eps": 4 / 255},
        {"name": "apgd-relative", "norm": "linf", "eps": 4 / 255, "steps": 5, "target": TARGET},
    ]
    plan = {
        "suite": None,
        "model": {"name": "toy", "sha256": "0" * 64, "parameters": 1},
        "data": {"name": "toy", "split": "test", "images": images, "sha256": {}},
        "tasks": [task.config() for task in TASKS.values()],
        "attacks": [{"config": config, "forward_passes": 6, "backward_passes": 5} for config in attacks],
        "ensembles": [{"name": "both", "norm": "linf", "eps": 4 / 255, "members": [0, 1]}],
        "seed": 0,
        "batch_size": 16,
    }
    file = EvidenceFile.create(folder / "evidence.h5", plan, {}, [f"{i}" for i in range(images)])
    draw = np.random.default_rng(0)
    labels = {name: draw.choice([0, 50], images, p=[0.1, 0.9]) for name in TASKS}
    rows = slice(0, images)
    file.write_constant(rows, statistics(draw, labels))
    for place, job in enumerate(job_names(plan)):
        losses = draw.uniform(0.5, 2, (images, len(TASKS))) * (1 + place)
        diagnostics = np.full((images, 3), np.nan)
        diagnostics[:, 0] = draw.random(images) < 0.2 if place in (1, 3) else np.nan
        arrival = np.full((images, len(TASKS), len(ARRIVAL)), np.nan) if place == 3 else None
        if arrival is not None:
            arrival[:, 1] = draw.uniform(1, 2, (images, len(ARRIVAL)))
        norms = draw.uniform(0, 1, (images, 4))
        file.write(job, rows, Measurement(losses, statistics(draw, labels), norms, diagnostics), 1.0, arrival)
    return file.path


def statistics(draw: np.random.Generator, labels: dict[str, Any]) -> dict[str, Any]:
    found = {name: draw.uniform(1, 40, (len(labels[name]), len(t.statistics_names))) for name, t in TASKS.items()}
    for name, values in found.items():
        values[:, 0] = labels[name]
    return found


def numbers(content: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of a record by its place in it."""
    if isinstance(content, dict | list):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield from numbers(value, f"{place}.{key}")
    else:
        yield place, content


def at_once(images: int, resamples: int, seed: int) -> Weights:
    """The same resamples of groups, written as how often each image is drawn."""
    weights = resampling_weights(images, resamples, seed)
    assert isinstance(weights, GroupWeights)
    return weights.groups[:, np.arange(images) % weights.groups.shape[1]]


def test_blocks_say_what_all_images_at_once_say(tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, IMAGES)
    evidence = Run.of(store.read_evidence(path))
    assert isinstance(evidence.clean.losses, np.memmap)
    found = dict(numbers(evidence.report().record.model_dump(mode="json")))
    monkeypatch.setattr(report, "resampling_weights", at_once)
    monkeypatch.setattr(store, "IN_MEMORY", IMAGES)
    for module in ("ensembles", "arrival", "totals", "trust.run", "trust.gradients"):
        monkeypatch.setattr(f"mtlattack.analysis.{module}.blocks", lambda images: [slice(0, images)])
    expected = dict(numbers(Run.of(store.read_evidence(path)).report().record.model_dump(mode="json")))
    assert found.keys() == expected.keys() and len(found) > 300
    for place, value in expected.items():
        same = pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
        assert found[place] == same, place
    assert {"gradients-vanish"} <= {value for place, value in found.items() if place.startswith(".flags")}


def resident(path: Path) -> int:
    """Kilobytes of a file that are resident in this process through maps of it."""
    smaps = Path("/proc/self/smaps")
    if not smaps.is_file():
        pytest.skip("only Linux says which pages of a file are resident")
    mine, total = False, 0
    for line in smaps.read_text().splitlines():
        name, _, rest = line.partition(" ")
        if not name.endswith(":"):
            mine = rest.endswith(str(path))
        elif mine and name == "Rss:":
            total += int(rest.split()[0])
    return total


def test_nothing_of_the_file_stays_in_memory(tmp_path: Path, few: None) -> None:
    path = write(tmp_path, IMAGES)
    evidence = Run.of(store.read_evidence(path))
    evidence.clean.statistics["depth"].sum()
    assert resident(path) > 0
    evidence.report()
    assert resident(path) == 0


def test_memory_does_not_grow_with_the_images(tmp_path: Path, few: None) -> None:
    def peak(images: int) -> int:
        evidence = Run.of(store.read_evidence(write(tmp_path / str(images), images)))
        tracemalloc.start()
        try:
            evidence.report()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(600)  # what is imported and kept for ever
    assert peak(6400) < 1.1 * peak(800)


def test_a_part_is_a_view_in_memory_and_a_copy_of_what_lies_in_a_file(tmp_path: Path, few: None) -> None:
    few_images: Evidence = store.read_evidence(write(tmp_path / "few", 500))
    part = few_images.clean.part(slice(3, 7))
    assert np.shares_memory(part.losses, few_images.clean.losses) and len(part.losses) == 4
    many = store.read_evidence(write(tmp_path / "many", 501)).attacked[2]
    part = many.part(slice(3, 7))
    assert part.losses.dtype == np.float64 and not np.shares_memory(part.losses, many.losses)
    assert part.arrival is not None and many.arrival is not None
    np.testing.assert_array_equal(part.arrival, many.arrival[3:7])
    np.testing.assert_array_equal(part.statistics["depth"], many.statistics["depth"][3:7])
