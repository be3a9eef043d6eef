"""The picture on a row's page."""

from dataclasses import replace
from pathlib import Path

from chart_toys import stored_with
from leaderboard_toys import IMAGES
from PIL import Image

from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.pages.panels import draw_row


def change(stored: StoredRow, part: str, **values: object) -> StoredRow:
    row = stored.row.model_copy(update={part: getattr(stored.row, part).model_copy(update=values)})
    return stored_with(stored.record, replace(stored, row=row))


def test_a_shipped_model_is_drawn_the_same_each_time(stored: StoredRow, tmp_path: Path) -> None:
    path = draw_row(stored, tmp_path / "one.png")
    assert path == tmp_path / "one.png" and IMAGES > 1
    with Image.open(path) as picture:
        assert picture.format == "PNG" and picture.width > 1000
    again = draw_row(stored, tmp_path / "two.png")
    assert again is not None and again.read_bytes() == path.read_bytes()


def test_nothing_is_drawn_of_what_is_not_at_hand(stored: StoredRow, tmp_path: Path) -> None:
    elsewhere = stored.record.model_copy(update={"data": stored.record.data | {"name": "nyuv2"}})
    for other in (
        change(stored, "model", name="nobodys"),
        change(stored, "model", weights_sha256="0" * 64),
        stored_with(elsewhere, replace(stored)),
        change(stored, "suite", version=2),
    ):
        assert draw_row(other, tmp_path / "none.png") is None
    assert not list(tmp_path.glob("*.png"))
