"""The picture on a row's page."""

from pathlib import Path

from leaderboard_toys import IMAGES
from PIL import Image

from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.pages.panels import draw_row
from mtlattack.leaderboard.rows.schema import Row


def change(row: Row, part: str, **values: object) -> Row:
    return row.model_copy(update={part: getattr(row, part).model_copy(update=values)})


def test_a_shipped_model_is_drawn_the_same_each_time(stored: StoredRow, tmp_path: Path) -> None:
    path = draw_row(stored.row, tmp_path / "one.png")
    assert path == tmp_path / "one.png" and IMAGES > 1
    with Image.open(path) as picture:
        assert picture.format == "PNG" and picture.width > 1000
    again = draw_row(stored.row, tmp_path / "two.png")
    assert again is not None and again.read_bytes() == path.read_bytes()


def test_nothing_is_drawn_of_what_is_not_at_hand(stored: StoredRow, tmp_path: Path) -> None:
    row = stored.row
    for other in (
        change(row, "model", name="nobodys"),
        change(row, "model", weights_sha256="0" * 64),
        change(row, "data", name="nyuv2"),
        change(row, "suite", version=2),
    ):
        assert draw_row(other, tmp_path / "none.png") is None
    assert not list(tmp_path.glob("*.png"))
