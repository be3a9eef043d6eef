"""`mtlattack leaderboard verify`: attack some of a row's images again, and say whether the row's numbers come out."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text
from torch import nn

from mtlattack.cli.leaderboard.options import BOARD, BoardOption
from mtlattack.cli.lists import listed
from mtlattack.data import load_dataset
from mtlattack.epsilon import parse_epsilons
from mtlattack.errors import InputError
from mtlattack.evaluation import Suite
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.ledger import NEXT, Event, append, read_ledger, statuses
from mtlattack.leaderboard.records import levels_of, threat_at
from mtlattack.leaderboard.showing.selection import eps_of
from mtlattack.leaderboard.suites import shipped_suite
from mtlattack.leaderboard.verifying.belonging import check_checkpoint_of
from mtlattack.leaderboard.verifying.tolerances import Agreement
from mtlattack.leaderboard.verifying.verification import IMAGES, Verification, event_of, verify_row
from mtlattack.models import resolve_model
from mtlattack.models.zoo import list_models, model_path
from mtlattack.printing import Grid, print_parts
from mtlattack.schemas import validate
from mtlattack.wording import counted

# For a row that does not agree; 2 stays for the user's mistakes.
DISAGREES = 1


def verify(
    row: Annotated[str, typer.Argument(help="Row id, or how it begins.")],
    board: BoardOption = BOARD,
    checkpoint: Annotated[Path | None, typer.Option(help="The row's checkpoint; default: the zoo's.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Zoo name, .safetensors file, or module:factory with --checkpoint.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="The suite's data, by name or as a prepared .h5 file.")] = None,
    images: Annotated[int, typer.Option(help="How many of the row's images.")] = IMAGES,
    attacks: Annotated[str, typer.Option(help="Names or globs, comma-separated.")] = "*",
    eps: Annotated[
        str | None,
        typer.Option(help="Comma-separated; l_inf in levels of 255; all; default: the one that stands first."),
    ] = None,
    nonce: Annotated[str | None, typer.Option(help="Of an earlier verification: the same images again.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images at a time.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps; default: the best there is.")] = None,
    record: Annotated[bool, typer.Option("--record", help="Append verified or disputed to the ledger.")] = False,
    by: Annotated[str | None, typer.Option(help="Who verifies, for the ledger.")] = None,
) -> None:
    """Attack some images of a row again, and compare with its evidence.

    Exit code 0: it agrees; 1: it does not; 2: it could not be verified.
    """
    place = Board(board)
    stored = place.find(row)
    if record:
        _check_recordable(place, stored, by)
    evidence = stored.read_evidence()
    suite = _suite_of(stored)
    network = _model_of(stored, model, checkpoint)
    result = verify_row(
        stored,
        evidence,
        network,  # type: ignore[arg-type]
        load_dataset(
            data or suite.data,
            suite.split,
            tasks=network.tasks,  # type: ignore[arg-type]
            limit=suite.limit,
            every=suite.every,
        ),
        images=images,
        nonce=nonce,
        attacks=listed(attacks, "--attacks"),
        eps=_levels(eps, stored),
        batch_size=batch_size,
        device=device,
    )
    print_parts(_render(result, stored))
    if record:
        append(place.ledger, event_of(result, str(by), datetime.now(UTC)))
    if not result.agrees:
        raise typer.Exit(DISAGREES)


def _check_recordable(board: Board, stored: StoredRow, by: str | None) -> None:
    """Before minutes are spent: that there is a name to record, and a row that can still be verified or disputed."""
    if by is None:
        raise InputError("--record needs --by: who answers for it")
    validate(Event, {"row": stored.id, "status": "verified", "at": datetime.now(UTC), "by": by}, "event: ")
    before = statuses(read_ledger(board.ledger)).get(stored.id)
    status = None if before is None else before.status
    if "disputed" not in NEXT[status] and "verified" not in NEXT[status]:
        was = "not in the ledger" if status is None else status
        raise InputError(f"row {stored.id} is {was}: neither verified nor disputed can be recorded")


def _suite_of(stored: StoredRow) -> Suite:
    said = stored.row.suite
    suite = shipped_suite(said.name, said.version)
    if suite is None:
        raise InputError(f"row {stored.id} is of {said.name} v{said.version}, which this version does not have")
    return suite


def _model_of(stored: StoredRow, model: str | None, checkpoint: Path | None) -> nn.Module:
    """The model that a user names for a row, the file of its weights looked at before anything in it is read."""
    if checkpoint is not None:
        path = checkpoint
    elif model is None and stored.row.model.name not in list_models():
        raise InputError(f"{stored.row.model.name} is no model of the zoo: give its --checkpoint")
    elif model is None or model in list_models():
        path = model_path(model or stored.row.model.name)
    elif ":" in model:
        raise InputError(f"--model {model} needs --checkpoint: row {stored.id} is about the weights in a file")
    else:
        path = Path(model)
    check_checkpoint_of(stored, path)
    return resolve_model(model or str(path), checkpoint if model else None)[0]


def _levels(text: str | None, stored: StoredRow) -> list[float] | None:
    if text is None:
        return None
    if text == "all":
        return levels_of(stored.record)
    return [eps_of(stored.record, level) for level in parse_epsilons(text, otherwise=", or all")]


def _render(result: Verification, stored: StoredRow) -> RenderableType:
    row = stored.row
    table = Grid(names=2)
    for title in ("attack", "ε", "log loss ratio\nreported", "found", "difference", "tolerance"):
        table.add_column(title, "left" if title == "attack" else "right")
    table.add_column("farthest off, as a share of its tolerance")
    table.add_column("ok")
    table.add_row("clean", "", "", "", "", "", str(result.clean), _mark(result.clean))
    for agreement in result.attacked:
        first = agreement.findings[0]
        numbers = (first.difference.reported, first.difference.found)
        table.add_row(
            agreement.name,
            str(threat_at(stored.record, agreement.eps or 0)),
            *(f"{number:.4f}" for number in numbers),
            f"{first.difference.size:+.4f}",
            f"{first.tolerance:.4f}",
            str(agreement),
            _mark(agreement),
        )
    verdict = "agrees with its evidence" if result.agrees else "does NOT agree with its evidence"
    return Group(
        Text(f"row {result.row}: {row.suite.name} v{row.suite.version} · {row.model.name} · by {row.submitted.name}"),
        Text(
            f"{len(result.images)} of {counted(result.of_images, 'image')}, --nonce {result.nonce}: "
            f"{', '.join(result.images)}"
        ),
        Text(),
        table,
        Text(),
        Text(f"verdict: row {result.row} {verdict}", style="green" if result.agrees else "bold red"),
    )


def _mark(agreement: Agreement) -> str:
    return "yes" if agreement.ok else "NO"
