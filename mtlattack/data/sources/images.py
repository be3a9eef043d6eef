"""What all sources share: a list of images, each with its files and how to read it, written as a prepared file."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mtlattack.data.account import Drops, accounts_of, read_accounts, warn_of_much
from mtlattack.data.writing import Label, PreparedWriter
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.progress import progress_bar

Arrays = Mapping[str, NDArray[np.generic]]
T = TypeVar("T")


@dataclass(frozen=True)
class Header:
    """What a prepared file says of itself."""

    name: str
    license: str
    citation: str


@dataclass(frozen=True)
class SourceImage:
    """One image of a source: its id, the files that are its own, and `read`, which gives image and labels as stored
    and says what it leaves out."""

    id: str
    files: tuple[Path, ...]
    read: Callable[[Drops], Arrays]


def write_images(
    out: Path,
    header: Header,
    splits: Mapping[str, Sequence[SourceImage]],
    labels: Mapping[str, Label],
    *,
    size: tuple[int, int],
    root: Path,
    files: Sequence[Path] = (),
) -> Path:
    """Write the images of all splits as a prepared file at `out`; what an earlier run has finished is not read again.

    `files` belong to all images; every file is recorded with its size and SHA-256, by its name relative to `root`.
    What was kept of each label and what was left out stands in the file (`read_accounts`); a warning names each rule
    that left out more than 1 % of a label, and labels of which nothing is left. InputError where a file is wrong; what
    is finished by then is kept for the next run.
    """
    with ExitStack() as stack:
        writer = stack.enter_context(
            PreparedWriter(
                out, name=header.name, size=size, license=header.license, citation=header.citation, root=root
            )
        )
        total = sum(len(images) for images in splits.values())
        attributes = {name: label.attributes for name, label in labels.items()}
        bar = stack.enter_context(progress_bar(f"preparing {header.name}", total))
        for split, images in splits.items():
            writer.add_split(split, [image.id for image in images], labels, files)
            for row, image in enumerate(images):
                if not writer.has(split, row, image.files):
                    drops = Drops()
                    arrays = image.read(drops)
                    writer.write(split, row, arrays, image.files, accounts_of(arrays, attributes, drops))
                bar.advance()
    warn_of_much(out, read_accounts(out), stacklevel=4)
    return out


def choose_splits(found: Mapping[str, T], wanted: Sequence[str] | str | None, name: str) -> dict[str, T]:
    """The wanted splits (names, or a text "train,test") of those that a source has, all by default.

    UnknownNameError for one that it does not have.
    """
    names = [part.strip() for part in wanted.split(",")] if isinstance(wanted, str) else wanted
    for split in names or ():
        if split not in found:
            raise UnknownNameError(f"split of {name}", split, found)
    return {split: found[split] for split in (found if names is None else names)}


def paired_files(folders: Mapping[Path, str], what: str) -> dict[str, tuple[Path, ...]]:
    """Files of the same stem in several folders, each with its suffix: stem → one path a folder, in natural order.

    InputError for a folder that is missing or empty, and for a file that the other folders have and it lacks.
    """
    stems: dict[Path, set[str]] = {}
    for folder, suffix in folders.items():
        if not folder.is_dir():
            raise InputError(f"no folder {folder}: {what}")
        stems[folder] = {path.stem for path in folder.iterdir() if path.suffix == suffix}
    together = set().union(*stems.values())
    for folder, suffix in folders.items():
        lacking = sorted(together - stems[folder])
        if lacking or not together:
            raise InputError(f"no file {folder / ((lacking or ['*'])[0] + suffix)}: {what}")
    order = sorted(together, key=lambda stem: (len(stem), stem) if stem.isdigit() else (0, stem))
    return {stem: tuple(folder / (stem + suffix) for folder, suffix in folders.items()) for stem in order}
