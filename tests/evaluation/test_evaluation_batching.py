"""As many images at a time as the memory at hand holds: decided once, said in the plan, kept to."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from evaluation_toys import Little, assert_equal

from mtlattack.attacks import create_attack
from mtlattack.data import Batch, PreparedDataset
from mtlattack.devices import memory_at_hand
from mtlattack.errors import InputError
from mtlattack.evaluation import craft, craft_to, evaluate, transfer
from mtlattack.evaluation.batching import largest_batch
from mtlattack.evaluation.preparation import prepare
from mtlattack.evidence import Shard

run = partial(evaluate, device="cpu")
ATTACKS = [create_attack("pgd-dgba", eps=4 / 255, steps=1)]


def at_hand(monkeypatch: pytest.MonkeyPatch, size: float) -> None:
    monkeypatch.setattr("mtlattack.evaluation.batching.memory_at_hand", lambda device: int(size))


def test_it_grows_with_the_memory_in_powers_of_two(
    network: Little, data: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare(network, data[0], "float32")
    sizes = []
    for memory in (0, 1e6, 4e6, 16e6, 1e15):
        at_hand(monkeypatch, memory)
        sizes.append(largest_batch(prepared, data[0], 10_000))
    assert sizes[0] == 1 and sizes[-1] == 256 and sizes == sorted(sizes)
    assert sizes[3] == 4 * sizes[2] > sizes[1] and all(size & (size - 1) == 0 for size in sizes)
    assert largest_batch(prepared, data[0], 5) == 8


def test_a_larger_image_takes_more(network: Little, data: PreparedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    at_hand(monkeypatch, 16e6)
    prepared, one = prepare(network, data[0], "float32"), data[0]
    targets = {name: target.repeat(*[1] * (target.ndim - 2), 2, 2) for name, target in one.targets.items()}
    wide = Batch(one.ids, one.images.repeat(1, 1, 2, 2), targets)
    assert largest_batch(prepared, wide, 10_000) * 4 == largest_batch(prepared, one, 10_000)


def test_a_run_says_it_and_one_that_goes_on_keeps_to_it(
    network: Little, data: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "evidence.h5"
    at_hand(monkeypatch, 1e15)
    first = run(network, data, ATTACKS, path=path, batch_size="auto")
    assert first.plan["batch_size"] == 4 == len(data)
    at_hand(monkeypatch, 0)
    again = run(network, data, ATTACKS, path=path, batch_size="auto")
    assert again.plan == first.plan
    assert_equal(again, first)
    small = run(network, data, ATTACKS, path=path, batch_size="auto", fresh=True)
    assert small.plan["batch_size"] == 1
    assert_equal(small, run(network, data, ATTACKS, batch_size=1))


def test_images_that_are_kept(
    network: Little, data: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for memory in (1e15, 0):
        at_hand(monkeypatch, memory)
        file = craft_to(tmp_path / "images.h5", network, data, ATTACKS, device="cpu", batch_size="auto")
        assert file.plan is not None and file.plan["batch_size"] == 4


def test_images_batch_by_batch(network: Little, data: PreparedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    at_hand(monkeypatch, 1e15)
    crafted = list(craft(network, data, ATTACKS[0], device="cpu", batch_size="auto"))
    assert [len(each.clean.ids) for each in crafted] == [4]


def test_a_transfer_goes_by_the_hungriest_model(
    network: Little, data: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = iter([4, 2])
    monkeypatch.setattr("mtlattack.evaluation.transfers.transferring.largest_batch", lambda *rest: next(sizes))
    carry = partial(transfer, {"a": network, "b": network}, None, data, ATTACKS[0], path=tmp_path, device="cpu")
    for _ in range(2):  # The second one goes on, and measures nothing.
        carry(batch_size="auto")
        runs = json.loads((tmp_path / "plan.json").read_text())["runs"]
        assert {run["batch_size"] for run in runs.values()} == {2}


def test_shards_need_a_number(network: Little, data: PreparedDataset) -> None:
    with pytest.raises(InputError, match="^batch_size auto for shard 1/2: all shards need the same, so give a number$"):
        run(network, data, ATTACKS, batch_size="auto", shard=Shard.parse("1/2"))


@pytest.mark.parametrize("size", [0, -1, "most", True])
def test_what_is_no_size(size: Any, network: Little, data: PreparedDataset) -> None:
    with pytest.raises(InputError, match=f"^batch_size {size}, expected at least 1, or auto$"):
        run(network, data, ATTACKS, batch_size=size)


def test_memory_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    here = memory_at_hand(torch.device("cpu"))
    assert 2**20 < here < 2**50
    monkeypatch.setattr("mtlattack.devices._left_to_us", lambda: 5)
    assert memory_at_hand(torch.device("cpu")) == 5
    for name, value in (("mem_get_info", (100, 900)), ("memory_reserved", 70), ("memory_allocated", 20)):
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    assert memory_at_hand(torch.device("cuda")) == 150
