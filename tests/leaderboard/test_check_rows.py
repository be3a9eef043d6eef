"""Rows that were edited: every field is held against the evidence, the suite or the clock."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from checking_toys import Change, changed, clear, edit, flags, forge, put, refusals
from leaderboard_toys import TINY_SUITE, row_of, store, write_suite

from mtlattack.evidence import Evidence
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.checking import check_board
from mtlattack.leaderboard.checking.recomputation import differences

pytestmark = pytest.mark.usefixtures("few_resamples")


def at(path: str, value: Any) -> Change:
    """A change of one field, given by its dotted path."""

    def change(document: Any) -> None:
        *parents, last = path.split(".")
        for key in parents:
            document = document[int(key) if isinstance(document, list) else key]
        document[int(last) if isinstance(document, list) else last] = value

    return change


def scaled(path: str, factor: float) -> Change:
    def change(document: Any) -> None:
        value = document
        for key in path.split("."):
            value = value[int(key) if isinstance(value, list) else key]
        at(path, value * factor)(document)

    return change


def without_task(document: Any) -> None:
    del document["tasks"]["depth"]


def test_an_honest_row_passes_with_nothing_to_say_but_its_own_flags(board: Board, stored: StoredRow) -> None:
    assert refusals(board.root) == []
    assert check_board(board.root) == check_board(board.root)


@pytest.mark.parametrize(
    "change, message",
    [
        (scaled("attacks.3.metrics.depth.rel_error.value", 0.5), "attacks.3.metrics.depth.rel_error.value: "),
        (scaled("attacks.3.metrics.depth.rel_error.value", 1 + 1e-7), "attacks.3.metrics.depth.rel_error.value: "),
        (scaled("clean.segmentation.miou.high", 1.01), "clean.segmentation.miou.high: "),
        (scaled("clean_losses.normals", 2), "clean_losses.normals: "),
        (at("attacks.0.arp.value", None), "attacks.0.arp.value: None in the row, -"),
        (at("attacks.0.worst_task", "keypoints2d"), "attacks.0.worst_task: 'keypoints2d' in the row"),
        (at("attacks.0.name", "apgd-total"), "attacks.0.name: 'apgd-total' in the row, 'noise-dgba' by its evidence"),
        (at("attacks.2.config.steps", 100), "attacks.2.config.steps: 100 in the row, 2 by its evidence"),
        (at("attacks.2.config.steps", 2.0), "attacks.2.config.steps: 2.0 in the row, 2 by its evidence"),
        (scaled("attacks.2.eps", 1 + 1e-12), "attacks.2.eps: "),
        (at("attacks.2.backward_passes", 1), "attacks.2.backward_passes: 1 in the row"),
        (at("attacks.2.max_pixels", 1), "attacks.2.max_pixels: 1 in the row"),
        (lambda row: row["attacks"].pop(), "attacks: '17 entries' in the row, '18 entries' by its evidence"),
        (at("checked", []), "checked: '0 entries' in the row"),
        (lambda row: row["flags"].append({"name": "a", "attack": None, "seen": "b"}), "flags: '"),
        (at("tasks.depth.config", {"kind": "normals"}), "tasks.depth.config.kind: 'normals' in the row"),
        (at("tasks.depth.metrics.rmse.higher_is_better", True), "tasks.depth.metrics.rmse.higher_is_better: True"),
        (without_task, "tasks.depth: 'missing' in the row"),
        (at("threat.eps", [0.1]), "threat.eps: '1 entries' in the row, '2 entries'"),
        (at("model.weights_sha256", "0" * 64), "model.weights_sha256: model.weights_sha256 is 0000"),
        (at("model.parameters", 1), "model.parameters: model.parameters is 1, the evidence has "),
        (at("model.parameters", True), "model.parameters: "),
        (at("suite.sha256", "0" * 64), "suite.sha256: '0000"),
        (at("suite.version", 2), "suite.version: 2 in the row, 1 by its evidence"),
        (at("suite.version", "1"), "suite.version: Input should be a valid integer"),
        (at("data.sha256.image", "0" * 64), "data.sha256.image: '0000"),
        (at("data.images", 4), "data.images: 4 in the row, 3 by its evidence"),
        (at("environment.device", "NVIDIA H100"), "environment.device: 'NVIDIA H100' in the row, 'cpu' by"),
        (at("environment.commit", "x"), "environment.commit: 'x' in the row"),
        (scaled("cost.seconds", 0.5), "cost.seconds: "),
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
        (at("schema_version", 2), "schema_version: schema_version is 2, expected a whole number from 1 to 1"),
        (at("format", "other"), "format: Input should be 'mtlattack-row'"),
        (at("<script>::error::\n\x1b[31m", 1), r"<script>::error::\n\x1b[31m: Extra inputs are not permitted"),
        (lambda row: row.pop("model"), "model: Field required"),
    ],
)  # fmt: skip
def test_an_edited_row_is_refused_by_the_field(board: Board, stored: StoredRow, change: Change, message: str) -> None:
    path = edit(board, stored, change).relative_to(board.root)
    found = refusals(board.root)
    assert any(text.startswith(f"refused: {path}: ") and message in text for text in found), found
    assert all(text.isprintable() for text in found)


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
        ('"forward_passes":', '"forward_passes":NaN,"x":', "JSON has NaN"),
        ('"forward_passes":', '"forward_passes":-Infinity,"x":', "JSON has -Infinity"),
        ('"forward_passes":', '"forward_passes":1e999,"x":', "the number 1e999, which is beyond float64"),
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
    edit(board, store(board.root, row, packed), scaled("clean_losses.depth", 2))
    broken = stored.path.with_name("0" * 16 + ".json")
    broken.write_text("{")
    edit(board, stored, scaled("clean_losses.normals", 2))
    found = "\n".join(refusals(board.root))
    assert "clean_losses.depth" in found and "clean_losses.normals" in found and "this is no JSON" in found


def test_many_wrong_fields_are_counted(board: Board, stored: StoredRow) -> None:
    def change(row: Any) -> None:
        for entry in row["attacks"]:
            entry["seconds"] += 1
            entry["max_l2"] += 1

    edit(board, stored, change)
    found = refusals(board.root)
    assert len(found) == 21
    assert any("16 more fields differ" in text for text in found)


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


def test_differences_name_every_leaf_and_where_it_is() -> None:
    one = json.loads('{"a": [1, {"b": 1.0}], "c": null, "eps": 1.0}')
    other = json.loads('{"a": [1.0, {"b": 1.00000000001}, 2], "d": 1, "eps": 1.00000000001}')
    assert list(differences(one, other)) == [
        ("a.0", 1, 1.0),
        ("a", "2 entries", "3 entries"),
        ("d", "missing", 1),
        ("eps", 1.0, 1.00000000001),
        ("c", None, "missing"),
    ]
