"""The pages, without a browser: links, text that stays text, numbers, and what is written where."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from leaderboard_toys import row_of
from pages_toys import HOSTILE, Page, begun, hostile_row, parse_page, read_page, stored_by_hand, varied_board

from mtlattack.analysis.record import Interval
from mtlattack.cli import main
from mtlattack.errors import InputError
from mtlattack.evidence import Evidence
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.pages.charts.lettering import significant
from mtlattack.leaderboard.pages.charts.quantities import eps_text
from mtlattack.leaderboard.ledger import read_ledger, statuses
from mtlattack.leaderboard.pages import build_pages
from mtlattack.leaderboard.pages.formats import brackets, degree, duration, in_unit, size
from mtlattack.leaderboard.pages.row_view import commands, valid_link
from mtlattack.leaderboard.pages.site import pages
from mtlattack.leaderboard.rows.schema import Row
from mtlattack.leaderboard.standings import stand, strongest


@pytest.fixture(scope="module")
def shared_board(tmp_path_factory: pytest.TempPathFactory, tiny_evidence: Evidence) -> Board:
    return varied_board(tmp_path_factory.mktemp("pages") / "leaderboard", *row_of(tiny_evidence))


@pytest.fixture(scope="module")
def site(shared_board: Board) -> Path:
    """The pages of seven rows."""
    return build_pages(shared_board, shared_board.root / "pages").parent


def test_every_page_is_there(site: Path, shared_board: Board) -> None:
    found = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    rows = {f"rows/{stored.id}.html" for stored in shared_board.read_all()}
    assert found == {"index.html", "compare.html", "suites/tiny-v1.html"} | rows


def test_links_lead_to_files(site: Path) -> None:
    for path in site.rglob("*.html"):
        page = read_page(path)
        targets = [*page.values("href"), *page.values("src")]
        assert any(target.endswith("index.html") for target in targets)
        for target in targets:
            if target.startswith("https://"):
                assert target == "https://example.org/paper?a=1&b=2"
                continue
            assert ":" not in target
            address, _, fragment = target.partition("#")
            file = (path.parent / unquote(address)).resolve() if address else path
            assert file.is_file(), f"{path}: {target}"
            if fragment:
                assert fragment in read_page(file).ids, f"{path}: {target}"


def test_ids_are_unique_and_references_resolve(site: Path) -> None:
    for path in site.rglob("*.html"):
        page = read_page(path)
        assert len(page.ids) == len(set(page.ids)), path
        for attribute in ("aria-labelledby", "aria-describedby", "for"):
            for value in page.values(attribute):
                assert set(value.split()) <= set(page.ids), f"{path}: {value}"


def test_pages_say_what_they_may_load_and_keep_to_it(site: Path) -> None:
    for path in site.rglob("*.html"):
        page = read_page(path)
        policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
        assert policy is not None and policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert not "".join(page.scripts).strip()
        for tag, attributes in page.tags:
            assert not any(name.startswith("on") or name == "style" for name in attributes), (path, tag, attributes)
        assert [tag for tag, _ in page.tags].count("main") == 1
        assert [tag for tag, _ in page.tags].count("h1") == 1
        tables = [tag for tag, _ in page.tags].count("table")
        assert [tag for tag, _ in page.tags].count("caption") == tables


def test_table_shows_the_rows_numbers(site: Path, shared_board: Board) -> None:
    page = read_page(site / "suites/tiny-v1.html")
    table = _table(page)
    tasks = [key.removeprefix("task-") for key in page.values("data-key") if key.startswith("task-")]
    assert sorted(tasks) == ["depth", "edge_texture", "keypoints2d", "normals", "segmentation"]
    rows = shared_board.read_all()
    standings = stand(rows, statuses(read_ledger(shared_board.ledger)))
    assert [line["id"] for line in table] == [standing.stored.id for standing in standings]
    ranks = [line["values"][0] for line in table]
    assert ranks == ["1", "2", "3", "4", "5", None, None]
    for line, standing in zip(table, standings, strict=True):
        entry = standing.strongest
        log, loss, arp, worst = line["values"][2:6]
        assert float(log) == pytest.approx(entry.log_ratio.value, rel=1e-5)
        assert float(loss) == pytest.approx(100 * (entry.loss_change.value or 0), rel=1e-5)
        assert arp is None if entry.arp.value is None else float(arp) == pytest.approx(100 * entry.arp.value, rel=1e-5)
        assert float(worst) == pytest.approx(100 * (entry.worst.value or 0), rel=1e-5)
        row = standing.stored.row
        shown = {"segmentation": ("miou", 100), "depth": ("rel_error", 1), "normals": ("angle_mean", 57.29577951)}
        metrics = [(task, *shown.get(task, ("l1", 1))) for task in tasks]
        for value, (task, metric, factor) in zip(line["values"][6:], metrics, strict=False):
            wanted = entry.metrics[task][metric].value
            assert wanted is not None and float(value) == pytest.approx(factor * wanted, rel=1e-5)
        assert row.model.name == line["values"][1]


def test_numbers_file_holds_every_level_and_attack(site: Path, shared_board: Board) -> None:
    data = _data(site / "suites/tiny-v1.js")
    rows = {stored.id: stored.row for stored in shared_board.read_all()}
    assert data["levels"] == ["2/255", "4/255"] and data["headline"] == 1
    for each in data["rows"]:
        row = rows[each["id"]]
        for level, eps in enumerate(sorted(row.threat.eps)):
            assert data["attacks"][each["strongest"][level]] == strongest(row, eps).name
            for attack, cells in zip(data["attacks"], each["numbers"][level], strict=True):
                entry = next(a for a in row.attacks if (a.name, a.eps) == (attack, eps))
                text, interval, *numbers = cells[0]
                found = entry.log_ratio
                assert numbers == pytest.approx([found.value, found.low, found.high], rel=1e-5)
                assert text == significant(found.value) and interval == brackets(found.low, found.high)
                assert len(cells) == len(data["quantities"])
    for level, ranks in enumerate(data["ranks"]):
        for view, places in enumerate(ranks):
            counting = [i for i, place in enumerate(places) if place is not None]
            assert len(counting) == 5
            order = sorted(counting, key=lambda i: _log(data["rows"][i], level, view))
            assert [places[i] for i in order] == [1, 2, 3, 4, 5]


def test_row_page_tells_all(site: Path, shared_board: Board) -> None:
    events = read_ledger(shared_board.ledger)
    for stored in shared_board.read_all():
        page, row = read_page(site / f"rows/{stored.id}.html"), stored.row
        hashes = [row.suite.sha256, row.model.weights_sha256, row.model.checkpoint_sha256, row.evidence.sha256]
        for wanted in [stored.id, *hashes, *row.data.sha256.values(), row.environment.command]:
            assert wanted in page.text
        for version in row.environment.versions.values():
            assert version in page.text
        for attack in row.attacks:
            assert attack.name in page.text and significant(attack.log_ratio.value) in page.text
        for event in (event for event in events if event.row == stored.id):
            assert event.status in page.text and event.note in page.text
        for flag in row.flags:
            assert flag.seen in page.text and "Two calls on the same batch differ" in page.text
        assert f"mtlattack leaderboard verify {stored.id}" in page.text


def test_commands_name_what_the_reader_needs(tiny_evidence: Evidence, tmp_path: Path) -> None:
    row, _ = row_of(tiny_evidence)
    stored = stored_by_hand(row, tmp_path)
    assert commands(stored)[0] == "mtlattack run tiny --model rooms-resnet10t.shared"
    other = row.model_copy(
        update={
            "model": row.model.model_copy(update={"name": "$(rm -rf x)"}),
            "data": row.data.model_copy(update={"name": "my data"}),
        }
    )
    assert commands(stored_by_hand(other, tmp_path))[0] == (
        "mtlattack run tiny --model CHECKPOINT.safetensors --data 'my data'.h5"
    )


@pytest.mark.parametrize("sign", [" ", "="])
def test_commands_name_the_factory_of_a_model(sign: str, tiny_evidence: Evidence, tmp_path: Path) -> None:
    row, _ = row_of(tiny_evidence, name="mine")

    def shown(typed: str) -> list[str]:
        command = f"mtlattack run tiny --model{sign}{typed} --checkpoint w.pth"
        environment = row.environment.model_copy(update={"command": command})
        return commands(stored_by_hand(row.model_copy(update={"environment": environment}), tmp_path))

    run, verify = shown("my_model:make")
    assert run == "mtlattack run tiny --model my_model:make --checkpoint CHECKPOINT"
    assert verify.endswith(" --model my_model:make --checkpoint CHECKPOINT")
    for typed in ("a:b;reboot", "'a:b c'", "$(a:b)", "models/mine.safetensors"):
        assert shown(typed)[0] == "mtlattack run tiny --model CHECKPOINT.safetensors"


def test_hostile_text_stays_text(tiny_evidence: Evidence, tmp_path: Path) -> None:
    row, _ = row_of(tiny_evidence)
    harmless = _pages([hostile_row(row, "harm.less")], tmp_path)
    known = {tag for text in harmless.values() for tag, _ in parse_page(text).tags}
    for text in HOSTILE:
        found = _pages([hostile_row(row, text)], tmp_path)
        for path, content in found.items():
            page = parse_page(content)
            assert {tag for tag, _ in page.tags} <= known, path
            assert not "".join(page.scripts).strip()
            assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
            assert all(not value.lower().startswith(("javascript:", "http://")) for value in page.values("href"))
            assert text in page.text, path
            assert "1337" not in page.text  # 7 · 191: no template in text is run


def test_hostile_text_in_the_numbers_file_is_a_value(tiny_evidence: Evidence, tmp_path: Path) -> None:
    row, _ = row_of(tiny_evidence)
    for text in HOSTILE:
        rows = [stored_by_hand(hostile_row(row, text), tmp_path)]
        script = next(text for path, text in pages(rows, begun(rows), tmp_path) if path.endswith(".js"))
        assert not set(script) & set("<>&'") and script.isascii()
        data = json.loads(script.removeprefix("globalThis.mtlattackData = ").removesuffix(";\n"))
        assert data["rows"][0]["name"] == text and data["attacks"][0].startswith(text)


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "http://example.org", "https://x.org/\n<b>", "//x.org", "data:text/html,x", "https://", ""],
)
def test_links_that_are_no_https_address_stay_text(link: str, tiny_evidence: Evidence, tmp_path: Path) -> None:
    assert valid_link(link) is None
    row, _ = row_of(tiny_evidence)
    row = row.model_copy(update={"model": row.model.model_copy(update={"paper": link, "code": "https://x.org/a"})})
    stored = stored_by_hand(row, tmp_path)
    page = parse_page(_pages([row], tmp_path)[f"rows/{stored.id}.html"])
    outside = [a for tag, a in page.tags if tag == "a" and "rel" in a]
    assert link not in page.values("href")
    assert ("https://x.org/a", "noopener nofollow") in [(a["href"], a["rel"]) for a in outside]


def test_same_board_gives_the_same_bytes(shared_board: Board) -> None:
    out = shared_board.root / "again"
    first = _contents(build_pages(shared_board, out).parent)
    assert _contents(build_pages(shared_board, out).parent) == first
    assert not list(shared_board.root.glob(".again*"))


def test_as_of_the_last_event(site: Path, shared_board: Board) -> None:
    last = max(event.at for event in read_ledger(shared_board.ledger))
    assert f"As of {last:%Y-%m-%d %H:%M} UTC" in read_page(site / "index.html").text


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_never_writes_over_what_is_not_ours(kind: str, board: Board, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    if kind == "folder":
        out.mkdir()
        (out / "thesis.tex").write_text("years")
    elif kind == "file":
        out.write_text("years")
    else:
        (tmp_path / "target").mkdir()
        out.symlink_to(tmp_path / "target")
    with pytest.raises(InputError, match="mine"):
        build_pages(board, out)
    assert kind != "folder" or (out / "thesis.tex").read_text() == "years"
    assert kind != "file" or out.read_text() == "years"


def test_a_row_that_cannot_be_read_fails_the_build_and_leaves_the_pages(board: Board) -> None:
    out = board.root / "pages"
    build_pages(board, out)
    before = _contents(out)
    path = board.listing().rows[0]
    path.write_text(path.read_text().replace('"seed":0', '"seed":1', 1))
    with pytest.raises(InputError, match=path.name):
        build_pages(board, out)
    assert _contents(out) == before and not list(board.root.glob(".pages*"))


def test_a_row_that_cannot_be_shown_is_named(tiny_evidence: Evidence, tmp_path: Path) -> None:
    row, _ = row_of(tiny_evidence)
    task = row.tasks["depth"].model_copy(update={"config": {"kind": "no such task"}})
    stored = stored_by_hand(row.model_copy(update={"tasks": {"depth": task}}), tmp_path)
    with pytest.raises(InputError, match=f"{stored.id}.*no such task"):
        list(pages([stored], [], tmp_path))


def test_evidence_that_is_missing_is_said(board: Board) -> None:
    stored = board.read_all()[0]
    stored.evidence_path.unlink()
    page = read_page(build_pages(board, board.root / "pages").parent / f"rows/{stored.id}.html")
    assert "missing" in page.text and not any(value.endswith(".xz") for value in page.values("href"))


def test_pictures_stand_on_the_pages_of_rows_that_have_one(shared_board: Board) -> None:
    def draw(row: Row, path: Path) -> Path | None:
        if row.model.name != "toy-1":
            return None
        path.parent.mkdir(parents=True)
        path.write_bytes(b"PNG")
        return path

    out = build_pages(shared_board, shared_board.root / "drawn", draw).parent
    for stored in shared_board.read_all():
        images = [attributes for tag, attributes in read_page(out / f"rows/{stored.id}.html").tags if tag == "img"]
        assert len(images) == (stored.row.model.name == "toy-1")
        for image in images:
            assert (out / "rows" / str(image["src"])).read_bytes() == b"PNG"
            assert "Labels of the suite's first image" in str(image["alt"])


def test_an_empty_board_has_pages(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    page = read_page(build_pages(Board(tmp_path), tmp_path / "pages"))
    assert "There are no rows yet" in page.text and "The ledger is empty" in page.text


def test_versions_have_pages_of_their_own(tiny_evidence: Evidence, tmp_path: Path) -> None:
    row, _ = row_of(tiny_evidence)
    newer = row.model_copy(update={"suite": row.suite.model_copy(update={"version": 12})})
    found = _pages([row, newer], tmp_path)
    assert {"suites/tiny-v1.html", "suites/tiny-v12.html"} <= set(found)
    index = parse_page(found["index.html"])
    assert [value for value in index.values("href") if value.startswith("suites/")] == [
        "suites/tiny-v12.html", "suites/tiny-v12.html", "suites/tiny-v1.html"
    ]  # fmt: skip


def test_command_line(board: Board, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["mtlattack", "leaderboard", "build", "--board", str(board.root)])
    with pytest.raises(SystemExit) as stopped:
        main()
    printed = Path(capsys.readouterr().out.strip())
    assert not stopped.value.code and printed == board.root / "pages" / "index.html" and printed.is_file()
    monkeypatch.setattr("sys.argv", ["mtlattack", "leaderboard", "build", "--board", str(board.root / "rows" / "no")])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0"), (-0.0, "0"), (5.978, "5.98"), (39.06, "39.1"), (9.996, "10.0"), (0.99951, "1.00"),
     (-117.2, "−117"), (12345.0, "12,300"), (0.01234, "0.0123"), (0.0001, "0.000100"), (1.5e-7, "1.5e−07")],
)  # fmt: skip
def test_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert significant(value) == text


def test_units_and_sizes() -> None:
    interval = Interval(value=0.391, low=0.35, high=0.4)
    assert (in_unit(interval, "%").text, in_unit(interval, "%").interval) == ("39.1", "[35.0, 40.0]")
    assert in_unit(Interval(value=1.0, low=None, high=None), "°").text == "57.3"
    assert [eps_text(e, n) for e, n in ((4 / 255, "linf"), (0.5, "l2"), (10, "l0"), (0.02, "patch"))] == [
        "4/255", "0.5", "10 px", "2 %"
    ]  # fmt: skip
    assert [degree(x) for x in (None, 1.0, 0.68, 0.0)] == ["–", "1", "0.68", "0"]
    assert [duration(x) for x in (43.1, 600, 10_000)] == ["43.1 s", "10 min", "2.8 h"]
    assert [size(x) for x in (5, 5_000, 3_100_000)] == ["5 B", "5 kB", "3.1 MB"]


def _pages(rows: Sequence[Row], folder: Path) -> dict[str, str]:
    stored: list[StoredRow] = [stored_by_hand(row, folder) for row in rows]
    return {path: text for path, text in pages(stored, begun(stored), folder) if path.endswith(".html")}


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _data(path: Path) -> dict[str, Any]:
    match = re.fullmatch(r"globalThis\.mtlattackData = (.*);\n", path.read_text())
    assert match is not None
    return json.loads(match[1])


def _log(row: dict[str, Any], level: int, view: int) -> float:
    attack = row["strongest"][level] if view == 0 else view - 1
    return row["numbers"][level][attack][0][2]


def _table(page: Page) -> list[dict[str, Any]]:
    """Of each line the row's id and the values to sort by, in the order of the columns."""
    lines: list[dict[str, Any]] = []
    for tag, attributes in page.tags:
        if tag == "tr" and "data-row" in attributes:
            lines.append({"id": attributes["data-row"], "values": []})
        elif tag in ("td", "th") and lines and attributes.get("class") != "pick js-only":
            lines[-1]["values"].append(attributes.get("data-value"))
    return lines
