"""`mtlattack list`, and the command line as a whole."""

import subprocess
import sys

import pytest
from cli_toys import CommandLine

from mtlattack.attacks import list_attacks
from mtlattack.models import list_models


@pytest.mark.parametrize(
    ("kind", "some"),
    [
        ("attacks", {"apgd-dgba", "pgd-single:depth", "fgsm-total"}),
        ("aggregators", {"dgba", "signsum", "single:normals"}),
        ("steps", {"fgsm", "bim", "pgd", "mim", "apgd"}),
        ("datasets", {"rooms", "nyuv2"}),
        ("suites", {"quick", "rooms-linf", "nyuv2-linf"}),
        ("tasks", {"segmentation", "depth", "normals", "edge_texture", "keypoints2d"}),
        ("layouts", {"shared", "separate"}),
        ("recipes", {"rooms-resnet10t.shared"}),
        ("models", set(list_models())),
    ],
)
def test_every_kind_is_listed(kind: str, some: set[str], cli: CommandLine) -> None:
    names = cli.good("list", kind).split()
    assert some <= set(names) and len(set(names)) == len(names)
    assert cli.good("list", kind, "no-such-*") == ""


def test_glob(cli: CommandLine) -> None:
    assert cli.good("list", "attacks", "apgd-*").split() == list_attacks("apgd-*")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "atacks"], "unknown kind of thing to list 'atacks'; did you mean 'attacks'?"),
        (["list"], "Missing argument"),
        (["lst"], "No such command 'lst'"),
        (["run", "--modle", "x"], "No such option: --modle"),
        (["run", "quick", "more"], "unexpected extra argument"),
    ],
)
def test_mistakes(arguments: list[str], message: str, cli: CommandLine) -> None:
    assert message in cli.bad(*arguments)


def test_help_names_every_command(cli: CommandLine) -> None:
    out = cli.good("--help")
    assert all(command in out for command in ("run", "list", "show", "train", "layout", "data"))
    assert cli().code == 2


def test_real_process_fails_in_one_line() -> None:
    """What a shell sees, once: no traceback, nothing on standard output."""
    command = "from mtlattack.cli import main; main()"
    ran = subprocess.run([sys.executable, "-c", command, "list", "atacks"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "error: unknown kind of thing to list 'atacks'; did you mean 'attacks'?\n"
