"""`mtlattack show`: four formats, pictures, runs side by side."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from cli_toys import CommandLine, run_quietly

from mtlattack.analysis import Record, Run, read_run


@pytest.fixture(scope="module")
def finished(rooms: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two finished runs; the second has one attack more."""
    folder = tmp_path_factory.mktemp("runs")
    for name, attacks in (("one", "fgsm-total"), ("two", "fgsm-total,fgsm-dgba")):
        command = ("run", "--model", checkpoint, "--data", rooms, "--limit", 2, "--device", "cpu")
        run_quietly(*command, "--attacks", attacks, "--out", folder / name)
    return folder


@pytest.fixture
def runs(cli: CommandLine, finished: Path) -> list[Path]:
    """Copies of these runs, to be spoiled."""
    return [Path(shutil.copytree(finished / name, name)) for name in ("one", "two")]


def test_formats(cli: CommandLine, runs: list[Path]) -> None:
    one, two = runs
    stored = [Record.model_validate_json((folder / "record.json").read_text()) for folder in runs]

    table = cli.good("show", one)
    assert table == cli.good("show", one / "evidence.h5")
    assert max(map(len, table.splitlines())) <= 114 and "linf 4/255: the tasks" in table
    assert "side by side" not in table

    both = cli.good("show", one, two)
    assert table in both and "arp %, side by side" in both
    last = [line.split() for line in both.splitlines()[-2:]]
    assert [cells[:2] for cells in last] == [["fgsm-total", "linf"], ["fgsm-dgba", "linf"]] and last[1][3] == "–"

    assert Record.model_validate_json(cli.good("show", one, "--format", "json")) == stored[0]
    listed = json.loads(cli.good("show", one, two, "--format", "json"))
    assert [Record.model_validate(content) for content in listed] == stored

    markdown = cli.good("show", two, "--format", "markdown")
    assert "| `fgsm-dgba` | " in markdown and "|---|" in markdown

    lines = list(csv.DictReader(io.StringIO(cli.good("show", one, two, "--format", "csv"))))
    arps = [float(line["value"]) for line in lines if line["quantity"] == "arp"]
    assert arps == [result.arp.value for record in stored for result in record.attacks]


def test_parts_of_one_experiment_are_one(cli: CommandLine, rooms: Path, checkpoint: Path) -> None:
    attacks = "fgsm-single:depth,fgsm-dgba"
    command = ("run", "--model", checkpoint, "--data", rooms, "--limit", 1, "--device", "cpu", "--attacks", attacks)
    for eps in (8, 4):
        cli.good(*command, "--eps", eps, "--out", f"eps{eps}")
    cli.good(*command, "--eps", "4,8", "--out", "both")
    apart, together = (cli.good("show", *names, "--format", "csv") for names in (("eps8", "eps4"), ("both",)))
    assert apart == together
    shown = cli("show", "eps8", "eps4", "--plots", ".")
    assert "side by side" not in shown.out and shown.err == "eps8.png\neps8-damage.png\n"
    assert Path("eps8.png").is_file() and not Path("eps4.png").exists()


def test_plots_are_named_after_their_runs_and_keep_the_output_clean(cli: CommandLine, runs: list[Path]) -> None:
    ran = cli("show", *runs, "--plots", "pictures", "--format", "json")
    assert ran.code == 0 and len(json.loads(ran.out)) == 2
    assert ran.err == "".join(f"pictures/{run}{what}.png\n" for run in runs for what in ("", "-damage"))
    assert all(Path(line).read_bytes().startswith(b"\x89PNG") for line in ran.err.splitlines())


def test_record_is_not_needed(cli: CommandLine, runs: list[Path]) -> None:
    before = cli.good("show", runs[0])
    (runs[0] / "record.json").unlink()
    assert cli.good("show", runs[0]) == before


def test_of_several_what_is_no_run_is_left_out(cli: CommandLine, runs: list[Path]) -> None:
    both = cli.good("show", *runs)
    Path("campaign.json").write_text("{}")
    (runs[1] / "half").mkdir()
    assert cli.good("show", ".") == both, "a campaign's folder is its cells"
    ran = cli("show", "campaign.json", *runs, runs[1] / "half")
    assert (ran.code, ran.out) == (0, both)
    assert ran.err == "".join(
        f"left out: no run at {place}: expected a folder with evidence.h5, or such a file\n"
        for place in ("campaign.json", "two/half")
    )
    assert cli.bad("show", "campaign.json", "two/half").startswith("no run at campaign.json")


def test_mistakes(cli: CommandLine, runs: list[Path], rooms: Path) -> None:
    assert cli.bad("show", "nowhere") == "no run at nowhere: expected a folder with evidence.h5, or such a file"
    assert "has format 'mtlattack-dataset' version 1" in cli.bad("show", rooms)
    assert "Invalid value for '--format': 'yaml' is not one of" in cli.bad("show", runs[0], "--format", "yaml")
    content = (runs[0] / "evidence.h5").read_bytes()
    (runs[0] / "evidence.h5").write_bytes(content[:-100])
    assert "one/evidence.h5 is truncated" in cli.bad("show", runs[0])


def test_a_panel_of_one_image(cli: CommandLine, runs: list[Path], rooms: Path, checkpoint: Path) -> None:
    _, two = runs
    where = ("--model", checkpoint, "--data", rooms)
    ran = cli("show", two, "--panel", "new/panel.png", *where, "--attack", "fgsm-dgba", "--format", "json")
    assert (ran.code, ran.err) == (0, "new/panel.png\n") and json.loads(ran.out)
    assert Path("new/panel.png").read_bytes().startswith(b"\x89PNG")
    bare = ("show", two, "--panel", "other.png")
    assert "was made on 'tiny', which is no name in the zoo; give the model with --model" in cli.bad(*bare)
    told = "--image, --attack, --model, --checkpoint and --data go with --panel"
    assert cli.bad("show", two, "--attack", "fgsm-dgba") == told
    assert "expected a name that ends in .png" in cli.bad("show", two, "--panel", "other.jpg", *where)
    assert cli.bad("show", *runs, "--panel", "p.png") == "--panel p.png is of one run, 2 are given"
    assert not Path("other.png").exists()


def test_numbers_are_kept_by_evidence_and_code(
    cli: CommandLine, runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTLATTACK_CACHE", str(tmp_path / "cache"))
    one, two = runs
    derived: list[Path] = []

    def counted(path: Path) -> Run:
        derived.append(path)
        return read_run(path)

    monkeypatch.setattr("mtlattack.analysis.read_run", counted)
    shown = [cli.good("show", one), cli.good("show", two)]
    assert len(derived) == 2 and len(list((tmp_path / "cache" / "records").iterdir())) == 2
    assert [cli.good("show", one), cli.good("show", two)] == shown and len(derived) == 2
    shutil.copy(two / "evidence.h5", one / "evidence.h5")
    assert cli.good("show", one) == shown[1] and len(derived) == 2, "the same evidence, wherever it lies"
    for path in (tmp_path / "cache" / "records").iterdir():
        path.write_text(path.read_text().replace("0.", "0.1", 3))
    assert cli.good("show", one) == shown[1] and len(derived) == 3, "what was kept has changed since"
    monkeypatch.setenv("MTLATTACK_PLUGIN", "json")
    assert cli.good("show", one) == shown[1] and len(derived) == 4, "a plugin's code has no digest"
