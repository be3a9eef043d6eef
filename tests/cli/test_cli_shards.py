"""`mtlattack run --shard` and `mtlattack merge`: parts of a run, and the run of them."""

from pathlib import Path

import pytest
from cli_toys import CommandLine
from test_cli_run import numbers, plain

from mtlattack.evidence import read_evidence


@pytest.fixture
def command(checkpoint: Path, rooms: Path) -> list[object]:
    base = ["run", "--model", checkpoint, "--data", rooms, "--device", "cpu", "--limit", 4, "--batch-size", 3]
    return [*base, "--attacks", "fgsm-total"]


def test_shards_become_the_run(command: list[object], cli: CommandLine) -> None:
    said = [cli.good(*command, "--out", "parts", "--shard", f"{number}/3") for number in (3, 1, 2)]
    assert said[0] == "shard 3/3 is done; when all 3 are: mtlattack merge parts\n"
    assert sorted(path.name for path in Path("parts").iterdir()) == [f"shard-{number}-of-3" for number in (1, 2, 3)]
    table = cli.good("merge", "parts")
    assert table.replace("parts/", "whole/") == cli.good(*command, "--out", "whole")
    one, other = (read_evidence(f"{folder}/evidence.h5") for folder in ("parts", "whole"))
    for found, expected in zip(numbers(one), numbers(other), strict=True):
        assert (found == expected).all()
    merged, whole = plain(Path("parts")), plain(Path("whole"))
    assert [part["shard"] for part in merged["environment"].pop("parts")] == ["1/3", "2/3", "3/3"]
    assert merged == whole
    named = ["merge", *(f"parts/shard-{number}-of-3" for number in (2, 3, 1)), "--out", "elsewhere"]
    assert cli.good(*named).replace("elsewhere/", "parts/") == table


def test_merging_again_and_one_shard_alone(command: list[object], cli: CommandLine) -> None:
    cli.good(*command, "--out", "parts", "--shard", "1/1")
    assert cli.good("merge", "parts") == cli.good("merge", "parts")
    assert read_evidence("parts/evidence.h5").ids == read_evidence("parts/shard-1-of-1/evidence.h5").ids


def test_what_cannot_be_merged(command: list[object], cli: CommandLine) -> None:
    for number in (1, 2):
        cli.good(*command, "--out", "parts", "--shard", f"{number}/3")
    assert cli.bad("merge", "parts") == "of the run's shards 3/3 is missing"
    assert not Path("parts/evidence.h5").exists()
    assert cli.bad("merge", "parts/shard-1-of-3", "parts") == (
        "parts/shard-1-of-3/evidence.h5 (shard 1/3) is given twice"
    )
    assert cli.bad("merge", "nowhere") == "there is no folder nowhere"
    Path("empty").mkdir()
    assert "the shards do not lie together in the folder of their run; say with --out" in cli.bad("merge", "empty")
    assert "no evidence file empty/evidence.h5" in cli.bad("merge", "empty", "--out", "whole")
    cli.good(*command[:-1], "none", "--out", "parts", "--shard", "3/3")
    assert (
        "(shard 3/3) is of another run than parts/shard-1-of-3/evidence.h5 (shard 1/3) (other attacks, suite)"
        in cli.bad("merge", "parts")
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0/8", "there is no shard 0/8, expected 1/8 to 8/8"),
        ("9/8", "there is no shard 9/8, expected 1/8 to 8/8"),
        ("two", "shard 'two' is no shard, expected one as 2/8: the second of eight"),
        ("1/8", "shard 1/8: 4 images, expected at least one for each of 8"),
    ],
)
def test_shards_that_are_not_there(text: str, message: str, command: list[object], cli: CommandLine) -> None:
    assert cli.bad(*command, "--out", "parts", "--shard", text) == message
    assert not Path("parts").exists()


def test_shard_under_torchrun(command: list[object], cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert (
        cli.bad(*command, "--shard", "1/2") == "--shard 1/2: under torchrun every process takes its own, leave it out"
    )
