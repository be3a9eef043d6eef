"""Norms other than l_inf and 8-bit images, from the suite's file to the pictures."""

from pathlib import Path

import pytest
from cli_toys import CommandLine

from mtlattack.analysis import Record

HEAD = 'name = "mine"\nversion = 1\ndescription = ""\ndata = "rooms"\nattacks = ["fgsm-total"]\nlimit = 2\n'


def record_of(folder: Path) -> Record:
    return Record.model_validate_json((folder / "record.json").read_text())


@pytest.mark.parametrize(
    ("norm", "eps", "texts"),
    [
        ("l1", [2, 20], ["l1 2, 8-bit", "l1 20, 8-bit"]),
        ("l0", [1, 10], ["l0 1 px, 8-bit", "l0 10 px, 8-bit"]),
        ("patch", [0.01, 0.25], ["patch 1 %, 8-bit", "patch 25 %, 8-bit"]),
    ],
)
def test_norms_run_and_show(
    cli: CommandLine, rooms: Path, checkpoint: Path, norm: str, eps: list[float], texts: list[str]
) -> None:
    Path("mine.toml").write_text(HEAD + f'norm = "{norm}"\neps = {eps}\nquantize = true\n')
    out = cli.good("run", "mine.toml", "--model", checkpoint, "--data", rooms, "--device", "cpu", "--out", "here")
    assert all(f"{text}: the tasks" in out for text in texts)
    results = record_of(Path("here")).attacks
    assert [(result.norm, result.eps, result.config["quantized"]) for result in results] == [
        (norm, e, True) for e in eps
    ]
    assert "8-bit" in cli.good("show", "here", "--format", "markdown")
    assert cli("show", "here", "--plots", ".").err == "here.png\nhere-damage.png\n"


def test_quantize_is_a_change_of_the_suite(cli: CommandLine, rooms: Path, checkpoint: Path) -> None:
    Path("mine.toml").write_text(HEAD + "eps = [4]\n")
    command = ("run", "mine.toml", "--model", checkpoint, "--data", rooms, "--device", "cpu", "--out")
    assert "8-bit" not in cli.good(*command, "plain")
    out = cli.good(*command, "whole", "--quantize")
    assert "linf 4/255, 8-bit: the tasks" in out and "unlike the suite in: quantize" in out
    plain, whole = (record_of(Path(folder)).attacks[0] for folder in ("plain", "whole"))
    assert whole.config == plain.config | {"quantized": True}
    # Whole levels, but for the last digit of k/255.
    assert round(255 * whole.max_linf, 4) == 4 >= round(255 * plain.max_linf, 4)
    assert "is too small for 8-bit images" in cli.bad(*command, "none", "--quantize", "--eps", "0.5")


def test_norm_is_a_change_of_the_suite(cli: CommandLine, rooms: Path, checkpoint: Path) -> None:
    Path("mine.toml").write_text(HEAD + "eps = [4]\n")
    command = ("run", "mine.toml", "--model", checkpoint, "--data", rooms, "--device", "cpu", "--out", "here")
    out = cli.good(*command, "--norm", "l2", "--eps", "0.5")
    assert "l2 0.5: the tasks" in out and "unlike the suite in: eps, norm" in out
    (result,) = record_of(Path("here")).attacks
    assert (result.norm, result.eps) == ("l2", 0.5) and result.max_l2 <= 0.5
    aside = cli(*command, "--norm", "l2", "--fresh")  # whose own default it is
    assert (aside.code, aside.err) == (
        0,
        "what was in here is kept in here/before-1\n",
    ) and "l2 2: the tasks" in aside.out
    assert "norm" in cli.bad(*command, "--norm", "l3") and "l2" in cli.bad(*command, "--norm", "l3")
