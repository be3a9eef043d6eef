"""Any folder of images and labels, as the file `mtlattack.toml` in it describes them."""

import fnmatch
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtlattack.data.sources.files import Size, find_folder, read_bytes, read_image, read_npy
from mtlattack.data.sources.folder_labels import LabelReader, label_reader
from mtlattack.data.sources.folder_schema import FolderDescription, ImageFiles, SplitFiles
from mtlattack.data.sources.images import Arrays, Header, SourceImage, write_images
from mtlattack.data.sources.normals import CHECKED_IMAGES
from mtlattack.data.sources.registry import SOURCES
from mtlattack.data.sources.resample import average, check_size, pick
from mtlattack.data.sources.signs import check_signs
from mtlattack.errors import InputError
from mtlattack.registry import natural_key
from mtlattack.schemas import load_named

DESCRIPTION = "mtlattack.toml"


@SOURCES.register("folder")
def prepare_folder(source: Path, out: Path, *, size: Size | None = None) -> Path:
    """Write a folder that holds `mtlattack.toml` as a prepared file and return its path.

    `FolderDescription` says what may stand there; datasets/README.md has an example. A label is of the size of its
    image; images may differ in size. Images are averaged over area, labels are the pixels under the new pixels'
    centres. Where there are normals and depth, their signs must agree in some images.

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
    patterns = [description.image.pattern, *(reader.pattern for reader in readers.values())]
    images: dict[str, list[SourceImage]] = {}
    owner: dict[Path, str] = {}
    for split, choice in description.splits.items():
        images[split] = []
        for identity in _find_ids(folder, split, choice, description.image.pattern):
            files = tuple(_place(folder, pattern, identity, choice.folder or split) for pattern in patterns)
            _check_files(files, identity, split)
            if owner.setdefault(files[0], split) != split:
                raise InputError(f"{path}: {files[0]} is in the splits {owner[files[0]]} and {split}")
            read = partial(_read, files, description.image, readers, (height, width))
            images[split].append(SourceImage(identity, files, read))
    _check_normals([image.files for members in images.values() for image in members], description.image, readers)
    header = Header(description.name, description.license, description.citation)
    labels = {name: reader.label for name, reader in readers.items()}
    return write_images(out, header, images, labels, size=(height, width), root=folder, files=[path])


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
    missing = next((path for path in files if not path.is_file()), None)
    if missing is not None:
        raise InputError(f"no file {missing}, which {identity!r} of {split} needs")


def _read(files: Sequence[Path], image: ImageFiles, readers: Mapping[str, LabelReader], size: Size) -> Arrays:
    """An image with its labels, in the prepared form."""
    pixels = _read_image(files[0], image)
    full = (pixels.shape[0], pixels.shape[1])
    try:
        check_size(size, full)
    except InputError as error:
        raise InputError(f"{files[0]}: {error}") from None
    arrays: dict[str, NDArray[np.generic]] = {"image": average(pixels, size)}
    for (name, reader), path in zip(readers.items(), files[1:], strict=True):
        arrays[name] = reader.encode(path, pick(reader.read(path, full), size))
    return arrays


def _check_normals(images: Sequence[Sequence[Path]], image: ImageFiles, readers: Mapping[str, LabelReader]) -> None:
    """InputError if normals have other signs than depth gives them: their frame is not what the description says."""
    if not {"normals", "depth"} <= readers.keys():
        return
    found: dict[str, list[NDArray[np.float64]]] = {"normals": [], "depth": []}
    samples = [images[k] for k in np.unique(np.linspace(0, len(images) - 1, CHECKED_IMAGES).astype(int))]
    places = {name: list(readers).index(name) + 1 for name in found}
    for files in samples:
        height, width, _ = _read_image(files[0], image).shape
        for name, place in places.items():
            raw = readers[name].read(files[place], (height, width))
            found[name].append(readers[name].encode(files[place], raw).astype(np.float64))
    normals = [stored / 127 for stored in found["normals"]]
    frame = str(readers["normals"].label.attributes["source_frame"])
    check_signs(normals, found["depth"], f"{samples[0][places['normals']]} and others", frame)


def _read_image(path: Path, image: ImageFiles) -> NDArray[np.uint8]:
    if image.encoding == "image":
        return read_image(path)
    values = read_npy(path, shape=(None, None, 3))
    # Not `or`: NaN is neither below nor above.
    if not (values.size and values.min() >= 0 and values.max() <= 1):
        raise InputError(f"{path} holds no image, expected numbers from 0 to 1")
    return np.rint(values.astype(np.float64) * 255).astype(np.uint8)
