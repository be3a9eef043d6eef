from .ahead import read_ahead
from .catalogue import dataset_path, list_datasets, load_dataset
from .labelled import LabelledImages
from .own import AnyData, as_batch, labelled_images
from .prepared import Batch, PreparedDataset, join_batches, loader, repeated
from .previewing import preview
from .rooms_files import write_rooms
from .rooms_scenes import write_rooms_scenes
from .sources import list_sources, prepare, prepare_nyuv2
from .verifying import Verification, verify

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
    "write_rooms_scenes",
]
