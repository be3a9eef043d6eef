"""`mtlattack poison`: a table of one's own, poisoned, stopped and gone on with, written out and audited."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from cli_toys import CommandLine, files

QUICK = ("--iterations", 3, "--seeds", 2, "--victim", "newton")


@pytest.fixture
def table(cli: CommandLine) -> Path:
    """Three related targets of the same 30 rows, described."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(30, 3))
    targets = x @ [[1.0, 0.8, 0.9], [0.2, 0.3, 0.1], [0, 0.1, 0]] + 0.1 * generator.normal(size=(30, 3))
    with Path("mine.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "c", "one", "two", "three"])
        writer.writerows(np.concatenate([x, targets], 1).tolist())
    path = Path("mine.toml")
    path.write_text('file = "mine.csv"\nkind = "regression"\ntargets = ["one", "two", "three"]\n')
    return path


def test_it_prints_keeps_and_goes_on(cli: CommandLine, table: Path) -> None:
    chosen = ("--targets", "one", "--method", "patom", "--defence", "trimmed,alarm")
    command = ("poison", table, *QUICK, *chosen, "--points", "--out", "out")
    out = cli.good(*command)
    assert all(text in out for text in ("mine (", "3 tasks of regression", "patom direct", "patom indirect", "clean"))
    kept = files(Path("out"))
    result = json.loads(kept["result.json"])
    assert kept["budgets.png"].startswith(b"\x89PNG") and result
    whole = kept["result.json"]
    # What is lost is made again, and nothing else.
    cells = sorted(Path("out/cells").rglob("*.json"))
    assert len(cells) > 4
    before = {path: path.stat().st_mtime_ns for path in cells}
    cells[0].unlink()
    assert cli.good(*command) == out and Path("out/result.json").read_bytes() == whole
    assert [path for path in cells if path.stat().st_mtime_ns != before[path]] == cells[:1]
    # Another experiment does not take the folder.
    assert "out" in cli.bad(*command, "--budget", ".3")


def test_written_points_pass_an_audit_and_moved_ones_do_not(cli: CommandLine, table: Path) -> None:
    command = ("poison", table, *QUICK, "--targets", "one", "--mode", "direct", "--method", "patom")
    cli.good(*command, "--points", "--out", "out")
    written = sorted(Path("out").rglob("*.csv"))
    assert written
    audited = cli.good(*command, "--audit", written[0])
    assert "every point is where and what the attack allows" in audited
    rows = list(csv.reader(written[0].read_text().splitlines()))
    column = rows[0].index("x1")
    rows[1][column] = "1000"
    with Path("moved.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    ran = cli(*command, "--audit", "moved.csv")
    assert ran.code == 2 and "outside the feasible set" in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("landmine",), "landmine is read from its published files; say with --from in which folder they are"),
        (("landmin", "--from", "."), "unknown table of tasks 'landmin'; did you mean 'landmine'?"),
        (("mine.toml", "--budget", "0"), "budget"),
        (("mine.toml", "--budget", "1.5"), "budget"),
        (("mine.toml", "--budget", "0.2,0.2"), "expected each once"),
        (("mine.toml", "--budget", ".2,"), "--budget '.2,', expected numbers with commas between"),
        (("mine.toml", "--method", ","), "--method ',', expected names with commas between"),
        (("mine.toml", "--targets", ",one"), "--targets ',one', expected names with commas between"),
        (("rooms", "--model", "rooms-resnet10t.shared", "--split", "test,"), "--split 'test,', expected names"),
        (("mine.toml", "--mode", "sideways"), "sideways"),
        (("mine.toml", "--targets", "four"), "four"),
        (("mine.toml", "--targets", "one", "--attacked", "one", "--mode", "indirect"), "one"),
        (("mine.toml", "--targets", "one,two,three", "--mode", "indirect"), "all tasks are targets"),
        (("mine.toml", "--relation", "-1"), "relation"),
        (("mine.toml", "--relation", "0", "--ridge", "0"), "leave the weights open"),
        (("mine.toml", "--smoothing", "0"), "0 makes Ω singular"),
        (("mine.toml", "--box", "-0.6"), "box holds no point"),
        (("mine.toml", "--defence", "foo"), "'foo', expected of trimmed, consensus, range, alarm, none"),
        (("mine.toml", "--defence", "none,alarm"), "none goes with no other"),
        (("mine.toml", "--defence", "alarm,alarm"), "defences alarm, alarm, expected each once"),
        (("mine.toml", "--defence", ""), "what follows --defence is empty"),
        (("mine.toml", "--method", "flip,flip"), "methods flip, flip, expected each once"),
        (("mine.toml", "--mode", "direct,"), "--mode 'direct,', expected names with commas between"),
        (("mine.toml", "--from", "nowhere"), "--from and --option are for published tables; mine.toml itself says"),
        (("mine.toml", "--option", "a=b"), "--from and --option are for published tables; mine.toml itself says"),
        (("mine.toml", "--split", "test", "--limit", "0"), "--split, --limit of mine.toml: for images alone"),
        (("mine.toml", "--scene", "classification"), "--scene of mine.toml: for images alone"),
        (("landmine", "--from", ".", "--limit", "5"), "--limit of landmine: for images alone"),
        (("mine.toml", "--box", "1", "--ball", "1"), "box 1.0 and ball 1.0, expected one of them"),
        (
            ("mine.toml", "--targets", "one", "--attacked", "one", "--mode", "direct,indirect"),
            "--mode 'direct,indirect' with --attacked, expected one",
        ),
        (("mine.toml", "--audit", "x.csv", "--points"), "--points and --audit do not go together"),
        (("rooms", "--model", "rooms-resnet10t.shared", "--from", "."), "--from and --option are for tables"),
        (
            ("rooms", "--model", "rooms-resnet10t.shared", "--split", "test,test"),
            "splits test, test, expected each once",
        ),
    ],
)
def test_mistakes(arguments: tuple[str, ...], message: str, cli: CommandLine, table: Path) -> None:
    assert message in cli.bad("poison", *arguments, *QUICK)
    assert sorted(path.name for path in Path().iterdir()) == ["mine.csv", "mine.toml"]


@pytest.mark.parametrize(
    ("targets", "kind", "message"),
    [
        ({"y": [0, 1] * 5, "z": [1] * 10}, "classification", "all points of task 'z' have label 1"),
        ({"y": [0, 1] * 5, "z": [1] + [0] * 9}, "classification", "task 'z' has 1 point of class 1, expected two"),
        ({"y": range(10), "z": [3] * 10}, "regression", "all labels of target 'z' are 3: it has no error to be told"),
    ],
)
def test_tasks_that_cannot_be_learned_leave_no_folder(
    targets: dict[str, list[int]], kind: str, message: str, cli: CommandLine
) -> None:
    rows = zip(range(10), *targets.values(), strict=True)
    Path("bad.csv").write_text("\n".join(["a,y,z", *(",".join(map(str, row)) for row in rows)]) + "\n")
    Path("bad.toml").write_text(f'file = "bad.csv"\nkind = "{kind}"\ntargets = ["y", "z"]\n')
    assert message in cli.bad("poison", "bad.toml", *QUICK, "--targets", "z" if kind == "regression" else "y")
    assert sorted(path.name for path in Path().iterdir()) == ["bad.csv", "bad.toml"]


def test_tasks_of_whole_images(cli: CommandLine) -> None:
    command = ("--model", "rooms-resnet10t.shared", "--limit", 24, "--iterations", 1, "--seeds", 1)
    out = cli.good("poison", "rooms", *command, "--method", "patom", "--mode", "direct", "--out", "out")
    assert "rooms-rooms-resnet10t.shared (" in out and "tasks of regression" in out
