"""The picture of the house in the README is that of the contract which `lint-imports` checks, and shows every room."""

import re
import tomllib
from pathlib import Path

import mtlattack

ROOT = Path(__file__).parents[1]


def layers() -> list[set[str]]:
    """The rooms of each layer, from the top."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [contract] = [contract for contract in contracts if contract["type"] == "layers"]
    return [{room.strip().removeprefix("mtlattack.") for room in layer.split("|")} for layer in contract["layers"]]


def picture() -> list[list[str]]:
    """What stands between the arrows, from the top."""
    text = (ROOT / "mtlattack" / "README.md").read_text()
    drawn = re.search(r"<!-- house -->\n```\n(.*?)```", text, re.S)
    assert drawn is not None
    return [floor.split() for floor in drawn[1].split("↓")]


def test_the_picture_is_the_contract() -> None:
    assert [set(floor) for floor in picture()] == layers()
    rooms = [room for floor in picture() for room in floor]
    assert len(rooms) == len(set(rooms))


def test_every_room_has_its_place() -> None:
    package = Path(mtlattack.__file__).parent
    rooms = {path.stem for path in package.glob("*.py")} | {path.parent.name for path in package.glob("*/__init__.py")}
    assert rooms - {"__init__", "__main__"} == set().union(*layers())
