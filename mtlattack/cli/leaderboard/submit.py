"""`mtlattack leaderboard submit`: from a finished run to the files of a pull request."""

import subprocess
from pathlib import Path
from typing import Annotated

import typer

from mtlattack.cli.leaderboard.options import BOARD, BoardOption
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.columns import COLUMNS
from mtlattack.leaderboard.records import threat_at
from mtlattack.leaderboard.standings import stand
from mtlattack.leaderboard.submitting.declaration import Said
from mtlattack.leaderboard.submitting.submission import submit
from mtlattack.wording import counted


def submit_run(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run of a suite of the board.")],
    board: BoardOption = BOARD,
    checkpoint: Annotated[Path | None, typer.Option(help="File with the weights; default: the zoo's.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the model: its folder on the board.")] = None,
    licence: Annotated[str | None, typer.Option(help="Of the weights: an SPDX identifier, if there is one.")] = None,
    layout: Annotated[str | None, typer.Option(help="Which tasks share which stages.")] = None,
    sharing_degree: Annotated[float | None, typer.Option(help="1: one backbone for all tasks, 0: one each.")] = None,
    adversarial_training: Annotated[str | None, typer.Option(help="Attack, threat, steps; none: clean.")] = None,
    extra_data: Annotated[str | None, typer.Option(help="Data beside the suite's training split.")] = None,
    paper: Annotated[str | None, typer.Option(help="An https link.")] = None,
    code: Annotated[str | None, typer.Option(help="An https link.")] = None,
    note: Annotated[str | None, typer.Option(help="What else a reader should know.")] = None,
    submitter: Annotated[str | None, typer.Option(help="Who answers for it; default: git's user.name.")] = None,
    supersedes: Annotated[str | None, typer.Option(help="Row that this one takes the place of.")] = None,
) -> None:
    """Turn a finished run into the files of a pull request: a row, its evidence and a line in the ledger.

    What the checkpoint shows of the model is read from it, the rest is asked for. Nothing is sent anywhere.
    """
    place = Board(board)
    said = Said(
        submitter=_git_name(board) if submitter is None else submitter,
        name=name,
        licence=licence,
        layout=layout,
        sharing_degree=sharing_degree,
        adversarial_training=adversarial_training,
        extra_data=extra_data,
        paper=paper,
        code=code,
        note=note,
    )
    stored = submit(run, place, said, checkpoint=checkpoint, supersedes=supersedes)
    print("\n".join([*_headline(stored), "", *_next_steps(stored, place)]))


def _git_name(folder: Path) -> str | None:
    """Who git says is at work in this folder, if it says so."""
    try:
        found = subprocess.run(["git", "config", "user.name"], cwd=folder, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None


def _headline(stored: StoredRow) -> list[str]:
    """What will stand on the board, but for its rank."""
    row, record = stored.row, stored.record
    [standing] = stand([stored], {})
    known = ("rank", "model", "row", "status", "flags")
    fields = {
        "layout": row.model.layout,
        "extra data": row.model.extra_data or "none",
        "licence": row.model.licence,
        "submitter": row.submitted.name,
        "command": record.environment["command"],
        **{column.title: column.text(standing) for column in COLUMNS if column.key not in known},
    }
    threat = threat_at(record, standing.eps)
    return [
        f"row {stored.id}: {row.model.name} under {row.suite.name} v{row.suite.version}, "
        f"{counted(record.data['images'], 'image')}, {threat}",
        *(f"  {key}: {value}" for key, value in fields.items() if value is not None),
        *(f"flag {flag.name}{f' ({flag.attack})' if flag.attack else ''}: {flag.seen}" for flag in record.flags),
    ]


def _next_steps(stored: StoredRow, board: Board) -> list[str]:
    root = board.root
    return [
        "written:",
        f"  {stored.path}",
        f"  {stored.evidence_path} ({stored.row.evidence.bytes:,} bytes)",
        f"  {board.ledger}",
        "next, in a clone of the project:",
        "  look the row over: all of it is public, the command as well",
        f"  mtlattack leaderboard check {root}",
        f"  git switch -c row-{stored.id} && git add {root} && git commit -m 'Row {stored.id}'",
        "  push the branch and open a pull request (leaderboard/SUBMITTING.md)",
    ]
