"""The pages in a real browser, opened from disk."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
import pytest
from leaderboard_toys import row_of
from pages_toys import (
    HOSTILE,
    begun,
    hostile_record,
    hostile_row,
    stored_by_hand,
    varied_board,
    varied_rows,
    write_pages,
)
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

from mtlattack.analysis import Record, Report
from mtlattack.analysis.transfer.page import to_html
from mtlattack.analysis.transfer.record import TransferRecord
from mtlattack.evidence import Evidence
from mtlattack.leaderboard.board import Board
from mtlattack.leaderboard.ledger import read_ledger, statuses
from mtlattack.leaderboard.pages import build_pages
from mtlattack.leaderboard.records import attacks_at
from mtlattack.leaderboard.standings import Standing, stand

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver")

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1900,900",
)  # fmt: skip
SHOWN = "return [...document.querySelectorAll('#board tbody tr')].filter(tr => !tr.hidden).map(tr => tr.dataset.row)"
WITHDRAWN = "#withdrawn=1"
WIDTHS = (390, 768, 1366, 1920)
# How wide the page and the window are; of each frame in sight what is out of it, and the height of the line above.
FRAMES = """return [document.documentElement.scrollWidth, innerWidth,
  [...document.querySelectorAll('.scroll')].filter(each => each.checkVisibility()).map(
    each => [each.scrollWidth - each.clientWidth, parseFloat(getComputedStyle(each, '::before').height)])]"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One browser for all tests; at its end, no page has said an error or asked for anything but files."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=str(DRIVER))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield driver
        check_quiet(driver)
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def record(tiny_evidence: Evidence) -> Record:
    """What the tiny evidence says."""
    return Report.from_evidence(tiny_evidence).record


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, tiny_evidence: Evidence, record: Record) -> tuple[Board, Path]:
    """A board of seven rows, and the folder of its pages."""
    board = varied_board(tmp_path_factory.mktemp("browser") / "leaderboard", *row_of(tiny_evidence), record)
    return board, build_pages(board, board.root / "pages").parent


@pytest.fixture
def suite(browser: webdriver.Chrome, built: tuple[Board, Path]) -> webdriver.Chrome:
    """The browser on the suite's page, as it is first opened."""
    return opened(browser, built[1] / "suites/tiny-v1.html")


@pytest.fixture
def standings(built: tuple[Board, Path]) -> list[Standing]:
    """The rows at the headline ε, most robust first, withdrawn last."""
    return stand(built[0].read_all(), statuses(read_ledger(built[0].ledger)))


def opened(browser: webdriver.Chrome, page: Path, hash: str = "") -> webdriver.Chrome:
    """The page anew, whatever page was open."""
    browser.get("about:blank")
    browser.get(page.as_uri() + hash)
    return browser


def check_quiet(browser: webdriver.Chrome) -> None:
    """Nothing on the console, and nothing asked of a network."""
    assert browser.get_log("browser") == []
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            address = message["params"]["request"]["url"]
            assert address.startswith(("file://", "data:", "about:", "chrome://")), address


def shown(browser: webdriver.Chrome) -> list[str]:
    """Ids of the rows in sight, in order."""
    return browser.execute_script(SHOWN)


def header(browser: webdriver.Chrome, key: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, f"#board th[data-key='{key}']")


def all_columns(browser: webdriver.Chrome) -> dict[str, bool]:
    """The table's columns, and whether each is in sight."""
    script = "return [...document.querySelectorAll('#board th[data-key]')].map(e => [e.dataset.key, !e.hidden])"
    return dict(browser.execute_script(script))


def columns_shown(browser: webdriver.Chrome) -> list[str]:
    """The table's columns in sight, whose cells are too."""
    shown = [key for key, here in all_columns(browser).items() if here]
    cells = browser.execute_script(
        "return [...document.querySelectorAll('#board tbody tr')]"
        ".map(tr => [...tr.cells].filter(e => !e.hidden).length)"
    )
    assert set(cells) == {1 + len(shown)}
    return shown


def type_into(browser: webdriver.Chrome, id: str, text: str) -> None:
    """In place of what stood there."""
    field = browser.find_element(By.ID, id)
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(text or Keys.DELETE)


def choose(browser: webdriver.Chrome, id: str, text: str) -> None:
    Select(browser.find_element(By.ID, id)).select_by_visible_text(text)


def wait_for(browser: webdriver.Chrome, script: str) -> None:
    end = time.monotonic() + 5
    while not browser.execute_script(f"return {script}"):
        assert time.monotonic() < end, script
        time.sleep(0.02)


def skill(standing: Standing) -> float | None:
    """What is left of the row's skill."""
    return standing.robust and standing.robust.skill.mean.value


def metric(task: str, name: str) -> Callable[[Standing], Any]:
    return lambda s: s.strongest.intervals[task][name].value


# What each column sorts by, computed from the records.
COLUMNS: dict[str, Callable[[Standing], Any]] = {
    "model": lambda s: s.stored.row.model.name.lower(),
    "clean": lambda s: s.stored.record.clean_skill and s.stored.record.clean_skill.mean.value,
    "skill": skill,
    "worst_skill": lambda s: s.robust and s.robust.skill.worst.value,
    "log_ratio": lambda s: s.strongest.log_ratio.value,
    "loss_change": lambda s: s.strongest.loss_change.value,
    "arp": lambda s: s.strongest.arp.value,
    "worst": lambda s: s.strongest.worst.value,
    "task-segmentation": metric("segmentation", "miou"),
    "task-depth": metric("depth", "rel_error"),
    "task-normals": metric("normals", "angle_mean"),
    "task-edge_texture": metric("edge_texture", "l1"),
    "task-keypoints2d": metric("keypoints2d", "l1"),
    "attack": lambda s: s.robust.attack if s.robust else s.strongest.name,
    "degree": lambda s: s.stored.row.model.sharing_degree,
    "training": lambda s: (
        f"adversarial {s.stored.row.model.adversarial_training}"
        if s.stored.row.model.adversarial_training
        else "clean "
    ),
    "parameters": lambda s: s.stored.row.model.parameters,
    "status": lambda s: s.status,
    "paper": lambda s: s.stored.row.model.paper,
    "flags": lambda s: len({flag.name for flag in s.stored.record.flags}),
}


def in_order(standings: list[Standing], key: Callable[[Standing], Any], down: bool = False) -> list[str]:
    """Equals by rank and skill, those without (among them withdrawn rows) as they stand; what is missing last."""
    by_place = sorted(standings, key=lambda s: (s.rank or 99, -(skill(s) or 0) if s.counts else 0))
    known = [s for s in by_place if key(s) is not None]
    missing = [s for s in by_place if key(s) is None]
    if down:  # Stable: the reverse of the sorted reverse.
        known = sorted(known[::-1], key=key)[::-1]
    else:
        known = sorted(known, key=key)
    return [s.stored.id for s in [*known, *missing]]


@pytest.mark.slow
def test_every_column_sorts_both_ways(
    browser: webdriver.Chrome, built: tuple[Board, Path], standings: list[Standing]
) -> None:
    opened(browser, built[1] / "suites/tiny-v1.html", f"{WITHDRAWN}&columns=all")
    keys = COLUMNS | {"rank": lambda s: s.rank}
    assert shown(browser) == in_order(standings, keys["rank"]) == [s.stored.id for s in standings]
    found = [key for key in all_columns(browser) if key != "origin"]
    assert set(found) == set(keys)
    for key in (key for key in [*found[1:], "rank"]):
        for direction in ("ascending", "descending"):
            header(browser, key).find_element(By.TAG_NAME, "button").click()
            assert header(browser, key).get_attribute("aria-sort") == direction
            assert shown(browser) == in_order(standings, keys[key], direction == "descending"), (key, direction)
            assert len(browser.find_elements(By.CSS_SELECTOR, "[aria-sort]")) == 1
    check_quiet(browser)


def test_eps_and_attack_change_numbers_and_places(suite: webdriver.Chrome, standings: list[Standing]) -> None:
    counting = [s.stored for s in standings if s.counts]
    names = [attack.name for attack in attacks_at(standings[0].stored.record, 2 / 255)]
    choose(suite, "eps", "linf 2/255")
    for name in ("all of the suite", names[0], names[-1]):
        choose(suite, "attack", name)
        under = stand(counting, {}, 2 / 255, name if name in names else None)
        assert shown(suite) == in_order(under, lambda s: s.rank)
        first = suite.find_element(By.CSS_SELECTOR, "#board tbody tr")
        best = max((s for s in under if skill(s)), key=lambda s: skill(s) or 0)
        texts = [cell.text for cell in first.find_elements(By.CSS_SELECTOR, "td, th")]
        assert texts[1] == "1" and texts[2].startswith(best.stored.row.model.name)
        assert texts[4].startswith(f"{skill(best):.3g}"[:4])
        header(suite, "task-depth").find_element(By.TAG_NAME, "button").click()
        assert shown(suite) == in_order(under, COLUMNS["task-depth"])
        header(suite, "rank").find_element(By.TAG_NAME, "button").click()
    caption = suite.execute_script("return document.getElementById('caption').textContent")
    assert f"linf 2/255, {names[-1]}" in caption


def test_filters(suite: webdriver.Chrome, standings: list[Standing]) -> None:
    def wanted(test: Callable[[Standing], bool]) -> list[str]:
        return [s.stored.id for s in standings if test(s)]

    def said() -> str:
        return suite.find_element(By.ID, "count").text

    assert shown(suite) == wanted(lambda s: s.counts)
    assert said() == "5 of 7 rows shown, 2 withdrawn not among them"
    type_into(suite, "text", "TOY")
    assert shown(suite) == wanted(lambda s: s.counts and "toy" in s.stored.row.model.name)
    type_into(suite, "text", "nothing like it")
    assert shown(suite) == [] and said().startswith("0 of 7 rows shown")
    type_into(suite, "text", "")
    choose(suite, "training", "adversarial")
    assert shown(suite) == wanted(lambda s: s.counts and s.stored.row.model.adversarial_training is not None)
    choose(suite, "training", "any")
    choose(suite, "status", "verified")
    assert shown(suite) == wanted(lambda s: s.status == "verified")
    choose(suite, "status", "any")
    type_into(suite, "least", "0.25")
    type_into(suite, "most", "0.68")
    assert shown(suite) == wanted(lambda s: s.counts and 0.25 <= (s.stored.row.model.sharing_degree or -1) <= 0.68)
    suite.find_element(By.ID, "withdrawn").click()
    assert set(shown(suite)) == set(wanted(lambda s: 0.25 <= (s.stored.row.model.sharing_degree or -1) <= 0.68))
    suite.find_element(By.ID, "reset").click()
    assert shown(suite) == wanted(lambda s: s.counts)


def test_the_address_keeps_what_was_chosen(suite: webdriver.Chrome) -> None:
    choose(suite, "eps", "linf 2/255")
    choose(suite, "attack", "fgsm-dgba")
    type_into(suite, "text", "o")
    suite.find_element(By.ID, "withdrawn").click()
    for _ in range(2):
        header(suite, "arp").find_element(By.TAG_NAME, "button").click()
    before, address = shown(suite), suite.current_url
    assert len(before) > 5
    suite.get("about:blank")
    suite.get(address)
    assert shown(suite) == before
    assert header(suite, "arp").get_attribute("aria-sort") == "descending"
    assert Select(suite.find_element(By.ID, "attack")).first_selected_option.text == "fgsm-dgba"
    suite.get(address.partition("#")[0] + "#eps=99&sort=__proto__&attack=no&rows=x,y&least=<b>&dir=up")
    wait_for(suite, "document.getElementById('text').value === ''")
    assert len(shown(suite)) == 5 and header(suite, "rank").get_attribute("aria-sort") == "ascending"
    check_quiet(suite)


def test_comparison(suite: webdriver.Chrome, standings: list[Standing]) -> None:
    boxes = suite.find_elements(By.CSS_SELECTOR, "#board tbody tr:not([hidden]) input")
    link = suite.find_element(By.ID, "compare")
    assert link.get_attribute("aria-disabled") == "true" and link.get_attribute("href") is None
    for box in boxes[:4]:
        box.click()
    assert not boxes[4].is_enabled() and link.text == "Compare 4 rows"
    boxes[3].click()
    assert boxes[4].is_enabled()
    link.click()
    wait_for(suite, "!document.getElementById('comparison').hidden")
    heads = [each.text for each in suite.find_elements(By.CSS_SELECTOR, "#tables thead th")]
    chosen = standings[:3]
    assert [head.split("\n")[1] for head in heads] == [s.stored.id[:8] for s in chosen]
    lines = {
        line.find_element(By.TAG_NAME, "th").text: line
        for line in suite.find_elements(By.CSS_SELECTOR, "#tables tbody:nth-of-type(-n+2) tr:not(.group)")
    }
    skills = [cell.text for cell in lines["robust skill ↑"].find_elements(By.TAG_NAME, "td")]
    assert all("[" in text for text in skills)
    # The first two lie apart from each other and from the third.
    assert [text[0] for text in skills] == ["◆", skills[1][0], skills[2][0]] and skills[1][0] not in "◆◇"
    best, differs = (lines[name].find_element(By.CSS_SELECTOR, "[role=img]") for name in
                     ("robust skill ↑", "sharing degree ≠"))  # fmt: skip
    assert "most robust of these, intervals apart" in str(best.get_attribute("aria-label"))
    assert differs.get_attribute("aria-label") == "the rows differ"
    assert "licence" in lines and "sharing degree ≠" in lines
    assert sum("differs" in str(line.get_attribute("class")) for line in lines.values()) >= 2
    choose(suite, "eps", "linf 2/255")
    choose(suite, "quantity", "arp % ↑")
    assert "eps=linf+2%2F255" in suite.current_url and "quantity=arp" in suite.current_url
    assert "linf 2/255: arp % ↑" in suite.find_element(By.ID, "tables").text
    suite.find_element(By.ID, "back").click()
    wait_for(suite, "document.getElementById('board') !== null")
    assert sum(box.is_selected() for box in suite.find_elements(By.CSS_SELECTOR, "#board tbody input")) == 3
    check_quiet(suite)


@pytest.mark.parametrize(
    ("hash", "message"),
    [("#suite=tiny-v1&rows=a,b", "A row of this address"), ("#suite=__proto__&rows=a", "The suite of this address"),
     ("#suite=tiny-v1&rows=ONE", "Choose 2 to 4 rows"), ("", "")],
)  # fmt: skip
def test_comparison_of_what_is_not_there(
    hash: str, message: str, browser: webdriver.Chrome, built: tuple[Board, Path], standings: list[Standing]
) -> None:
    opened(browser, built[1] / "compare.html", hash.replace("ONE", standings[0].stored.id))
    wait_for(browser, f"document.getElementById('message').textContent.startsWith({json.dumps(message)})")
    assert browser.find_element(By.ID, "choose").is_displayed()
    assert not browser.find_element(By.ID, "comparison").is_displayed()


def test_theme_is_kept(browser: webdriver.Chrome, built: tuple[Board, Path]) -> None:
    ground = "return getComputedStyle(document.body).backgroundColor"
    opened(browser, built[1] / "index.html")
    before = browser.execute_script(ground)
    button = browser.find_element(By.ID, "theme")
    name = button.get_attribute("aria-label")
    button.click()
    after = browser.execute_script(ground)
    assert after != before and button.get_attribute("aria-label") != name
    opened(browser, built[1] / "suites/tiny-v1.html")
    assert browser.execute_script(ground) == after
    browser.find_element(By.ID, "theme").click()
    assert browser.execute_script(ground) == before
    browser.execute_script("localStorage.clear()")
    for scheme in ("dark", "light"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        opened(browser, built[1] / "index.html")
        assert browser.find_element(By.ID, "theme").text == ("Light" if scheme == "dark" else "Dark")


def test_links_lead_on(browser: webdriver.Chrome, built: tuple[Board, Path], standings: list[Standing]) -> None:
    opened(browser, built[1] / "index.html")
    browser.find_element(By.CSS_SELECTOR, ".card h2 a").click()
    assert browser.current_url.endswith("/suites/tiny-v1.html")
    superseded = next(s for s in standings if s.status == "superseded")
    opened(browser, built[1] / "suites/tiny-v1.html", WITHDRAWN)
    browser.find_element(By.CSS_SELECTOR, f"tr[data-row='{superseded.stored.id}'] th a").click()
    assert browser.find_element(By.TAG_NAME, "h1").text == superseded.stored.row.model.name
    browser.find_element(By.CSS_SELECTOR, ".history a").click()
    assert browser.find_element(By.TAG_NAME, "h1").text == "toy-5"
    browser.find_element(By.CSS_SELECTOR, "header nav a:last-of-type").click()
    assert browser.current_url.endswith("/suites/tiny-v1.html")
    browser.find_element(By.CSS_SELECTOR, ".chart a").send_keys(Keys.ENTER)
    assert "/rows/" in browser.current_url


def test_keyboard_alone(suite: webdriver.Chrome) -> None:
    def press(*keys: str) -> WebElement:
        for key in keys:
            suite.switch_to.active_element.send_keys(key)
        return suite.switch_to.active_element

    def tab_to(script: str) -> WebElement:
        for _ in range(60):
            press(Keys.TAB)
            if suite.execute_script(f"const e = document.activeElement; return {script}"):
                return suite.switch_to.active_element
        raise AssertionError(script)

    assert press(Keys.TAB).text == "Skip to the content"
    assert press(Keys.ENTER).get_attribute("id") == "main"
    eps = tab_to("e.id === 'eps'")
    assert suite.execute_script("return getComputedStyle(arguments[0]).outlineStyle", eps) == "solid"
    press(Keys.ARROW_UP)
    assert "2/255" in suite.execute_script("return document.getElementById('shown').textContent")
    tab_to("e.id === 'text'").send_keys("toy")
    assert len(shown(suite)) == 2
    tab_to("e.dataset.column === 'parameters'")
    press(Keys.SPACE)
    tab_to("e.closest('th')?.dataset.key === 'parameters'")
    press(Keys.ENTER)
    assert header(suite, "parameters").get_attribute("aria-sort") == "ascending"
    press(Keys.SPACE)
    assert header(suite, "parameters").get_attribute("aria-sort") == "descending"
    for _ in range(2):
        tab_to("e.type === 'checkbox' && e.closest('#board') !== null")
        press(Keys.SPACE)
    link = suite.find_element(By.ID, "compare")
    assert link.text == "Compare 2 rows"
    suite.execute_script("arguments[0].focus()", link)
    press(Keys.ENTER)
    wait_for(suite, "document.getElementById('comparison')?.hidden === false")


@pytest.fixture
def window(browser: webdriver.Chrome) -> Iterator[Callable[[int], None]]:
    """Makes the window so many pixels wide."""

    def resize(width: int) -> None:
        metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    yield resize
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def frames(browser: webdriver.Chrome) -> list[tuple[int, float]]:
    """Of each frame in sight how far it scrolls sideways, and how high the line is that says so; no page scrolls."""
    document, window, found = browser.execute_script(FRAMES)
    assert document <= window, f"{browser.current_url} is {document} wide"
    return [(over, height) for over, height in found]


def seen(browser: webdriver.Chrome) -> tuple[np.ndarray, np.ndarray]:
    """Of the suite's table as a picture, in grey levels [0, 255]: where its line would stand, and its right edge."""
    top, right, bottom = browser.execute_script(
        "const frame = document.querySelector('.tall'); frame.scrollIntoView({block: 'center'});"
        "const box = frame.getBoundingClientRect(); return [box.top, box.right, box.bottom].map(Math.round)"
    )
    with Image.open(BytesIO(browser.get_screenshot_as_png())) as image:
        grey = np.asarray(image.convert("L"), dtype=float)
    middle = (max(0, top) + min(len(grey), bottom)) // 2
    return grey[max(0, top) + 4 : max(0, top) + 26, right - 140 : right - 20], grey[
        middle - 60 : middle + 60, right - 4
    ]


def check_frames(browser: webdriver.Chrome, page: Path, hash: str = "") -> list[tuple[int, float]]:
    """No page scrolls sideways, and what does within it says so."""
    found = settled(opened(browser, page, hash))
    assert found, page
    return found


def settled(browser: webdriver.Chrome) -> list[tuple[int, float]]:
    """The frames once the browser has told the page how wide it is, and the page says what scrolls and nothing else."""
    end = time.monotonic() + 5
    while True:
        found = frames(browser)
        if all((over > 0) == (height > 0) for over, height in found):
            return found
        assert time.monotonic() < end, (browser.current_url, found)
        time.sleep(0.02)


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut_without_saying_so(
    width: int, browser: webdriver.Chrome, built: tuple[Board, Path], window: Callable[[int], None]
) -> None:
    window(width)
    check_frames(browser, built[1] / "index.html")
    found = check_frames(browser, built[1] / "suites/tiny-v1.html")
    assert all(over <= 0 for over, _ in found) and len(columns_shown(browser)) >= 4
    browser.find_element(By.ID, "columns").get_attribute("open") or browser.find_element(By.ID, "in-sight").click()
    browser.find_element(By.ID, "all").click()
    # As it is seen: of all columns the last are out of sight; a line says so, and a shadow lies where they are.
    assert settled(browser)[0][0] > 0
    line, edge = seen(browser)
    browser.execute_script("document.querySelector('.tall').scrollLeft = 1e6")
    _, end = seen(browser)
    assert line.max() - line.min() > 80 and np.median(end) > np.median(edge) + 20
    left = browser.execute_script(
        "return document.querySelector('#board tbody th').getBoundingClientRect().left"
        " - document.querySelector('.tall').getBoundingClientRect().left"
    )
    assert 0 <= left < 40  # The names stand still.


def test_no_page_is_wider_than_a_phone(
    browser: webdriver.Chrome, built: tuple[Board, Path], tiny_evidence: Evidence, record: Record, tmp_path: Path,
    standings: list[Standing], window: Callable[[int], None],
) -> None:  # fmt: skip
    long = [row.model_copy(update={"model": row.model.model_copy(update={"name": "x" * 100, "note": "y" * 2000})})
            for row in varied_rows(row_of(tiny_evidence)[0])[:2]]  # fmt: skip
    rows = [stored_by_hand(row, record, tmp_path) for row in long]
    write_pages(rows, begun(rows), tmp_path / "long")
    window(380)
    for page in sorted((tmp_path / "long").rglob("*.html")):
        check_frames(browser, page)
    ids = ",".join(s.stored.id for s in standings[:4])
    check_frames(browser, built[1] / "compare.html", f"#suite=tiny-v1&rows={ids}")
    check_frames(browser, built[1] / f"rows/{standings[0].stored.id}.html")
    check_quiet(browser)


def test_a_transfers_page_is_no_wider_either(
    browser: webdriver.Chrome, tmp_path: Path, window: Callable[[int], None]
) -> None:
    measured = Path(__file__).parents[2] / "benchmarks" / "transfer" / "rooms-models.json"
    record = TransferRecord.model_validate_json(measured.read_text())
    page = tmp_path / "transfer.html"
    page.write_text(to_html(record, {"nothing": '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'}))
    cut = set()
    for width in WIDTHS:
        window(width)
        cut.add(any(over > 0 for over, _ in check_frames(browser, page)))
    assert cut == {True, False}


def test_columns_are_the_readers_choice(suite: webdriver.Chrome, window: Callable[[int], None]) -> None:
    every = list(all_columns(suite))
    window(768)
    wait_for(suite, "document.getElementById('in-sight').textContent.startsWith('5 of')")
    assert columns_shown(suite) == ["rank", "model", "clean", "skill", "worst_skill"]
    for key in ("clean", "parameters"):
        suite.find_element(By.CSS_SELECTOR, f"[data-column={key}]").click()
    chosen = ["rank", "model", "skill", "worst_skill", "parameters"]
    assert columns_shown(suite) == chosen
    address = suite.current_url
    assert address.endswith("#columns=skill%2Cworst_skill%2Cparameters")
    window(390)
    opened(
        suite, Path(suite.execute_script("return decodeURIComponent(location.pathname)")), "#" + address.split("#")[1]
    )
    assert columns_shown(suite) == chosen
    suite.find_element(By.CSS_SELECTOR, "#columns summary").click()
    suite.find_element(By.ID, "all").click()
    assert columns_shown(suite) == every and suite.current_url.endswith("#columns=all")
    suite.find_element(By.ID, "fit").click()
    assert columns_shown(suite) == ["rank", "model", "clean", "skill"] and "columns" not in suite.current_url
    check_quiet(suite)


def test_search_on_the_index_finds_rows_and_points(browser: webdriver.Chrome, built: tuple[Board, Path]) -> None:
    def found() -> tuple[int, int]:
        rows, points = browser.execute_script(
            "return ['.card tr[data-search]', '.card .chart a'].map(each => "
            "[...document.querySelectorAll(each)].filter(e => e.getClientRects().length).length)"
        )
        return rows, points

    opened(browser, built[1] / "index.html")
    assert found() == (5, 4)  # Two are withdrawn, and one knows no skill.
    type_into(browser, "text", "TOY")
    assert found() == (2, 2) and browser.find_element(By.ID, "count").text == "2 of 5 rows shown"
    assert browser.current_url.endswith("#text=TOY")
    type_into(browser, "text", "nothing like it")
    assert found() == (0, 0) and not browser.find_element(By.CSS_SELECTOR, ".card").is_displayed()
    opened(browser, built[1] / "suites/tiny-v1.html", "#text=toy")
    points = browser.find_elements(By.CSS_SELECTOR, ".chart a")
    assert len(points) == 8 and sum(each.is_displayed() for each in points) == 4
    check_quiet(browser)


def test_hostile_text_runs_nothing(
    browser: webdriver.Chrome, tiny_evidence: Evidence, record: Record, tmp_path: Path
) -> None:
    row, _ = row_of(tiny_evidence)
    rows = [stored_by_hand(hostile_row(row, text), hostile_record(record, text), tmp_path) for text in HOSTILE]
    write_pages(rows, begun(rows), tmp_path)
    texts = "return document.body.textContent"
    for stored, text in zip(rows, HOSTILE, strict=True):
        opened(browser, tmp_path / f"rows/{stored.id}.html")
        assert browser.find_element(By.TAG_NAME, "h1").text == text
        assert browser.execute_script("return window.hostile") is None
    ids = [stored.id for stored in rows]
    for page in ("index.html", "suites/tiny-v1.html", *(f"compare.html#suite=tiny-v1&rows={','.join(ids[i:i + 4])}"
                 for i in (0, 3))):  # fmt: skip
        address, _, hash = page.partition("#")
        opened(browser, tmp_path / address, f"#{hash}" if hash else "")
        if hash:
            wait_for(browser, "!document.getElementById('comparison').hidden")
        if "suites" in page:
            choose(browser, "attack", browser.find_elements(By.CSS_SELECTOR, "#attack option")[2].text)
        assert browser.execute_script("return window.hostile") is None
        assert HOSTILE[3] in browser.execute_script(texts)
    check_quiet(browser)


def test_without_scripts_the_tables_are_whole(
    browser: webdriver.Chrome, built: tuple[Board, Path], standings: list[Standing]
) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        opened(browser, built[1] / "suites/tiny-v1.html")
        lines = browser.find_elements(By.CSS_SELECTOR, "#board tbody tr")
        assert [line.get_attribute("data-row") for line in lines] == [s.stored.id for s in standings]
        assert all(line.is_displayed() for line in lines) and all(all_columns(browser).values())
        assert all((over > 0) == (height > 0) for over, height in frames(browser))
        evidence, command = lines[0].find_elements(By.CSS_SELECTOR, "td:last-child a")
        assert standings[0].stored.evidence_path == Path(unquote(urlparse(str(evidence.get_attribute("href"))).path))
        assert str(command.get_attribute("href")).endswith(f"rows/{standings[0].stored.id}.html#again")
        papers = [line.get_attribute("href") for line in browser.find_elements(By.CSS_SELECTOR, "#board td a[rel]")]
        assert papers == [s.stored.row.model.paper for s in standings if s.stored.row.model.paper]
        assert not browser.find_element(By.ID, "eps").is_displayed()
        opened(browser, built[1] / "compare.html")
        assert len(browser.find_elements(By.CSS_SELECTOR, "#choose tbody tr")) == len(standings)
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
