"""`mtlattack run --precision`: what searched stands in the table, the record and the evidence."""

from pathlib import Path

import pytest
from cli_toys import CommandLine, files

from mtlattack.analysis import Record
from mtlattack.evidence import read_evidence

LINE = "gradients in bfloat16, results in float32"


@pytest.fixture
def command(rooms: Path) -> list[object]:
    """A shipped network: its gradients keep their signs in bfloat16."""
    attack = ["--attacks", "pgd-total", "--eps", 4, "--limit", 2]
    return ["run", "--model", "rooms-resnet10t.shared", "--data", rooms, "--device", "cpu", *attack, "--out", "out"]


def record_of(folder: str) -> Record:
    return Record.model_validate_json(Path(folder, "record.json").read_text())


def test_bfloat16_is_said(cli: CommandLine, command: list[object]) -> None:
    assert LINE in cli.good(*command, "--precision", "bfloat16").splitlines()
    assert record_of("out").search_precision == "bfloat16"
    evidence = read_evidence("out/evidence.h5")
    assert evidence.plan["preparation"]["search"] == "bfloat16" and evidence.environment["sign_agreement"] > 0.9


def test_float32_is_the_default(cli: CommandLine, command: list[object]) -> None:
    out = cli.good(*command)
    assert LINE not in out and record_of("out").search_precision == "float32"
    kept = files(Path("out"))
    assert cli.good(*command, "--precision", "float32") == out and files(Path("out")) == kept
    message = cli.bad(*command, "--precision", "bfloat16")
    assert message.startswith("out/evidence.h5 holds another run (other preparation); start anew with --fresh")
    assert files(Path("out")) == kept


@pytest.mark.parametrize(("fast", "chosen"), [(True, "bfloat16"), (False, "float32")])
def test_auto_says_what_it_chose(
    fast: bool, chosen: str, cli: CommandLine, command: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtlattack.evaluation.preparation.multiplies_bfloat16", lambda device: fast)
    assert (LINE in cli.good(*command, "--precision", "auto")) == fast
    assert record_of("out").search_precision == chosen
    assert read_evidence("out/evidence.h5").environment["precision_asked"] == "auto"


def test_cuda_graphs_need_a_cuda_device(cli: CommandLine, command: list[object]) -> None:
    assert cli.bad(*command, "--cuda-graphs", "on") == "cuda_graphs needs a CUDA device, the run is on cpu"
    assert not Path("out").exists()
