"""Whatever is changed of an honest row, or of its evidence: no check crashes, and nothing that is proved may differ."""

import json
import shutil
from pathlib import Path
from random import Random
from typing import Any

from checking_toys import edit, plant, refusals, repacked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from leaderboard_toys import row_of, store

from mtlattack.canonical import canonical_json
from mtlattack.errors import InputError
from mtlattack.evidence.packing.compact import pack, unpack
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.rows.deriving import record_of


def examples(count: int) -> settings:
    """So many; the fixtures' files are made anew by each."""
    found: settings = settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    return found


# Mutations are drawn by a generator: as data of hypothesis, documents of 3,000 leaves are slow.
RANDOM = st.integers(0, 2**32 - 1).map(Random)
# What only the submitter knows.
SAID = ("submitted", "model")
PROVED = ("weights_sha256", "parameters")
# What a plan says that no suite says: where, by what program, on which weights; and the constant answers, which are
# held against their statistics and against those of other rows.
FREE = ("environment", "model", "preparation", "constants")
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 7, 2**53, -(2**53), 0.0, -0.0, 0.5, -1.5, 1e-300, 1e308, "", "a", "\n", "\u202e", "..",
    "x" * 3000, "quick", "linf", "float32", "bfloat16", "0" * 64, "2026-01-01T00:00:00Z", [], {}, [1], {"a": 1}, [[]],
)  # fmt: skip


def leaves(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all that stands in a document, containers too."""
    items: Any = document.items() if isinstance(document, dict) else ()
    items = enumerate(document) if isinstance(document, list) else items
    below = [found for key, value in items for found in leaves(value, (*path, key))]
    return ([path] if path else []) + below


def mutate(random: Random, document: Any) -> str:
    """Change, remove or add one thing; gives its path."""
    path = random.choice(leaves(document))
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    key, how = path[-1], random.choice(["other", "near", "remove", "add"])
    value = parent[key]
    if how == "remove":
        del parent[key]
    elif how == "add" and isinstance(parent, dict):
        parent[random.choice(["", "a", "norm", "eps", "fit", "\n"])] = random.choice(VALUES)
    elif how == "add":
        parent.insert(key, random.choice(VALUES))
    elif how == "near" and isinstance(value, float):
        parent[key] = value * (1 + 1e-6) + 1e-9
    elif how == "near" and isinstance(value, int) and not isinstance(value, bool):
        parent[key] = value + 1
    else:
        parent[key] = random.choice(VALUES)
    return ".".join(map(str, path))


def fresh(honest: Path, tmp_path: Path) -> tuple[Board, StoredRow]:
    """A board as it was, for the next example."""
    shutil.rmtree(tmp_path / "board", ignore_errors=True)
    board = Board(shutil.copytree(honest, tmp_path / "board"))
    return board, board.read_all()[0]


def proved(document: Any) -> Any:
    """Of a row's document what the submitter cannot choose."""
    model = document.get("model")
    kept = {key: model.get(key) for key in PROVED} if isinstance(model, dict) else model
    return {**{key: value for key, value in document.items() if key not in SAID}, "model": kept}


def of_suite(plan: Any) -> Any:
    """Of a plan what a suite says."""
    data = {key: value for key, value in plan["data"].items() if key != "fingerprint"}
    return {**{key: value for key, value in plan.items() if key not in FREE}, "data": data}


@examples(30)
@given(random=RANDOM)
def test_a_row_that_differs_in_what_is_proved_is_refused(honest_board: Path, tmp_path: Path, random: Random) -> None:
    board, stored = fresh(honest_board, tmp_path)
    honest, forged = (json.loads(stored.path.read_text()) for _ in range(2))
    place = mutate(random, forged)
    edit(board, stored, lambda row: (row.clear(), row.update(forged)))
    assert refusals(board.root) or canonical_json(proved(forged)) == canonical_json(proved(honest)), place


@examples(16)
@given(random=RANDOM)
def test_an_honest_row_beside_a_changed_run_is_refused(honest_board: Path, tmp_path: Path, random: Random) -> None:
    board, stored = fresh(honest_board, tmp_path)
    content, place = stored.evidence_path.read_bytes(), ""

    def change(said: Any) -> None:
        nonlocal place
        place = mutate(random, vars(said))

    packed = repacked(content, change)
    plant(board, stored, packed)
    found = refusals(board.root)
    try:
        forged, honest = unpack(packed, "forged"), unpack(content, "honest")
        record_of(forged)
    except InputError:
        assert found
        return
    same = canonical_json([of_suite(forged.plan), forged.ids]) == canonical_json([of_suite(honest.plan), honest.ids])
    assert found or same, place


@examples(16)
@given(random=RANDOM)
def test_a_plan_changed_with_all_that_follows_is_refused_where_a_suite_says_it(
    honest_board: Path, tmp_path: Path, random: Random
) -> None:
    board, stored = fresh(honest_board, tmp_path)
    content, place = stored.evidence_path.read_bytes(), ""

    def change(said: Any) -> None:
        nonlocal place
        place = mutate(random, said.plan)

    try:
        forged = unpack(repacked(content, change), "forged")
        row, packed = row_of(forged)
    except InputError:
        return
    shutil.rmtree(board.root / "rows" / "tiny")
    board.ledger.unlink()
    store(board.root, row, packed)
    honest = unpack(content, "honest")
    same = canonical_json(of_suite(forged.plan)) == canonical_json(of_suite(honest.plan))
    assert refusals(board.root) or same, place


@examples(6)
@given(random=RANDOM)
def test_an_array_that_is_changed_crashes_nothing(honest_board: Path, tmp_path: Path, random: Random) -> None:
    board, stored = fresh(honest_board, tmp_path)
    evidence = unpack(stored.evidence_path.read_bytes(), "honest")
    job = random.choice([evidence.clean, *evidence.attacked])
    arrays = [job.losses, job.perturbation, job.seconds, *job.statistics.values(), *(evidence.constant or {}).values()]
    array = random.choice(arrays)
    array = array.reshape(-1)
    place = random.randrange(array.size)
    factor = random.choice([0.0, -1.0, 0.5, 2.0, 1.0625, 2.0**100, 2.0**-100])
    array[place] = array[place] * factor + random.choice([0.0, 1.0, -1.0, 0.5])
    try:
        packed = pack(evidence)
    except InputError:
        return
    # A forger who names every hash anew is not always found out, but is looked at without a crash.
    plant(board, stored, packed)
    refusals(board.root)
    [other] = board.read_all()
    assert other.record == record_of(unpack(packed, "forged"))
