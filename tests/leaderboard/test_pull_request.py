"""A row's pull request from end to end: every script of the workflow, unchanged and in order, on the board that ships.

Three `uses:` are what stands in for a runner: two checkouts, and the Python that runs the tests.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from test_workflow import ROOT, WORKFLOW, git

from mtlattack.evidence import Evidence, EvidenceFile, Measurement
from mtlattack.evidence.outcome import job_names
from mtlattack.evidence.packing.compact import read_compact

Change = Callable[[Path, Path], object]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project in a repository of its own, without the board's last row; the branch `whole` has the row that
    `leaderboard submit` makes of the evidence of that."""
    place = tmp_path_factory.mktemp("repository")
    for name in ("mtlattack", "leaderboard"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place)
    git(place, "init", "-q", "-b", "main")
    row = last_row(place)
    evidence = row.with_name(json.loads(row.read_text())["evidence"]["file"])
    run = write_run(read_compact(evidence), tmp_path_factory.mktemp("run"))
    ledger = place / "leaderboard" / "ledger.jsonl"
    lines = [line for line in ledger.read_text().splitlines(keepends=True) if row.stem not in line]
    row.unlink()
    evidence.unlink()
    ledger.write_text("".join(lines))
    git(place, "add", "-A")
    git(place, "commit", "-qm", "one row less")
    git(place, "switch", "-qc", "whole")
    said = mtlattack(place, "leaderboard", "submit", run, "--submitter", "somebody")
    assert f"row {last_row(place).stem}: " in said
    git(place, "add", "-A")
    git(place, "commit", "-qm", "whole")
    git(place, "switch", "-q", "main")
    return place


def write_run(evidence: Evidence, folder: Path) -> Path:
    """A folder as the run left it that the evidence is of."""
    file = EvidenceFile.create(folder / "evidence.h5", evidence.plan, evidence.environment, evidence.ids)
    whole = slice(0, len(evidence.ids))
    assert evidence.constant is not None
    file.write_constant(whole, evidence.constant)
    for job, done in zip(job_names(evidence.plan), (evidence.clean, *evidence.attacked), strict=True):
        measured = Measurement(done.losses, done.statistics, done.perturbation, done.diagnostics)
        file.write(job, whole, measured, float(done.seconds.sum()), done.arrival)
    return folder


def mtlattack(place: Path, *arguments: object) -> str:
    """What a command of the project in that folder prints."""
    ran = subprocess.run(
        [sys.executable, "-m", "mtlattack", *map(str, arguments)], cwd=place, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(place)}, timeout=600,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def last_row(place: Path) -> Path:
    """The file of the row that came last to a board."""
    lines = (place / "leaderboard" / "ledger.jsonl").read_text().splitlines()
    newest = next(event["row"] for event in map(json.loads, reversed(lines)) if event["status"] == "self-reported")
    [path] = (place / "leaderboard" / "rows").rglob(f"{newest}.json")
    return path


def bring(repository: Path, folder: Path, change: Change) -> Path:
    """A runner's workspace of a pull request that brings the row, and changes more."""
    base = folder / "base"
    subprocess.run(["git", "clone", "-q", "-b", "main", repository, base], check=True, capture_output=True)
    git(base, "switch", "-qc", "row")
    git(base, "checkout", "-q", "origin/whole", "--", "leaderboard")
    change(base, last_row(base))
    git(base, "add", "-A")
    git(base, "commit", "-qm", "row")
    git(base, "switch", "-q", "main")
    subprocess.run(["git", "clone", "-q", base, folder / "pr"], check=True, capture_output=True)
    git(folder / "pr", "merge", "-q", "--no-ff", "-m", "merge", "origin/row")
    return folder


def run_workflow(workspace: Path) -> tuple[str, str]:
    """The step that failed, or nothing, and what all said."""
    (job,) = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"].values()
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(workspace), "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1",
        "GITHUB_OUTPUT": str(workspace / "output"),
        # What the program needs is here already; it is installed where it is found first.
        "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_TARGET": str(workspace / "site"),
        "PYTHONPATH": str(workspace / "site"),
    }  # fmt: skip
    said = ""
    for step in job["steps"]:
        if "run" not in step:
            continue
        ran = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=workspace, env=environment, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        said += ran.stdout + ran.stderr
        if ran.returncode:
            return step["name"], said
    revision = git(workspace / "base", "rev-parse", "main")
    assert (workspace / "output").read_text() == f"revision={revision}\n"
    return "", said


def nothing_else(place: Path, row: Path) -> None:
    pass


def better(place: Path, row: Path) -> None:
    """The evidence another, under the name that the row knows."""
    evidence = row.with_name(json.loads(row.read_text())["evidence"]["file"])
    content = bytearray(evidence.read_bytes())
    content[len(content) // 2] ^= 1
    evidence.write_bytes(content)


def an_old_row(place: Path, row: Path) -> None:
    old = next(path for path in sorted((place / "leaderboard" / "rows").rglob("*.json")) if path != row)
    document = json.loads(old.read_text())
    document["model"]["licence"] = "another"
    old.write_text(json.dumps(document))


def an_old_line(place: Path, row: Path) -> None:
    ledger = place / "leaderboard" / "ledger.jsonl"
    first, _, rest = ledger.read_text().partition("\n")
    ledger.write_text(rest)


def code(place: Path, row: Path) -> None:
    (place / "mtlattack" / "leaderboard" / "checking" / "__init__.py").write_text("")


CHANGES: dict[str, tuple[Change, str, str]] = {
    "honest": (nothing_else, "", ""),
    "forged": (better, "Check the rows", ".evidence.xz"),
    "edited old row": (an_old_row, "Check the rows", "rows/"),
    "shortened ledger": (an_old_line, "Check the rows", "ledger.jsonl"),
    "code beside it": (code, "Rows come alone", "mtlattack/leaderboard/checking/__init__.py"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_workflow(case: str, repository: Path, tmp_path: Path) -> None:
    change, step, message = CHANGES[case]
    failed, said = run_workflow(bring(repository, tmp_path, change))
    assert failed == step, said
    assert message in said


def test_what_was_merged_is_built_and_given_a_status(repository: Path, tmp_path: Path) -> None:
    merged = bring(repository, tmp_path, nothing_else) / "pr"
    row = last_row(merged)
    mtlattack(merged, "leaderboard", "build", "--board", "leaderboard", "--out", tmp_path / "site")
    assert any(row.stem in path.read_text() for path in (tmp_path / "site").rglob("*.html"))
    dispute = ["disputed", "--by", "a keeper", "--note", "as a test", "--board", "leaderboard"]
    said = mtlattack(merged, "leaderboard", "status", row.stem, *dispute)
    assert "disputed" in said
    mtlattack(merged, "leaderboard", "check", "leaderboard")
