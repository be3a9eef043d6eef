"""Names of users and of strangers are shown as they are by whatever prints or draws them: no markup, no formulas."""

import io
import sys
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from evaluation_toys import hand_evidence, random_outcome
from markdown_it import MarkdownIt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from printing_toys import text_at
from rich.console import Console, Group

from mtlattack.analysis import Record
from mtlattack.analysis.comparison import render_comparison
from mtlattack.analysis.plots import plot_record
from mtlattack.analysis.tables import render, to_markdown
from mtlattack.campaigns.watching import Board
from mtlattack.cli import main
from mtlattack.cli.transfer import resolve
from mtlattack.data.previewing import draw_columns
from mtlattack.errors import UnknownNameError
from mtlattack.figures import save_figure
from mtlattack.files import file_name
from mtlattack.models import create_model, load_checkpoint, save_checkpoint
from mtlattack.models.checkpoint_files import checkpoint_name
from mtlattack.progress import progress_bar
from mtlattack.registry import match_names
from mtlattack.tasks import Depth, Painting
from mtlattack.training.curves import plot_curves

HOSTILE = (
    "[b]x", "x[/b]", "[red]x[/red]", "x[1]", "$x_1$", r"\$x^{2$", "a_b^c", ":smile:", "two  words", "Größe", "模型",
    "net-20240101", "<script>alert(1)</script>", "100%", "{task.description}", "-x", "'x\"",
)  # fmt: skip


@pytest.fixture(scope="module")
def record() -> Record:
    rng = np.random.default_rng(0)
    tasks = {"depth": Depth()}
    clean, hurt = random_outcome(tasks, 4, rng), random_outcome(tasks, 4, rng, 2.0)
    return hand_evidence([Depth()], clean, {"pgd-total": hurt}).report().record


def named(record: Record, name: str) -> Record:
    return record.model_copy(update={"model": record.model | {"name": name}, "data": record.data | {"name": name}})


@pytest.mark.parametrize("name", HOSTILE)
def test_tables(name: str, record: Record) -> None:
    mine = named(record, name)
    shown = text_at(200, Group(render(mine), render_comparison([mine, record])))
    assert shown.count(name) == 4  # model and data of the heading, and of the column


@pytest.mark.parametrize("name", [*HOSTILE, "a|b", "`x`", "[a](b)", "# a\n\n- b", "www.a.b", "*a* __b__"])
def test_markdown(name: str, record: Record) -> None:
    attack = record.attacks[0].model_copy(update={"name": name, "worst_task": name})
    mine = named(record, name).model_copy(update={"attacks": [attack]})
    tokens = MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(to_markdown(mine))
    words = [part for token in tokens for part in token.children or []]
    assert {part.type for part in words} <= {
        "text", "text_special", "code_inline", "softbreak", "strong_open", "strong_close"
    }  # fmt: skip
    assert "".join(part.content for part in words).count(name.replace("\n\n", " ")) == 4
    assert [token.type for token in tokens].count("tr_open") == 3


@pytest.mark.parametrize("name", HOSTILE)
def test_errors(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["mtlattack", "list", "--", name])
    with pytest.raises(SystemExit):
        main()
    assert repr(name) in capsys.readouterr().err


@pytest.mark.parametrize("name", HOSTILE)
def test_progress(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()

    def opened(*, stderr: bool) -> Console:
        return Console(file=terminal, force_terminal=True, width=120, markup=False, emoji=False)

    monkeypatch.setattr("mtlattack.progress.open_console", opened)
    with progress_bar(name, 2) as bar:
        bar.advance()
    assert name in terminal.getvalue()
    board = Board(1, {"a": 1.0})
    board._trouble.append((name, name))
    assert text_at(120, board.table()).count(name) == 2


def words(path: Path) -> str:
    """The texts of an SVG whose letters are letters, one space for several."""
    found = ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")
    return " ".join(" ".join("".join(each.itertext()) for each in found).split())


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", HOSTILE)
def test_pictures(name: str, tmp_path: Path) -> None:
    figure = Figure()
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot([1, 1e6], [0, 1], label=f"x{name}")
    axes.set(title=name, xlabel=name, xscale="log")
    axes.set_yticks([0, 1], labels=[name, name])
    axes.legend()
    figure.suptitle(name)
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        shown = words(save_figure(figure, tmp_path / "x.svg"))
    assert shown.count(" ".join(name.split())) == 6
    assert "mathdefault" not in shown  # the powers beside the axis are formulas


def test_all_pictures_are_drawn_whatever_the_names(record: Record, tmp_path: Path) -> None:
    name = "".join(HOSTILE)
    plot_record(named(record, name), tmp_path / "plot.png")
    painting = Painting(np.zeros((1, 4, 4, 3)), legend=((name, (0.0, 0.0, 0.0)),))
    save_figure(draw_columns(name, [name], {"image": painting, name: painting}), tmp_path / "preview.png")
    plot_curves([{"epoch": 1, f"train.{name}": 1.0}], {name: Depth()}, tmp_path / "curves.png", name)
    assert len([*tmp_path.iterdir()]) == 3


def test_an_unknown_name_is_told_in_a_line() -> None:
    known = [f"{step}-{number:03d}" for step in ("apgd", "pgd") for number in range(500)]
    for name in (*HOSTILE, "zzz", "apgd-xyz"):
        said = str(UnknownNameError("attack", name, known))
        assert repr(name) in said and len(said) < 150 + len(name)
    assert str(UnknownNameError("attack", "zzz", known)).endswith(
        "of the 1000 that are known the nearest are pgd-499, pgd-498, pgd-497"
    )
    assert "known: a, b" in str(UnknownNameError("x", "zzz", "ba"))


def test_a_name_with_brackets_is_itself_before_it_is_a_glob() -> None:
    assert match_names(["x[1]", "x1", "y"], "x[1]") == ["x1", "x[1]"]
    seen = []

    def load(reference: str):  # type: ignore[no-untyped-def]
        seen.append(reference)
        return object(), reference

    resolve(["net[1].safetensors"], "--model", {}, load)
    assert seen == ["net[1].safetensors"]


@pytest.mark.parametrize("name", HOSTILE)
def test_folders(name: str, tmp_path: Path) -> None:
    (tmp_path / file_name(name)).mkdir()
    assert len([*tmp_path.iterdir()]) == 1


def test_a_date_is_no_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = create_model("rooms-resnet10t.shared")
    path = save_checkpoint(network, tmp_path, "net")
    dated = path.rename(tmp_path / "net-20240101.safetensors")
    assert load_checkpoint(dated).config == network.config and checkpoint_name(dated) == "net-20240101"
    digests = iter(["12345678", "00000000", "1234567e"])
    hashed = type("Hashed", (), {"hexdigest": lambda self: next(digests)})
    monkeypatch.setattr("mtlattack.models.checkpoints.hashlib.sha256", lambda data: hashed())
    assert save_checkpoint(network, tmp_path, "net").name == "net-1234567e.safetensors"
