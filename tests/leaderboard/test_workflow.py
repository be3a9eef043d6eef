"""The workflow that checks pull requests: nothing in them is run, and rows come alone."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "leaderboard.yml"
STRANGE = ["a b\nc", "x'$(touch owned)'", 'y"`touch owned`', "::error::owned", "ü", "-rf", "*"]


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    (job,) = workflow["jobs"].values()
    return list(job["steps"])


def test_it_is_triggered_without_rights(workflow: dict[Any, Any]) -> None:
    # YAML 1.1 reads `on` as true.
    assert workflow[True] == {"pull_request": {"paths": ["leaderboard/**"]}}
    assert workflow["permissions"] == {"contents": "read"}
    text = WORKFLOW.read_text(encoding="utf-8")
    assert "pull_request_target" not in text and "secrets." not in text and "workflow_run" not in text
    for job in workflow["jobs"].values():
        assert "permissions" not in job and job["timeout-minutes"] <= 60 and "env" not in job


def test_actions_are_pinned(steps: list[dict[str, Any]]) -> None:
    used = [step["uses"] for step in steps if "uses" in step]
    assert used and all(re.fullmatch(r"actions/[a-z-]+@(v\d+(\.\d+)*|[0-9a-f]{40})", each) for each in used)


def test_the_pull_request_is_checked_out_to_be_read_and_nothing_else(steps: list[dict[str, Any]]) -> None:
    checkouts = {
        step["with"]["path"]: step["with"] for step in steps if step.get("uses", "").startswith("actions/check")
    }
    assert set(checkouts) == {"pr", "base"}
    assert checkouts["base"]["ref"] == "${{ steps.base.outputs.revision }}"
    assert "ref" not in checkouts["pr"] and checkouts["pr"]["submodules"] is checkouts["pr"]["lfs"] is False
    assert all(each["persist-credentials"] is False for each in checkouts.values())


def test_nothing_of_the_pull_request_is_run_or_installed(steps: list[dict[str, Any]]) -> None:
    commands = [line.strip() for step in steps for line in step.get("run", "").splitlines()]
    assert not any("working-directory" in step or "shell" in step for step in steps)
    # No expression is pasted into a script, and no script leaves the workspace's root.
    assert not any("${{" in line or re.search(r"\b(cd|pushd|source|eval|exec)\b", line) for line in commands)
    assert [line for line in commands if "install" in line] == ["python -m pip install ./base"]
    # `pr` is an argument of git, which runs nothing that a clone brings along, and of the check itself.
    assert [line for line in commands if re.search(r"\bpr\b", line)] == [
        "git -C pr rev-parse --verify 'HEAD^1' | sed 's/^/revision=/' >> \"$GITHUB_OUTPUT\"",
        "git -C pr diff --name-only --no-renames -z 'HEAD^1' HEAD > changed",
        "mtlattack leaderboard check pr/leaderboard --base base/leaderboard",
    ]
    assert commands[-1].startswith("mtlattack leaderboard check")
    # `python -m` would look for modules in the current folder, where the two checkouts alone lie.
    assert not any(re.search(r"python\S* (?!-m pip install \./base$)", line) for line in commands)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    ran = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def write(folder: Path, names: list[str], text: str = "changed") -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A runner's workspace, with a repository `pr` that has one commit."""
    (tmp_path / "pr").mkdir()
    git(tmp_path / "pr", "init", "-q", "-b", "main")
    write(tmp_path / "pr", ["mtlattack/code.py", "leaderboard/rows/s/m/1.json", "leaderboard/README.md"], "as it was")
    (tmp_path / "pr" / "leaderboard" / "ledger.jsonl").write_text("first\n")
    git(tmp_path / "pr", "add", "-A")
    git(tmp_path / "pr", "commit", "-qm", "base")
    return tmp_path


def run_step(steps: list[dict[str, Any]], name: str, workspace: Path) -> tuple[int, str]:
    """A step's script as a runner runs it."""
    (script,) = [step["run"] for step in steps if step.get("name") == name]
    ran = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=workspace,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "GITHUB_OUTPUT": str(workspace / "output"), "LC_ALL": "C.UTF-8"},
        timeout=60,
    )
    assert not list(workspace.rglob("owned"))
    return ran.returncode, ran.stdout + ran.stderr


ROW, EVIDENCE, LEDGER = "leaderboard/rows/s/m/2.json", "leaderboard/rows/s/m/2.evidence.xz", "leaderboard/ledger.jsonl"


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ([ROW, EVIDENCE, LEDGER], []),
        ([f"leaderboard/rows/{name}" for name in STRANGE], []),
        (["leaderboard/README.md", "mtlattack/code.py"], []),
        ([ROW, "mtlattack/code.py"], ["mtlattack/code.py"]),
        ([LEDGER, ".github/workflows/leaderboard.yml"], [".github/workflows/leaderboard.yml"]),
        ([ROW, "leaderboard/ledger.jsonl.bak"], ["leaderboard/ledger.jsonl.bak"]),
        ([ROW, "leaderboard/rowsy"], ["leaderboard/rowsy"]),
        ([ROW, *STRANGE], ["owned", "rf", "error"]),
    ],
    ids=["rows", "strange rows", "no rows", "code", "workflow", "beside", "prefix", "strange"],
)
def test_rows_come_alone(steps: list[dict[str, Any]], changed: list[str], refused: list[str], workspace: Path) -> None:
    write(workspace / "pr", changed)
    git(workspace / "pr", "add", "-A")
    git(workspace / "pr", "commit", "-qm", "change")
    code, said = run_step(steps, "Rows come alone", workspace)
    assert code == (1 if refused else 0), said
    assert all(name in said for name in refused)
    # Lines that a runner would take for commands to itself.
    assert not any(line.lstrip().startswith("::") for line in said.splitlines())


def test_a_row_that_is_moved_away_is_two_changes(steps: list[dict[str, Any]], workspace: Path) -> None:
    git(workspace / "pr", "mv", "leaderboard/rows/s/m/1.json", "elsewhere.json")
    git(workspace / "pr", "commit", "-qm", "change")
    code, said = run_step(steps, "Rows come alone", workspace)
    assert code == 1 and "elsewhere.json" in said


def test_both_ends_of_the_ledger_are_merged_behind_the_base(steps: list[dict[str, Any]], workspace: Path) -> None:
    """With the attributes that ship: a runner's merge has the base's lines first, and its first parent is the base."""
    repository = workspace / "pr"
    attributes = (ROOT / "leaderboard" / ".gitattributes").read_text()
    (repository / "leaderboard" / ".gitattributes").write_text(attributes)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "attributes")
    ledger = repository / "leaderboard" / "ledger.jsonl"
    git(repository, "switch", "-qc", "row")
    ledger.write_text("first\nmine\n")
    git(repository, "commit", "-qam", "mine")
    git(repository, "switch", "-q", "main")
    ledger.write_text("first\ntheirs\n")
    git(repository, "commit", "-qam", "theirs")
    base = git(repository, "rev-parse", "HEAD")
    git(repository, "merge", "-q", "--no-ff", "-m", "merge", "row")
    assert ledger.read_text() == "first\ntheirs\nmine\n"
    assert run_step(steps, "Which revision it would be merged into", workspace) == (0, "")
    assert (workspace / "output").read_text() == f"revision={base}\n"
    assert git(repository, "check-attr", "text", "leaderboard/rows/s/m/0.evidence.xz").endswith("text: unset")


def test_what_the_guides_name_is_there() -> None:
    template = (ROOT / ".github" / "pull_request_template.md").read_text(encoding="utf-8")
    assert "leaderboard/SUBMITTING.md" in template
    for name in ("README.md", "SUBMITTING.md"):
        text = (ROOT / "leaderboard" / name).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(((?!https?:)[^)#]+)", text):
            assert (ROOT / "leaderboard" / target).exists(), target
