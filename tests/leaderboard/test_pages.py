"""The pages, without a browser: links, text that stays text, numbers, and what is written where."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from leaderboard_toys import row_of
from pages_toys import (
    HOSTILE,
    Page,
    begun,
    hostile_record,
    hostile_row,
    parse_page,
    read_page,
    stored_by_hand,
    varied_board,
)

from mtlattack.analysis import Interval, Record, Report
from mtlattack.analysis.tables import threat_text
from mtlattack.analysis.trust import CHECKS
from mtlattack.analysis.trust.meanings import FLAG_MEANINGS
from mtlattack.cli import main
from mtlattack.errors import InputError
from mtlattack.evidence import Evidence
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.formats import brackets, degree, duration, figure_of, significant, size
from mtlattack.leaderboard.ledger import read_ledger, statuses
from mtlattack.leaderboard.pages import build_pages
from mtlattack.leaderboard.pages.columns import MAIN_COLUMNS
from mtlattack.leaderboard.pages.site import pages
from mtlattack.leaderboard.records import attacks_at, robust_at, strongest, tasks_of
from mtlattack.leaderboard.rows.schema import Row
from mtlattack.leaderboard.showing.facts import commands, valid_link
from mtlattack.leaderboard.standings import Standing, stand


@pytest.fixture(scope="module")
def record(tiny_evidence: Evidence) -> Record:
    """What the tiny evidence says."""
    return Report.from_evidence(tiny_evidence).record


@pytest.fixture(scope="module")
def shared_board(tmp_path_factory: pytest.TempPathFactory, tiny_evidence: Evidence, record: Record) -> Board:
    return varied_board(tmp_path_factory.mktemp("pages") / "leaderboard", *row_of(tiny_evidence), record)


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
    keys = ["skill", "worst_skill", "arp", "loss_change", "log_ratio", "worst"]
    tasks = [key.removeprefix("task-") for key in page.values("data-key") if key.startswith("task-")]
    assert list(page.values("data-key"))[:9] == ["rank", "model", "clean", *keys]
    standings = _standings(shared_board)
    assert [line["id"] for line in table] == [standing.stored.id for standing in standings]
    # The two rows whose intervals overlap share the third place; one without skill has none, nor have withdrawn ones.
    assert [line["values"][0] for line in table] == ["1", "2", "3", "3", None, None, None]
    for line, standing in zip(table, standings, strict=True):
        record, robust, worst = standing.stored.record, standing.robust, standing.strongest
        skills = [None, None, None]
        if record.clean_skill and robust:
            skills = [x.value for x in (record.clean_skill.mean, robust.skill.mean, robust.skill.worst)]
        percents = [None if x.value is None else 100 * x.value for x in (worst.arp, worst.loss_change, worst.worst)]
        relative = [*percents[:2], worst.log_ratio.value, percents[2]]
        metrics = [worst.intervals[name][task.headline].value for name, task in tasks_of(record).items()]
        assert tasks == list(tasks_of(record))
        for found, wanted in zip(line["values"][2:], [*skills, *relative, *metrics], strict=False):
            assert found is None if wanted is None else float(found) == pytest.approx(wanted, rel=1e-5)
        assert line["values"][1] == standing.stored.row.model.name
        assert line["values"][9 + len(tasks)] == (robust.attack if robust else worst.name)
        if robust:
            assert f"{robust.skill.worst_task} {significant(robust.skill.worst.value)}".replace("_", " ") in page.text


def test_robust_skill_stands_at_every_eps(site: Path, shared_board: Board) -> None:
    text = read_page(site / "suites/tiny-v1.html").text
    for standing in _standings(shared_board):
        for robust in standing.stored.record.robust_skill:
            mean = robust.skill.mean
            assert f"{significant(mean.value)}{brackets(mean.low, mean.high)}" in text or not standing.counts


def test_numbers_file_holds_every_level_and_attack(site: Path, shared_board: Board) -> None:
    data = _data(site / "suites/tiny-v1.js")
    records = {stored.id: stored.record for stored in shared_board.read_all()}
    assert data["levels"] == ["linf 2/255", "linf 4/255"] and data["headline"] == 1
    keys = [each["key"] for each in data["quantities"]]
    assert keys[: len(MAIN_COLUMNS)] == [column.key for column in MAIN_COLUMNS] and "task-depth" in keys
    for each in data["rows"]:
        record = records[each["id"]]
        for level, eps in enumerate(sorted({attack.eps for attack in record.attacks})):
            together, *apart = each["views"][level]
            robust, worst = robust_at(record, eps), strongest(record, eps)
            assert together["attack"][0] == (robust.attack if robust else worst.name)
            skill = robust.skill.mean.value if robust else None
            assert together["cells"][0][2] == (None if skill is None else pytest.approx(skill, rel=1e-5))
            assert together["cells"][keys.index("log_ratio")][2] == pytest.approx(worst.log_ratio.value, rel=1e-5)
            for entry, view in zip(attacks_at(record, eps), apart, strict=True):
                text, interval, *numbers = view["cells"][keys.index("log_ratio")]
                found = entry.log_ratio
                assert numbers == pytest.approx([found.value, found.low, found.high], rel=1e-5)
                assert text == significant(found.value) and interval == brackets(found.low, found.high)
                assert view["attack"][0] == entry.name and len(view["cells"]) == len(keys)
    for level in range(2):
        for view in range(1 + len(data["attacks"])):
            shown = [each["views"][level][view] for each in data["rows"]]
            assert [each["rank"] for each in shown] == [1, 2, 3, 3, None, None, None]


def test_row_page_tells_all(site: Path, shared_board: Board) -> None:
    events = read_ledger(shared_board.ledger)
    for stored in shared_board.read_all():
        page, row, record = read_page(site / f"rows/{stored.id}.html"), stored.row, stored.record
        hashes = [row.suite.sha256, row.model.weights_sha256, row.model.checkpoint_sha256, row.evidence.sha256]
        for wanted in [stored.id, *hashes, *record.data["sha256"].values(), record.environment["command"]]:
            assert wanted in page.text
        for version in record.environment["versions"].values():
            assert version in page.text
        for attack in record.attacks:
            assert attack.name in page.text and threat_text(attack) in page.text
            for column in MAIN_COLUMNS:
                assert column.is_skill or column.figure(attack).text in page.text
            for task, metrics in attack.intervals.items():
                assert all(f"{significant(x.value)}{brackets(x.low, x.high)}" in page.text for x in metrics.values()), (
                    task
                )
        for robust in record.robust_skill:
            for skill in (robust.skill.mean, *robust.skill.tasks.values()):
                assert f"{significant(skill.value)}{brackets(skill.low, skill.high)}" in page.text
        for event in (event for event in events if event.row == stored.id):
            assert event.status in page.text and event.note in page.text
        for flag in record.flags:
            assert flag.seen in page.text and "Two calls on the same batch differ" in page.text
        assert f"mtlattack leaderboard verify {stored.id}" in page.text


def test_commands_name_what_the_reader_needs(tiny_evidence: Evidence, record: Record, tmp_path: Path) -> None:
    row, _ = row_of(tiny_evidence)
    stored = stored_by_hand(row, record, tmp_path)
    assert commands(stored)[0] == "mtlattack run tiny --model rooms-resnet10t.shared"
    other = row.model_copy(update={"model": row.model.model_copy(update={"name": "$(rm -rf x)"})})
    elsewhere = record.model_copy(update={"data": record.data | {"name": "my data"}})
    assert commands(stored_by_hand(other, elsewhere, tmp_path))[0] == (
        "mtlattack run tiny --model CHECKPOINT.safetensors --data 'my data'.h5"
    )


@pytest.mark.parametrize("sign", [" ", "="])
def test_commands_name_the_factory_of_a_model(
    sign: str, tiny_evidence: Evidence, record: Record, tmp_path: Path
) -> None:
    row, _ = row_of(tiny_evidence, name="mine")

    def shown(typed: str) -> list[str]:
        command = f"mtlattack run tiny --model{sign}{typed} --checkpoint w.pth"
        environment = record.environment | {"command": command}
        return commands(stored_by_hand(row, record.model_copy(update={"environment": environment}), tmp_path))

    run, verify = shown("my_model:make")
    assert run == "mtlattack run tiny --model my_model:make --checkpoint CHECKPOINT"
    assert verify.endswith(" --model my_model:make --checkpoint CHECKPOINT")
    for typed in ("a:b;reboot", "'a:b c'", "$(a:b)", "models/mine.safetensors"):
        assert shown(typed)[0] == "mtlattack run tiny --model CHECKPOINT.safetensors"


def test_hostile_text_stays_text(tiny_evidence: Evidence, record: Record, tmp_path: Path) -> None:
    row, _ = row_of(tiny_evidence)
    harmless = _pages([(hostile_row(row, "harm.less"), hostile_record(record, "harm.less"))], tmp_path)
    known = {tag for text in harmless.values() for tag, _ in parse_page(text).tags}
    for text in HOSTILE:
        found = _pages([(hostile_row(row, text), hostile_record(record, text))], tmp_path)
        for path, content in found.items():
            page = parse_page(content)
            assert {tag for tag, _ in page.tags} <= known, path
            assert not "".join(page.scripts).strip()
            assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
            assert all(not value.lower().startswith(("javascript:", "http://")) for value in page.values("href"))
            assert text in page.text, path
            assert "1337" not in page.text  # 7 · 191: no template in text is run


def test_hostile_text_in_the_numbers_file_is_a_value(tiny_evidence: Evidence, record: Record, tmp_path: Path) -> None:
    row, _ = row_of(tiny_evidence)
    for text in HOSTILE:
        rows = [stored_by_hand(hostile_row(row, text), hostile_record(record, text), tmp_path)]
        script = next(text for path, text in pages(rows, begun(rows), tmp_path) if path.endswith(".js"))
        assert not set(script) & set("<>&'") and script.isascii()
        data = json.loads(script.removeprefix("globalThis.mtlattackData = ").removesuffix(";\n"))
        assert data["rows"][0]["name"] == text and data["attacks"][0].startswith(text)


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "http://example.org", "https://x.org/\n<b>", "//x.org", "data:text/html,x", "https://", ""],
)
def test_links_that_are_no_https_address_stay_text(
    link: str, tiny_evidence: Evidence, record: Record, tmp_path: Path
) -> None:
    assert valid_link(link) is None
    row, _ = row_of(tiny_evidence)
    row = row.model_copy(update={"model": row.model.model_copy(update={"paper": link, "code": "https://x.org/a"})})
    stored = stored_by_hand(row, record, tmp_path)
    page = parse_page(_pages([(row, record)], tmp_path)[f"rows/{stored.id}.html"])
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
    path.write_text(path.read_text().replace('"licence":"MIT"', '"licence":"BSD"', 1))
    with pytest.raises(InputError, match=path.name):
        build_pages(board, out)
    assert _contents(out) == before and not list(board.root.glob(".pages*"))


def test_a_row_that_cannot_be_shown_is_named(tiny_evidence: Evidence, record: Record, tmp_path: Path) -> None:
    odd = record.model_copy(update={"tasks": [{"kind": "no such task"}]})
    stored = stored_by_hand(row_of(tiny_evidence)[0], odd, tmp_path)
    with pytest.raises(InputError, match=f"{stored.id}.*no such task"):
        list(pages([stored], [], tmp_path))


def test_a_row_whose_evidence_is_missing_has_no_numbers_to_show(board: Board) -> None:
    stored = board.read_all()[0]
    stored.evidence_path.unlink()
    with pytest.raises(InputError, match=stored.evidence_path.name):
        build_pages(board, board.root / "pages")


def test_every_flag_is_explained() -> None:
    assert set(CHECKS) <= set(FLAG_MEANINGS)


def test_pictures_stand_on_the_pages_of_rows_that_have_one(shared_board: Board) -> None:
    def draw(stored: StoredRow, path: Path) -> Path | None:
        if stored.row.model.name != "toy-1":
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


def test_versions_have_pages_of_their_own(tiny_evidence: Evidence, record: Record, tmp_path: Path) -> None:
    row, _ = row_of(tiny_evidence)
    newer = row.model_copy(update={"suite": row.suite.model_copy(update={"version": 12})})
    found = _pages([(row, record), (newer, record)], tmp_path)
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
    shown = figure_of(interval, percent=True)
    assert (shown.text, shown.interval, shown.value) == ("39.1", "[35.0, 40.0]", pytest.approx(39.1))
    assert figure_of(Interval(value=1.0, low=None, high=None)).text == "1.00"
    assert [degree(x) for x in (None, 1.0, 0.68, 0.0)] == ["–", "1", "0.68", "0"]
    assert [duration(x) for x in (43.1, 600, 10_000)] == ["43.1 s", "10 min", "2.8 h"]
    assert [size(x) for x in (5, 5_000, 3_100_000)] == ["5 B", "5 kB", "3.1 MB"]


def _pages(rows: Sequence[tuple[Row, Record]], folder: Path) -> dict[str, str]:
    stored = [stored_by_hand(row, record, folder) for row, record in rows]
    return {path: text for path, text in pages(stored, begun(stored), folder) if path.endswith(".html")}


def _standings(board: Board) -> list[Standing]:
    return stand(board.read_all(), statuses(read_ledger(board.ledger)))


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _data(path: Path) -> dict[str, Any]:
    match = re.fullmatch(r"globalThis\.mtlattackData = (.*);\n", path.read_text())
    assert match is not None
    return json.loads(match[1])


def _table(page: Page) -> list[dict[str, Any]]:
    """Of each line the row's id and the values to sort by, in the order of the columns."""
    lines: list[dict[str, Any]] = []
    for tag, attributes in page.tags:
        if tag == "tr" and "data-row" in attributes:
            lines.append({"id": attributes["data-row"], "values": []})
        elif tag in ("td", "th") and lines and attributes.get("class") != "pick js-only":
            lines[-1]["values"].append(attributes.get("data-value"))
    return lines
