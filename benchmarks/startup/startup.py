"""What it takes to begin: time and memory of commands that attack nothing, and the size of what is installed.

python benchmarks/startup/startup.py --json benchmarks/startup/startup.json
python benchmarks/startup/startup.py --source ../before --json benchmarks/startup/before.json
"""

import os
import platform
import re
import sys
import time
from configparser import ConfigParser
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Annotated, Any

import typer

from mtlattack.cli.script import run_script
from mtlattack.files import write_json

CASES = {
    "python": ["-c", "pass"],
    "import mtlattack": ["-c", "import mtlattack"],
    "--help": ["-m", "mtlattack", "--help"],
    "list attacks": ["-m", "mtlattack", "list", "attacks"],
    "list models": ["-m", "mtlattack", "list", "models"],
    "study": ["-m", "mtlattack", "study"],
    "leaderboard show": ["-m", "mtlattack", "leaderboard", "show"],
}
# Its own size is left out of the install, and that of what only it asks for, CUDA's libraries for one.
TORCH = "torch"


def main(
    runs: Annotated[int, typer.Option(min=1, help="Of each command, after one that is not counted.")] = 5,
    finished: Annotated[Path | None, typer.Option("--run", help="Folder of a finished run, to be shown.")] = None,
    source: Annotated[Path | None, typer.Option(help="Source tree of another version; default: this one.")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="Where to write every number.")] = None,
) -> None:
    """Start each command some times; print the medians, and the size of each library that is installed."""
    root, load = (source or Path(__file__).parents[2]).resolve(), os.getloadavg()[0]
    json_path, finished = json_path and json_path.resolve(), finished and finished.resolve()
    os.chdir(root)  # which `python -m` looks in first
    shown = {"show": ["-m", "mtlattack", "show", str(finished)]} if finished else {}
    commands = {name: _measured(arguments, root, runs) for name, arguments in (CASES | shown).items()}
    for name, each in commands.items():
        wall, processor, memory = (sorted(numbers)[runs // 2] for numbers in each.values())
        print(f"{name:<20} {wall:6.2f} s {processor:6.2f} s of the processor {memory:6.0f} MB")
    sizes = _sizes()
    print(f"installed without torch: {sum(sizes.values()):.0f} MB")
    for name, size in sorted(sizes.items(), key=lambda pair: -pair[1])[:10]:
        print(f"  {name:<20} {size:6.1f} MB")
    if json_path is not None:
        environment = {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "cpus": os.cpu_count(),
            "load_average_before": load,
            "versions": {name: distribution(name).version for name in (TORCH, *sizes)},
            "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        }
        write_json(json_path, {"commands": commands, "megabytes": sizes, "environment": environment})


def _measured(arguments: list[str], root: Path, runs: int) -> dict[str, list[float]]:
    """Seconds, processor seconds and megabytes of each run; all but the first."""
    environment = os.environ | {"PYTHONPATH": str(root)}
    found: dict[str, list[float]] = {"seconds": [], "processor_seconds": [], "megabytes": []}
    for run in range(runs + 1):
        began = time.perf_counter()
        null = os.open(os.devnull, os.O_WRONLY)
        silent = [(os.POSIX_SPAWN_DUP2, null, descriptor) for descriptor in (1, 2)]
        child = os.posix_spawn(sys.executable, [sys.executable, *arguments], environment, file_actions=silent)
        os.close(null)
        _, status, used = os.wait4(child, 0)
        if status:
            raise typer.BadParameter(f"{' '.join(arguments)} ended with {os.waitstatus_to_exitcode(status)}")
        if run:
            found["seconds"].append(time.perf_counter() - began)
            found["processor_seconds"].append(used.ru_utime + used.ru_stime)
            found["megabytes"].append(used.ru_maxrss / 1024)
    return found


def _sizes() -> dict[str, float]:
    """Megabytes on disk of each library that this version asks for, and that those ask for, but for torch and what it
    alone asks for."""
    settings = ConfigParser()
    settings.read(Path(__file__).parents[2] / "setup.cfg", encoding="utf-8")
    found: dict[str, float] = {}
    left = settings["options"]["install_requires"].split("\n")
    while left:
        requirement = left.pop()
        name = re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement.strip())[0]).lower()
        if not name or name in (TORCH, *found) or "extra ==" in requirement:
            continue
        try:
            library = distribution(name)
        except PackageNotFoundError:  # of another system
            continue
        found[name] = _size(library)
        left += library.requires or []
    return found


def _size(found: Distribution) -> float:
    files: Any = found.files or ()
    return sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).is_file()) / 1e6


if __name__ == "__main__":
    run_script(main)
