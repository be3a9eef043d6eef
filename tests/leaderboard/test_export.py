"""`leaderboard export`: what is written is read back, and is what the rows say."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from checking_toys import changed
from command_toys import bad, good, hopeless, mark, of_version, put, variant, without_skill
from leaderboard_toys import MODEL, row_of, store

from mtlattack.analysis import Record
from mtlattack.evidence import Evidence
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.ledger import read_ledger, statuses
from mtlattack.leaderboard.rows.identity import row_id
from mtlattack.leaderboard.rows.schema import SCHEMA_VERSION, Row
from mtlattack.leaderboard.showing.bibtex import latex, to_bibtex
from mtlattack.leaderboard.showing.exports import csv_columns, guard, to_csv

FORMULA = '=HYPERLINK("https://b.example","a, b")'
# By hand, not by the code under test.
PRINTED = {
    r"\textbackslash{}": "\\", r"\textbraceleft{}": "{", r"\textbraceright{}": "}", r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^", r"\textless{}": "<", r"\textgreater{}": ">", r"\textbar{}": "|",
    r"\textquotedbl{}": '"', "{@}": "@", r"\&": "&", r"\%": "%", r"\$": "$", r"\#": "#", r"\_": "_",
}  # fmt: skip


def hostile(row: Row, name: str) -> Row:
    """The row with a submitter called so."""
    return row.model_copy(update={"submitted": row.submitted.model_copy(update={"name": name})})


def lines_of(board: Board) -> list[dict[str, str]]:
    text = to_csv(board.read_all(), statuses(read_ledger(board.ledger)))
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_csv_has_the_columns_of_the_board_exactly(board: Board, stored: StoredRow) -> None:
    mark(board, stored, "verified")
    record, lines = stored.record, lines_of(board)
    assert list(lines[0]) == csv_columns()
    assert [float(line["eps"]) for line in lines] == [2 / 255, 4 / 255]
    assert record.clean_skill is not None
    for line in lines:
        assert (line["row"], line["status"], line["rank"], line["model"]) == (stored.id, "verified", "1", MODEL)
        assert (line["suite"], line["suite_version"], line["norm"]) == ("tiny", "1", "linf")
        eps = float(line["eps"])
        robust = next(each for each in record.robust_skill if each.eps == eps)
        attack = next(each for each in record.attacks if (each.name, each.eps) == (line["strongest_attack"], eps))
        assert line["worst_task"] == robust.skill.worst_task
        for key, interval in (
            ("clean_skill", record.clean_skill.mean),
            ("robust_skill", robust.skill.mean),
            ("worst_skill", robust.skill.worst),
            ("log_ratio", attack.log_ratio),
            ("arp", attack.arp),
        ):
            found = [float(line[name]) for name in (key, f"{key}_low", f"{key}_high")]
            assert found == [interval.value, interval.low, interval.high]


def test_ranks_in_the_csv_are_of_each_eps(board: Board, stored: StoredRow, tiny_evidence: Evidence) -> None:
    store(board.root, *row_of(hopeless(tiny_evidence, len(tiny_evidence.attacked) // 2), name="mixed"))
    found = {(line["model"], round(float(line["eps"]) * 255)): line["rank"] for line in lines_of(board)}
    assert found == {("mixed", 2): "1", (MODEL, 2): "1", ("mixed", 4): "2", (MODEL, 4): "1"}


def test_what_is_undefined_is_an_empty_cell(board: Board, tiny_evidence: Evidence) -> None:
    store(board.root, *row_of(without_skill(tiny_evidence), name="old"))
    for line in lines_of(board):
        if line["model"] == "old":
            assert {line[key] for key in ("rank", "clean_skill", "robust_skill", "worst_task")} == {""}
            assert line["log_ratio"]


def test_no_cell_of_the_csv_is_a_formula(board: Board, tiny_evidence: Evidence) -> None:
    def change(evidence: Evidence) -> None:
        for place in [*(planned["config"] for planned in evidence.plan["attacks"]), *evidence.plan["ensembles"]]:
            place["name"] = "@" + place["name"]

    row, packed = row_of(changed(tiny_evidence, change), name="other", adversarial_training="+cmd|x")
    store(board.root, hostile(row, FORMULA), packed)
    lines = [line for line in lines_of(board) if line["model"] == "other"]
    assert {line["submitter"] for line in lines} == {"'" + FORMULA}
    assert {line["training"] for line in lines} == {"'+cmd|x"}
    assert all(line["strongest_attack"].startswith("'@") for line in lines)
    for line in lines:
        for column, cell in line.items():
            if cell.startswith(("=", "+", "-", "@", "\t")):
                assert float(cell) < 0, column


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\ta", "\ra", "＝1"])
def test_guarded_texts(text: str) -> None:
    assert guard(text) == "'" + text
    assert guard("a" + text) == "a" + text


def test_json_gives_back_the_same_rows(board: Board, stored: StoredRow) -> None:
    other = put(board, stored, hostile(variant(stored.row, name="other"), 'Zoë "=1" \\'))
    mark(board, other, "retracted")
    found = json.loads(good("export", "json", "--board", board.root))
    assert {entry["id"]: entry["status"] for entry in found} == {stored.id: "self-reported", other.id: "retracted"}
    for entry in found:
        assert row_id(entry["document"]) == entry["id"] and entry["document"]["schema_version"] == SCHEMA_VERSION
        assert Row.model_validate(entry["document"]) in (stored.row, other.row)
        assert Record.model_validate(entry["record"]) == stored.record


def entries(text: str) -> list[tuple[str, dict[str, str]]]:
    """Key and fields of BibTeX entries, read by counting braces as BibTeX does: behind a backslash as well."""
    found = []
    while text := text.strip():
        head = re.match(r"@misc\{([A-Za-z0-9-]+),\n", text)
        assert head, text[:80]
        key, text, fields = head[1], text[head.end() :], {}
        while field := re.match(r"  ([a-z]+) = \{", text):
            depth, end = 1, field.end()
            while depth:
                depth += {"{": 1, "}": -1}.get(text[end], 0)
                end += 1
            fields[field[1]] = text[field.end() : end - 1]
            assert text[end : end + 2] == ",\n"
            text = text[end + 2 :]
        assert text.startswith("}")
        text = text[1:]
        found.append((key, fields))
    return found


def printed(text: str) -> str:
    """What LaTeX prints."""
    return re.sub("|".join(map(re.escape, PRINTED)), lambda match: PRINTED[match[0]], text)


def test_rows_that_count_are_cited(board: Board, stored: StoredRow) -> None:
    name = r"}{ \ @article{x, and Knuth & 50% $1 #2 a_b ^ ~ < > | \" \%"
    paper = variant(stored.row, name="a_model", paper="https://example.org/a%20b?c=d&e_f#g", code="https://b.example")
    other = put(board, stored, hostile(paper, name))
    code = put(board, stored, variant(stored.row, name="third", code="https://b.example/x"))
    gone = put(board, stored, variant(stored.row, name="gone"))
    mark(board, gone, "retracted")
    mark(board, other, "disputed")
    found = dict(entries(good("export", "bibtex", "--board", board.root)))
    assert set(found) == {f"mtlattack-{row.id}" for row in (stored, other, code)}
    fields = found[f"mtlattack-{other.id}"]
    assert fields["author"].startswith("{") and fields["author"].endswith("}")
    assert printed(fields["author"][1:-1]) == name
    assert fields["title"] == r"{a\_model on tiny, version 1}"
    assert fields["year"] == str(other.row.submitted.at.year)
    assert fields["url"] == "https://example.org/a%20b?c=d&e_f#g"
    assert other.id in fields["note"] and "disputed" in fields["note"]
    [robust] = [each for each in stored.record.robust_skill if each.eps == 4 / 255]
    assert f"robust skill {robust.skill.mean.value:.2f} [" in printed(fields["note"])
    assert found[f"mtlattack-{code.id}"]["url"] == "https://b.example/x"
    assert "url" not in found[f"mtlattack-{stored.id}"]
    assert to_bibtex([], {}) == ""


def test_latex_is_balanced_and_prints_the_text() -> None:
    text = "".join(map(chr, range(32, 127))) + "é—ü"
    for sign in text:
        assert latex(sign).count("{") == latex(sign).count("}")
    assert printed(latex(text)) == text


def test_suites_and_files(board: Board, stored: StoredRow, tmp_path: Path) -> None:
    second = put(board, stored, of_version(stored.row, 2))
    out = tmp_path / "board.csv"
    assert good("export", "csv", "--suite", "tiny", "--out", out, "--board", board.root) == ""
    assert out.read_text() == good("export", "csv", "--board", board.root)
    lines = list(csv.DictReader(io.StringIO(out.read_text(), newline="")))
    assert {(line["row"], line["suite_version"]) for line in lines} == {(stored.id, "1"), (second.id, "2")}
    mistake = bad("export", "csv", "--suite", "tinny", "--board", board.root)
    assert mistake == "unknown suite 'tinny'; did you mean 'tiny'?"
    assert "cannot write" in bad("export", "json", "--out", tmp_path / "no" / "x.json", "--board", board.root)
