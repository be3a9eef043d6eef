"""Commands are imported when they are called; what is said of them before is true."""

import json
import subprocess
import sys

import pytest

import mtlattack
from mtlattack.cli.application import COMMANDS
from mtlattack.cli.commands import Deferred
from mtlattack.cli.leaderboard import COMMANDS as OF_LEADERBOARD

EVERY = {**COMMANDS, **{f"leaderboard {name}": found for name, found in OF_LEADERBOARD.items()}}
# What is there when they are loaded, not only known by name.
HEAVY = {"torch.nn", "torchvision.ops", "timm.models", "matplotlib.figure", "pulp.apis", "scipy.stats"}


@pytest.mark.parametrize("name", EVERY)
def test_the_line_of_help_is_the_commands_own(name: str) -> None:
    deferred = Deferred(name, *EVERY[name])
    own = " ".join(deferred.load().help.split())
    assert deferred.help and deferred.help.endswith(".")
    assert own.startswith(deferred.help[:-1])


@pytest.mark.parametrize(
    "code",
    [
        "import mtlattack; mtlattack.__version__; dir(mtlattack)",
        "from mtlattack.cli import main; sys.argv = ['mtlattack', '--help']; main()",
        "from mtlattack.cli import main; sys.argv = ['mtlattack', 'leaderboard', '--help']; main()",
        "from mtlattack.cli import main; sys.argv = ['mtlattack', 'list', 'attacks', 'apgd-*']; main()",
        "import mtlattack.cli.show",
        "from mtlattack.cli import main; sys.argv = ['mtlattack', 'study']; main()",
        "from mtlattack.cli import main; sys.argv = ['mtlattack', 'run', '--attacks', 'apgd-dbga']; main()",
        "import mtlattack.cli.leaderboard.show as s; s.Board(s.BOARD).find('4c7a1540').record",
    ],
)
def test_naming_loads_nothing_heavy(code: str) -> None:
    report = f"import atexit, json, sys; atexit.register(lambda: print(json.dumps(sorted(sys.modules)))); {code}"
    ran = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=False)
    assert "Traceback" not in ran.stderr
    loaded = {*json.loads(ran.stdout.splitlines()[-1])}
    assert "mtlattack" in loaded and not HEAVY & loaded


def test_every_public_name_is_there() -> None:
    assert {"evaluate", "create_model", "wrap", "read_evidence", "Run"} < {*mtlattack.__all__} <= {*dir(mtlattack)}
    assert all(getattr(mtlattack, name) is not None for name in mtlattack.__all__)
    with pytest.raises(AttributeError, match="evalute"):
        mtlattack.evalute  # type: ignore[attr-defined]  # noqa: B018
