"""A user's own model on the command line: the README's examples, and weights as training scripts leave them."""

import argparse
import importlib.util
import math
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_toys import CommandLine
from safetensors.torch import save_file
from torch import nn

import mtlattack as mta
from mtlattack.analysis import Record

README = (Path(mta.__file__).parent / "models" / "README.md").read_text()
EXAMPLES: dict[str, str] = {
    named[1]: code
    for code in re.findall(r"```python\n(.*?)```", README, re.S)
    if (named := re.match(r"# (\w+)\.py\n", code))
}
COMMAND = re.search(r"^mtlattack (run --model my_model:make --checkpoint weights.pth)$", README, re.M)
TINY = """
import torch
import mtlattack as mta

def make():
    import helper_beside_the_factory
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Conv2d(4, 1, 1))
    return mta.wrap(net, {"depth": mta.create_task("depth")}, outputs={"depth": ()})

def broken():
    return mta.wrap(torch.nn.Identity(), {"depth": mta.create_task("depth")}, outputs={"deep": ()})

def raises():
    return {}["weights"]

def small():
    net = torch.nn.Conv2d(3, 1, 1, stride=4)
    return mta.wrap(net, {"depth": mta.create_task("depth")}, outputs={"depth": ()})

def turned():
    def turn(depth):
        return depth.abs() + 1
    net = make().module
    return mta.wrap(net, {"depth": mta.create_task("depth")}, outputs={"depth": mta.Output((), transform=turn)})

def levels():
    return mta.wrap(make().module, {"depth": mta.create_task("depth")}, outputs={"depth": ()},
                    mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))

def wants(path):
    return make()

constant = 3
"""


@pytest.fixture
def quick(cli: CommandLine, rooms: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Options of a small run, in a folder that holds `tiny_factory.py`."""
    Path("tiny_factory.py").write_text(TINY)
    Path("helper_beside_the_factory.py").touch()
    for name in ("tiny_factory", "helper_beside_the_factory", *EXAMPLES):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return ["--data", rooms, "--limit", 2, "--device", "cpu", "--out", "out"]


def record() -> Record:
    return Record.model_validate_json(Path("out/record.json").read_text())


def tiny_net(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 1, 1))


# --- the README


@pytest.mark.parametrize("name", EXAMPLES)
def test_readme_example_is_attacked(name: str, cli: CommandLine, quick: list[object]) -> None:
    if name == "pyramid" and importlib.util.find_spec("segmentation_models_pytorch") is None:
        pytest.skip("segmentation-models-pytorch is not installed")
    Path(f"{name}.py").write_text(EXAMPLES[name])
    cli.good("run", "--model", f"{name}:make", *quick, "--attacks", "fgsm-dgba", "--eps", "4")
    done = record()
    assert set(done.clean) == {"segmentation", "depth"} | ({"normals"} if name == "pyramid" else set())
    for task in done.clean.values():
        assert all(math.isfinite(value) for value in task.values())
    perturbation = mta.read_evidence(Path("out/evidence.h5")).attacked[0].perturbation[:, 0]
    assert np.all((perturbation > 0) & (perturbation <= 4 / 255))


def test_readme_command_fills_the_example(cli: CommandLine, quick: list[object]) -> None:
    assert COMMAND and list(EXAMPLES) == ["my_model", "two_heads", "pyramid"]
    Path("my_model.py").write_text(EXAMPLES["my_model"])
    namespace: dict[str, type[nn.Module]] = {"__name__": "my_model"}  # type: ignore[dict-item]
    exec(EXAMPLES["my_model"], namespace)
    torch.save({"epoch": 3, "model": namespace["Net"]().state_dict()}, "weights.pth")
    cli.good(*COMMAND[1].split(), *quick, "--attacks", "none")
    assert record().model["name"] == "my_model:make@weights"


# --- weights


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
def test_checkpoint_gives_the_numbers_of_the_filled_module(
    suffix: str, cli: CommandLine, quick: list[object], rooms: Path
) -> None:
    net = tiny_net(7)
    weights = {f"module.{key}": value for key, value in net.state_dict().items()}
    path = Path(f"best{suffix}")
    save_file(weights, path) if suffix == ".safetensors" else torch.save({"state_dict": weights, "epoch": 3}, path)
    cli.good("run", "--model", "tiny_factory:make", "--checkpoint", path, *quick, "--attacks", "none")
    model = mta.wrap(net, {"depth": mta.create_task("depth")}, outputs={"depth": ()})
    expected = mta.evaluate(model, mta.load_dataset(rooms, tasks=model.tasks, limit=2), [], device="cpu").report()
    assert record().clean == expected.record.clean
    assert record().model == expected.record.model | {"name": "tiny_factory:make@best"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tiny_net(0), "holds a pickled torch.nn.modules.container.Sequential, which is refused"),
        ({"model": tiny_net(0).state_dict(), "args": argparse.Namespace()}, "holds a pickled argparse.Namespace"),
        ({"0.weight": torch.zeros(4, 3, 3, 3)}, "does not fit the model: missing: 0.bias, 1.weight, 1.bias"),
    ],
)
def test_checkpoint_that_is_refused(content: object, message: str, cli: CommandLine, quick: list[object]) -> None:
    torch.save(content, "best.pth")
    told = cli.bad("run", "--model", "tiny_factory:make", "--checkpoint", "best.pth", *quick)
    assert told.startswith(f"best.pth {message}") and "weights_only" not in told
    assert not Path("out").exists()


# --- mistakes


def test_another_transform_in_the_same_folder_is_another_run(
    cli: CommandLine, quick: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same name, same weights, and one line of the factory's file changed."""
    command = ["run", "--model", "tiny_factory:turned", *quick, "--attacks", "none"]
    cli.good(*command)
    before = Path("out/record.json").read_bytes()
    Path("tiny_factory.py").write_text(TINY.replace("depth.abs() + 1", "depth.exp()"))
    monkeypatch.delitem(sys.modules, "tiny_factory")
    assert cli.bad(*command).startswith("out/evidence.h5 holds another run (other model); start anew with --fresh")
    assert Path("out/record.json").read_bytes() == before
    assert cli(*command, "--fresh").code == 0
    assert record().clean != Record.model_validate_json(before).clean


def test_a_normalisation_for_another_range_is_said(cli: CommandLine, quick: list[object]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        ran = cli("run", "--model", "tiny_factory:levels", *quick, "--attacks", "none")
    assert ran.code == 0 and ran.err.startswith("warning: ") and ran.err.count("\n") == 1
    assert "between -2.118 and -1.787: no image in value_range=(0, 1)" in ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "best.pth"], "no checkpoint file best.pth"),
        (["--checkpoint", "x/best.pt"], "no checkpoint file x/best.pt"),
        (["--model", "tiny_factory:none"], "model 'tiny_factory:none': module 'tiny_factory' has no attribute 'none'"),
        (["--model", "tiny_factory.py:make"], "expected a module's name, not its file: tiny_factory:make"),
        (["--model", "tiny_factory:constant"], "constant is a int, expected a function"),
        (["--model", "tiny_factory:wants"], "TypeError: wants() missing 1 required positional argument: 'path'"),
        (["--model", "tiny_factory:raises"], "KeyError: 'weights' (tiny_factory.py, line 15)"),
        (["--model", "tiny_factory:broken"], "outputs are given for ['deep'], the tasks are ['depth']"),
        (["--model", "tiny_factory:make", "--checkpoint", "none.pth"], "no checkpoint file none.pth"),
    ],
)
def test_mistake_is_one_line(arguments: list[str], message: str, cli: CommandLine, quick: list[object]) -> None:
    assert message in cli.bad("run", *arguments, *quick)
    assert not Path("out").exists()


def test_prediction_of_another_size_is_one_line(cli: CommandLine, quick: list[object]) -> None:
    told = cli.bad("run", "--model", "tiny_factory:small", *quick)
    assert "task 'depth': the module gives (1, 1, 6, 8), expected (1, 1, 24, 32)" in told
    assert told.endswith("another size, give Output(…, resize='bilinear')")
