"""Which files a Taskonomy folder has, in any layout it is passed on in, and which views are in which split."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import RootModel

from mtlattack.data.sources.files import read_json
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.schemas import validate
from mtlattack.wording import counted

_NAME = re.compile(r"point_(\d+)_view_(\d+)_domain_([a-z0-9_]+)\.png")
_ALIASES = {"segmentsemantic": "segment_semantic"}
"""Domains as they stand in file names, where that is not the folder's name."""
_TRAIN_SHARE = 0.8


@dataclass
class View:
    """One image: its id `<building>/point_P_view_V`, and the file of each domain."""

    building: str
    point: int
    view: int
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Name in splits and in prepared files."""
        return f"{self.building}/point_{self.point}_view_{self.view}"


def find_views(folder: Path, domains: tuple[str, ...]) -> dict[str, View]:
    """All views below a folder by id, with their files of these domains; buildings, points and views in order.

    InputError for a file that lies in a folder of another domain, and for two files of the same domain and view.
    """
    views: dict[str, View] = {}
    for path in sorted(folder.rglob("point_*_view_*_domain_*.png")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            continue
        domain = _ALIASES.get(match[3], match[3])
        if domain not in domains:
            continue
        found = View(_building(path, folder, domain, domains), int(match[1]), int(match[2]))
        view = views.setdefault(found.id, found)
        if domain in view.files:
            raise InputError(f"{path} and {view.files[domain]} are the same view; keep one")
        view.files[domain] = path
    if not views:
        raise InputError(f"{folder} has no files point_P_view_V_domain_D.png below it")
    return {view.id: view for view in sorted(views.values(), key=lambda v: (v.building, v.point, v.view))}


def choose_splits(folder: Path, views: Mapping[str, View]) -> dict[str, list[View]]:
    """The views of each split: as `splits.json` in the folder says, or by building.

    `splits.json` maps a split to buildings, or to views as `<building>/point_P_view_V`. Without it a building is in
    `train` if the first 32 bits of the SHA-256 of its name are below 80 % of their range, else in `test`.
    """
    path = folder / "splits.json"
    if path.is_file():
        return _listed_splits(path, views)
    splits: dict[str, list[View]] = {"train": [], "test": []}
    for view in views.values():
        splits["train" if _in_train(view.building) else "test"].append(view)
    return {split: chosen for split, chosen in splits.items() if chosen}


def check_complete(splits: Mapping[str, list[View]], order: tuple[str, ...]) -> list[str]:
    """The domains that the views have, in `order`; InputError names the file that a view lacks and another has."""
    views = [view for chosen in splits.values() for view in chosen]
    present = [domain for domain in order if any(domain in view.files for view in views)]
    # An image is always needed, even if no view had one.
    needed = list(dict.fromkeys(["rgb", *present]))
    for view in views:
        for domain in needed:
            if domain not in view.files:
                have = sum(domain in other.files for other in views)
                name = _expected(view, domain, views)
                raise InputError(f"no file {name}, which {have} of {len(views)} views have, so {view.id} needs it")
    return needed


class _Splits(RootModel[dict[str, list[str]]]):
    """Split → buildings or views."""


def _listed_splits(path: Path, views: Mapping[str, View]) -> dict[str, list[View]]:
    content = read_json(path)
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path} is no object of splits, expected {{split: [building or building/point_P_view_V, …]}}")
    ids, buildings = set(views), {view.building for view in views.values()}
    splits: dict[str, list[View]] = {}
    owner: dict[str, str] = {}
    for split, entries in validate(_Splits, content, f"{path}: ").root.items():
        if not split or "/" in split or not entries:
            raise InputError(
                f"{path}: split {split!r} of {counted(len(entries), 'entry')}, expected a name without / and some"
            )
        for entry in entries:
            kind, known = ("view", ids) if "/" in entry else ("building", buildings)
            if entry not in known:
                raise UnknownNameError(f"{kind} in {path}:", entry, known)
        wanted = set(entries)
        splits[split] = [view for view in views.values() if view.id in wanted or view.building in wanted]
        for view in splits[split]:
            if owner.setdefault(view.id, split) != split:
                raise InputError(f"{path}: {view.id} is in {owner[view.id]} and in {split}")
    return splits


def _in_train(building: str) -> bool:
    number = int.from_bytes(hashlib.sha256(building.encode()).digest()[:4], "big")
    return number < _TRAIN_SHARE * 2**32


def _building(path: Path, folder: Path, domain: str, domains: tuple[str, ...]) -> str:
    """The folder name of a file that is neither its domain's nor `taskonomy`; if there is none, that of `folder`."""
    parts = path.relative_to(folder).parts[:-1]
    names = {domain, *(alias for alias, name in _ALIASES.items() if name == domain)}
    left = [part for part in parts if part not in names and part != "taskonomy"]
    left = [next((part.removesuffix(f"_{name}") for name in names if part.endswith(f"_{name}")), part) for part in left]
    foreign = [part for part in left if part in domains or part.endswith(tuple(f"_{other}" for other in domains))]
    if len(left) > 1 or foreign:
        raise InputError(
            f"{path} lies in {'/'.join(parts)}, expected <building>_{domain}, <building>/{domain} or"
            f" {domain}/[taskonomy/]<building>"
        )
    return left[0] if left else folder.resolve().name


def _expected(view: View, domain: str, views: list[View]) -> str:
    """Where a missing file should be: where its building's files of the domain are, if there are any."""
    alias = next((alias for alias, name in _ALIASES.items() if name == domain), domain)
    siblings = [other.files[domain] for other in views if other.building == view.building and domain in other.files]
    name = f"point_{view.point}_view_{view.view}_domain_{alias}.png"
    return str(siblings[0].with_name(name)) if siblings else f"{name} of {view.building}"
