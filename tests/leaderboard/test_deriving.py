"""Records are derived from evidence: the numbers of the run itself, kept by content and by code, and never believed."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from checking_toys import changed
from leaderboard_toys import row_of, store
from typer.testing import CliRunner

from mtlattack.analysis import Record, read_run
from mtlattack.cli.application import app
from mtlattack.data.cache import cache_folder
from mtlattack.errors import InputError
from mtlattack.evaluation import kept
from mtlattack.evaluation.kept import code_digest
from mtlattack.evidence import Evidence
from mtlattack.evidence.packing.compact import MOST_BYTES, pack, unpack
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.rows import deriving
from mtlattack.leaderboard.rows.deriving import record_of


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("MTLATTACK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def derivations(monkeypatch: pytest.MonkeyPatch) -> list[Evidence]:
    """Every evidence from which a record is computed."""
    seen: list[Evidence] = []

    def counted(evidence: Evidence) -> Record:
        seen.append(evidence)
        return record_of(evidence)

    monkeypatch.setattr(deriving, "record_of", counted)
    return seen


def derived(stored: StoredRow) -> Record:
    return replace(stored).record  # which asks anew


def test_the_numbers_are_those_of_the_run(stored: StoredRow, tiny_run: Path, cache: Path) -> None:
    record = read_run(tiny_run / "evidence.h5").report().record
    assert derived(stored) == record == derived(stored)
    assert stored.record == record and stored.record.clean_skill is not None and stored.record.robust_skill
    shown = CliRunner().invoke(app, ["show", str(tiny_run), "--format", "json"])
    assert shown.exit_code == 0
    [said] = [each for each in _objects(json.loads(shown.stdout)) if each.get("format") == "mtlattack-record"]
    assert Record.model_validate(said) == stored.record


def _objects(document: object) -> list[dict]:  # type: ignore[type-arg]
    return [document] if isinstance(document, dict) else list(document)  # type: ignore[call-overload]


def test_they_are_derived_once(stored: StoredRow, cache: Path, derivations: list[Evidence]) -> None:
    first = derived(stored)
    [file] = (cache / "records").iterdir()
    assert file.name.startswith(stored.row.evidence.sha256) and code_digest()[:16] in file.name
    assert derived(stored) == first and len(derivations) == 1


def test_other_code_derives_anew(
    stored: StoredRow, cache: Path, derivations: list[Evidence], monkeypatch: pytest.MonkeyPatch
) -> None:
    derived(stored)
    monkeypatch.setattr(kept, "code_digest", lambda: "0" * 64)
    derived(stored)
    assert len(derivations) == 2 and len(list((cache / "records").iterdir())) == 2


@pytest.mark.parametrize("room", ["tasks", "evidence", "analysis"])
def test_the_code_is_known_by_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: str) -> None:
    for name in ("tasks", "evidence", "analysis", "elsewhere"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "a.py").write_text("A = 1")
    monkeypatch.setattr("mtlattack.__file__", str(tmp_path / "__init__.py"))
    before = code_digest.__wrapped__()
    (tmp_path / "elsewhere" / "inner" / "a.py").write_text("A = 2")
    assert code_digest.__wrapped__() == before
    (tmp_path / room / "inner" / "a.py").write_text("A = 2")
    other = code_digest.__wrapped__()
    (tmp_path / room / "inner" / "a.py").rename(tmp_path / room / "inner" / "b.py")
    assert len({before, other, code_digest.__wrapped__()}) == 3


@pytest.mark.parametrize("damage", [lambda text: "", lambda text: text[:-5], lambda text: "{}", lambda text: "\0"])
def test_what_is_damaged_is_derived_again(
    stored: StoredRow, cache: Path, derivations: list[Evidence], damage: Callable[[str], str]
) -> None:
    first = derived(stored)
    [file] = (cache / "records").iterdir()
    whole = file.read_text()
    file.write_text(damage(whole))
    assert derived(stored) == first and len(derivations) == 2
    assert file.read_text() == whole


def test_where_nothing_can_be_written_nothing_is_kept(
    stored: StoredRow, tmp_path: Path, derivations: list[Evidence], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("MTLATTACK_CACHE", str(tmp_path / "file"))
    assert derived(stored) == derived(stored) and len(derivations) == 2
    assert (tmp_path / "file").read_text() == "no folder"


def test_the_cache_is_where_the_system_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("MTLATTACK_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("MTLATTACK_CACHE")
    assert cache_folder() == tmp_path / "mtlattack"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert cache_folder() == Path.home() / ".cache" / "mtlattack"


def test_the_file_is_looked_at_though_its_record_is_kept(board: Board, stored: StoredRow, cache: Path) -> None:
    derived(stored)
    packed = stored.evidence_path.read_bytes()
    stored.evidence_path.write_bytes(packed[:-1] + b"\0")
    with pytest.raises(InputError, match="evidence.sha256 is [0-9a-f]{64}, .* has [0-9a-f]{64}"):
        derived(stored)
    stored.evidence_path.write_bytes(b"\0" * (MOST_BYTES + 1))
    with pytest.raises(InputError, match="is larger than the"):
        derived(stored)
    stored.evidence_path.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        derived(board.read_all()[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.plan.update(seed="0"), "evidence: plan: seed"),
        (lambda e: e.environment.update(command="\x1b[2J"), "evidence: environment: command"),
        (lambda e: e.plan["attacks"][0]["config"].update(name="a\nb"), "evidence: plan: attacks.0.config.name"),
        (lambda e: e.plan["ensembles"][0].update(members=[99]), "ensembles: standard has members"),
        (lambda e: e.plan["ensembles"].extend(e.plan["ensembles"] * 1000), "attacks: .* are resampled"),
    ],
)
def test_nothing_is_derived_from_hostile_evidence(
    change: Callable[[Evidence], None], message: str, tiny_evidence: Evidence
) -> None:
    with pytest.raises(InputError, match=message):
        record_of(changed(tiny_evidence, change))


def test_more_images_than_a_run_has_are_not_resampled(tiny_evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deriving, "_MOST_IMAGES", 2)
    with pytest.raises(InputError, match="data.images: 3 images, at most 2 are resampled"):
        record_of(tiny_evidence)


def test_each_row_is_of_its_own_evidence(board: Board, stored: StoredRow, tiny_evidence: Evidence, cache: Path) -> None:
    other = store(board.root, *row_of(changed(tiny_evidence, lambda e: e.plan["model"].update(sha256="b" * 64))))
    records = {each.id: each.record for each in board.read_all()}
    assert records[other.id].model["sha256"] == "b" * 64 != records[stored.id].model["sha256"]


def test_a_real_run_is_packed_to_the_last_bit(tiny_evidence: Evidence) -> None:
    gaps = [outcome.diagnostics[:, 1] for outcome in tiny_evidence.attacked]
    assert any(np.isnan(gap).all() for gap in gaps) and any(np.isfinite(gap).all() for gap in gaps)
    found = unpack(pack(tiny_evidence), "here")
    assert (found.plan, found.environment, found.ids) == (
        tiny_evidence.plan, tiny_evidence.environment, tiny_evidence.ids
    )  # fmt: skip
    assert [array.tobytes() for array in _arrays(found)] == [array.tobytes() for array in _arrays(tiny_evidence)]
    assert record_of(found) == record_of(tiny_evidence)


def _arrays(evidence: Evidence) -> Iterator[np.ndarray]:
    assert evidence.constant is not None
    yield from evidence.constant.values()
    for outcome in [evidence.clean, *evidence.attacked]:
        yield from (outcome.losses, outcome.perturbation, outcome.diagnostics, outcome.seconds)
        yield from outcome.statistics.values()
