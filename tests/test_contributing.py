"""What CONTRIBUTING.md says of adding things, done to a copy of the library."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"^(?:A new file `(?P<new>[^`]+)`:|In `(?P<file>[^`]+)`, below `(?P<anchor>[^`]+)`:|(?P<check>Then))\n\n"
    r"```\w+\n(?P<code>.*?)```$",
    re.M | re.S,
)
SECTIONS = {title: body for title, body in re.findall(r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S)}
ADDED = ["An aggregator", "A step rule", "A kind of task", "A layout", "A suite"]


def add(copy: Path, block: re.Match[str]) -> Path:
    """Do to the copy what a block says; the file that it touched."""
    path = copy / (block["new"] or block["file"])
    if block["new"]:
        assert not path.exists(), f"{block['new']} is there already"
        path.write_text(block["code"], encoding="utf-8")
        return path
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    [place] = [at for at, line in enumerate(lines) if line.startswith(block["anchor"])]
    lines.insert(place + 1, block["code"])
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path], list[str]]:
    """A copy of the library and its tests to which all was done, the files that were touched, and what then holds."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ("mtlattack", "tests"):
        left_out = shutil.ignore_patterns("__pycache__", "weights", "fixtures")
        shutil.copytree(ROOT / name, copy / name, ignore=left_out)
    shutil.copy(ROOT / "pyproject.toml", copy)
    touched, checks = [], []
    for title in ADDED:
        for block in BLOCK.finditer(SECTIONS[title]):
            if block["check"]:
                checks.append(block["code"])
            else:
                touched.append(add(copy, block))
    return copy, touched, checks


@pytest.fixture(scope="module")
def run(copied: tuple[Path, list[Path], list[str]]) -> Callable[..., None]:
    """Runs this Python on the copy; it must end well."""

    def run(*arguments: object) -> None:
        command = [sys.executable, *map(str, arguments)]
        ran = subprocess.run(command, cwd=copied[0], capture_output=True, text=True, timeout=300)
        assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]

    return run


def test_every_section_adds_files_and_says_what_then_holds() -> None:
    assert set(SECTIONS) == {"Set up", *ADDED, "A row of the leaderboard"}
    for title in ADDED:
        kinds = [bool(block["check"]) for block in BLOCK.finditer(SECTIONS[title])]
        assert kinds.count(True) == 1 and kinds.index(True) == len(kinds) - 1 >= 1, title
        # Every fence is one that is tried.
        assert SECTIONS[title].count("```") == 2 * len(kinds), title


def test_what_was_added_is_there(copied: tuple[Path, list[Path], list[str]], run: Callable[..., None]) -> None:
    copy, _, checks = copied
    here = f"import mtlattack; assert mtlattack.__file__.startswith({str(copy)!r})"
    run("-c", "\n".join([here, *checks]))


def test_what_was_added_is_written_as_the_rest(
    copied: tuple[Path, list[Path], list[str]], run: Callable[..., None]
) -> None:
    files = sorted({path for path in copied[1] if path.suffix == ".py"})
    run("-m", "ruff", "check", *files)
    run("-m", "ruff", "format", "--check", *files)


@pytest.mark.slow
def test_what_was_added_passes_its_tests(run: Callable[..., None]) -> None:
    options = ("-p", "no:xdist", "-o", "addopts=-q --strict-markers", "-p", "no:cacheprovider")
    run("-m", "mtlattack.cli.registered")
    attacks = [f"tests/attacks/test_attack_{what}.py" for what in ("invariants", "registry", "errors")]
    run("-m", "pytest", *options, *attacks, "-k", "blend or mean-log or test_default")
    run("-m", "pytest", *options, "tests/tasks", "-k", "shadow or listed", "-m", "not slow")
    run("-m", "pytest", *options, "tests/training/test_recipes.py", "-k", "degree80")
    run("-m", "pytest", *options, "tests/evaluation/test_evaluation_suites.py", "-k", "rooms-l2")
    run("-m", "pytest", *options, "tests/cli/test_cli_list.py", "-k", "index")
