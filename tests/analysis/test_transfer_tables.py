"""Tables, pictures and the page of a transfer: short, and safe whatever models are called."""

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import pytest
from evaluation_toys import outcome
from printing_toys import assert_fits
from rich.console import Console

from mtlattack.analysis.transfer import TransferRecord
from mtlattack.analysis.transfer.labels import LONGEST, family, heading, labels
from mtlattack.analysis.transfer.matrices import build_matrices
from mtlattack.analysis.transfer.tables import render, to_csv, to_markdown
from mtlattack.analysis.transfer.writing import write_results
from mtlattack.evidence import Agreement, Evidence
from mtlattack.tasks import create_task

EVIL = "<script>alert(1)</script>[red]$x_1$"
TASK = create_task("depth")
IMAGES = 8


def evidence(name: str, hurts: list[float], sources: list[str]) -> Evidence:
    """A victim whose depth is off by a factor more under each attack; the first is the floor."""
    rng = np.random.default_rng(0)
    width = len(TASK.statistics_names)

    def hurt(factor: float):  # type: ignore[no-untyped-def]
        values = rng.uniform(0.9, 1.1, (IMAGES, width)) * factor
        values[:, 0] = 100
        return outcome(rng.uniform(0.9, 1.1, (IMAGES, 1)) * factor, depth=values)

    configs = [{"name": f"apgd-relative@{source}", "norm": "linf", "eps": 8 / 255} for source in sources]
    floor = {"name": "noise-total", "norm": "linf", "eps": 8 / 255}
    plan = {
        "attacks": [{"config": c, "forward_passes": 3, "backward_passes": 2} for c in (floor, *configs)],
        "data": {"name": "rooms", "split": "test", "images": IMAGES, "fingerprint": "0" * 64},
        "seed": 0,
        "batch_size": 16,
        "environment": {"device": "cpu"},
    }
    constant = {"depth": hurt(30).statistics["depth"]}
    return Evidence(
        plan, {}, [str(i) for i in range(IMAGES)], {"depth": TASK}, hurt(1), [hurt(x) for x in hurts], constant
    )


def transfer(names: list[str]) -> TransferRecord:
    """Each model hurts itself most, its neighbours a little."""
    runs = {name: evidence(name, [1.05, *(12 if name == source else 1.5 for source in names)], names) for name in names}
    models = {name: {"tasks": ["depth"], "sharing": None} for name in names}
    plan = {
        "between": "models", "sources": names, "victims": names, "tasks": ["depth"], "left_out": [f"x of {names[0]}"],
        "models": models,
    }  # fmt: skip
    values = np.random.default_rng(0).uniform(-1, 1, (IMAGES, len(names), len(names), 1))
    return build_matrices(plan, runs, [Agreement(values, (values + 1) / 2)])


@pytest.fixture(scope="module")
def evil() -> TransferRecord:
    return transfer([EVIL, "b" * 300, "c"])


def text(record: TransferRecord, width: int = 120) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(render(record))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_what_is_above_noise_is_told(evil: TransferRecord) -> None:
    (matrix,) = evil.matrices
    assert all(cell.beats_noise for row in matrix.cells for cell in row)
    assert all(each.p_holm >= 0.05 for each in matrix.differences if each.victim not in (each.source, each.other))
    assert all(
        each.p_holm < 0.1 and abs(each.log_ratio.value) > 1  # type: ignore[arg-type]
        for each in matrix.differences
        if each.victim in (each.source, each.other)
    )
    assert 0 < matrix.mean_share.value < 0.2  # type: ignore[operator]


def test_names_are_never_markup_and_never_long(evil: TransferRecord) -> None:
    table = text(evil)
    assert "[red]" in table and "b" * 100 not in table.split("[ ] the victim's own")[0]
    assert max(map(len, table.splitlines())) <= 120
    assert r"\<script\>alert(1)\</script\>\[red\]\$x_1\$" in to_markdown(evil)
    rows = list(csv.reader(io.StringIO(to_csv(evil))))
    assert {row[1] for row in rows[1:]} == {"", EVIL, "b" * 300, "c"} and len({len(row) for row in rows}) == 1


def test_the_page_and_the_pictures(evil: TransferRecord, tmp_path: Path) -> None:
    write_results(evil, tmp_path)
    page = (tmp_path / "transfer.html").read_text()
    assert "<script" not in page and "&lt;script&gt;" in page and "default-src 'none'" in page
    assert page.count("data:image/svg+xml;base64,") == 3 and "http://" not in page and "https://" not in page
    document = json.loads((tmp_path / "transfer.json").read_text())
    assert TransferRecord.model_validate(document) == evil
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(name for name in first if name.endswith(("png", "svg"))) == sorted(
        f"transfer-{quantity}.{kind}" for quantity in ("share", "log_ratio", "cosine") for kind in ("png", "svg")
    )
    ElementTree.fromstring(first["transfer-share.svg"])
    pixels = matplotlib.image.imread(tmp_path / "transfer-share.png")[..., :3]
    assert (pixels < 0.02).all(-1).mean() > 0.002  # the frames of the diagonal


def test_no_table_loses_a_digit_on_a_narrow_terminal(evil: TransferRecord) -> None:
    assert_fits(render(evil))


def test_models_of_one_family_go_by_their_layout() -> None:
    record = transfer(["rooms-r.shared", "rooms-r.separate.at-dgba"])
    assert family(record) == "rooms-r" and heading(record) == "layout × layout of rooms-r"
    assert labels(record, record.matrices[0].sources) == ["shared", "separate.at-dgba"]
    assert "layout × layout of rooms-r" in text(record)


def test_labels_stay_apart() -> None:
    record = transfer(["x" * 40 + "1" + "y" * 40, "x" * 40 + "2" + "y" * 40, "c"])
    short = labels(record, record.matrices[0].sources)
    assert len(set(short)) == 3 and max(map(len, short)) <= LONGEST
    assert family(record) is None and heading(record) == "model × model"
