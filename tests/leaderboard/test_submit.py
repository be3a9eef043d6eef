"""Submissions: an honest run becomes a row that its evidence proves; anything else leaves the board as it was."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from clock_toys import set_back
from command_toys import bad, good
from full_disk_toys import assert_said_in_words
from leaderboard_toys import MODEL, card_of, row_of, store

from mtlattack.errors import InputError
from mtlattack.evaluation.environment import describe_model
from mtlattack.evidence import Evidence
from mtlattack.evidence.packing import compact
from mtlattack.evidence.packing.compact import read_compact
from mtlattack.leaderboard.board import Board, StoredRow, read_row
from mtlattack.leaderboard.columns import COLUMNS
from mtlattack.leaderboard.ledger import Event, append, read_ledger, statuses
from mtlattack.leaderboard.rows.building import build_row
from mtlattack.leaderboard.rows.identity import row_document, row_id
from mtlattack.leaderboard.rows.plan import check_evidence
from mtlattack.leaderboard.standings import stand
from mtlattack.leaderboard.submitting import submission
from mtlattack.leaderboard.submitting.declaration import Said, make_card
from mtlattack.leaderboard.submitting.submission import submit
from mtlattack.models import create_model, file_hash, load_checkpoint, model_path, save_checkpoint

SAID = Said(submitter="somebody")
OTHER = "rooms-resnet10t.separate"


@pytest.fixture
def empty(tmp_path: Path) -> Board:
    """A board without rows, not even a folder for them."""
    root = tmp_path / "empty"
    root.mkdir()
    return Board(root)


@pytest.fixture
def edited(tiny_run: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes a copy of the tiny run with another plan, or with other arrays."""

    def edit(change: Callable[[dict[str, Any]], Any] = lambda plan: None, **arrays: float) -> Path:
        folder = tmp_path / "edited"
        shutil.copytree(tiny_run, folder)
        with h5py.File(folder / "evidence.h5", "r+") as file:
            plan = json.loads(file.attrs["plan"])
            change(plan)
            file.attrs["plan"] = json.dumps(plan)
            for name, value in arrays.items():
                file[f"attacks/0001/{name}"][1] = value
        return folder

    return edit


def tree(root: Path) -> dict[str, bytes | None]:
    """All that lies below a folder, folders too."""
    return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in root.rglob("*")}


def of_other_weights(evidence: Evidence, **suite: Any) -> Evidence:
    """As if another model had been run, or another version of the suite."""
    model = {**evidence.plan["model"], "sha256": "ab" * 32}
    return replace(evidence, plan=evidence.plan | {"model": model, "suite": evidence.plan["suite"] | suite})


# --- what is honest


@pytest.mark.parametrize("place", ["folder", "file"])
def test_a_finished_run_becomes_a_row_that_its_evidence_proves(
    place: str, tiny_run: Path, tiny_evidence: Evidence, empty: Board
) -> None:
    stored = submit(tiny_run if place == "folder" else tiny_run / "evidence.h5", empty, SAID)
    assert [stored] == empty.read_all() and stored == read_row(stored.path)
    assert stored.id == row_id(row_document(stored.row))
    row = stored.row
    assert row.model == card_of(tiny_evidence) and row.submitted.name == "somebody"
    proof = read_compact(stored.evidence_path)
    assert row_document(build_row(proof, row.model, row.submitted, row.evidence)) == stored.document
    assert row_document(build_row(tiny_evidence, row.model, row.submitted, row.evidence)) == stored.document
    assert [(e.row, e.status, e.by) for e in read_ledger(empty.ledger)] == [(stored.id, "self-reported", "somebody")]
    files = [path for path in empty.root.rglob("*") if path.is_file()]
    assert sorted(files) == sorted([empty.ledger, stored.path, stored.evidence_path])
    assert stored.path.parent == empty.folder_of(row)
    # All of a pull request with a row.
    text = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = [re.sub("<.*?>", "[^/]+", re.escape(each)) for each in re.findall(r"^- `leaderboard/([^`]+)`", text, re.M)]
    touched = [path.relative_to(empty.root).as_posix() for path in files]
    assert [[bool(re.fullmatch(each, path)) for path in touched].count(True) for each in named] == [1] * len(files)


def test_what_was_on_the_board_stays_as_it_was(
    tiny_run: Path, tiny_evidence: Evidence, empty: Board, tmp_path: Path
) -> None:
    other = store(empty.root, *row_of(of_other_weights(tiny_evidence), name="other"))
    before = tree(empty.root)
    stored = submit(tiny_run, empty, SAID)
    after = tree(empty.root)
    assert all(after[name] == content for name, content in before.items() if name != "ledger.jsonl")
    assert (after["ledger.jsonl"] or b"").startswith(before["ledger.jsonl"] or b"?")
    assert set(statuses(read_ledger(empty.ledger))) == {other.id, stored.id}


# --- what may not enter


def set_suite(key: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda plan: plan["suite"].__setitem__(key, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda plan: plan.update(suite=None), "the run was outside a suite"),
        (set_suite("overrides", {"eps": [8]}), "suite.overrides: eps was changed, expected the suite as it ships"),
        (set_suite("version", 2), "suite.version is 2, tiny is at version 1: versions never mix"),
        (set_suite("sha256", "0" * 64), "suite.sha256 is 0000"),
        (set_suite("name", "tinier"), "unknown suite 'tinier'; did you mean 'tiny'?"),
        (lambda plan: plan["data"]["sha256"].update(image="1" * 64), "data.sha256.image is 1111.*not the images of"),
        (lambda plan: plan["data"]["sha256"].pop("depth"), "tasks: depth is missing"),
        (lambda plan: plan["attacks"][0]["config"].update(eps=16 / 255), "attacks.0.config.eps is 0.0627"),
        (lambda plan: plan["attacks"].pop(), "attacks: there are"),
    ],
)
def test_a_run_that_the_suite_does_not_make_is_refused(
    change: Callable[[dict[str, Any]], Any], message: str, edited: Callable[..., Path], empty: Board
) -> None:
    with pytest.raises(InputError, match=message) as error:
        submit(edited(change), empty, SAID)
    assert "\n" not in str(error.value) and tree(empty.root) == {}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"done": 0}, "is not finished: attacks/0001 lacks 1 image; run it again to go on"),
        ({"losses": np.nan}, "losses holds values that are not finite"),
        ({"statistics/depth": np.inf}, "statistics/depth holds values that are not finite"),
        ({"perturbation": np.nan}, "perturbation holds values that are not finite"),
    ],
)
def test_evidence_that_no_row_can_hold_is_refused(
    arrays: dict[str, float], message: str, edited: Callable[..., Path], empty: Board
) -> None:
    with pytest.raises(InputError, match=message) as error:
        submit(edited(**arrays), empty, SAID)
    assert "\n" not in str(error.value) and tree(empty.root) == {}


def test_evidence_that_is_too_large_is_refused(tiny_run: Path, empty: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "MOST_BYTES", 1000)
    with pytest.raises(InputError, match="more than the 1,000 that may be submitted"):
        submit(tiny_run, empty, SAID)
    assert tree(empty.root) == {}


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_no_run_is_said_so(name: str, tmp_path: Path, empty: Board) -> None:
    with pytest.raises(InputError, match="no run at .*expected a folder with evidence.h5"):
        submit(tmp_path / name, empty, SAID)


# --- the card


def test_the_card_is_read_from_the_checkpoint(tiny_evidence: Evidence, tmp_path: Path) -> None:
    attacked = "clean+adversarial, pgd-total, linf ε = 4/255, 2 steps"
    for name, layout, degree, training, licence in [
        (OTHER, "separate", 0.0, None, "MIT"),
        ("rooms-resnet10t.shared.at-total", "shared", 1.0, attacked, "MIT"),
        ("nyuv2-resnet10t.degree53", "tree-3x5-19", 8 / 15, None, "LicenseRef-research-only"),
    ]:
        card = make_card(plan_of(name, tiny_evidence), SAID)
        assert (card.name, card.layout, card.adversarial_training, card.licence) == (name, layout, training, licence)
        assert card.sharing_degree == pytest.approx(degree)
        assert card.checkpoint_sha256 == file_hash(model_path(name))
    # What is printed with two digits may be said with two.
    said = replace(SAID, sharing_degree=0.53, layout="tree-3x5-19", licence="LicenseRef-research-only")
    assert make_card(plan_of("nyuv2-resnet10t.degree53", tiny_evidence), said).sharing_degree == 8 / 15


def plan_of(name: str, evidence: Evidence) -> Any:
    """The tiny run's plan, with another model of the zoo."""
    return check_evidence(replace(evidence, plan=evidence.plan | {"model": describe_model(create_model(name), name)}))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"layout": "separate"}, "--layout separate: the checkpoint .*7b5c2b78.* says otherwise, shared"),
        ({"sharing_degree": 0.5}, "--sharing-degree 0.5: .* says otherwise, 1.0"),
        ({"adversarial_training": "pgd"}, "--adversarial-training pgd: .* says otherwise, none"),
        ({"licence": "Apache-2.0"}, "--licence Apache-2.0: .* says otherwise, MIT"),
        ({"name": "mine"}, f"--name mine: .* says otherwise, {MODEL}"),
        ({"submitter": None}, "still to be said: --submitter NAME"),
        ({"paper": "javascript:alert(1)"}, r"model card: paper: .*\(got 'javascript:alert\(1\)'\)"),
        ({"code": "https://example.org/\u202eexe"}, "model card: code: "),
        ({"code": "https://example.org/'onclick='"}, "model card: code: "),
        ({"note": "a\x1b[31mb"}, "model card: note: "),
        ({"note": "x" * 2001}, "model card: note: "),
        ({"extra_data": "a\nb"}, "model card: extra_data: "),
        ({"submitter": "a\u202eb"}, "submitter: name: "),
        ({"submitter": "a" * 201}, "submitter: name: "),
    ],
)
def test_a_card_that_contradicts_the_checkpoint_or_hides_something_is_refused(
    said: dict[str, Any], message: str, tiny_run: Path, empty: Board
) -> None:
    with pytest.raises(InputError, match=message):
        submit(tiny_run, empty, replace(SAID, **said))
    assert tree(empty.root) == {}


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "-rf", "a b", "", "x" * 101, "a\x00", "<script>"])
def test_a_name_that_is_no_folder_is_refused(name: str, edited: Callable[..., Path], empty: Board) -> None:
    run = edited(lambda plan: plan["model"].update(name="my_model:make"))
    said = replace(SAID, name=name, licence="MIT")
    with pytest.raises(InputError, match="model card: name: |still to be said: --name NAME"):
        submit(run, empty, said, checkpoint=Path(__file__))
    assert tree(empty.root) == {}


def test_a_foreign_model_is_asked_for_all_that_is_missing_at_once(edited: Callable[..., Path], empty: Board) -> None:
    run = edited(lambda plan: plan["model"].update(name="my_model:make"))
    with pytest.raises(InputError) as error:
        submit(run, empty, Said())
    assert [word for word in str(error.value).split() if word.startswith("--")] == [
        "--name", "--licence", "--checkpoint", "--submitter",
    ]  # fmt: skip
    assert "\n" not in str(error.value) and tree(empty.root) == {}


def test_an_empty_submitter_is_not_whom_git_names(
    tiny_run: Path, empty: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtlattack.cli.leaderboard.submit._git_name", lambda folder: "who git names")
    assert "still to be said: --submitter" in bad("submit", tiny_run, "--board", empty.root, "--submitter", "")
    assert "submitter: who git names" in good("submit", tiny_run, "--board", empty.root)


def test_the_command_prints_what_will_stand_on_the_board(tiny_run: Path, empty: Board) -> None:
    lines = good("submit", tiny_run, "--board", empty.root, "--submitter", "me").splitlines()
    [stored] = empty.read_all()
    [standing] = stand([stored], {})
    for each in COLUMNS:
        if each.key not in ("rank", "model", "row", "status", "flags"):
            assert f"  {each.title}: {each.text(standing)}" in lines
    assert f"row {stored.id}: {MODEL} under tiny v1, 3 images, linf 4/255" in lines


def test_numbers_that_cannot_be_derived_leave_nothing_behind(
    tiny_run: Path, empty: Board, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(evidence: Evidence) -> None:
        raise InputError("a number that is derived from it is not finite")

    monkeypatch.setenv("MTLATTACK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("mtlattack.leaderboard.rows.deriving.record_of", refuse)
    with pytest.raises(InputError, match="is not finite"):
        submit(tiny_run, empty, SAID)
    assert tree(empty.root) == {}


def test_a_foreign_checkpoint_is_hashed_and_not_opened(
    edited: Callable[..., Path], empty: Board, tmp_path: Path
) -> None:
    run = edited(lambda plan: plan["model"].update(name="my_model:make@weights"))
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"cos\nsystem\n(S'touch pickled'\ntR.")
    said = Said(
        "somebody", "mine", "Apache-2.0", "hydra", 0.25, "none to speak of", "ImageNet", None, "https://a.org/b"
    )
    model = submit(run, empty, said, checkpoint=weights).row.model
    assert (model.name, model.licence, model.layout, model.sharing_degree) == ("mine", "Apache-2.0", "hydra", 0.25)
    assert (model.adversarial_training, model.extra_data, model.paper) == ("none to speak of", "ImageNet", None)
    assert (model.code, model.note, model.checkpoint_sha256) == ("https://a.org/b", "", file_hash(weights))


def test_other_weights_than_those_of_the_run_are_refused(
    tiny_run: Path, edited: Callable[..., Path], empty: Board, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="separate-.* holds other weights than the run attacked"):
        submit(tiny_run, empty, SAID, checkpoint=model_path(OTHER))
    with pytest.raises(InputError, match=f"{MODEL}-7b5c2b78.safetensors holds other weights than the run attacked"):
        submit(edited(lambda plan: plan["model"].update(sha256="ab" * 32)), empty, SAID)
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(model_path(MODEL).read_bytes()[:5000])
    for path, message in ((broken, "truncated"), (tmp_path / "none.safetensors", "no checkpoint file")):
        with pytest.raises(InputError, match=message):
            submit(tiny_run, empty, SAID, checkpoint=path)
    assert tree(empty.root) == {}


def test_the_name_of_a_shipped_model_is_for_its_own_file(
    tiny_run: Path, edited: Callable[..., Path], empty: Board, tmp_path: Path
) -> None:
    # The same weights, in a file that says nothing of its making.
    copy = save_checkpoint(load_checkpoint(model_path(MODEL)), tmp_path, MODEL, dtype=torch.float32)
    said = replace(SAID, licence="MIT")
    with pytest.raises(InputError, match=f"the name {MODEL} is that of a model that ships, and .* is another"):
        submit(tiny_run, empty, said, checkpoint=copy)
    stored = submit(tiny_run, empty, replace(said, name="mine"), checkpoint=copy)
    assert (stored.row.model.name, stored.row.model.layout) == ("mine", "shared")
    assert stored.row.model.checkpoint_sha256 == file_hash(copy)


def test_a_checkpoint_that_does_not_say_its_licence_is_asked_for_it(
    edited: Callable[..., Path], empty: Board, tmp_path: Path
) -> None:
    copy = save_checkpoint(load_checkpoint(model_path(MODEL)), tmp_path, "mine", provenance={"recipe": {"epochs": -1}})
    run = edited(lambda plan: plan["model"].update(name="mine"))
    with pytest.raises(InputError) as error:
        submit(run, empty, SAID, checkpoint=copy)
    assert [word for word in str(error.value).split() if word.startswith("--")] == ["--licence"]
    said = replace(SAID, licence="CC-BY-4.0", adversarial_training="pgd")
    model = submit(run, empty, said, checkpoint=copy).row.model
    assert (model.name, model.licence, model.adversarial_training) == ("mine", "CC-BY-4.0", "pgd")


# --- duplicates and successors


def test_the_same_run_twice_changes_nothing(tiny_run: Path, empty: Board) -> None:
    stored = submit(tiny_run, empty, SAID)
    before = tree(empty.root)
    for said, supersedes in ((SAID, None), (replace(SAID, note="better"), None), (SAID, stored.id)):
        with pytest.raises(InputError, match=rf"on the board already, as row {stored.id} \(self-reported\): .*json"):
            submit(tiny_run, empty, said, supersedes=supersedes)
    assert tree(empty.root) == before


def test_a_card_is_corrected_by_a_row_that_supersedes(tiny_run: Path, empty: Board) -> None:
    old = submit(tiny_run, empty, SAID)
    new = submit(tiny_run, empty, replace(SAID, note="with a link"), supersedes=old.id[:6])
    assert new.evidence_path == old.evidence_path and new.row.model.note == "with a link"
    assert {stored.id for stored in empty.read_all()} == {old.id, new.id}
    last = statuses(read_ledger(empty.ledger))
    assert (last[old.id].status, last[old.id].successor) == ("superseded", new.id)
    assert last[new.id].status == "self-reported"


def again(edited: Callable[..., Path]) -> Path:
    """A second run with the same model: it took longer."""
    return edited(seconds=9.0)


def test_weights_that_have_a_row_need_supersedes(tiny_run: Path, edited: Callable[..., Path], empty: Board) -> None:
    old, second = submit(tiny_run, empty, SAID), again(edited)
    before = tree(empty.root)
    with pytest.raises(
        InputError, match=rf"row {old.id} \(self-reported\) is of the same weights .* --supersedes {old.id}"
    ):
        submit(second, empty, SAID)
    assert tree(empty.root) == before
    new = submit(second, empty, SAID, supersedes=old.id)
    assert {id: event.status for id, event in statuses(read_ledger(empty.ledger)).items()} == {
        old.id: "superseded", new.id: "self-reported",
    }  # fmt: skip
    with pytest.raises(InputError, match=rf"on the board already, as row {old.id} \(superseded\)"):
        submit(tiny_run, empty, SAID)


def test_a_retracted_row_does_not_stand_in_the_way(tiny_run: Path, edited: Callable[..., Path], empty: Board) -> None:
    old = submit(tiny_run, empty, SAID)
    at = statuses(read_ledger(empty.ledger))[old.id].at
    append(empty.ledger, Event(row=old.id, status="retracted", at=at, by="keeper"))
    submit(again(edited), empty, SAID)
    assert len(empty.read_all()) == 2


def test_a_row_is_superseded_by_its_like_alone(
    tiny_run: Path, tiny_evidence: Evidence, empty: Board, edited: Callable[..., Path]
) -> None:
    stranger = store(empty.root, *row_of(of_other_weights(tiny_evidence), name="other"))
    newer = store(empty.root, *row_of(of_other_weights(tiny_evidence, version=2)))
    before = tree(empty.root)
    for row, message in (
        (stranger.id, "is of other, its successor of .* with other weights"),
        (newer.id, "is of tiny v2, its successor of tiny v1"),
        ("0" * 16, "no row '0000000000000000'"),
    ):
        with pytest.raises(InputError, match=message):
            submit(tiny_run, empty, SAID, supersedes=row)
    assert tree(empty.root) == before
    # Of the same name with other weights: a new version of a model.
    own = store(empty.root, *row_of(of_other_weights(tiny_evidence)))
    new = submit(tiny_run, empty, SAID, supersedes=own.id)
    assert statuses(read_ledger(empty.ledger))[own.id].successor == new.id


def test_what_was_withdrawn_is_not_superseded(tiny_run: Path, tiny_evidence: Evidence, empty: Board) -> None:
    own = store(empty.root, *row_of(of_other_weights(tiny_evidence)))
    at = statuses(read_ledger(empty.ledger))[own.id].at
    append(empty.ledger, Event(row=own.id, status="retracted", at=at, by="keeper"))
    before = tree(empty.root)
    with pytest.raises(InputError, match="is retracted: status 'superseded', expected nothing more"):
        submit(tiny_run, empty, SAID, supersedes=own.id)
    assert tree(empty.root) == before


# --- whole or not at all


@pytest.mark.parametrize(
    ("name", "call", "on_an_empty_board"),
    [
        ("write_whole_bytes", 1, True),  # the evidence
        ("write_whole_bytes", 2, True),  # the row
        ("write_whole_bytes", 2, False),
        ("read_row", 1, True),
        ("append", 1, True),
        ("append", 1, False),
    ],
)
def test_a_failure_between_the_files_leaves_nothing(
    name: str,
    call: int,
    on_an_empty_board: bool,
    tiny_run: Path,
    tiny_evidence: Evidence,
    empty: Board,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not on_an_empty_board:
        store(empty.root, *row_of(of_other_weights(tiny_evidence)))
    before = tree(empty.root)
    error: BaseException = OSError("disk full") if on_an_empty_board else KeyboardInterrupt()
    original, calls = getattr(submission, name), []

    def failing(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == call:
            raise error
        return original(*arguments)

    monkeypatch.setattr(submission, name, failing)
    with pytest.raises((InputError, KeyboardInterrupt), match="disk full" if isinstance(error, OSError) else None):
        submit(tiny_run, empty, SAID)
    assert len(calls) == call and tree(empty.root) == before


def test_a_disk_that_takes_a_part_of_the_evidence_takes_none(tiny_run: Path, empty: Board) -> None:
    before = tree(empty.root)
    assert_said_in_words(lambda: submit(tiny_run, empty, SAID), 1000, empty.root)
    assert tree(empty.root) == before


def test_a_clock_that_was_set_back_since_the_run_is_told(
    tiny_run: Path, empty: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(empty.root)
    set_back(submission.__name__, monkeypatch, days=2)
    with pytest.raises(InputError, match="^it is .*, and the run started at .*: the clock is wrong$"):
        submit(tiny_run, empty, SAID)
    assert tree(empty.root) == before


def test_evidence_of_the_same_name_with_another_content_is_not_overwritten(tiny_run: Path, empty: Board) -> None:
    stored = submit(tiny_run, empty, SAID)
    stored.evidence_path.write_bytes(b"something else")
    before = tree(empty.root)
    with pytest.raises(InputError, match="exists with another content"):
        submit(tiny_run, empty, replace(SAID, note="again"), supersedes=stored.id)
    assert tree(empty.root) == before


def test_a_submission_that_was_killed_before_its_ledger_line_is_named(tiny_run: Path, empty: Board) -> None:
    stored: StoredRow = submit(tiny_run, empty, SAID)
    empty.ledger.unlink()
    with pytest.raises(InputError, match=f"broken off; `mtlattack leaderboard status {stored.id} self-reported"):
        submit(tiny_run, empty, SAID)
