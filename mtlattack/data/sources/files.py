"""Reading published images and arrays: whatever is wrong with a file, the message names it."""

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mtlattack.errors import InputError
from mtlattack.files import json_value

Size = tuple[int, int]
"""(height, width)."""


def read_image(path: Path, *, size: Size | None = None) -> NDArray[np.uint8]:
    """A colour image (PNG, JPEG) as uint8 RGB `[H, W, 3]`; grey ones are spread over the channels, alpha is dropped.

    InputError for a file that is missing, damaged, no image, deeper than 8 bits, or not of `size` if that is given.
    """
    image = _open_image(path)
    if image.mode not in ("RGB", "RGBA", "L", "P"):
        raise InputError(f"{path} is an image of mode {image.mode}, expected 8-bit RGB")
    array = np.asarray(image.convert("RGB"))
    _check_size(path, array, size)
    return array


def read_gray(path: Path, *, size: Size | None = None) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """An image of one channel `[H, W]`, its numbers as stored: uint8 (a palette's indices too), or uint16.

    InputError for a file that is missing, damaged, no image, of several channels, or not of `size` if that is given.
    """
    image = _open_image(path)
    if image.mode not in ("L", "P", "I", "I;16", "I;16B"):
        raise InputError(f"{path} is an image of mode {image.mode}, expected one channel of 8 or 16 bits")
    array = np.asarray(image)
    _check_size(path, array, size)
    # Pillow gives 16-bit PNGs as "I" (int32) or as "I;16", by its version and the file's colour type.
    return array if array.dtype == np.uint8 else array.astype(np.uint16)


def read_npy(path: Path, *, shape: tuple[int | None, ...] | None = None) -> NDArray[Any]:
    """The array of an .npy file, never unpickled; `shape` is checked if it is given (None: any length).

    InputError for a file that is missing, damaged, no array of numbers, or of another shape.
    """
    data = read_bytes(path)
    try:
        array = np.load(BytesIO(data), allow_pickle=False)
    except Exception as error:  # numpy raises whatever its parser trips over first in a broken file
        raise InputError(f"{path} is damaged or no .npy file ({error})") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        raise InputError(f"{path} holds no array of numbers")
    if shape is not None and not _fits(array.shape, shape):
        wanted = ", ".join("any" if length is None else str(length) for length in shape)
        raise InputError(f"{path} has shape {array.shape}, expected ({wanted})")
    return array


def read_bytes(path: Path) -> bytes:
    """Content of a file; InputError if it is missing or cannot be read."""
    if not os.path.isfile(path):  # Of a name that no system takes it says so, where `is_file` raises.
        raise InputError(f"no file {path}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error})") from None


def read_json(path: Path) -> Any:
    """What a JSON file says; InputError if it is missing or none."""
    content = read_bytes(path)
    try:
        return json_value(content)
    except ValueError as error:
        raise InputError(f"{path} is damaged or no JSON ({error})") from None


def find_folder(path: Path, what: str) -> Path:
    """`path`, if it is a folder; InputError says `what` is missing."""
    if not path.is_dir():
        raise InputError(f"no folder {path}: {what}")
    return path


def check_classes(path: Path, label: NDArray[Any], classes: int, ignore: int) -> None:
    """InputError that names the file if a class number is neither in 0 … `classes` − 1 nor `ignore`."""
    wrong = label[((label < 0) | (label >= classes)) & (label != ignore)]
    if wrong.size:
        raise InputError(f"{path} has the class {wrong[0]}, expected 0 to {classes - 1} or {ignore}")


def _open_image(path: Path) -> Image.Image:
    data = read_bytes(path)
    try:
        # Decoding skips the checksums of a PNG's pixels; `verify` reads them, and uses the object up.
        Image.open(BytesIO(data)).verify()
        image = Image.open(BytesIO(data))
        image.load()
    except Exception as error:  # Pillow raises whatever its parser trips over first in a broken file
        # Its message for foreign bytes names an object in memory.
        reason = "unknown format" if isinstance(error, UnidentifiedImageError) else error
        raise InputError(f"{path} is damaged or no image ({reason})") from None
    return image


def _check_size(path: Path, array: NDArray[Any], size: Size | None) -> None:
    if size is not None and array.shape[:2] != size:
        found = f"{array.shape[0]}x{array.shape[1]}"
        raise InputError(f"{path} is {found} (height x width), expected {size[0]}x{size[1]}")


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(w in (None, s) for s, w in zip(shape, wanted, strict=True))
