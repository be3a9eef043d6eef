"""Reading ahead: the same batches as without, in order; one batch ahead, in a thread that ends with them."""

import gc
import threading
from collections.abc import Sequence
from pathlib import Path

import h5py
import pytest
import torch

from mtlattack.data import Batch, PreparedDataset, join_batches, read_ahead
from mtlattack.data.prepared import loader
from mtlattack.errors import InputError

CPU = torch.device("cpu")
PATIENCE = 20  # seconds until a test gives up; none of them waits so long unless it fails


class Watched(PreparedDataset):
    """Notes which images are read, by whom; can be made to wait before one, or to fail at one."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.begun: list[int] = []
        self.threads: set[int] = set()
        self.has_read = [threading.Event() for _ in self.ids]
        self.may_read = [threading.Event() for _ in self.ids]
        for event in self.may_read:
            event.set()
        self.unreadable: set[int] = set()

    def __getitem__(self, position: int) -> Batch:
        self.begun.append(position)
        self.threads.add(threading.get_ident())
        assert self.may_read[position].wait(PATIENCE)
        try:
            if position in self.unreadable:
                raise InputError(f"image {position} cannot be read")
            return super().__getitem__(position)
        finally:
            self.has_read[position].set()


@pytest.fixture
def data(toy: Path) -> Watched:
    """Five images."""
    return Watched(toy)


def running() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.is_alive()}


def assert_equal(batch: Batch, expected: Batch) -> None:
    assert batch.ids == expected.ids and torch.equal(batch.images, expected.images)
    assert batch.targets.keys() == expected.targets.keys()
    for name, values in expected.targets.items():
        torch.testing.assert_close(batch.targets[name], values, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 9])
def test_batches_are_those_of_the_loader(size: int, data: Watched) -> None:
    batches = [range(start, min(start + size, 5)) for start in range(0, 5, size)]
    for batch, expected in zip(read_ahead(data, batches, CPU), loader(data, size), strict=True):
        assert_equal(batch, expected)


@pytest.mark.parametrize("batches", [[[3], [0, 4], [1, 2]], [[2, 2, 2]], [[4, 3, 2, 1, 0]] * 3, [(0,), range(1, 3)]])
def test_any_positions(batches: list[Sequence[int]], data: Watched) -> None:
    for batch, positions in zip(read_ahead(data, batches, CPU), batches, strict=True):
        assert_equal(batch, join_batches([data[position] for position in positions]))


def test_no_batches(data: Watched) -> None:
    assert list(read_ahead(data, [], CPU)) == [] and data.begun == []


def test_batches_arrive_on_the_device(data: Watched) -> None:
    (batch,) = read_ahead(data, [[0, 1]], torch.device("meta"))
    assert {batch.images.device.type, *(t.device.type for t in batch.targets.values())} == {"meta"}
    assert batch.images.shape == (2, 3, *data.size)


def test_nothing_is_read_before_a_batch_is_asked_for(data: Watched) -> None:
    before = running()
    batches = read_ahead(data, [[0], [1]], CPU)
    assert data.begun == [] and running() == before
    next(batches)
    assert data.begun[0] == 0


# --- ahead


def test_the_next_batch_is_read_while_this_one_is_held(data: Watched) -> None:
    batches = read_ahead(data, [[0, 1], [2, 3], [4]], CPU)
    data.may_read[3].clear()
    held = next(batches)
    assert data.has_read[2].wait(PATIENCE)  # nobody asked for it
    assert_equal(held, join_batches([data[0], data[1]]))
    data.may_read[3].set()
    assert data.has_read[3].wait(PATIENCE)
    batches.close()  # type: ignore[attr-defined]
    assert 4 not in data.begun  # one batch ahead, not more
    assert len(data.threads) == 2  # the reader's, and this one's in the assertion above


def test_a_batch_is_waited_for(data: Watched) -> None:
    """The reader may be the slower one."""
    data.may_read[2].clear()
    batches = read_ahead(data, [[0, 1], [2, 3]], CPU)
    next(batches)
    later = threading.Timer(0.05, data.may_read[2].set)
    later.start()
    assert next(batches).ids == data.ids[2:4]
    later.join()


# --- an image that cannot be read


@pytest.mark.parametrize("bad", [0, 2, 4])
def test_an_image_that_cannot_be_read_raises_when_its_batch_is_due(bad: int, data: Watched) -> None:
    data.unreadable, before = {bad}, running()
    batches = read_ahead(data, [[0, 1], [2, 3], [4]], CPU)
    for good in range(bad // 2):
        assert next(batches).ids == data.ids[2 * good : 2 * good + 2]
        if good == bad // 2 - 1:
            assert data.has_read[bad].wait(PATIENCE)  # the reader has met it, and the batch before is not disturbed
    with pytest.raises(InputError, match=f"^image {bad} cannot be read$"):
        next(batches)
    with pytest.raises(StopIteration):
        next(batches)
    assert running() == before


def test_a_damaged_file_names_the_image(copy: Path) -> None:
    data = PreparedDataset(copy)
    place = _chunk_of_image(copy, row=3)
    with copy.open("r+b") as file:
        file.seek(place)
        file.write(b"\xff" * 64)
    batches = read_ahead(data, [[0, 1, 2], [3, 4]], CPU)
    assert next(batches).ids == data.ids[:3]
    with pytest.raises(InputError, match=rf"copy.h5: image '{data.ids[3]}' of test: "):
        next(batches)


def _chunk_of_image(path: Path, row: int) -> int:
    with h5py.File(path) as file:
        return int(file["test/image"].id.get_chunk_info(row).byte_offset)


# --- threads


def test_no_thread_is_left_at_the_end(data: Watched) -> None:
    before = running()
    list(read_ahead(data, [[0], [1], [2]], CPU))
    assert running() == before


@pytest.mark.parametrize("taken", [1, 2])
def test_stopping_early_leaves_no_thread(taken: int, data: Watched) -> None:
    before = running()
    batches = read_ahead(data, [[0], [1], [2], [3]], CPU)
    for _ in range(taken):
        next(batches)
    assert len(running() - before) == 1
    batches.close()  # type: ignore[attr-defined]
    assert running() == before and 3 not in data.begun


def test_a_consumer_that_raises_leaves_no_thread(data: Watched) -> None:
    before = running()

    def consume() -> None:
        for _ in read_ahead(data, [[0], [1], [2], [3]], CPU):
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough") as caught:
        consume()
    del caught
    gc.collect()
    assert running() == before
