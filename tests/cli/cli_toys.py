"""Running the command line inside this process, or in a process that can be killed."""

import io
import json
import os
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import process_toys
import pytest

from mtlattack.cli import main

TINY = {
    "backbone": "resnet10t",
    "backbone_options": {"channels": [8, 8, 16, 16], "stem_width": 8},
    "output_stride": 16,
    "head_width": 8,
}


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


class CommandLine:
    """Calls `mtlattack ARGUMENTS…` in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: object) -> Ran:
        self._monkeypatch.setattr(sys, "argv", ["mtlattack", *map(str, arguments)])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capsys.readouterr()
        return Ran(int(ended.value.code or 0), out, err)

    def good(self, *arguments: object) -> str:
        """Standard output of a command that must succeed and say nothing on standard error."""
        ran = self(*arguments)
        assert (ran.code, ran.err) == (0, "")
        return ran.out

    def bad(self, *arguments: object) -> str:
        """The message of a command that must fail: one line on standard error, exit code 2."""
        ran = self(*arguments)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith("error: ") and ran.err.endswith("\n") and ran.err.count("\n") == 1
        return ran.err[len("error: ") : -1]


def run_quietly(*arguments: object) -> None:
    """A command that must succeed, in this process, for fixtures that outlive a test; what it prints is dropped."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()), pytest.raises(SystemExit) as ended:
        patch.setattr(sys, "argv", ["mtlattack", *map(str, arguments)])
        main()
    assert not ended.value.code


def start(*arguments: object) -> BaseProcess:
    """The command in a process of its own."""
    return process_toys.start(_run, [*map(str, arguments)])


def _run(arguments: list[str]) -> None:
    sys.argv = ["mtlattack", *arguments]
    with Path(os.devnull).open("w") as sink:
        sys.stdout = sink
        main()


def plain(folder: Path) -> dict[str, Any]:
    """The record but for what depends on the clock and the command."""
    content: dict[str, Any] = json.loads((folder / "record.json").read_text())
    for key in ("started", "command"):
        del content["environment"][key]
    for attack in content["attacks"]:
        del attack["seconds"]
    return content


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
