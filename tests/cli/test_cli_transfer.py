"""`mtlattack transfer`: what it writes, that it goes on, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest
from cli_toys import CommandLine, files

from mtlattack.analysis.transfer import TransferRecord


def test_one_model_is_task_by_task_and_goes_on(cli: CommandLine, rooms: Path, checkpoint: Path) -> None:
    command = ("transfer", "--model", checkpoint, "--data", rooms, "--limit", 1, "--attack", "fgsm", "--device", "cpu")
    out = cli.good(*command, "--out", "here")
    assert "source task × victim task: fgsm-single:" in out and "tiny: skill taken" in out
    record = TransferRecord.model_validate(json.loads(Path("here/transfer.json").read_text()))
    assert [matrix.kind for matrix in record.matrices] == ["tasks"] and record.attacks[0]["eps"] == 8 / 255
    names = {Path(name).name for name in files(Path("here"))}
    assert {"transfer.csv", "transfer.html", "transfer-share.png", "transfer-share.svg", "evidence.h5"} <= names
    before = files(Path("here"))
    assert cli.good(*command, "--out", "here") == out and files(Path("here")) == before
    message = cli.bad(*command, "--eps", 4, "--out", "here")
    assert message.startswith("here holds another transfer (other runs); start anew with --fresh")


SIZED = """
import torch
import mtlattack as mta

def make():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Conv2d(4, 1, 1), torch.nn.Softplus())
    model = mta.wrap(net, {"depth": mta.create_task("depth")}, outputs={"depth": ()})
    model.input_size = (12, 16)
    return model
"""


def test_victims_are_judged_on_images_of_the_sources(
    cli: CommandLine, rooms: Path, checkpoint: Path, tmp_path: Path
) -> None:
    """Of other architectures and sizes too: what all predict counts."""
    twin = Path(shutil.copy(checkpoint, tmp_path / checkpoint.name.replace("tiny", "twin")))
    Path("sized_victim.py").write_text(SIZED)
    command = (
        "transfer", "--model", checkpoint, "--victim", twin, "--victim", "sized_victim:make", "--data", rooms,
        "--limit", 1, "--attack", "fgsm-dgba", "--norm", "l2", "--eps", 0.5, "--device", "cpu",
    )  # fmt: skip
    refused = cli.bad(*command)
    assert "sized_victim:make takes images of 12x16, the data are 24x32" in refused and "--resize" in refused
    assert "all models predict it" in cli.good(*command, "--resize")
    record = json.loads(Path("transfers/models-tiny/transfer.json").read_text())
    (matrix,) = record["matrices"]
    assert (matrix["sources"], matrix["victims"]) == (["tiny"], ["twin", "sized_victim:make"])
    assert record["attacks"][0]["name"] == "fgsm-dgba" and record["attacks"][0]["eps"] == 0.5
    # The same weights by another name: what the images take is what the twin's own take.
    assert matrix["cells"][0][0]["lost"] == matrix["white_box"][0]
    assert record["models"]["sized_victim:make"]["input_size"] == [12, 16] and record["tasks"] == ["depth"]
    assert matrix["white_box_log"][1]["value"] > 0


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no model to make images on; give one or more with --model"),
        (
            ("--model", "rooms-resnet10t.shred"),
            "unknown model 'rooms-resnet10t.shred'; did you mean 'rooms-resnet10t.s",
        ),
        (("--model", "kitchens-*"), "--model 'kitchens-*' matches none of the models: nyuv2-efficientnetlite0.shared"),
        (("--model", "TINY", "--victim", "no:such"), "model 'no:such': No module named 'no'"),
        (("--model", "TINY", "--victim", "gone.safetensors"), "gone.safetensors"),
        (("--model", "TINY", "--eps", "0"), "eps 0 is outside (0, 255] for linf"),
        (("--model", "TINY", "--eps", "nan"), "eps nan is outside (0, 255] for linf"),
        (("--model", "TINY", "--eps", "256"), "eps 256 is outside (0, 255] for linf"),
        (("--model", "TINY", "--seed", "-1"), "seed -1, expected a whole number of at least 0"),
        (("--model", "TINY", "--eps", "4,8"), "--eps '4,8', expected one number: a matrix is of one threat"),
        (("--model", "TINY", "--eps", "much"), "--eps 'much', expected numbers"),
        (("--model", "TINY", "--attack", "pgd-dgba"), "--attack 'pgd-dgba' between tasks, expected a step rule"),
        (("--model", "TINY", "--attack", "gpd"), "unknown"),
        (("--model", "TINY", "--victim", "TINY", "--between", "tasks"), "--victim goes with --between models"),
        (("--model", "TINY", "--victim", "OTHER"), "five-classes predicts segmentation; of none of these the data"),
        (("--model", "OTHER"), "has no label for"),
        (("--model", "TINY", "--data", "gone.h5"), "no data file gone.h5"),
        (("--model", "TINY", "--limit", "0"), "limit 0, expected at least 1"),
        (("--model", "TINY", "--model", "TWIN"), "are both called 'tiny'; rename one"),
    ],
)
def test_mistakes_are_one_line(
    arguments: tuple[str, ...], message: str, cli: CommandLine, rooms: Path, checkpoint: Path, other_checkpoint: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    (tmp_path / "elsewhere").mkdir()
    twin = shutil.copy(checkpoint, tmp_path / "elsewhere")
    places = {"TINY": checkpoint, "OTHER": other_checkpoint, "TWIN": twin}
    data = () if "--data" in arguments else ("--data", rooms)
    assert message in cli.bad("transfer", *(places.get(each, each) for each in arguments), *data, "--device", "cpu")
    assert not Path("transfers").exists() or not any(Path("transfers").iterdir())
