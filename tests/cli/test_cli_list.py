"""`mtlattack list`, and the command line as a whole."""

import re
import subprocess
import sys

import pytest
from cli_toys import CommandLine

from mtlattack.attacks import create_attack, list_attacks, list_steps
from mtlattack.attacks.catalogue import describe_attacks
from mtlattack.cli.index import INDEX, list_rows
from mtlattack.cli.registered import index_text
from mtlattack.models import list_models
from mtlattack.tasks import list_tasks


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
    names = [line.split()[0] for line in cli.good("list", kind).splitlines()]
    assert (names[0] == "name") == (kind in ("attacks", "aggregators", "steps"))  # titles, also into a pipe
    assert some <= set(names) and len(set(names)) == len(names)
    assert cli.good("list", kind, "no-such-*") == ""


def test_glob(cli: CommandLine) -> None:
    lines = cli.good("list", "attacks", "apgd-*").splitlines()
    assert [line.split()[0] for line in lines] == ["name", *list_attacks("apgd-*")]


def test_attacks_say_what_they_can_and_cost(cli: CommandLine) -> None:
    lines = cli.good("list", "attacks").splitlines()[1:]
    assert len({line.index(line.split()[1]) for line in lines}) == 1
    rows = {line.split()[0]: line.split(maxsplit=5)[1:] for line in lines}
    assert set(rows) <= set(list_attacks()) and "standard" in rows
    assert rows["apgd-dgba"][:4] == ["any", "yes", "no", "K+1,K"]
    assert rows["pgd-signsum"][3] == "K,KT" and rows["fgsm-single:depth"][3] == "1,1"
    assert rows["square-dgba"][:4] == ["linf", "no", "no", "K+1,0"]
    assert rows["apgd-dgba"][4].startswith("Ascend the mean")


@pytest.mark.parametrize(
    ("kind", "name", "columns"),
    [
        ("steps", "apgd", ["any", "yes", "yes", "K+1,K"]),
        ("steps", "square", ["linf", "no", "yes", "K+1,0"]),
        ("aggregators", "signsum", ["any", "yes", "yes", "1,T"]),
        ("aggregators", "relative", ["any", "yes", "yes", "1(+1),1"]),
        ("aggregators", "dgba", ["any", "yes", "no", "1,1"]),
    ],
)
def test_parts_say_what_they_can_and_cost(kind: str, name: str, columns: list[str], cli: CommandLine) -> None:
    (_, line) = cli.good("list", kind, name).splitlines()
    found = line.split(maxsplit=5)
    assert found[:5] == [name, *columns] and "arXiv" in found[5]


@pytest.mark.parametrize("name", ["apgd-dgba", "pgd-signsum", "apgd-relative", "square-total", "standard", "auto-saga"])
def test_passes_are_those_of_the_attack(name: str) -> None:
    (entry,) = describe_attacks(name)
    steps = {"steps": 7} if "K" in entry.passes else {}
    cost = create_attack(name, eps=0.1, **steps).cost(5)
    values = []
    for text in entry.passes.split(","):
        terms = re.sub(r"(?<=\d)(?=[KT])|(?<=K)(?=T)", "*", text)
        values.append(eval(terms, {"K": 7, "T": 5}))
    assert values == [cost.forward, cost.backward]


def test_the_index_is_what_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert INDEX.read_text() == index_text(), "write it anew: python -m mtlattack.cli.registered"
    monkeypatch.setattr("mtlattack.cli.index._REGISTRIES", ())  # as in a process that has not loaded them
    monkeypatch.setattr("mtlattack.cli.registered.registered", None)
    assert [name for (name,) in list_rows("tasks")] == list_tasks()
    assert [row[0] for row in list_rows("attacks", "pgd-*")] == list_attacks("pgd-*")
    assert list_rows("steps", "square")[0][1:5] == ("linf", "no", "yes", "K+1,0")


def test_an_old_index_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtlattack.cli.index._REGISTRIES", ())
    monkeypatch.setattr("mtlattack.cli.index.registrations", lambda: "of other names")
    monkeypatch.setattr("mtlattack.cli.registered.registered", lambda kind, pattern: [(f"{kind} {pattern}",)])
    assert list_rows("criteria", "x*") == [("criteria x*",)]


def test_titles_stay_where_what_it_does_stands_below(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    lines = cli.good("list", "steps").splitlines()
    assert lines[0].split()[:5] == ["name", "norms", "grad.", "targ.", "passes"]
    assert [line.split()[0] for line in lines[2:] if not line.startswith(" ")] == list_steps()
    assert max(map(len, lines)) <= 60


def test_studies_are_as_wide_as_the_terminal(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = cli.good("study")
    monkeypatch.setenv("COLUMNS", "60")
    folded = cli.good("study")
    assert folded.split() == whole.split() and max(map(len, folded.splitlines())) <= 60


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
