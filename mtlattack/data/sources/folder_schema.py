"""What `mtlattack.toml` says of a folder of images and labels."""

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mtlattack.data.labels import IGNORE
from mtlattack.data.sources.normals import Frame
from mtlattack.errors import InputError
from mtlattack.tasks import Regression, create_task, task_types

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Encoding = Literal["png8", "png16", "npy"]
if TYPE_CHECKING:
    NumberKind = str
else:
    NumberKind = Literal[tuple(kind for kind, task in task_types().items() if issubclass(task, Regression))]
    """The kinds of task whose labels are numbers."""

_PLACEHOLDER = re.compile(r"\{(.*?)\}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _inside(what: str, path: str) -> str:
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise InputError(f"{what} {path!r} leaves the folder")
    return path


class _Files(_Strict):
    pattern: str
    """Path below the folder with `{id}`, and `{split}` where splits are folders; an id may hold slashes."""

    @field_validator("pattern")
    @classmethod
    def _check_pattern(cls, pattern: str) -> str:
        found = _PLACEHOLDER.findall(pattern)
        unknown = [name for name in found if name not in ("id", "split")]
        if unknown or found.count("id") != 1 or found.count("split") > 1:
            raise InputError(
                f"pattern {pattern!r}, expected {{id}} once, {{split}} once or not at all, and no other names"
            )
        return _inside("pattern", pattern)


class ImageFiles(_Files):
    """RGB images: PNG or JPEG, or arrays `[H, W, 3]` in [0, 1] (`npy`)."""

    encoding: Literal["image", "npy"] = "image"


class _LabelFiles(_Files):
    encoding: Encoding


class SegmentationFiles(_LabelFiles):
    """Class numbers: those of `ignore` are no label, those of `map` (if there is one) become its values.

    All others must be classes already, or, with a map, are an error.
    """

    kind: Literal["segmentation"]
    classes: list[str] | int
    """Names of the classes, or their number."""
    ignore: list[int] = [IGNORE]
    map: dict[int, int] = {}

    @property
    def count(self) -> int:
        """Number of classes."""
        return self.classes if isinstance(self.classes, int) else len(self.classes)

    @model_validator(mode="after")
    def _check_classes(self) -> "SegmentationFiles":
        if not 2 <= self.count <= IGNORE:
            raise InputError(f"segmentation of {self.count} classes, expected 2 to {IGNORE}")
        wrong = [value for value in self.map.values() if not 0 <= value < self.count]
        if wrong:
            raise InputError(f"map leads to the class {wrong[0]}, expected 0 to {self.count - 1}")
        return self


class NumberFiles(_LabelFiles):
    """Numbers p that mean `scale` · p + `offset` in the task's unit.

    Those of `invalid`, those from `invalid_from` on, and what is not finite mean nothing. `step` is what the prepared
    file tells apart; 0 to 65,535 steps fit (heat maps: 65,534; curvature: −32,767 to 32,767).
    """

    kind: NumberKind
    scale: Finite = 1.0
    offset: Finite = 0.0
    invalid: list[float] = []
    invalid_from: float | None = None
    clip: bool = False
    """Heat maps: cut values off at 0 and 1; without it they are an error."""
    channels: list[Annotated[int, Field(ge=0)]] | None = None
    """Which channels of a file of several; by default it has one, or for curvature the first two."""
    step: Positive | None = None

    @property
    def task(self) -> Regression:
        """The task that these labels serve."""
        task = create_task(self.kind)
        assert isinstance(task, Regression)
        return task

    @model_validator(mode="after")
    def _check_channels(self) -> "NumberFiles":
        wanted = self.task.channels
        if self.channels is not None and len(self.channels) != wanted:
            raise InputError(f"{self.kind}: channels {self.channels}, expected {wanted}")
        if self.encoding == "png16" and (self.channels is not None or wanted > 1):
            raise InputError(f"{self.kind}: a png16 has one channel, expected encoding png8 or npy for several")
        if self.encoding == "png8" and self.channels is not None and max(self.channels) > 2:
            raise InputError(f"{self.kind}: channels {self.channels}, expected 0 to 2 in a png8")
        if self.step is not None and self.step < self.task.least_step:
            raise InputError(f"{self.kind}: step {self.step:g}, expected at least 1/{1 / self.task.least_step:.0f}")
        return self


class NormalFiles(_LabelFiles):
    """Normals: images hold (n + 1) · 127.5, arrays hold n; what is far from length 1 means nothing."""

    kind: Literal["normals"]
    encoding: Literal["png8", "npy"]
    frame: str
    """What the three channels are in our axes (x right, y down, z forward, facing the camera), such as "x,-y,z"."""

    @field_validator("frame")
    @classmethod
    def _check_frame(cls, frame: str) -> str:
        Frame(frame)
        return frame


LabelFiles = Annotated[SegmentationFiles | NumberFiles | NormalFiles, Field(discriminator="kind")]


class SplitFiles(_Strict):
    """The images of a split: all that are there, those whose ids match a glob of `ids`, or those listed in `file`."""

    folder: str | None = None
    """What `{split}` stands for in patterns; by default the split's name."""
    ids: list[str] | None = None
    file: str | None = None
    """A text file below the folder, one id a line."""

    @model_validator(mode="after")
    def _check_choice(self) -> "SplitFiles":
        for what, path in (("folder", self.folder), ("file", self.file)):
            _inside(what, path or "")
        if self.ids is not None and self.file is not None:
            raise InputError("a split has both ids and file, expected one of them")
        return self


class FolderDescription(_Strict):
    """`mtlattack.toml`."""

    name: str = Field(min_length=1)
    license: str
    citation: str
    size: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=2, max_length=2)]
    """(height, width) of the prepared images."""
    splits: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")], SplitFiles] = Field(min_length=1)
    image: ImageFiles
    labels: list[LabelFiles] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_labels(self) -> "FolderDescription":
        names = list(self.stored_names())
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InputError(f"labels: {twice} is there twice")
        return self

    def stored_names(self) -> list[str]:
        """Names of the labels in the prepared file: kinds, and a further segmentation's class count behind it."""
        names: list[str] = []
        for label in self.labels:
            further = isinstance(label, SegmentationFiles) and "segmentation" in names
            names.append(
                f"segmentation{label.count}" if further and isinstance(label, SegmentationFiles) else label.kind
            )
        return names
