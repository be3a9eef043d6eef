"""A row of the leaderboard: its schema is the documentation, published as JSON Schema beside the rows."""

from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, FailFast, Field
from pydantic_core import PydanticCustomError

SCHEMA_VERSION = 2
ID = "^[0-9a-f]{16}$"

# Names become files and folders: no separators, no leading dot, nothing that a shell or a page would read otherwise.
NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$"
# Neither control characters nor those that turn the direction of writing.
_PLAIN = r"^[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\u061c\ufeff]*$"

Name = Annotated[str, Field(pattern=NAME)]
Label = Annotated[str, Field(min_length=1, max_length=200, pattern=_PLAIN)]
Text = Annotated[str, Field(max_length=2000, pattern=_PLAIN)]
# The characters of RFC 3986, but for the single quote.
Link = Annotated[
    str,
    Field(max_length=300, pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9_.~:/?#\[\]@!$&()*+,;=%-]*)?$"),
]
RowId = Annotated[str, Field(pattern=ID)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, le=2**53)]
Share = Annotated[float, Field(ge=0, le=1)]
Nonnegative = Annotated[float, Field(ge=0)]


def _time(value: Any) -> Any:
    """A time, or one as text; pydantic would take numbers and more ways to write it."""
    if isinstance(value, datetime):
        return value
    with suppress(TypeError, ValueError):
        datetime.fromisoformat(value)
        return value
    raise PydanticCustomError("moment", "expected a time as text, such as 2026-11-21T12:00:00+00:00")


Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_time)]

T = TypeVar("T")
# The first wrong item ends it: a million of them would take gigabytes to tell.
Items = Annotated[list[T], FailFast()]


class Part(BaseModel):
    """Of a submitted document: no other fields, no conversions, nothing that is not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class SuiteReference(Part):
    """What was run; versions never mix."""

    name: Name
    version: int = Field(ge=1)
    sha256: Sha256 = Field(description="of all that the suite says is run")


class ModelCard(Part):
    """What was attacked. The evidence knows `name`, `weights_sha256` and `parameters`, the rest is the submitter's
    word."""

    name: Name = Field(description="its folder on the board")
    weights_sha256: Sha256 = Field(description="over names, types, shapes and values of all weights and buffers")
    checkpoint_sha256: Sha256 = Field(description="of the file with the weights")
    parameters: Count
    layout: Label | None = Field(description="which tasks share which stages; null where no tree says it")
    sharing_degree: Share | None = Field(description="1 is one backbone for all tasks, 0 one for each")
    adversarial_training: Label | None = Field(description="attack, threat and steps; null if clean")
    extra_data: Label | None = Field(description="data beside the suite's training split; null if none")
    licence: Label = Field(description="of the weights, an SPDX identifier where there is one")
    paper: Link | None
    code: Link | None
    note: Text = ""


class Submitter(Part):
    """Who answers for the row, and since when."""

    name: Label
    at: Moment


class EvidenceReference(Part):
    """The file beside the row that every number is derived from."""

    file: Name
    sha256: Sha256
    bytes: int = Field(ge=1)


class Row(Part):
    """One model under one suite: who says so, and the evidence; every number is derived from that when it is shown."""

    format: Literal["mtlattack-row"] = "mtlattack-row"
    schema_version: Literal[2] = 2
    suite: SuiteReference
    model: ModelCard
    submitted: Submitter
    evidence: EvidenceReference
