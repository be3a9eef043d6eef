"""Rendered rooms, every fourth pixel of them with a network of two layers, and a network that ships."""

from pathlib import Path

import pytest
from evaluation_toys import Little, every_fourth_pixel

from mtlattack.data import Batch, PreparedDataset, join_batches, load_dataset, write_rooms
from mtlattack.models import MultiTaskNetwork, create_model


@pytest.fixture(scope="session")
def rooms_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rooms(tmp_path_factory.mktemp("rooms") / "rooms.h5", "test", 4)


@pytest.fixture(scope="session")
def small_path(rooms_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four rooms, 24×32 pixels each."""
    return every_fourth_pixel(rooms_path, tmp_path_factory.mktemp("small") / "rooms.h5")


@pytest.fixture
def network(small_path: Path) -> Little:
    return Little(load_dataset(small_path).tasks)


@pytest.fixture
def data(small_path: Path, network: Little) -> PreparedDataset:
    return load_dataset(small_path, tasks=network.tasks, limit=4)


@pytest.fixture(scope="session")
def trained() -> MultiTaskNetwork:
    return create_model("rooms-resnet10t.shared")


@pytest.fixture(scope="session")
def rooms(small_path: Path, trained: MultiTaskNetwork) -> PreparedDataset:
    """Two small rooms with the labels that the trained network predicts."""
    return load_dataset(small_path, tasks=trained.tasks, limit=2)


@pytest.fixture(scope="session")
def whole_rooms(rooms_path: Path, trained: MultiTaskNetwork) -> PreparedDataset:
    """The two as they were rendered, which the network was trained for."""
    return load_dataset(rooms_path, tasks=trained.tasks, limit=2)


@pytest.fixture(scope="session")
def batch(rooms: PreparedDataset) -> Batch:
    return join_batches([rooms[i] for i in range(len(rooms))])
