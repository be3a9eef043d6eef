"""What to say where a library that we need is not installed, as in a source tree that was only downloaded."""

from pathlib import Path

ROOT = Path(__file__).parent.parent


def what_to_install(error: ModuleNotFoundError) -> str:
    """In one line, what is missing and the command that brings it."""
    source = "." if Path.cwd() == ROOT else str(ROOT)
    target = f"-e {source}" if (ROOT / "pyproject.toml").is_file() else "mtlattack"
    return f"{error.name} is not installed, which mtlattack needs: pip install {target}"


def is_a_library(error: ModuleNotFoundError) -> bool:
    """Whether what is missing is somebody else's: modules of ours that are not there are a mistake of ours."""
    return error.name is not None and error.name.partition(".")[0] != "mtlattack"
