"""Counts in words."""

import pytest

from mtlattack.wording import counted


@pytest.mark.parametrize(
    ("count", "thing", "said"),
    [
        (0, "image", "0 images"),
        (1, "image", "1 image"),
        (2, "source task", "2 source tasks"),
        (1449, "image", "1,449 images"),
        (1, "class", "1 class"),
        (3, "class", "3 classes"),
        (1, "entry", "1 entry"),
        (5, "entry", "5 entries"),
    ],
)
def test_things_are_one_or_many(count: int, thing: str, said: str) -> None:
    assert counted(count, thing) == said
