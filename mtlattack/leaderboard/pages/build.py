"""Building the pages' folder: whole or not at all, and never over a folder that is not ours."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from mtlattack.errors import InputError
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.ledger import read_ledger
from mtlattack.leaderboard.pages.places import INDEX, MARKER, picture
from mtlattack.leaderboard.pages.site import pages, static_files

_SAYS = "Made by `mtlattack leaderboard build`, which replaces this folder whole.\n"


# Draws a row's picture into a file; None, and no file, where there is none to draw.
Draw = Callable[[StoredRow, Path], Path | None]


def no_picture(stored: StoredRow, path: Path) -> None:
    """For pages without pictures."""


def build_pages(board: Board, out: Path, draw: Draw = no_picture) -> Path:
    """Write the board's pages into the folder `out`, in place of those that are there; returns the first page.

    `draw` makes the picture on a row's page, see `panels.draw_row`.

    InputError names the row that cannot be read, and an `out` that holds anything but pages of ours.
    """
    _check_ours(out)
    rows = board.read_all()
    events = read_ledger(board.ledger)
    partial, old = (out.with_name(f".{out.name}.{end}") for end in ("partial", "old.partial"))
    try:
        _clear(partial)
        partial.mkdir(parents=True)
        (partial / MARKER).write_text(_SAYS, encoding="utf-8")
        drawn = {stored.id for stored in rows if draw(stored, partial / picture(stored.id)) is not None}
        for path, text in pages(rows, events, out, drawn):
            _write(partial / path, text.encode())
        for path, content in static_files():
            _write(partial / path, content)
        _swap(partial, out, old)
    except OSError as error:
        raise InputError(f"cannot write {out} ({error})") from None
    finally:
        if (partial / MARKER).is_file():
            shutil.rmtree(partial, ignore_errors=True)
    return out / INDEX


def _swap(new: Path, out: Path, old: Path) -> None:
    """Put `new` in the place of `out`, which is put back if that fails."""
    _clear(old)
    if out.exists():
        os.replace(out, old)
    try:
        os.replace(new, out)
    except OSError:
        if old.exists():
            os.replace(old, out)
        raise
    _clear(old)


def _check_ours(out: Path) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise InputError(f"{out} is no folder, expected one for pages")
    if out.exists() and any(out.iterdir()) and not (out / MARKER).is_file():
        raise InputError(f"{out} holds something else than pages (no {MARKER} in it): give another --out, or remove it")


def _clear(folder: Path) -> None:
    """Remove what an earlier build left; InputError for what is not ours."""
    _check_ours(folder)
    if folder.exists():
        shutil.rmtree(folder)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
