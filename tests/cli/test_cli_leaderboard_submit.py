"""From `run` to `submit` and `status` at the command line: a checkpoint of ours, a model by a factory, bad input."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_toys import CommandLine, files

from mtlattack.attacks.standard import Member
from mtlattack.data import PreparedDataset, load_dataset
from mtlattack.evaluation import evaluate, load_suite
from mtlattack.leaderboard.board import Board
from mtlattack.leaderboard.ledger import read_ledger, statuses
from mtlattack.models import file_hash, load_checkpoint

FACTORY = """
import mtlattack as mta

def make():
    return mta.load_checkpoint({path!r})
"""


@pytest.fixture(scope="module")
def suites(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of suites, with one of the leaderboard's kind, about the tasks of that checkpoint."""
    folder = tmp_path_factory.mktemp("suites")
    data: PreparedDataset = load_dataset("rooms", limit=2)
    pinned = ["id", "image", *load_checkpoint(checkpoint).tasks]
    hashes = "".join(f'{name} = "{data.digests()[name]}"\n' for name in pinned)
    (folder / "toy.toml").write_text(
        f'name = "toy"\nversion = 3\ndescription = "toys"\ndata = "rooms"\nlimit = 2\neps = [4]\n'
        f'attacks = ["fgsm-dgba", "noise-dgba", "standard"]\n[data_sha256]\n{hashes}'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mtlattack.evaluation.suites.SUITES", folder)
        # No more than the suite runs anyway.
        patch.setattr("mtlattack.attacks.standard.Standard.composition", (Member("fgsm-dgba"),))
        yield folder


@pytest.fixture(scope="module")
def tiny_run(suites: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the toy suite."""
    folder = tmp_path_factory.mktemp("run")
    suite, model = load_suite("toy"), load_checkpoint(checkpoint)
    evaluate(
        model,
        load_dataset("rooms", limit=2, tasks=model.tasks),
        suite.create_attacks(model.tasks),
        path=folder / "evidence.h5",
        name="tiny",
        suite={"name": suite.name, "version": suite.version, "sha256": suite.sha256, "overrides": {}},
        batch_size=suite.batch_size,
        device="cpu",
    )
    return folder


@pytest.fixture
def place(suites: Path, cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty board, in a folder where git knows nobody."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    folder = Path("leaderboard")
    folder.mkdir()
    return folder


def row_of(out: str) -> str:
    return out.split()[1].removesuffix(":")


def test_a_checkpoint_of_ours_goes_from_run_to_row(cli: CommandLine, place: Path, checkpoint: Path) -> None:
    cli.good("run", "toy", "--model", checkpoint, "--device", "cpu", "--out", "out")
    submit = ["leaderboard", "submit", "out", "--checkpoint", checkpoint]
    assert cli.bad(*submit) == (
        "still to be said: --licence TEXT (of the weights, an SPDX identifier where there is one), "
        "--submitter NAME (who answers for the row)"
    )
    assert files(place) == {}
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "config", "user.name", "A. Nother"], check=True)
    out = cli.good(*submit, "--licence", "MIT")
    (stored,) = Board(place).read_all()
    assert row_of(out) == stored.id and stored.row.submitted.name == "A. Nother"
    assert stored.row.model.checkpoint_sha256 == file_hash(checkpoint)
    assert (stored.row.model.name, stored.row.model.layout) == ("tiny", "shared")
    attack = max(stored.record.attacks, key=lambda each: each.log_ratio.value or 0)
    [robust] = stored.record.robust_skill
    for line in (
        f"row {stored.id}: tiny under toy v3, 2 images, linf 4/255",
        "  sharing degree: 1.00",
        f"  robust skill: {robust.skill.mean.value:.2f} [",
        f"  worst task: {robust.skill.worst_task}",
        f"  strongest attack: {attack.name}",
        f"  log loss ratio: {attack.log_ratio.value:.2f} [",
        f"  {stored.path}",
        f"  {stored.evidence_path} ({stored.row.evidence.bytes:,} bytes)",
        "  mtlattack leaderboard check leaderboard",
    ):
        assert any(found.startswith(line) for found in out.splitlines()), line
    before = files(place)
    assert "this run is on the board already, as row " + stored.id in cli.bad(*submit, "--licence", "MIT")
    assert files(place) == before
    assert "leaderboard: nothing refused" in cli.good("leaderboard", "check", place)

    assert "verified" in cli.good("leaderboard", "status", stored.id[:4], "verified", "--by", "keeper")
    assert "did you mean 'verified'" in cli.bad("leaderboard", "status", stored.id, "verifed", "--by", "keeper")
    assert "is verified: status 'verified'" in cli.bad("leaderboard", "status", stored.id, "verified", "--by", "keeper")
    assert "--by" in cli.bad("leaderboard", "status", stored.id, "disputed")
    assert statuses(read_ledger(place / "ledger.jsonl"))[stored.id].by == "keeper"


def test_a_model_by_a_factory_says_what_it_is(
    cli: CommandLine, place: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("own_model_to_submit.py").write_text(FACTORY.format(path=str(checkpoint)))
    cli.good("run", "toy", "--model", "own_model_to_submit:make", "--device", "cpu", "--out", "out")
    asked = cli.bad("leaderboard", "submit", "out")
    assert [word for word in asked.split() if word.startswith("--")] == [
        "--name", "--licence", "--checkpoint", "--submitter",
    ]  # fmt: skip
    said = ["--name", "own", "--licence", "MIT", "--submitter", "me", "--extra-data", "ImageNet"]
    # A copy that is none of ours by its name is hashed alone.
    weights = Path(shutil.copy(checkpoint, "weights.pth"))
    cli.good("leaderboard", "submit", "out", *said, "--checkpoint", weights)
    (stored,) = Board(place).read_all()
    assert (stored.row.model.name, stored.row.model.layout, stored.row.model.extra_data) == ("own", None, "ImageNet")
    # The file says more under its own name, and the row is corrected by another one.
    better = [*said, "--checkpoint", checkpoint, "--note", "layout said"]
    assert f"on the board already, as row {stored.id}" in cli.bad("leaderboard", "submit", "out", *better)
    out = cli.good("leaderboard", "submit", "out", *better, "--supersedes", stored.id)
    new = Board(place).find(row_of(out))
    assert new.row.model.layout == "shared" and new.evidence_path == stored.evidence_path
    assert statuses(read_ledger(place / "ledger.jsonl"))[stored.id].successor == new.id
    assert "leaderboard: nothing refused" in cli.good("leaderboard", "check", place)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--paper", "javascript:alert(1)"], "model card: paper: "),
        (["--code", "http://example.org"], "model card: code: "),
        (["--name", "../../up"], "model card: name: "),
        (["--note", "\x1b]0;owned\x07"], "model card: note: "),
        (["--licence", "\u202etxt.TIM"], "model card: licence: "),
        (["--submitter", "a\nb"], "submitter: name: "),
        (["--sharing-degree", "2"], "--sharing-degree 2.0: "),
        (["--sharing-degree", "nan"], "--sharing-degree nan: "),
        (["--sharing-degree", "much"], "sharing-degree"),
        (["--board", "nowhere"], "no leaderboard in nowhere"),
        (["--checkpoint", "nothing.pth"], "no checkpoint file nothing.pth"),
        (["--supersedes", "0000"], "no rows in leaderboard/rows: expected a folder"),
    ],
)
def test_bad_options_write_nothing(
    options: list[str], message: str, cli: CommandLine, place: Path, checkpoint: Path, tiny_run: Path
) -> None:
    base = ["leaderboard", "submit", tiny_run, "--checkpoint", checkpoint, "--licence", "MIT", "--submitter", "me"]
    said = cli.bad(*base, *options)
    assert message in said and not any(character in said for character in "\x1b\x07\u202e")
    assert files(place) == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["toy", "--eps", "2", "--attacks", "fgsm-dgba"], "suite.overrides: attacks, eps was changed"),
        (["toy", "--limit", 1], "suite.overrides: limit was changed"),
        (["toy", "--attacks", "none"], "a clean run, expected the attacks of its suite"),
    ],
)
def test_runs_that_are_no_suite_are_refused(
    options: list[object], message: str, cli: CommandLine, place: Path, checkpoint: Path
) -> None:
    cli.good("run", *options, "--model", checkpoint, "--device", "cpu", "--out", "out")
    said = cli.bad("leaderboard", "submit", "out", "--checkpoint", checkpoint, "--licence", "MIT", "--submitter", "me")
    assert message in said and files(place) == {}
