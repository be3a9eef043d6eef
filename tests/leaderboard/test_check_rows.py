"""Rows that were edited: every field is held against the evidence, the suite or the clock."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from checking_toys import Change, changed, clear, edit, flags, forge, plant, put, refusals
from leaderboard_toys import TINY_SUITE, row_of, store, write_suite

from mtlattack.evidence import Evidence, tasks_of_plan
from mtlattack.evidence.packing.compact import pack
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.checking import check_board
from mtlattack.leaderboard.rows.entry import entry_problems


def at(path: str, value: Any) -> Change:
    """A change of one field, given by its dotted path."""

    def change(document: Any) -> None:
        *parents, last = path.split(".")
        for key in parents:
            document = document[int(key) if isinstance(document, list) else key]
        document[int(last) if isinstance(document, list) else last] = value

    return change


def test_an_honest_row_passes_with_nothing_to_say_but_its_own_flags(board: Board, stored: StoredRow) -> None:
    assert refusals(board.root) == []
    assert check_board(board.root) == check_board(board.root)


@pytest.mark.parametrize(
    "change, message",
    [
        (at("attacks", []), "attacks: Extra inputs are not permitted"),
        (at("clean_skill", 1.0), "clean_skill: Extra inputs are not permitted"),
        (at("model.weights_sha256", "0" * 64), "model.weights_sha256: model.weights_sha256 is 0000"),
        (at("model.parameters", 1), "model.parameters: model.parameters is 1, the evidence has "),
        (at("model.parameters", True), "model.parameters: "),
        (at("suite.sha256", "0" * 64), "suite.sha256: suite.sha256 is 0000"),
        (at("suite.version", 2), "suite.version: suite.version is 2, the evidence has 1"),
        (at("suite.version", "1"), "suite.version: Input should be a valid integer"),
        (at("evidence.sha256", "0" * 64), "evidence.file: evidence.file is '"),
        (at("evidence.bytes", 5), "evidence.bytes: evidence.bytes is 5, "),
        (at("evidence.file", "../../../ledger.jsonl"), "evidence.file: String should match pattern"),
        (at("evidence.file", "ledger.jsonl"), "evidence.file: evidence.file is 'ledger.jsonl', expected"),
        (at("suite.name", "../../tiny"), "suite.name: String should match pattern"),
        (at("model.name", ".."), "model.name: String should match pattern"),
        (at("model.name", "other"), "suite.name and model.name say that it belongs into tiny/other"),
        (at("suite.name", "tiny.toml"), "suite.name and model.name say that it belongs into tiny.toml/"),
        (at("model.note", "a\nb"), "model.note: String should match pattern"),
        (at("model.note", "\u202eevil"), "model.note: String should match pattern"),
        (at("model.note", "x" * 2001), "model.note: String should have at most 2000"),
        (at("model.code", "javascript:alert(1)"), "model.code: String should match pattern"),
        (at("model.paper", 'https://a.org/"><script>'), "model.paper: String should match pattern"),
        (at("schema_version", 3), "schema_version: schema_version is 3, expected a whole number from 1 to 2"),
        (at("schema_version", 1), "schema_version: 1, new rows have 2"),
        (at("format", "other"), "format: Input should be 'mtlattack-row'"),
        (at("<script>::error::\n\x1b[31m", 1), r"<script>::error:: \x1b[31m: Extra inputs are not permitted"),
        (lambda row: row.pop("model"), "model: Field required"),
    ],
)  # fmt: skip
def test_an_edited_row_is_refused_by_the_field(board: Board, stored: StoredRow, change: Change, message: str) -> None:
    path = edit(board, stored, change).relative_to(board.root)
    found = refusals(board.root)
    assert any(text.startswith(f"refused: {path}: ") and message in text for text in found), found
    assert all(text.isprintable() for text in found)


def planned(path: str, value: Any) -> Change:
    return lambda evidence: at(path, value)(evidence.plan)


@pytest.mark.parametrize(
    "change, message",
    [
        (planned("data.sha256.image", "0" * 64), "data.sha256.image: data.sha256.image is 0000"),
        (planned("data.sha256.depth", "0" * 64), "data.sha256.depth: data.sha256.depth is 0000"),
        (planned("data.name", "mine"), "data.name: data.name is 'mine', expected 'rooms'"),
        (planned("data.split", "train"), "data.split: data.split is 'train', expected 'test'"),
        (planned("data.images", 4), "data.images is 4, there are 3 ids"),
        (planned("seed", 1), "seed: seed is 1, expected 0"),
        (planned("batch_size", 1), "batch_size: batch_size is 1, expected 16"),
        (lambda e: e.environment.update(dtype="float16"), "environment.dtype: environment.dtype is 'float16'"),
        (planned("attacks.2.config.steps", 100), "attacks.2.config.steps: attacks.2.config.steps is 100, the suite"),
        (planned("attacks.2.config.steps", 2.0), "attacks.2.config.steps: Input should be a valid integer"),
        (planned("attacks.2.config.eps", 2 / 255 * (1 + 1e-12)), "attacks.2.config.eps: "),
        (planned("attacks.2.backward_passes", 1), "attacks.2.backward_passes: attacks.2.backward_passes is 1"),
        (planned("attacks.2.white_box", False), "attacks.2.white_box: attacks.2.white_box is False"),
        (planned("attacks.0.config.name", "apgd-total"), "attacks.0.config.name: "),
        (planned("ensembles.0.members", [0]), "ensembles: ensembles: expected those of tiny"),
        (planned("ensembles", []), "ensembles: ensembles: expected those of tiny"),
        (planned("tasks.0.ignore", 0), "tasks.segmentation.config.ignore: "),
        (planned("suite.overrides", {"eps": [4]}), "suite.overrides: suite.overrides: eps was changed"),
        (planned("suite.sha256", "0" * 64), "suite.sha256: suite.sha256 is"),
        (lambda e: e.ids.reverse(), "data.sha256.id: data.sha256.id: the ids in the evidence have"),
    ],
)  # fmt: skip
def test_a_run_that_the_suite_does_not_make_is_refused_by_the_field(
    board: Board, stored: StoredRow, tiny_evidence: Evidence, change: Change, message: str
) -> None:
    plant(board, stored, pack(changed(tiny_evidence, change)))
    found = refusals(board.root)
    assert any(message.split(": ", 1)[-1] in text and message.split(": ")[0] in text for text in found), found


def test_tasks_under_other_names_are_no_run_of_a_suite(tiny_evidence: Evidence) -> None:
    """They are measured and shown as any; a board compares columns of one name."""

    def rename(evidence: Evidence) -> None:
        evidence.plan["tasks"][0]["name"] = "seg"
        evidence.plan["data"]["sha256"]["seg"] = evidence.plan["data"]["sha256"].pop("segmentation")

    renamed = changed(tiny_evidence, rename)
    renamed = replace(renamed, tasks=tasks_of_plan(renamed.plan))
    assert renamed.tasks["seg"] == tiny_evidence.tasks["segmentation"]
    told = [str(problem) for problem in entry_problems(renamed)]
    assert any(text.startswith("tasks: seg is none of tiny, which is about depth,") for text in told), told
    assert any(text.startswith("tasks are seg, depth, ") and ", expected depth, " in text for text in told), told


@pytest.mark.parametrize(
    "path, value",
    [("model.note", "<script>alert(1)</script>"), ("submitted.name", "<b>"), ("model.licence", "{{ 7 * 7 }}")],
)
def test_what_looks_like_a_script_is_text(board: Board, stored: StoredRow, path: str, value: str) -> None:
    edit(board, stored, at(path, value))
    assert refusals(board.root) == []


@pytest.mark.parametrize(
    "replaced, by, message",
    [
        ('"parameters":', '"parameters":NaN,"x":', "JSON has NaN"),
        ('"parameters":', '"parameters":-Infinity,"x":', "JSON has -Infinity"),
        ('"parameters":', '"parameters":1e999,"x":', "the number 1e999, which is beyond float64"),
        ('"format":', '"format":"mtlattack-row","format":', "the key 'format' twice"),
        ("{", "[" * 100_000, "JSON is nested more than 32 deep"),
        ("{", " " * 2**21 + "{", "is larger than the 2,097,152 bytes"),
        ("{", '"\\ud800', "this is no JSON"),
        ("{", "\x80\x04\x95", "this is no JSON"),
        ("{", "", "this is no JSON"),
        ("}", "", "this is no JSON"),
    ],
)
def test_what_is_no_strict_json_is_refused(
    board: Board, stored: StoredRow, replaced: str, by: str, message: str
) -> None:
    text = stored.path.read_text().replace(replaced, by, 1)
    put(board, stored, text.encode(), "0" * 16)
    found = refusals(board.root)
    assert any("0000000000000000.json: " in text and message in text for text in found), found


def test_a_list_is_no_row(board: Board, stored: StoredRow) -> None:
    put(board, stored, b"[1]", "0" * 16)
    assert any("expected a JSON object, got a list" in text for text in refusals(board.root))


def test_a_row_edited_in_place_no_longer_has_its_name(board: Board, stored: StoredRow) -> None:
    stored.path.write_text(stored.path.read_text().replace("somebody", "nobody"))
    assert any("its content has the id" in text for text in refusals(board.root))


def test_one_bad_row_hides_no_other(board: Board, stored: StoredRow, tiny_evidence: Evidence) -> None:
    other = changed(tiny_evidence, lambda e: e.plan["model"].update(sha256="b" * 64))
    row, packed = row_of(other, name="a-model")
    edit(board, store(board.root, row, packed), at("model.parameters", 2))
    broken = stored.path.with_name("0" * 16 + ".json")
    broken.write_text("{")
    edit(board, stored, at("model.parameters", 3))
    found = "\n".join(refusals(board.root))
    assert "model.parameters is 2" in found and "model.parameters is 3" in found and "this is no JSON" in found


@pytest.mark.parametrize(
    "started, submitted, message",
    [
        (0, 2, "submitted.at: 2"),
        (2, 2, "environment.started: 2"),
        (0, -2, "submitted.at: 2"),
    ],
)
def test_clocks_run_forward(
    board: Board, stored: StoredRow, tiny_evidence: Evidence, started: int, submitted: int, message: str
) -> None:
    now = datetime.now(UTC)
    forged = changed(
        tiny_evidence, lambda e: e.environment.update(started=(now + timedelta(hours=started)).isoformat())
    )
    clear(board, stored)
    (row, packed) = row_of(forged)
    said = row.submitted.model_copy(update={"at": now + timedelta(hours=submitted)})
    store(board.root, row.model_copy(update={"submitted": said}), packed)
    assert any(message in text for text in refusals(board.root))


def test_a_row_of_an_older_suite_version_stands_but_does_not_enter(
    board: Board, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_suite(tmp_path, TINY_SUITE.replace("version = 1", "version = 2"))
    monkeypatch.setattr("mtlattack.evaluation.suites.SUITES", tmp_path)
    assert refusals(board.root) == []
    base = tmp_path / "base"
    (base / "rows").mkdir(parents=True)
    found = refusals(board.root, base)
    assert any("suite.version: suite.version is 1, tiny is at version 2: versions never mix" in t for t in found)


def test_a_suite_is_never_read_from_where_the_check_runs(
    board: Board, stored: StoredRow, tiny_evidence: Evidence, suites: Any, tmp_path: Any, monkeypatch: Any
) -> None:
    text = (suites / "tiny.toml").read_text().replace('"tiny"', '"mine.toml"')
    (tmp_path / "mine.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    forge(board, stored, changed(tiny_evidence, lambda e: e.plan["suite"].update(name="mine.toml")))
    (tmp_path / "base" / "rows").mkdir(parents=True)
    found = refusals(board.root, tmp_path / "base")
    assert any("suite.name: unknown suite 'mine.toml'" in text for text in found)


def test_adversarial_better_than_clean_is_flagged(board: Board, stored: StoredRow, tiny_evidence: Evidence) -> None:
    def change(evidence: Evidence) -> None:
        # Swapped, so that every number is one that a model can have.
        clean, job = evidence.clean, evidence.attacked[-1]
        for column, name in enumerate(evidence.tasks):
            clean.losses[:, column], job.losses[:, column] = job.losses[:, column], clean.losses[:, column].copy()
            clean.statistics[name], job.statistics[name] = job.statistics[name], clean.statistics[name]

    forge(board, stored, changed(tiny_evidence, change))
    assert refusals(board.root) == []
    found = flags(board.root)
    assert any(re.search(r"attacks\.17\.metrics\.depth: better under attack than clean: its mean", t) for t in found)
    assert any("attacks.17.arp: better under attack than clean: at least" in text for text in found)


@pytest.mark.parametrize(("share", "told"), [(1e-5, False), (1e-3, False), (0.003, True)])
def test_a_fall_that_chance_explains_is_not_flagged(
    share: float, told: bool, board: Board, stored: StoredRow, tiny_evidence: Evidence
) -> None:
    def change(evidence: Evidence) -> None:
        column = list(evidence.tasks).index("depth")
        fallen = (1 - share) * evidence.clean.losses[:, column]
        evidence.attacked[-1].losses[:, column] = fallen.astype(np.float32)

    forge(board, stored, changed(tiny_evidence, change))
    found = [text for text in flags(board.root) if "metrics.depth: better under attack" in text]
    assert len(found) == told and all(f"falls by {share:.2%} under" in text for text in found)


def test_copied_columns_are_flagged(board: Board, stored: StoredRow, tiny_evidence: Evidence) -> None:
    def change(evidence: Evidence) -> None:
        evidence.attacked[5] = evidence.attacked[4]
        for name, values in evidence.clean.statistics.items():
            evidence.attacked[7].statistics[name][:] = values
        evidence.attacked[7].losses[:] = evidence.clean.losses
        evidence.attacked[8].perturbation[:] = 0

    forge(board, stored, changed(tiny_evidence, change))
    assert refusals(board.root) == []
    found = "\n".join(flags(board.root))
    assert "attacks.5: every number is that of attacks.4" in found
    assert "attacks.7: the images changed, and every result is that of the clean run" in found
    assert "attacks.8.max_linf: no image was changed" in found
    assert "attacks.7.log_ratio: " in found and "is no stronger than noise" in found


def test_a_larger_eps_that_is_weaker_is_flagged(board: Board, stored: StoredRow, tiny_evidence: Evidence) -> None:
    half = len(tiny_evidence.attacked) // 2

    def change(evidence: Evidence) -> None:
        for less, more in zip(evidence.attacked[:half], evidence.attacked[half:], strict=True):
            pairs = [(values, more.statistics[name]) for name, values in less.statistics.items()]
            for one, other in [(less.losses, more.losses), *pairs]:
                one[:], other[:] = other.copy(), one.copy()

    forge(board, stored, changed(tiny_evidence, change))
    assert refusals(board.root) == []
    assert any("is no stronger than" in text and "the strongest at ε" in text for text in flags(board.root))
