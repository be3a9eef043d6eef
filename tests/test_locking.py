"""One process at a time in a folder."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mtlattack.errors import InputError
from mtlattack.locking import _describe, held, taking_turns

HOLD = "import sys; from pathlib import Path; from mtlattack.locking import held\nwith held(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"  # noqa: E501


def test_the_second_is_told_who_has_it_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], **pipes) as other:  # type: ignore[call-overload]
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match=rf"run is in use by process {other.pid} on .*; wait for it"), held(folder):
            pass
        with held(tmp_path / "another"):
            pass
        other.kill()
    with held(folder):
        pass


@pytest.mark.parametrize("said", ["", "[]", "{}", "7", "[" * 100_000])
def test_a_note_that_says_nothing_names_nobody(said: str, tmp_path: Path) -> None:
    (tmp_path / "holder.json").write_text(said)
    assert _describe(tmp_path / "holder.json") == "another process"


def test_whoever_has_it_may_take_it_again_and_nothing_stays(tmp_path: Path) -> None:
    with held(tmp_path), held(tmp_path):
        pass
    with pytest.raises(ZeroDivisionError), held(tmp_path):
        _ = 1 / 0
    with held(tmp_path):
        assert os.listdir(tmp_path) == []


def test_turns_are_waited_for(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with taking_turns(tmp_path / "file"):
            order.append("second")

    other = threading.Thread(target=second)
    with taking_turns(tmp_path / "file"):
        other.start()
        other.join(0.2)
        order.append("first")
    other.join()
    assert order == ["first", "second"]
