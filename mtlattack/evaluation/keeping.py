"""Adversarial images that are kept: one HDF5 file, made by `mtlattack craft` or by anybody's own program.

| | |
|---|---|
| attributes | `format` "mtlattack-images", `format_version` 1; if we made it, `plan` (JSON) of the run it is part of |
| `id` | strings `[N]`: of the data set's images, in order |
| `attacks/0000` … | an attack; attribute `config` (JSON): `name`, `norm`, `eps`, what else `Attack.config` says |
| `…/images` | `[N, 3, H, W]`: float32 in [0, 1], or uint8 levels of 255 |
| `…/noted` | optional, float64 `[N, D]`: columns DIAGNOSTICS, NaN where nothing was noted |
| `…/done` | optional, uint8 `[N]`: 1 where an image is finished |

Images of 8-bit attacks are kept as uint8, all others as they are: nothing is rounded on the way.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from mtlattack.attacks import Attack, Result, Threat
from mtlattack.epsilon import LEVELS
from mtlattack.errors import InputError
from mtlattack.evidence import DIAGNOSTICS
from mtlattack.files import check_room, whole_file
from mtlattack.hdf5 import (
    DamagedError,
    array_of,
    check_array,
    check_inside,
    check_stored,
    document_of,
    group_of,
    opened_hdf5,
    strings_of,
)
from mtlattack.schemas import validate

FORMAT = "mtlattack-images"
FORMAT_VERSION = 1
_LEVELS = np.float32(LEVELS)
# What the float32 arithmetic of other programs may be off: a thousandth of a grey level is 4e-6.
TOLERANCE = 1e-6


class _Model(BaseModel):
    name: str


class _Images(BaseModel):
    name: str
    split: str


class Origin(BaseModel):
    """What the plan in a file says of model and images, for who has nothing else to go by."""

    model: _Model
    data: _Images
    batch_size: int = Field(16, ge=1)


class Claim(BaseModel):
    """What a file says of one of its attacks; norm and ε are checked, the rest cannot be."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(min_length=1)
    norm: str
    eps: float = Field(gt=0)
    quantized: bool = False

    @property
    def threat(self) -> Threat:
        """What the images are held against; InputError for one that there is not."""
        return Threat(self.norm, self.eps, self.quantized)


def origin_of(plan: Mapping[str, Any], path: Path) -> Origin:
    """What the plan in the file at a path says; InputError where it does not say it."""
    return validate(Origin, plan, f"{path}: plan.")


class ImageFile:
    """A file of adversarial images."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open("r") as file:
            self.ids = strings_of(file, "id")
            self.plan = document_of(file, "plan") if "plan" in file.attrs else None
            self.claims = {}
            for name in sorted(group_of(file, "attacks")):
                group, place = group_of(file, f"attacks/{name}"), f"attacks/{name}"
                self.claims[place] = validate(Claim, document_of(group, "config"), f"{path}: {place}: ")
                _check_arrays(path, place, group, len(self.ids))
        if not self.claims:
            raise InputError(f"{path} holds no attack")

    @staticmethod
    def create(
        path: Path, plan: Mapping[str, Any], ids: Sequence[str], attacks: Sequence[Attack], size: tuple[int, int]
    ) -> "ImageFile":
        """Lay out the file (whole or not at all) for images of this height and width; InputError where it cannot be
        written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as partial:
                check_room(partial, _room(plan, ids, attacks, size))
                with h5py.File(partial, "w") as file:
                    file.attrs.update(format=FORMAT, format_version=FORMAT_VERSION)
                    file.attrs["plan"] = json.dumps(plan)
                    file.create_dataset("id", data=list(ids), dtype=h5py.string_dtype())
                    for place, attack in enumerate(attacks):
                        _lay_out(file.create_group(_place(place)), attack, (len(ids), 3, *size))
        except OSError as error:
            raise InputError(f"cannot write {path} ({error})") from None
        return ImageFile(path)

    def origin(self) -> Origin | None:
        """The run that it says it is part of; None where it says none, InputError where that is no run."""
        return None if self.plan is None else origin_of(self.plan, self.path)

    def check_laid_out(self, ids: Sequence[str], attacks: Sequence[Attack], size: tuple[int, int]) -> None:
        """InputError unless the file is laid out as `create` does for these images and attacks: it can be gone on
        with."""
        with self._open("r") as file:
            if self.ids != list(ids) or list(self.claims) != [_place(place) for place in range(len(attacks))]:
                raise DamagedError("it is of other images or attacks than it was laid out for")
            for place, attack in zip(self.claims, attacks, strict=True):
                if document_of(file[place], "config") != json.loads(json.dumps(attack.config())):
                    raise DamagedError(f"{place} is of another attack than it was laid out for")
                check_array(file, f"{place}/images", (len(ids), 3, *size), _dtype(attack))
                check_array(file, f"{place}/noted", (len(ids), len(DIAGNOSTICS)), np.float64)
                check_array(file, f"{place}/done", (len(ids),), np.uint8)

    def done(self) -> dict[str, NDArray[np.bool_]]:
        """For each attack which images are finished, `[N]`; all of them where the file does not say."""
        with self._open("r") as file:
            everything = np.ones(len(self.ids), bool)
            return {
                name: file[name]["done"][:].astype(bool) if "done" in file[name] else everything for name in self.claims
            }

    def write(self, attack: str, rows: slice, result: Result) -> None:
        """Store some images of an attack and mark them as done; what is given beyond the `rows` is left out."""
        count = rows.stop - rows.start
        noted = [result.diagnostics.get(name, torch.full((len(result.images),), torch.nan)) for name in DIAGNOSTICS]
        images = result.images[:count].cpu().numpy()
        with self._open("r+") as file:
            group = file[attack]
            exact = group["images"].dtype == np.float32
            group["images"][rows] = images if exact else np.rint(images * _LEVELS).astype(np.uint8)
            group["noted"][rows] = torch.stack([values.cpu().double() for values in noted], 1).numpy()[:count]
            file.flush()
            group["done"][rows] = 1

    def read(self, attack: str, rows: slice, clean: Tensor) -> Result:
        """Some images of an attack on those that were `clean` `[B, 3, H, W]`, and what it noted of them.

        InputError for an image of another size, outside [0, 1], outside the ball that the file claims, or, where it
        claims 8-bit images, for one that is none.
        """
        with self._open("r") as file:
            stored = file[attack]["images"][rows]
            noted = file[attack]["noted"][rows] if "noted" in file[attack] else None
        exact = torch.from_numpy(stored if stored.dtype == np.float32 else stored.astype(np.float32) / _LEVELS)
        images = exact.to(clean.device).contiguous(memory_format=_layout(clean))
        self._check(attack, rows, images, clean)
        columns = () if noted is None else torch.from_numpy(noted.astype(np.float32)).to(clean.device).unbind(1)
        return Result(images, dict(zip(DIAGNOSTICS, columns, strict=False)))

    def _check(self, attack: str, rows: slice, images: Tensor, clean: Tensor) -> None:
        ids, claim = self.ids[rows], self.claims[attack]
        if images.shape != clean.shape:
            raise InputError(
                f"{self.path}: {claim.name}: images are {tuple(images.shape[-2:])}, those of the data "
                f"{tuple(clean.shape[-2:])}"
            )
        inside_box = ((images >= 0) & (images <= 1)).flatten(1).all(1)
        if not inside_box.all():
            identity = ids[int(inside_box.logical_not().nonzero()[0])]
            raise InputError(f"{self.path}: {claim.name}: image {identity!r} holds values outside [0, 1]")
        threat = claim.threat
        excess = threat.excess(clean, images)
        worst = int(excess.argmax())
        if excess[worst] > TOLERANCE:
            raise InputError(
                f"{self.path}: {claim.name}: image {ids[worst]!r} is outside {threat}: a value would have to change by "
                f"{float(excess[worst]):.3g}"
            )
        threat.check(images)

    def _open(self, mode: str) -> AbstractContextManager[h5py.File]:
        return opened_hdf5(self.path, "images", format=FORMAT, versions=[FORMAT_VERSION], mode=mode)


def _layout(images: Tensor) -> torch.memory_format:
    channels_last = images.is_contiguous(memory_format=torch.channels_last) and not images.is_contiguous()
    return torch.channels_last if channels_last else torch.contiguous_format


def _room(plan: Mapping[str, Any], ids: Sequence[str], attacks: Sequence[Attack], size: tuple[int, int]) -> int:
    """Bytes that a file laid out for these takes at most."""
    pixels = 3 * size[0] * size[1]
    images = sum((pixels if attack.threat.quantized else 4 * pixels) + 8 * len(DIAGNOSTICS) + 1 for attack in attacks)
    texts = len(json.dumps(plan)) + sum(len(json.dumps(attack.config())) for attack in attacks)
    return len(ids) * images + sum(80 + len(identity.encode()) for identity in ids) + texts + 8192 * (len(attacks) + 2)


def _place(number: int) -> str:
    return f"attacks/{number:04d}"


def _dtype(attack: Attack) -> type[np.generic]:
    return np.uint8 if attack.threat.quantized else np.float32


def _lay_out(group: h5py.Group, attack: Attack, shape: tuple[int, ...]) -> None:
    group.attrs["config"] = json.dumps(attack.config())
    # Contiguous and written in full, as evidence: a kill at any moment leaves a file that opens.
    images = group.create_dataset("images", shape, _dtype(attack))
    for row in range(shape[0]):
        images[row] = 0
    group.create_dataset("noted", data=np.full((shape[0], len(DIAGNOSTICS)), np.nan))
    group.create_dataset("done", data=np.zeros(shape[0], np.uint8))


def _check_arrays(path: Path, name: str, group: h5py.Group, count: int) -> None:
    images = group.get("images")
    if (
        not isinstance(images, h5py.Dataset)
        or images.ndim != 4
        or images.shape[:2] != (count, 3)
        or images.dtype not in (np.float32, np.uint8)
    ):
        found = f"{images.dtype} {images.shape}" if isinstance(images, h5py.Dataset) else "missing, or no array"
        raise InputError(f"{path}: {name}/images is {found}, expected float32 or uint8 ({count}, 3, H, W)")
    check_inside(images, group.file)
    check_stored(images)
    if "noted" in group:
        noted = group["noted"]
        array_of(group, "noted", (count, noted.shape[1] if getattr(noted, "ndim", 0) == 2 else len(DIAGNOSTICS)), "f")
    if "done" in group:
        array_of(group, "done", (count,), "u")
