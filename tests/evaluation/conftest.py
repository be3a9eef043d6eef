"""Four rendered rooms and a tiny network for them."""

from pathlib import Path

import pytest
from evaluation_toys import tiny_network

from mtlattack.data import PreparedDataset, load_dataset, write_rooms
from mtlattack.models import MultiTaskNetwork


@pytest.fixture(scope="session")
def rooms_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rooms(tmp_path_factory.mktemp("rooms") / "rooms.h5", "test", 4)


@pytest.fixture
def network(rooms_path: Path) -> MultiTaskNetwork:
    return tiny_network(load_dataset(rooms_path).tasks)


@pytest.fixture
def data(rooms_path: Path, network: MultiTaskNetwork) -> PreparedDataset:
    return load_dataset(rooms_path, tasks=network.tasks, limit=4)
