"""What `mtlattack.toml` says of a folder of images and labels."""

from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from mtlattack.data.sources.folder_kinds import (
    Description,
    ImageFiles,
    SegmentationFiles,
    Strict,
    each_once,
    inside,
    way_of,
)
from mtlattack.errors import InputError


class SplitFiles(Strict):
    """The images of a split: all that are there, those whose ids match a glob of `ids`, or those listed in `file`."""

    folder: str | None = None
    """What `{split}` stands for in patterns; by default the split's name."""
    ids: list[str] | None = None
    file: str | None = None
    """A text file below the folder, one id a line."""

    @model_validator(mode="after")
    def _check_choice(self) -> "SplitFiles":
        for what, path in (("folder", self.folder), ("file", self.file)):
            inside(what, path or "")
        if self.ids is not None and self.file is not None:
            raise InputError("a split has both ids and file, expected one of them")
        return self


class FolderDescription(Strict):
    """`mtlattack.toml`."""

    name: str = Field(min_length=1)
    license: str
    citation: str
    size: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=2, max_length=2)]
    """(height, width) of the prepared images."""
    splits: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")], SplitFiles] = Field(min_length=1)
    image: ImageFiles
    labels: list[Description] = Field(min_length=1)

    @field_validator("labels", mode="before")
    @classmethod
    def _check_kinds(cls, labels: Any) -> Any:
        for number, label in enumerate(labels if isinstance(labels, list) else ()):
            try:
                if isinstance(label, dict):
                    way_of(str(label.get("kind")))
            except InputError as error:
                raise InputError(f"labels.{number}: {error}") from None
        return labels

    @model_validator(mode="after")
    def _check_labels(self) -> "FolderDescription":
        each_once("labels", self.stored_names())
        return self

    def stored_names(self) -> list[str]:
        """Names of the labels in the prepared file: kinds, and behind that of further classes their number."""
        names: list[str] = []
        for label in self.labels:
            further = isinstance(label, SegmentationFiles) and label.kind in names
            names.append(
                f"{label.kind}{label.count}" if further and isinstance(label, SegmentationFiles) else label.kind
            )
        return names
