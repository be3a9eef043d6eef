"""Files: what lies on the board, whether rows read, and whether each has the evidence that it names."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mtlattack.errors import InputError
from mtlattack.evidence import Evidence
from mtlattack.leaderboard.board import Board, Listing, StoredRow, read_row
from mtlattack.leaderboard.checking.findings import Finding, refused, refused_for
from mtlattack.leaderboard.rows.plan import Plan

# What Windows takes for a device, or for the name without its last dot.
_NOT_ON_WINDOWS = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?|.*\.", re.IGNORECASE)


@dataclass(frozen=True)
class Case:
    """A row that reads, its evidence, and the plan that was found in that; `path` is relative to the board."""

    path: str
    stored: StoredRow
    evidence: Evidence
    plan: Plan


def relative(board: Board, path: Path) -> str:
    """A file's path as findings have it."""
    return path.relative_to(board.root).as_posix()


def check_names(board: Board, listing: Listing) -> Iterator[Finding]:
    """What has no business on the board, folders that are empty or cannot be everywhere, and names that are one name
    where letters have no case."""
    for path, reason in listing.strangers:
        yield refused(relative(board, path), "", reason)
    files = [*listing.rows, *listing.evidence, *(path for path, _ in listing.strangers)]
    filled = {folder for path in files for folder in path.parents}
    for path in listing.folders:
        if path not in filled and path not in files:
            # Git keeps no such folder: where it checks one out, it is a link to another repository.
            yield refused(relative(board, path), "", "an empty folder, or a submodule")
        if _NOT_ON_WINDOWS.fullmatch(path.name):
            yield refused(relative(board, path), "", "a folder that Windows cannot have")
    seen: dict[str, str] = {}
    for path in [*listing.rows, *listing.evidence]:
        folder = relative(board, path.parent)
        other = seen.setdefault(folder.casefold(), folder)
        if other != folder:
            yield refused(relative(board, path), "", f"its folder differs from {other} in upper and lower case alone")


def read_rows(board: Board, paths: Iterable[Path]) -> tuple[list[StoredRow], list[Finding]]:
    """The rows that read, and why the others do not."""
    rows, findings = [], []
    for path in paths:
        try:
            rows.append(read_row(path))
        except InputError as error:
            name = relative(board, path)
            findings.append(refused_for(name, InputError(str(error).removeprefix(f"{path}: "))))
        except Exception as error:  # one file must not hide the others
            reason = f"cannot be read, please report this: {type(error).__name__}"
            findings.append(refused(relative(board, path), "", reason))
    return rows, findings


def check_orphans(board: Board, evidence: Iterable[Path], rows: Iterable[StoredRow]) -> Iterator[Finding]:
    """Evidence that no row beside it names."""
    wanted = {row.evidence_path for row in rows}
    for path in evidence:
        if path not in wanted:
            yield refused(relative(board, path), "", "no row beside it that can be read has this evidence")
