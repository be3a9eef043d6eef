"""What sources and victims are called where there is little room."""

from collections.abc import Sequence

from mtlattack.analysis.transfer.record import TransferRecord

# Of a line in a terminal or a picture.
LONGEST = 24


def family(record: TransferRecord) -> str | None:
    """What the names of all models begin with, up to the first dot: of networks that differ in their layout (and
    training) alone, `<data>-<backbone>`; None where they have nothing such in common."""
    beginnings = {name.partition(".")[0] for name in record.models}
    dotted = all("." in name and "/" not in name for name in record.models)
    return beginnings.pop() if dotted and len(beginnings) == 1 else None


def labels(record: TransferRecord, names: Sequence[str]) -> list[str]:
    """Each in few letters, all of them different: without what all models' names have in common, the middle left out
    where it is too long."""
    common = family(record)
    plain = [name.removeprefix(f"{common}.") if common and name in record.models else name for name in names]
    short = [shortened(name) for name in plain]
    return [f"{text[: LONGEST - 3]}~{i}" if short.count(text) > 1 else text for i, text in enumerate(short, 1)]


def shortened(name: str) -> str:
    """At most LONGEST letters."""
    half = LONGEST // 2
    return name if len(name) <= LONGEST else f"{name[: half - 1]}…{name[-half:]}"


def heading(record: TransferRecord) -> str:
    """What the transfer is between."""
    if record.between == "tasks":
        return "source task × victim task"
    common = family(record)
    return f"layout × layout of {common}" if common else "model × model"
