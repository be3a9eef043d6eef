"""Ranks of a torchrun do one run together; a killed one goes on when all are started again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from evaluation_toys import PREPARING, assert_equal
from shard_toys import TinyNet, done_in, tiny_data, write_tiny
from torchrun_toys import attacks, start_ranks

from mtlattack.campaigns import evaluate_together, launched, torchrun
from mtlattack.errors import InputError
from mtlattack.evaluation import evaluate
from mtlattack.evidence import read_evidence

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")


def test_ranks_do_one_run(tmp_path: Path) -> None:
    """The second breaks in the middle, and the first is ended as torchrun would; then both go on."""
    path, folder = write_tiny(tmp_path / "tiny.h5", 7), tmp_path / "run"
    first, second = start_ranks(path, folder, fail_at=(-1, PREPARING + 4))
    second.join(300)
    assert second.exitcode == 1
    first.kill()
    first.join()
    assert done_in(folder / "shard-2-of-2" / "evidence.h5") == 2 and not (folder / "evidence.h5").exists()
    for rank in start_ranks(path, folder):
        rank.join(300)
        assert rank.exitcode == 0
    assert_equal(
        read_evidence(folder / "evidence.h5"),
        evaluate(TinyNet(), tiny_data(path), attacks(), device="cpu", batch_size=2),
    )
    said = [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(2)]
    assert said == [{"images": 7, "hashed": True, "fits": 1}, {"images": None, "hashed": False, "fits": 0}]


def test_more_processes_than_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said by each before they meet."""
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    data = tiny_data(write_tiny(tmp_path / "tiny.h5", 1))
    with pytest.raises(InputError, match="shard 2/2: 1 image, expected at least one for each of 2"):
        evaluate_together(TinyNet(), data, attacks(), folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"WORLD_SIZE": "2"}, False),
        ({"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "1"}, False),
        ({"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2"}, True),
    ],
)
def test_launched(environment: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCHELASTIC_RUN_ID", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert launched() == expected


@pytest.mark.parametrize(
    ("asked", "gpus", "visible", "device", "then"),
    [
        (None, 0, None, None, None),
        ("cpu", 4, None, "cpu", None),
        (None, 4, None, "cuda", "2"),
        ("cuda", 4, "", "cuda", "2"),
        ("cuda", 4, "7,5,3,1", "cuda", "3"),
        (None, 3, "GPU-a,GPU-b,GPU-c", "cuda", "GPU-c"),
    ],
)
def test_every_rank_takes_its_gpu(
    asked: str | None, gpus: int, visible: str | None, device: str | None, then: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("LOCAL_RANK", "2")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    def count() -> int:
        return 1 if then and os.environ.get("CUDA_VISIBLE_DEVICES") == then else gpus

    monkeypatch.setattr(torch.cuda, "device_count", count)
    assert torchrun._device_of(asked) == device
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == then


def test_a_rank_whose_cuda_has_counted_before_takes_its_gpu_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7,5,3,1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert torchrun._device_of(None) == "cuda:2"


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(InputError, match="process 2 of this machine has no GPU of its own, there are 2"):
        torchrun._device_of(None)
    with pytest.raises(InputError, match="device 'cuda:1': under torchrun every process takes its own"):
        torchrun._device_of("cuda:1")


@pytest.mark.slow
def test_the_command(tmp_path: Path) -> None:
    """A rank is killed by SIGKILL in the middle; the same command again ends with the numbers of a plain run."""
    run = ["mtlattack", "run", "quick", "--attacks", "pgd-dgba,universal-dgba", "--limit", "7", "--batch-size", "2"]
    start = [sys.executable, "-m"]
    together = [*start, "torch.distributed.run", "--nproc-per-node", "2", "-m", *run, "--device", "cpu", "--out", "two"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
    files = [tmp_path / "two" / f"shard-{number}-of-2" / "evidence.h5" for number in (1, 2)]
    with subprocess.Popen(together, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL) as process:
        while not all(file.exists() and done_in(file) > 0 for file in files):
            assert process.poll() is None
            time.sleep(0.05)
        os.kill(_children(process.pid)[1], signal.SIGKILL)
        assert process.wait(300) != 0
    assert not (tmp_path / "two" / "evidence.h5").exists()
    for command in (together, [*start, *run, "--device", "cpu", "--out", "one"]):
        subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    assert_equal(read_evidence(tmp_path / "two" / "evidence.h5"), read_evidence(tmp_path / "one" / "evidence.h5"))


def _children(process: int) -> list[int]:
    """Ids of a process's children; Linux alone has such a file."""
    found = Path(f"/proc/{process}/task/{process}/children")
    if not found.exists():
        pytest.skip("no /proc to find the ranks in")
    return [int(child) for child in found.read_text().split()]
