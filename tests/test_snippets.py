"""The Python in the pages: every name of ours is there, every snippet runs as it is written, on few small images."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from evaluation_toys import Little

import mtlattack as mta
from mtlattack.attacks.aggregators import AGGREGATORS
from mtlattack.data import LabelledImages, labelled_images
from mtlattack.tasks import Depth, Normals, Segmentation

ROOT = Path(__file__).parents[1]
FOLDERS = ("mtlattack", "datasets", "benchmarks", "leaderboard")
# CONTRIBUTING.md has a test of its own, which does what it says.
PAGES = [
    page.relative_to(ROOT)
    for page in (ROOT / "README.md", *sorted(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md")))
    if "```python" in page.read_text()
]
TASKS = {"segmentation": Segmentation(14), "depth": Depth(), "normals": Normals()}
SIZE = (6, 8)


def snippets(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(), re.S | re.M)


# Files of their own are run where their commands are: test_cli_own_model.py, test_to_a_row.py.
RUN = [
    (page, place)
    for page in PAGES
    for place, code in enumerate(snippets(page))
    if not re.match(r"# \w+\.py\n", code) and "from my_net import" not in code
]


def test_the_pages_are_found() -> None:
    assert {Path("README.md"), Path("mtlattack/README.md"), Path("mtlattack/models/README.md")} <= set(PAGES)


@pytest.mark.parametrize("page", [*PAGES, Path("mtlattack/__init__.py")], ids=str)
def test_every_name_that_is_used_is_there(page: Path) -> None:
    """Behind `mta.` and in what is imported of us, in snippets and between backticks."""
    for code in snippets(page):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("mtlattack"):
                exec(f"from {node.module} import {', '.join(alias.name for alias in node.names)}", {})
    for dotted in re.findall(r"\bmta\.([A-Za-z_][\w.]*\w)", (ROOT / page).read_text()):
        found: Any = mta
        for part in dotted.split("."):
            assert hasattr(found, part), f"{page}: mta.{dotted}"
            found = getattr(found, part)


def images(seed: int = 0) -> LabelledImages:
    draw = torch.Generator().manual_seed(seed)
    labels = {
        "segmentation": torch.randint(0, 14, (2, *SIZE), generator=draw),
        "depth": 1 + torch.rand(2, *SIZE, generator=draw),
        "normals": torch.nn.functional.normalize(torch.randn(2, 3, *SIZE, generator=draw), dim=1),
    }
    return labelled_images((torch.rand(2, 3, *SIZE, generator=draw), labels), TASKS)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What a snippet may take for granted; models and data by name are small ones."""
    models = {name: Little(TASKS, seed) for seed, name in enumerate(("model", "one", "other", "third", "victim"))}
    batch = images()[0]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mta, "create_model", lambda name: models["model"], raising=False)
    monkeypatch.setattr(mta, "load_dataset", lambda *arguments, **options: images(), raising=False)
    monkeypatch.setattr(mta, "resolve_source", lambda name: (models["model"], name), raising=False)
    known = set(AGGREGATORS)
    attack = mta.create_attack("fgsm-total", eps=8 / 255)
    yield {**models, "data": images(), "images": batch.images, "targets": batch.targets, "attack": attack}
    for name in set(AGGREGATORS) - known:
        del AGGREGATORS._entries[name]


@pytest.mark.parametrize(("page", "place"), RUN, ids=lambda each: str(each))
def test_a_snippet_runs(page: Path, place: int, names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    code = snippets(page)[place]
    exec(compile(code, f"{page}, snippet {place}", "exec"), {"mta": mta, "__name__": "snippet", **names})
    assert ("print(" in code) == bool(capsys.readouterr().out)
