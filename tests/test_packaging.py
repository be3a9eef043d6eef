"""What is installed: all that the code reads by name at run time, and nothing else; and it runs from any folder."""

import configparser
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
# Read on the web, or beside the source.
DOCUMENTS = {"README.md", "TO_A_ROW.md"}


@pytest.fixture(scope="module")
def setup() -> configparser.ConfigParser:
    read = configparser.ConfigParser()
    read.read(ROOT / "setup.cfg", encoding="utf-8")
    return read


def source_files() -> set[str]:
    """All of the package's files, relative to the root, but for what Python leaves there."""
    paths = (path for path in (ROOT / "mtlattack").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in paths if path.name not in DOCUMENTS}


def data_files(setup: configparser.ConfigParser) -> dict[str, list[str]]:
    """What each pattern of `package_data` finds."""
    found = {}
    for package, patterns in setup["options.package_data"].items():
        folder = ROOT.joinpath(*package.split("."))
        for pattern in patterns.replace(",", " ").split():
            found[f"{package}: {pattern}"] = [path.relative_to(ROOT).as_posix() for path in folder.glob(pattern)]
    return found


def test_every_file_of_the_package_is_installed(setup: configparser.ConfigParser) -> None:
    found = data_files(setup)
    assert all(found.values()), "a pattern that finds nothing"
    data = [path for paths in found.values() for path in paths]
    assert len(data) == len(set(data))
    assert {path for path in source_files() if not path.endswith(".py")} == set(data)
    # `find:` takes what has an `__init__`.
    assert setup["options"]["packages"] == "find:"
    assert setup["options.packages.find"]["include"] == "mtlattack*"
    for path in source_files():
        assert (ROOT / path).with_name("__init__.py").is_file() or not path.endswith(".py"), path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built of a copy: a build leaves folders beside the source."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("no git checkout to copy")
    for name in listed.stdout.split("\0")[:-1]:
        if name.startswith(("mtlattack/", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")):
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "source" / name).write_bytes((ROOT / name).read_bytes())
    run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(folder / "source")], folder)
    (built,) = folder.glob("*.whl")
    return built


def run(command: list[str], folder: Path) -> str:
    """Its standard output; it must end well."""
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    return ran.stdout


@pytest.mark.slow
def test_the_wheel_holds_the_package_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {PurePosixPath(name) for name in archive.namelist()}
    described = {name for name in names if name.parts[0].endswith(".dist-info")}
    assert {str(name) for name in names - described} == source_files()
    assert {name.name for name in described} >= {"METADATA", "LICENSE", "entry_points.txt"}


@pytest.mark.slow
def test_the_installed_command_runs_from_any_folder(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = tmp_path / "environment"
    run([sys.executable, "-m", "venv", "--without-pip", str(environment)], tmp_path)
    python = environment / "bin" / "python"
    run([sys.executable, "-m", "pip", "-q", "--python", str(python), "install", "--no-deps", str(wheel)], tmp_path)
    (packages,) = environment.glob("lib/python*/site-packages")
    # What it depends on is borrowed; an editable install over there does not come along.
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("MTLATTACK_CACHE", str(tmp_path / "cache"))
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    where = run([str(python), "-c", "import mtlattack; print(mtlattack.__file__)"], elsewhere)
    assert Path(where.strip()).is_relative_to(environment)
    table = run([str(environment / "bin" / "mtlattack"), "run", "--limit", "1", "--attacks", "fgsm-dgba"], elsewhere)
    assert "fgsm-dgba" in table and "suite quick" in table
    assert {path.name for path in elsewhere.rglob("*.*")} >= {"record.json", "evidence.h5"}
