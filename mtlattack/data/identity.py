"""What some images and their labels are: hashes of their content, whatever its compression, from reading it once."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

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

    def add(self, name: str, values: NDArray[Any], scale: float = 1, apart: str | None = None) -> None:
        """An array of this image by the name that a prepared file has it under: what is stored there, and its scale.

        Its hash of its own, if it is to have one, is under the same name unless `apart` is another.
        """
        little_endian = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False))
        header = f"{name}:{little_endian.dtype.str}:{values.shape}:{scale}\0".encode()
        own = self._apart.get(name if apart is None else apart)
        for digest in (self._together, *([] if own is None else [own])):
            digest.update(header)
            digest.update(little_endian.data)

    def fingerprint(self) -> str:
        """Hash of everything so far."""
        return self._together.hexdigest()

    def apart(self) -> dict[str, str]:
        """Hash of the ids so far (`id`), and of the arrays of each name that was to have its own."""
        ids = hashlib.sha256(json.dumps(self._ids).encode()).hexdigest()
        return {"id": ids, **{name: digest.hexdigest() for name, digest in self._apart.items()}}
