"""Where images and labels come from."""

from mtlattack.data.catalogue import list_datasets, load_dataset
from mtlattack.data.prepared import Batch, PreparedDataset, join_batches, loader
from mtlattack.data.rooms_files import write_rooms

__all__ = ["Batch", "PreparedDataset", "join_batches", "list_datasets", "load_dataset", "loader", "write_rooms"]
