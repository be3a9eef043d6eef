"""`mtlattack merge`: shards of one run become that run."""

import re
from pathlib import Path
from typing import Annotated

import typer

from mtlattack.analysis import merge
from mtlattack.cli import choosing
from mtlattack.cli.run import print_run
from mtlattack.errors import InputError
from mtlattack.evidence.places import EVIDENCE
from mtlattack.locking import held


def merge_folders(
    folders: Annotated[list[Path], typer.Argument(help="Folders of shards, or the folder that these lie in.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the whole run; default: the one that the shards lie in.")
    ] = None,
    fresh: choosing.Fresh = False,
) -> None:
    """Make one run of its shards. Evidence, record and table are as if one process had done all."""
    shards = [shard for folder in folders for shard in _shards_in(folder)]
    place = out or _common_folder(shards)
    with held(place):
        print_run(merge([shard / EVIDENCE for shard in shards], place / EVIDENCE, fresh=fresh), place)


def _shards_in(folder: Path) -> list[Path]:
    """The folders of shards within a folder, or else itself."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    return sorted(path for path in folder.iterdir() if _is_shard(path)) or [folder]


def _is_shard(folder: Path) -> bool:
    return re.fullmatch(r"shard-\d+-of-\d+", folder.name) is not None


def _common_folder(shards: list[Path]) -> Path:
    parents = {shard.parent for shard in shards}
    if len(parents) > 1 or not all(map(_is_shard, shards)):
        raise InputError("the shards do not lie together in the folder of their run; say with --out where it is to be")
    return parents.pop()
