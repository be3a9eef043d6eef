"""What some images and their labels are: hashes of their content, whatever its compression, from reading it once."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Identity:
    """SHA-256 of images and labels: `fingerprint` of all together, `digests` of the ids, the images and each task's
    labels apart (`id`, `image`, then tasks by name)."""

    fingerprint: str
    digests: dict[str, str]


class Identifier:
    """Is given images in order, each array as it is read, and says what they are.

    Of the arrays of an image, which are given in alphabetical order, those called `apart` also get a hash of their own.
    """

    def __init__(self, apart: Iterable[str] = ()) -> None:
        self._ids: list[str] = []
        self._together = hashlib.sha256()
        self._apart = {name: hashlib.sha256() for name in apart}

    def begin(self, identity: str) -> None:
        """The next image, by its id."""
        self._ids.append(identity)
        self._together.update(identity.encode() + b"\0")

    def add(self, stored: h5py.Dataset, values: NDArray[Any]) -> None:
        """An array of this image: what was read from the data set `stored`."""
        name = stored.name.rpartition("/")[2]
        little_endian = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False))
        header = f"{name}:{little_endian.dtype.str}:{values.shape}:{stored.attrs.get('scale', 1)}\0".encode()
        for digest in (self._together, *([self._apart[name]] if name in self._apart else [])):
            digest.update(header)
            digest.update(little_endian.data)

    def fingerprint(self) -> str:
        """Hash of everything so far."""
        return self._together.hexdigest()

    def apart(self) -> dict[str, str]:
        """Hash of the ids so far (`id`), and of the arrays of each name that was to have its own."""
        ids = hashlib.sha256(json.dumps(self._ids).encode()).hexdigest()
        return {"id": ids, **{name: digest.hexdigest() for name, digest in self._apart.items()}}
