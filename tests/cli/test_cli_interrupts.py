"""Ctrl-C at any moment ends in one line with exit code 130, and a library that is not installed in one with 2."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_toys import CommandLine, Ran

from mtlattack import interrupts
from mtlattack.missing import ROOT, is_a_library, what_to_install

LINE = "stopped; what is finished is kept, the same command goes on from here\n"


@pytest.fixture(autouse=True)
def answered() -> Iterator[None]:
    """Interrupts are answered as in a shell, although tests may run in the background of one, which ignores them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Exit codes with which the process would have left on the spot."""
    codes: list[int] = []

    def leave(code: int) -> None:
        codes.append(code)
        raise SystemExit(code)

    monkeypatch.setattr("mtlattack.interrupts.os._exit", leave)
    return codes


def run_into(error: type[BaseException] | None, cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Ran:
    """`list`, interrupted, where a library makes `error` of the interrupt."""

    def listing(kind: str, pattern: str) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            if error is None:
                raise
            raise error("initialization failed") from None

    monkeypatch.setattr("mtlattack.cli.listing.list_rows", listing)
    return cli("list", "steps")


@pytest.mark.parametrize("error", [None, RuntimeError, ImportError, ModuleNotFoundError])
def test_whatever_becomes_of_an_interrupt(
    error: type[BaseException] | None, cli: CommandLine, monkeypatch: pytest.MonkeyPatch, ends: list[int]
) -> None:
    before = signal.getsignal(signal.SIGINT)
    assert run_into(error, cli, monkeypatch) == Ran(130, "", LINE) and ends == [130]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_one_does_not_wait(
    ends: list[int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for one that comes with the first, which is the same."""
    now = 100.0
    monkeypatch.setattr("mtlattack.interrupts.time.monotonic", lambda: now)
    with pytest.raises(SystemExit), interrupts.Interrupts().answered():
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            signal.raise_signal(signal.SIGINT)
            assert ends == []
            now += 1
            signal.raise_signal(signal.SIGINT)
    assert ends == [130] and capsys.readouterr().err == LINE


class Last:
    """Interrupted where nothing can be raised."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def test_one_that_python_drops_ends_it_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    codes: list[int] = []
    monkeypatch.setattr("mtlattack.interrupts.os._exit", codes.append)
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    with interrupts.Interrupts().answered():
        Last()
    # Only since the process did not end here, Python goes on to tell.
    assert codes == [130] and capsys.readouterr().err == LINE and len(told) == 1
    assert sys.unraisablehook == told.append


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts.Interrupts().answered():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_is_held_back_comes_at_the_end() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.held_back():
        signal.raise_signal(signal.SIGINT)
        late = True
    assert late


def test_processes_that_are_started_hear_of_none() -> None:
    """Although what multiprocessing starts with the first of them lets interrupts in."""
    code = """
import signal
from multiprocessing import forkserver
from mtlattack.interrupts import held_back
with held_back():
    forkserver.ensure_running()
    print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))
print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout.split() == ["True", "False"], ran.stderr


def test_a_real_process_in_the_middle_of_an_import() -> None:
    """The signal comes while the command's module is looked for."""
    code = """
import signal, sys
class Late:
    def find_spec(self, name, path, target=None):
        if name == "mtlattack.cli.listing":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Late())
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["mtlattack", "list", "tasks"]
from mtlattack.cli import main
main()
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", LINE)


def test_a_library_that_is_not_installed(cli: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def listing(kind: str, pattern: str) -> None:
        raise ModuleNotFoundError("No module named 'timm'", name="timm")

    monkeypatch.setattr("mtlattack.cli.listing.list_rows", listing)
    assert cli.bad("list", "steps") == f"timm is not installed, which mtlattack needs: pip install -e {ROOT}"
    monkeypatch.chdir(ROOT)
    missing = ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")
    assert what_to_install(missing).endswith("pip install -e .") and is_a_library(missing)
    monkeypatch.setattr("mtlattack.missing.ROOT", tmp_path)  # as where it was installed
    assert what_to_install(missing).endswith("pip install mtlattack")
    assert not is_a_library(ModuleNotFoundError("No module named 'mtlattack.x'", name="mtlattack.x"))


def test_a_source_tree_without_its_libraries() -> None:
    """As whoever downloads it and runs it: with a Python that has none of them."""
    command = [sys.executable, "-S", "-m", "mtlattack", "list", "models"]
    ran = subprocess.run(command, cwd=ROOT, env={}, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "error: lazy_loader is not installed, which mtlattack needs: pip install -e .\n"
