"""`leaderboard show` on a board of models that once bought their rank: a constant in disguise, and logits of another
scale."""

from collections.abc import Iterator
from pathlib import Path

import case_toys
import pytest
from command_toys import good
from leaderboard_toys import board_of, write_suite

from mtlattack.attacks.standard import Member
from mtlattack.data import load_dataset
from mtlattack.evaluation import evaluate, load_suite
from mtlattack.leaderboard.board import Board

DLR = ("apgd-skill+dlr", "apgd-single:segmentation+dlr")
SUITE = """
name = "cases"
version = 1
description = "Three rooms, attacks that no scale of the logits dodges"
data = "rooms"
limit = 3
eps = [4]
attacks = ["fgsm-total", "standard"]
"""


@pytest.fixture(scope="module")
def board(suites: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """The twin beside `flat` and `cool`, attacked by `standard` of two short members with DLR."""
    with pytest.MonkeyPatch.context() as patch:
        members = tuple(Member(name, {"steps": 3}) for name in DLR)
        patch.setattr("mtlattack.attacks.standard.Standard.composition", members)
        patch.setattr("mtlattack.evaluation.suites.SUITES", tmp_path_factory.mktemp("suites"))
        suite, runs = load_suite(str(write_suite(tmp_path_factory.mktemp("cases"), SUITE))), {}
        for make in (case_toys.flat, case_toys.cool, case_toys.twin):
            model = make()
            runs[make.__name__] = evaluate(
                model,
                load_dataset("rooms", tasks=model.tasks, limit=suite.limit),
                suite.create_attacks(model.tasks),
                name=make.__name__,
                suite={"name": suite.name, "version": suite.version, "sha256": suite.sha256, "overrides": {}},
                device="cpu",
            )
        yield board_of(tmp_path_factory.mktemp("board"), runs)


def shown(board: Board) -> list[dict[str, str]]:
    """The ranking's lines as they are printed, by the headings of its columns."""
    lines = good("show", "--board", board.root, "--format", "markdown").splitlines()
    heading, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line[:1] == "|"]
    return [dict(zip(heading, row, strict=True)) for row in rows]


def test_a_constant_in_disguise_is_last_and_cooled_logits_stand_beside_their_twin(board: Board) -> None:
    rows = shown(board)
    assert rows[-1]["model"] == "`flat`" and {row["model"] for row in rows[:2]} == {"`cool`", "`twin`"}
    first, second, last = (int(row["rank"]) for row in rows)
    assert first == second == 1 and last == 3
    skill = {row["model"]: float(row["robust skill"].split()[0]) for row in rows}
    assert abs(skill["`cool`"] - skill["`twin`"]) < 0.02 and skill["`flat`"] < 0.02
    by_loss = {row["model"]: float(row["log loss ratio"].split()[0]) for row in rows}
    assert min(by_loss, key=by_loss.__getitem__) == "`flat`", "by relative change it would be first"
    flags = {stored.row.model.name: {flag.name for flag in stored.record.flags} for stored in board.read_all()}
    assert "no-better-than-constant" in flags["flat"]
    assert flags["cool"] - flags["twin"] == {"logit-scale"}
