"""A finished transfer: the evidence of every victim, and how alike the gradients are."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtlattack.analysis.transfer.matrices import build_matrices
from mtlattack.analysis.transfer.record import TransferRecord
from mtlattack.errors import InputError
from mtlattack.evidence import Agreement, AgreementFile, Evidence, read_evidence
from mtlattack.evidence.agreement import Shape
from mtlattack.evidence.places import EVIDENCE
from mtlattack.files import read_json

PLAN, AGREEMENT = "plan.json", "agreement.h5"


@dataclass(frozen=True)
class Transfer:
    """What was planned, by victim its evidence, and a matrix of agreements for each of the transfer's matrices."""

    plan: dict[str, Any]
    runs: dict[str, Evidence]
    agreements: list[Agreement]

    def record(self) -> TransferRecord:
        """Every number that the transfer says, computed from its rows of numbers alone."""
        return build_matrices(self.plan, self.runs, self.agreements)


def read_transfer(folder: str | Path) -> Transfer:
    """The transfer that is kept in `folder`; InputError for one that is missing, damaged or unfinished."""
    folder = Path(folder)
    place = folder / PLAN
    if not place.is_file():
        raise InputError(f"no transfer at {folder}: expected a folder with {PLAN}")
    plan = read_json(place)
    try:
        folders, shapes = dict(plan["folders"]), _shapes(plan)
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(f"{place} is damaged ({error})") from None
    runs = {name: read_evidence(folder / own / EVIDENCE) for name, own in folders.items()}
    agreement = AgreementFile(folder / AGREEMENT)
    agreement.check_laid_out(shapes, next(iter(runs.values())).ids)
    return Transfer(plan, runs, agreement.read())


def _shapes(plan: dict[str, Any]) -> list[Shape]:
    """Of each matrix the rows, columns and losses."""
    tasks = len(plan["tasks"])
    if plan["between"] == "models":
        return [(len(plan["sources"]), len(plan["victims"]), tasks)]
    return [(tasks, tasks, 1)] * len(plan["models"])
