"""What the leaderboard's tests share: one tiny run of one tiny suite, and a board of their own with its row."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from leaderboard_toys import COMPOSITION, MODEL, row_of, store, write_suite

from mtlattack.data import load_dataset
from mtlattack.evaluation import evaluate, load_suite
from mtlattack.evidence import Evidence, read_evidence
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.models import create_model


@pytest.fixture(scope="session")
def suites_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of suites that holds the tiny one alone."""
    folder = tmp_path_factory.mktemp("suites")
    write_suite(folder)
    return folder


@contextmanager
def short_standard() -> Iterator[None]:
    """Inside, `standard` is of a few steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mtlattack.attacks.standard.Standard.composition", COMPOSITION)
        yield


@pytest.fixture(scope="module", autouse=True)
def composition() -> Iterator[None]:
    """`standard` of a few steps, for the tests of this folder and no others of the process."""
    with short_standard():
        yield


@pytest.fixture(scope="module", autouse=True)
def suites(suites_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """That folder, where every test of this folder looks for suites; and a cache of the module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mtlattack.evaluation.suites.SUITES", suites_folder)
        patch.setenv("MTLATTACK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield suites_folder


@pytest.fixture(scope="session")
def tiny_run(suites_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of the tiny suite."""
    folder = tmp_path_factory.mktemp("tiny-run")
    suite, model = load_suite(str(suites_folder / "tiny.toml")), create_model(MODEL)
    with short_standard():
        evaluate(
            model,
            load_dataset(suite.data, suite.split, tasks=model.tasks, limit=suite.limit),
            suite.create_attacks(model.tasks),
            path=folder / "evidence.h5",
            name=MODEL,
            suite={"name": suite.name, "version": suite.version, "sha256": suite.sha256, "overrides": {}},
            batch_size=suite.batch_size,
            device="cpu",
        )
    return folder


@pytest.fixture(scope="session")
def tiny_evidence(tiny_run: Path) -> Evidence:
    """What the tiny run measured."""
    return read_evidence(tiny_run / "evidence.h5")


@pytest.fixture(scope="module")
def honest_board(tiny_evidence: Evidence, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board with one honest row, for copies."""
    root = tmp_path_factory.mktemp("honest") / "leaderboard"
    (root / "rows").mkdir(parents=True)
    store(root, *row_of(tiny_evidence))
    return root


@pytest.fixture
def board(tmp_path: Path, honest_board: Path) -> Board:
    """A board of the test's own with one honest row."""
    return Board(shutil.copytree(honest_board, tmp_path / "leaderboard"))


@pytest.fixture
def stored(board: Board) -> StoredRow:
    """The board's one row."""
    return board.read_all()[0]


@pytest.fixture(scope="module", autouse=True)
def few_resamples() -> Iterator[None]:
    """Intervals from 20 resamples, so that a record is derived in no time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mtlattack.analysis.report.RESAMPLES", 20)
        yield
