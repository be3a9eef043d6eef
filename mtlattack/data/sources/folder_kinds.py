"""What `mtlattack.toml` says of the labels of a folder: one description a way of storing, for every kind of task."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from mtlattack.data.sources.normals import LENGTHS, Frame
from mtlattack.data.sources.signs import AGREEMENT
from mtlattack.errors import InputError
from mtlattack.tasks import Classes, MultiLabel, Normals, Regression, Task, UnknownKindError, create_task, task_types
from mtlattack.wording import counted

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Encoding = Literal["png8", "png16", "npy", "csv"]

_PLACEHOLDER = re.compile(r"\{(.*?)\}")
_MOST_CLASSES = 4096
_LARGEST = {"png8": 255, "png16": 65535}
_WAYS: dict[str, type[Task]] = {"classes": Classes, "answers": MultiLabel, "normals": Normals, "numbers": Regression}  # type: ignore[type-abstract]
"""How labels of a kind are described: that of the first class here that the kind is one of."""


class Strict(BaseModel):
    """No field but those that there are."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Files(Strict):
    """Files by a pattern: a path below the folder with `{id}`, and `{split}` where splits are folders; an id may hold
    slashes. A table (`csv`) is one file, with no `{id}` in its path."""

    pattern: str
    encoding: str

    @model_validator(mode="after")
    def _check_pattern(self) -> "Files":
        found, ids = _PLACEHOLDER.findall(self.pattern), 0 if self.encoding == "csv" else 1
        unknown = [name for name in found if name not in ("id", "split")]
        if unknown or found.count("id") != ids or found.count("split") > 1:
            raise InputError(
                f"pattern {self.pattern!r}, expected {{id}} {'once' if ids else 'nowhere, for a table is one file'}, "
                "{split} once or not at all, and no other names"
            )
        inside("pattern", self.pattern)
        return self


def inside(what: str, path: str) -> str:
    """The path, unless it leaves the folder: InputError."""
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise InputError(f"{what} {path!r} leaves the folder")
    return path


def each_once(what: str, names: Sequence[str]) -> None:
    """InputError for a name that is there twice."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{what}: {twice} is there twice")


class ImageFiles(Files):
    """RGB images: PNG or JPEG, or arrays `[H, W, 3]` in [0, 1] (`npy`)."""

    encoding: Literal["image", "npy"] = "image"


class LabelFiles(Files):
    """What labels of any kind say.

    A label a pixel is a PNG of 8 or 16 bits or an array (`npy`); one of the whole image an array of its shape, or a
    row of a table (`csv`), found by the column `id`; an empty cell is no label.
    """

    kind: str
    encoding: Encoding
    options: dict[str, bool | int | float | str] = {}
    """Of the kind of task, if it has any: `unit` of a scalar."""
    id: str = "id"
    columns: list[str] = []
    """Of a table: one for each number of the label."""

    @property
    def kind_class(self) -> type[Task]:
        """The kind of task."""
        return task_types()[self.kind]

    @model_validator(mode="after")
    def _check_encoding(self) -> "LabelFiles":
        allowed = ("png8", "png16", "npy") if self.kind_class.dense else ("csv", "npy")
        if self.encoding not in allowed:
            raise InputError(f"{self.kind}: encoding {self.encoding!r}, expected one of {', '.join(allowed)}")
        if self.columns and self.encoding != "csv":
            raise InputError(f"{self.kind}: columns go with encoding 'csv'")
        each_once(f"{self.kind}: columns", self.columns)
        return self

    def check_columns(self, count: int) -> None:
        """InputError unless a table has so many columns."""
        if self.encoding == "csv" and len(self.columns) != count:
            raise InputError(f"{self.kind}: columns {self.columns}, expected {count}")


class SegmentationFiles(LabelFiles):
    """Class numbers of a `segmentation`, a `classification` or a kind like these: those of `ignore` are no label, those
    of `map` (if there is one) become its values. All others must be classes already, or, with a map, are an error.

    A table may hold the names of the classes.
    """

    classes: list[str] | int
    """Names of the classes, or their number."""
    ignore: list[int] | None = None
    """By default the number that the prepared file has for no label: 255 of a segmentation, −1 of a classification."""
    map: dict[int, int] = {}

    @property
    def count(self) -> int:
        """Number of classes."""
        return self.classes if isinstance(self.classes, int) else len(self.classes)

    @property
    def classes_kind(self) -> type[Classes]:
        """The kind of task."""
        kind = self.kind_class
        assert issubclass(kind, Classes)
        return kind

    @property
    def ignored(self) -> list[int]:
        """The numbers that are no label."""
        return [self.classes_kind.stored_ignore] if self.ignore is None else self.ignore

    @model_validator(mode="after")
    def _check_classes(self) -> "SegmentationFiles":
        most = min(_MOST_CLASSES, int(np.iinfo(self.classes_kind.stored_dtype).max))
        if not 2 <= self.count <= most:
            raise InputError(f"{self.kind} of {counted(self.count, 'class')}, expected 2 to {most}")
        if not isinstance(self.classes, int):
            each_once(f"{self.kind}: classes", self.classes)
        wrong = [value for value in self.map.values() if not 0 <= value < self.count]
        if wrong:
            raise InputError(f"map leads to the class {wrong[0]}, expected 0 to {self.count - 1}")
        self.check_columns(1)
        return self


class AnswerFiles(LabelFiles):
    """Of a `multilabel`, for each of `classes` whether it is present: 1, or 0; below 0 and not finite is unknown."""

    classes: list[str]
    """Names of the labels; those of a table's columns, unless `columns` says others."""

    @model_validator(mode="after")
    def _check_answers(self) -> "AnswerFiles":
        create_task(self.kind, labels=len(self.classes))
        each_once(f"{self.kind}: classes", self.classes)
        if self.columns:
            self.check_columns(len(self.classes))
        return self


class NumberFiles(LabelFiles):
    """Numbers p that mean `scale` · p + `offset` in the task's unit.

    Those of `invalid`, those from `invalid_from` on, and what is not finite mean nothing. `step` is what the prepared
    file tells apart; 0 to 65,535 steps fit (heat maps: 65,534; curvature: −32,767 to 32,767).
    """

    scale: Finite = 1.0
    offset: Finite = 0.0
    invalid: list[float] = []
    invalid_from: float | None = None
    clip: bool = False
    """Heat maps: cut values off at 0 and 1; without it they are an error."""
    channels: list[Annotated[int, Field(ge=0)]] | None = None
    """Which channels of a file of several; by default it has one, or the first as many as the kind has."""
    step: Positive | None = None

    @property
    def task(self) -> Regression:
        """The task that these labels serve."""
        task = create_task(self.kind, **self.options)
        assert isinstance(task, Regression)
        return task

    @model_validator(mode="after")
    def _check_values(self) -> "NumberFiles":
        means = f"{self.kind}: scale {self.scale:g} and offset {self.offset:g}"
        if self.scale == 0:
            raise InputError(f"{means}, expected another scale: all numbers would mean the same")
        if self.task.positive_factor and self.encoding in _LARGEST:
            highest = max(0.0, self.scale * _LARGEST[self.encoding]) + self.offset
            if highest <= 0:
                raise InputError(f"{means} give no number of a {self.encoding} a value above 0, as {self.kind} has")
        return self

    @model_validator(mode="after")
    def _check_channels(self) -> "NumberFiles":
        task = self.task
        self.check_columns(task.channels)
        if self.channels is not None and len(self.channels) != task.channels:
            raise InputError(f"{self.kind}: channels {self.channels}, expected {task.channels}")
        if self.encoding == "png16" and (self.channels is not None or task.channels > 1):
            raise InputError(f"{self.kind}: a png16 has one channel, expected encoding png8 or npy for several")
        if self.encoding == "png8" and max(self.channels or [task.channels - 1]) > 2:
            raise InputError(f"{self.kind}: channels {self.channels or task.channels}, expected 0 to 2 in a png8")
        if self.step is not None and self.step < task.least_step:
            raise InputError(f"{self.kind}: step {self.step:g}, expected at least 1/{1 / task.least_step:.0f}")
        return self


class NormalFiles(LabelFiles):
    """Normals: images hold (n + 1) · 127.5, arrays hold n.

    Zero, and white, grey and black pixels are no normal. What has a length outside `length` is left out, and the rest
    made of length 1.
    """

    encoding: Literal["png8", "npy"]
    frame: str
    """What the three channels are in our axes (x right, y down, z forward, facing the camera), such as "x,-y,z"."""
    length: tuple[Positive, Positive] = LENGTHS
    agreement: Annotated[float, Field(ge=0, le=1)] = AGREEMENT
    """The share of the normals that must face the camera, and where there is depth, have the signs that it gives them
    on each axis; 0 asks for nothing."""

    @model_validator(mode="after")
    def _check_frame(self) -> "NormalFiles":
        Frame(self.frame)
        if not self.length[0] < 1 < self.length[1]:
            raise InputError(f"{self.kind}: length {list(self.length)}, expected 1 between both")
        return self


def way_of(kind: str) -> str:
    """Which of these descriptions a kind of task has; UnknownKindError for none, InputError for one without any."""
    kinds = task_types()
    if kind not in kinds:
        raise UnknownKindError(kind, "kind of label")
    found = next((way for way, base in _WAYS.items() if issubclass(kinds[kind], base)), None)
    if found is None:
        raise InputError(
            f"labels of {kind} cannot be prepared from a folder: {kinds[kind].__name__} is none of "
            f"{', '.join(base.__name__ for base in _WAYS.values())}, which know how they are stored"
        )
    return found


def _way(label: Any) -> str:
    return way_of(str(label.get("kind") if isinstance(label, dict) else label.kind))


Description = Annotated[
    Annotated[SegmentationFiles, Tag("classes")]
    | Annotated[AnswerFiles, Tag("answers")]
    | Annotated[NormalFiles, Tag("normals")]
    | Annotated[NumberFiles, Tag("numbers")],
    Discriminator(_way),
]
"""Of the labels of any kind."""
