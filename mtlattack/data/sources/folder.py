"""Any folder of images and labels, as the file `mtlattack.toml` in it describes them."""

import fnmatch
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtlattack.data.account import Drops, unseen
from mtlattack.data.sources.files import Size, find_folder, read_bytes, read_image, read_npy
from mtlattack.data.sources.folder_kinds import ImageFiles, NormalFiles
from mtlattack.data.sources.folder_labels import LabelReader, label_reader
from mtlattack.data.sources.folder_schema import FolderDescription, SplitFiles
from mtlattack.data.sources.images import Arrays, Header, SourceImage, write_images
from mtlattack.data.sources.normals import CHECKED_IMAGES, read_normals
from mtlattack.data.sources.registry import SOURCES
from mtlattack.data.sources.resample import average, check_size, pick
from mtlattack.data.sources.signs import check_facing, check_signs
from mtlattack.errors import InputError
from mtlattack.registry import natural_key
from mtlattack.schemas import load_named

DESCRIPTION = "mtlattack.toml"


@SOURCES.register("folder")
def prepare_folder(source: Path, out: Path, *, size: Size | None = None) -> Path:
    """Write a folder that holds `mtlattack.toml` as a prepared file and return its path.

    `FolderDescription` says what may stand there; datasets/README.md has an example. A label is of the size of its
    image, or is one of the whole image; images may differ in size. Images are averaged over area, labels are the pixels
    under the new pixels' centres. Normals must face the camera, and where there is depth have the signs that it gives
    them, in some images.

    Args:
        source: the folder.
        out: the prepared file; replaced if it is there.
        size: (height, width), at most that of the smallest image; by default what the description says.

    Raises:
        InputError: the description is wrong (the field is named), or a file is missing, damaged, of another size or
            encoding, or holds numbers that the description does not know (the file is named).
    """
    folder = find_folder(source, f"the folder that holds {DESCRIPTION}")
    path = folder / DESCRIPTION
    description = load_named(FolderDescription, "description", str(path), folder)
    height, width = size or description.size
    readers = {
        name: label_reader(files) for name, files in zip(description.stored_names(), description.labels, strict=True)
    }
    images: dict[str, list[SourceImage]] = {}
    chosen: list[_Image] = []
    owner: dict[Path, str] = {}
    tables: dict[Path, None] = {}
    for split, choice in description.splits.items():
        images[split] = []
        for identity in _find_ids(folder, split, choice, description.image.pattern):
            within = choice.folder or split
            place = _place(folder, description.image.pattern, identity, within)
            labels = {name: _place(folder, reader.pattern, identity, within) for name, reader in readers.items()}
            _check_files([place, *labels.values()], identity, split)
            if owner.setdefault(place, split) != split:
                raise InputError(f"{path}: {place} is in the splits {owner[place]} and {split}")
            found = _Image(identity, place, labels)
            chosen.append(found)
            own = (place, *(file for name, file in labels.items() if not readers[name].table))
            tables |= {file: None for file in labels.values() if file not in own}
            images[split].append(
                SourceImage(identity, own, partial(_read, found, description.image, readers, (height, width)))
            )
    _check_normals(chosen, description, readers)
    header = Header(description.name, description.license, description.citation)
    stored = {name: reader.label for name, reader in readers.items()}
    return write_images(out, header, images, stored, size=(height, width), root=folder, files=[path, *tables])


@dataclass(frozen=True)
class _Image:
    """An image with the file of each label, by name."""

    id: str
    file: Path
    labels: Mapping[str, Path]


def _find_ids(folder: Path, split: str, choice: SplitFiles, pattern: str) -> list[str]:
    """Ids of a split in natural order, or in that of its list file."""
    where = f"{folder / DESCRIPTION}: splits.{split}"
    if choice.file is not None:
        return _listed_ids(folder / choice.file)
    text = pattern.replace("{split}", choice.folder or split)
    before, after = text.split("{id}")
    # Only what stands before the id's folder is fixed; globs see the rest.
    top = folder / before.rpartition("/")[0]
    name = re.compile(re.escape(before) + "(.+)" + re.escape(after))
    files = (path.relative_to(folder).as_posix() for path in top.rglob("*") if path.is_file())
    found = [match[1] for match in map(name.fullmatch, files) if match]
    if not found:
        raise InputError(f"{where}: no image {folder / text}")
    for glob in choice.ids or ():
        if not fnmatch.filter(found, glob):
            raise InputError(f"{where}: no id matches {glob!r}; there is {min(found, key=natural_key)!r}")
    globs = ["*"] if choice.ids is None else choice.ids
    chosen = [identity for identity in found if any(fnmatch.fnmatchcase(identity, glob) for glob in globs)]
    if not chosen:
        raise InputError(f"{where}: ids is empty")
    return sorted(chosen, key=natural_key)


def _listed_ids(path: Path) -> list[str]:
    try:
        lines = read_bytes(path).decode().splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8 ({error})") from None
    ids = [line.strip() for line in lines if line.strip()]
    if not ids:
        raise InputError(f"{path} lists no id")
    return ids


def _place(folder: Path, pattern: str, identity: str, split: str) -> Path:
    path = folder / pattern.replace("{split}", split).replace("{id}", identity)
    # A list file may be anybody's.
    if ".." in path.relative_to(folder).parts:
        raise InputError(f"id {identity!r} leaves {folder}")
    return path


def _check_files(files: Sequence[Path], identity: str, split: str) -> None:
    missing = next((path for path in files if not os.path.isfile(path)), None)
    if missing is not None:
        raise InputError(f"no file {missing}, which {identity!r} of {split} needs")


def _read(found: _Image, image: ImageFiles, readers: Mapping[str, LabelReader], size: Size, drops: Drops) -> Arrays:
    """An image with its labels, in the prepared form."""
    pixels = _read_image(found.file, image)
    full = (pixels.shape[0], pixels.shape[1])
    try:
        check_size(size, full)
    except InputError as error:
        raise InputError(f"{found.file}: {error}") from None
    arrays: dict[str, NDArray[np.generic]] = {"image": average(pixels, size)}
    for name, reader in readers.items():
        path = found.labels[name]
        raw = reader.read(path, full, found.id)
        seen = pick(raw, size) if reader.label.dense else raw
        arrays[name] = reader.encode(path, seen, drops.none(name), drops.dropped(name))
    return arrays


def _check_normals(
    images: Sequence[_Image], description: FolderDescription, readers: Mapping[str, LabelReader]
) -> None:
    """InputError if normals do not face the camera, or have other signs than depth gives them: their frame is not what
    the description says."""
    files = next((label for label in description.labels if isinstance(label, NormalFiles)), None)
    if files is None:
        return
    samples = [images[k] for k in np.unique(np.linspace(0, len(images) - 1, CHECKED_IMAGES).astype(int))]
    given, depths = [], []
    for sample in samples:
        height, width, _ = _read_image(sample.file, description.image).shape
        given.append(read_normals(sample.labels[files.kind], (height, width), files.length))
        if "depth" in readers:
            path, reader = sample.labels["depth"], readers["depth"]
            raw = reader.read(path, (height, width), sample.id)
            depths.append(reader.encode(path, raw, unseen, unseen).astype(np.float64))
    where = f"{samples[0].labels[files.kind]} and others"
    if depths:
        check_signs(given, depths, where, files.frame, files.agreement)
    check_facing(given, where, files.frame, files.agreement)


def _read_image(path: Path, image: ImageFiles) -> NDArray[np.uint8]:
    if image.encoding == "image":
        return read_image(path)
    values = read_npy(path, shape=(None, None, 3))
    # Not `or`: NaN is neither below nor above.
    if not (values.size and values.min() >= 0 and values.max() <= 1):
        raise InputError(f"{path} holds no image, expected numbers from 0 to 1")
    return np.rint(values.astype(np.float64) * 255).astype(np.uint8)
