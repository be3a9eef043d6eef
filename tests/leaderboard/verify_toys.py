"""Rows that are verified, and evidence that is forged."""

from collections.abc import Callable, Sequence

import numpy as np
from checking_toys import changed, forge
from leaderboard_toys import MODEL

from mtlattack.data import PreparedDataset
from mtlattack.evidence import Evidence
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.verifying.verification import Verification, verify_row
from mtlattack.models import MultiTaskNetwork

OTHER = f"{MODEL}.at-dgba"
DGBA = 7  # the place of apgd-dgba at ε 2/255; nine attacks further it is at 4/255
HEADLINE = 4 / 255


def again(
    stored: StoredRow,
    model: MultiTaskNetwork,
    data: PreparedDataset,
    attacks: Sequence[str] = ("apgd-dgba",),
    nonce: str = "n",
    **options: object,
) -> Verification:
    """Verify a row by the evidence beside it."""
    evidence = stored.read_evidence()
    return verify_row(stored, evidence, model, data, attacks=attacks, nonce=nonce, device="cpu", **options)  # type: ignore[arg-type]


def put_forged(board: Board, evidence: Evidence, change: Callable[[Evidence], None]) -> StoredRow:
    """In place of the board's row the one that changed evidence proves, every hash as it should be."""
    forge(board, board.read_all()[0], changed(evidence, change))
    return board.read_all()[0]


def job_of(evidence: Evidence, name: str) -> int:
    """The place of an attack at the headline ε."""
    configs = [planned["config"] for planned in evidence.plan["attacks"]]
    return next(i for i, config in enumerate(configs) if (config["name"], config["eps"]) == (name, HEADLINE))


def narrow(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32).astype(np.float64)


def weaken(evidence: Evidence, job: int, power: float) -> None:
    """Make an attack's log loss ratios `power` times what they are, on all images and tasks."""
    clean, outcome = evidence.clean.losses, evidence.attacked[job].losses
    outcome[:] = narrow(clean * (outcome / clean) ** power)
