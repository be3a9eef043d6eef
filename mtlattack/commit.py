"""Which commit of the project is running."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent


@cache  # what runs is what was imported, whatever becomes of the checkout
def describe_commit() -> str:
    """The checkout's commit, 12 digits, with `modified` where its package files were changed; `unknown` outside one."""
    if not (ROOT / ".git").exists():
        return "unknown"
    commit = _git("rev-parse", "--short=12", "HEAD")
    if commit is None:
        return "unknown"
    return f"{commit}, modified" if _git("status", "--porcelain", "--", "mtlattack") else commit


def _git(*arguments: str) -> str | None:
    # Without locks: `status` would write the index anew, and leave its lock behind on a full disk.
    command = ["git", "--no-optional-locks", *arguments]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
