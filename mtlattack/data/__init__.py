"""Where images and labels come from."""

from mtlattack.data.ahead import read_ahead
from mtlattack.data.catalogue import dataset_path, list_datasets, load_dataset
from mtlattack.data.labelled import LabelledImages
from mtlattack.data.own import AnyData, as_batch, labelled_images
from mtlattack.data.prepared import Batch, PreparedDataset, join_batches, loader, repeated
from mtlattack.data.preview import preview
from mtlattack.data.rooms_files import write_rooms
from mtlattack.data.sources import list_sources, prepare, prepare_nyuv2
from mtlattack.data.verify import Verification, verify

__all__ = [
    "AnyData",
    "Batch",
    "LabelledImages",
    "PreparedDataset",
    "Verification",
    "as_batch",
    "dataset_path",
    "join_batches",
    "labelled_images",
    "list_datasets",
    "list_sources",
    "load_dataset",
    "loader",
    "prepare",
    "prepare_nyuv2",
    "preview",
    "read_ahead",
    "repeated",
    "verify",
    "write_rooms",
]
