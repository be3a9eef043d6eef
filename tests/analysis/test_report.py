"""Records and how they read: JSON without NaN, tables of 100 columns, Markdown, CSV, pictures."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_toys import hand_evidence, outcome, random_outcome
from printing_toys import assert_fits
from rich.console import Console, Group

from mtlattack.analysis import Interval, Record
from mtlattack.analysis.comparison import render_comparison
from mtlattack.analysis.plots import plot_record
from mtlattack.analysis.record import GoalResult
from mtlattack.analysis.tables import SUMMARIES, compact_interval, headline, render, render_text, to_csv, to_markdown
from mtlattack.attacks import list_attacks
from mtlattack.errors import InputError
from mtlattack.evidence import Evidence
from mtlattack.printing import width_of
from mtlattack.tasks import Depth, EdgeTexture, Keypoints2D, Normals, Segmentation, Task

THREE: list[Task] = [Segmentation(13), Depth(), Normals()]
FIVE: list[Task] = [*THREE, EdgeTexture(), Keypoints2D()]
EDGES: list[Task] = [EdgeTexture(), Keypoints2D()]


def evidence_of(tasks: list[Task], attacks: int = 20, eps: tuple[float, ...] = (4 / 255,)) -> Evidence:
    """Attacks of growing strength, the longest names among them; the last multiplies losses by a hundred."""
    by_name, rng = {task.name: task for task in tasks}, np.random.default_rng(0)
    names = [f"{step}-{a}" for step in ("apgd", "fgsm", "pgd") for a in ("dgba", "signsum", "total")]
    names = sorted([*names, *list_attacks("*pgd-single:*", tasks=list(by_name))])[:attacks]
    factors = np.geomspace(1.1, 100, len(names))
    outcomes = {name: random_outcome(by_name, 12, rng, factor) for name, factor in zip(names, factors, strict=True)}
    return hand_evidence(tasks, random_outcome(by_name, 12, rng), outcomes, eps)


def undefined_evidence() -> Evidence:
    """Nothing valid for keypoints, and edges that are perfect on clean images."""
    clean = outcome([[0.0, 0.0]], edge_texture=[[10, 0]], keypoints2d=[[0, 0]])
    attacked = outcome([[2.0, 0.0]], edge_texture=[[10, 3]], keypoints2d=[[0, 0]])
    return hand_evidence(EDGES, clean, {"pgd-total": attacked})


def no_constant(name: str) -> Any:
    raise AssertionError(f"{name} is not JSON")


# --- the record


@pytest.mark.parametrize("evidence", [evidence_of(FIVE), undefined_evidence()], ids=["full", "undefined"])
def test_record_is_strict_json_and_reads_itself(evidence: Evidence) -> None:
    record = evidence.report().record
    text = record.model_dump_json(indent=1)
    content = json.loads(text, parse_constant=no_constant)
    assert content["format"] == "mtlattack-record" and "NaN" not in text
    assert Record.model_validate_json(text) == record
    assert evidence.report().record == record


def test_undefined_is_null() -> None:
    content = json.loads(undefined_evidence().report().record.model_dump_json())
    attack = content["attacks"][0]
    assert content["clean"] == {"edge_texture": {"l1": 0.0}, "keypoints2d": {"l1": None}}
    assert content["clean_losses"] == {"edge_texture": 0.0, "keypoints2d": None}
    assert attack["relative"] == {"edge_texture": {"l1": None}, "keypoints2d": {"l1": None}}
    assert attack["arp"] == attack["worst"] == {"value": None, "low": None, "high": None}
    assert attack["log_ratio"]["value"] == pytest.approx(np.log(2e8))


def test_schema_explains_the_record() -> None:
    schema = Record.model_json_schema()
    assert json.loads(json.dumps(schema)) == schema and schema["additionalProperties"] is False
    assert {"clean", "attacks", "data"} <= set(schema["required"])
    assert "negative is worse" in schema["$defs"]["AttackResult"]["properties"]["relative"]["description"]


def test_record_refuses_what_is_no_record() -> None:
    content = evidence_of(THREE, 1).report().record.model_dump()
    for change in ({"format": "other"}, {"format_version": 4}, {"extra": 1}, {"clean": {"depth": {"rmse": "good"}}}):
        with pytest.raises(ValueError, match="validation error"):
            Record.model_validate(content | change)


# --- tables


def test_a_long_name_makes_a_wide_table_and_is_not_cut() -> None:
    by_name, rng = {task.name: task for task in FIVE}, np.random.default_rng(0)
    clean, hurt = random_outcome(by_name, 12, rng), random_outcome(by_name, 12, rng, 2.0)
    record = hand_evidence(FIVE, clean, {"universal-protected:principal_curvature": hurt}).report().record
    lines = render_text(record).splitlines()
    assert sum(line.startswith("universal-protected:principal_curvature ") for line in lines) == 2
    assert not [line for line in lines if "…" in line]


@pytest.mark.parametrize("tasks", [THREE, FIVE], ids=["T=3", "T=5"])
def test_tables_fit_into_their_width(tasks: list[Task]) -> None:
    record = evidence_of(tasks, eps=(1 / 255, 16 / 255)).report().record
    lines = render_text(record).splitlines()
    assert max(map(len, lines)) <= width_of(render(record)) <= 130
    assert not [line for line in lines if "…" in line]
    for result in record.attacks:
        assert sum(line.split()[:1] == [result.name] for line in lines) == 4  # two tables for each of two ε
    assert str(evidence_of(tasks).report()).startswith("suite quick v1 · nyuv2-resnet10t.separate (1.23 M parameters")


def test_no_table_loses_a_digit_on_a_narrow_terminal() -> None:
    record = evidence_of(FIVE, 3).report().record
    distances = ("before", "after", "gone", "moved", "loss_before", "loss_after")
    goal = GoalResult(target="x1.5", unit="m", **dict.fromkeys(distances, record.attacks[0].arp))
    aimed = record.attacks[0].model_copy(update={"goals": {"depth": goal}})
    assert_fits(render(record.model_copy(update={"attacks": [aimed, *record.attacks[1:]]})))
    assert_fits(Group(render_comparison([record, record])), encoding="ascii")


def test_the_worst_task_is_named() -> None:
    record = evidence_of(FIVE, 2).report().record
    first = record.attacks[0]
    assert f" {first.worst_task} " in to_markdown(record)
    rows = list(csv.DictReader(io.StringIO(to_csv(record))))
    assert [row["task"] for row in rows if row["quantity"] == "worst task"] == [r.worst_task for r in record.attacks]


def test_a_report_in_python_is_as_wide_as_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    report = evidence_of(FIVE).report()
    wide = str(report)
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, str(report).splitlines())) <= 60 < max(map(len, wide.splitlines()))


def test_stars_mark_the_strongest_in_each_column() -> None:
    record = evidence_of(FIVE).report().record
    strengths = {
        "arp %": {r.name: -(r.arp.value or 0) for r in record.attacks},
        "loss change %": {r.name: r.loss_change.value or 0 for r in record.attacks},
        "log loss ratio": {r.name: r.log_ratio.value or 0 for r in record.attacks},
        "worst task %": {r.name: -(r.worst.value or 0) for r in record.attacks},
    }
    rows = [line[2:-2].split(" | ") for line in to_markdown(record).splitlines() if line.startswith("| ")]
    for title, by_attack in strengths.items():
        column = rows[0].index(title)
        assert [row[0] for row in rows if "★" in row[column]] == [f"`{max(by_attack, key=by_attack.__getitem__)}`"]
    table = [line for line in render_text(record).splitlines() if "★" in line]
    assert sum(line.count("★") for line in table[:-1]) == 4 and "strongest" in table[-1]


def test_one_attack_needs_no_star() -> None:
    assert "★" not in to_markdown(evidence_of(THREE, 1).report().record)


def test_no_change_has_no_sign() -> None:
    clean = evidence_of(THREE).clean
    text = render_text(hand_evidence(THREE, clean, {"pgd-total": clean}).report().record)
    assert "-0" not in text and text.count("+0%") == 3 and "0 [0,0]" in text and "0.00 [0.00,0.00]" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-1.524, "-152"),
        (9.994, "999"),
        (9.996, "1.0k"),
        (-12.34, "-1.2k"),
        (99.6, "10k"),
        (1234, "123k"),
        (-0.004, "0"),
    ],
)
def test_large_numbers_stay_short(value: float, text: str) -> None:
    assert compact_interval(Interval(value=value, low=value, high=value), percent=True) == f"{text} [{text},{text}]"


def test_undefined_is_a_dash() -> None:
    record = undefined_evidence().report().record
    assert "– [–,–]" in render_text(record) and "–" in to_markdown(record)
    assert "None" not in render_text(record) + to_markdown(record)


@pytest.mark.parametrize("attacks", [0, 1, 14])
def test_markdown_rows_have_equal_columns(attacks: int) -> None:
    record = evidence_of(FIVE, attacks).report().record
    rows = [line for line in to_markdown(record).splitlines() if line.startswith("|")]
    assert len(rows) == 3 + attacks and len({row.count("|") for row in rows}) == 1
    assert f"| clean | {record.clean['segmentation']['miou']:.1f} |" in rows[2]


@pytest.mark.parametrize("evidence", [evidence_of(FIVE, 3), undefined_evidence()], ids=["full", "undefined"])
def test_csv_holds_the_numbers_of_the_record(evidence: Evidence) -> None:
    record = evidence.report().record
    lines = list(csv.DictReader(io.StringIO(to_csv(record))))
    found = {(line["attack"], line["task"], line["quantity"]): line for line in lines}
    assert len(found) == len(lines)
    metrics = sum(len(values) for values in record.clean.values())
    assert len(lines) == metrics + len(record.attacks) * (2 * metrics + len(SUMMARIES))

    def number(attack: str, task: str, quantity: str, column: str = "value") -> float | None:
        text = found[attack, task, quantity][column]
        return float(text) if text else None

    for task, values in record.clean.items():
        for metric, value in values.items():
            assert number("clean", task, metric) == value
    for result in record.attacks:
        for task, values in result.metrics.items():
            for metric, value in values.items():
                assert number(result.name, task, metric) == value
                assert number(result.name, task, f"relative {metric}") == result.relative[task][metric]
        assert number(result.name, "all", "arp") == result.arp.value
        assert number(result.name, "all", "log loss ratio", "low") == result.log_ratio.low
        assert float(found[result.name, "all", "arp"]["eps"]) == result.eps


def test_comparison_has_a_column_a_run() -> None:
    first, second = (evidence_of(FIVE, n).report().record for n in (3, 5))
    console = Console(width=100, file=io.StringIO())
    with console.capture() as capture:
        console.print(render_comparison([first, second]))
    lines = capture.get().splitlines()
    assert max(map(len, lines)) <= 100
    rows = {line.split()[0]: line.split()[3:] for line in lines[3:]}
    assert list(rows) == [result.name for result in second.attacks]
    assert [cells[0] for cells in rows.values()][3:] == ["–", "–"]
    for column, record in ((0, first), (2, second)):
        for result in record.attacks[:3]:
            assert rows[result.name][column] == compact_interval(result.arp, percent=True).split()[0]


# --- pictures


def test_plot_is_a_png(tmp_path: Path) -> None:
    record = evidence_of(FIVE, eps=(4 / 255, 1 / 255)).report().record
    path = plot_record(record, tmp_path / "new" / "run.png")
    assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 20_000


def test_plot_of_what_is_undefined(tmp_path: Path) -> None:
    assert plot_record(undefined_evidence().report().record, tmp_path / "run.png").is_file()
    clean = evidence_of(THREE, 0).report().record
    with pytest.raises(InputError, match="a clean run has nothing to plot"):
        plot_record(clean, tmp_path / "clean.png")


def test_the_heading_says_what_was_changed_of_a_suite() -> None:
    record = evidence_of(THREE, 1).report().record
    changed = record.model_copy(
        update={"suite": {"name": "quick", "version": 1, "overrides": {"limit": 2, "eps": [8]}}}
    )
    assert headline(changed) == [*headline(record), "unlike the suite in: limit, eps"]
