"""Rendered rooms, a tiny network for them, and one that ships."""

from pathlib import Path

import pytest
from evaluation_toys import tiny_network

from mtlattack.data import Batch, PreparedDataset, join_batches, load_dataset, write_rooms
from mtlattack.models import MultiTaskNetwork, create_model


@pytest.fixture(scope="session")
def rooms_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rooms(tmp_path_factory.mktemp("rooms") / "rooms.h5", "test", 4)


@pytest.fixture
def network(rooms_path: Path) -> MultiTaskNetwork:
    return tiny_network(load_dataset(rooms_path).tasks)


@pytest.fixture
def data(rooms_path: Path, network: MultiTaskNetwork) -> PreparedDataset:
    return load_dataset(rooms_path, tasks=network.tasks, limit=4)


@pytest.fixture(scope="session")
def trained() -> MultiTaskNetwork:
    return create_model("rooms-resnet10t.shared")


@pytest.fixture(scope="session")
def rooms(rooms_path: Path, trained: MultiTaskNetwork) -> PreparedDataset:
    """Two rooms with the labels that the trained network predicts."""
    return load_dataset(rooms_path, tasks=trained.tasks, limit=2)


@pytest.fixture(scope="session")
def batch(rooms: PreparedDataset) -> Batch:
    return join_batches([rooms[i] for i in range(len(rooms))])
