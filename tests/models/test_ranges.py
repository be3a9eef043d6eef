"""Mean and std that were meant for images in another range are named when a module is wrapped; usual ones are not."""

import warnings
from typing import Any

import pytest
from torch import nn

from mtlattack.models import wrap
from mtlattack.tasks import Depth

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
LEVELS = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}
CAFFE = {"mean": (104.0, 117.0, 123.0), "channel_order": "BGR"}


@pytest.mark.parametrize(
    "options",
    [
        {},
        IMAGENET,
        {"mean": (0.5,) * 3, "std": (0.5,) * 3},
        {"std": (1 / 255,) * 3},
        {"mean": (1.0,) * 3},
        {"value_range": (-1, 1)},
        {"value_range": (-1, 1), "mean": (0.0,) * 3, "std": (0.5,) * 3},
        {"value_range": (0, 255)},
        {"value_range": (0, 255), "std": (255,) * 3},
        {"value_range": (0, 255), "mean": (127.5,) * 3, "std": (127.5,) * 3},
        {"value_range": (0, 255), **LEVELS},
        {"value_range": (0, 255), **CAFFE},
        {"value_range": (0, 65535)},
    ],
)
def test_usual_normalisations_pass_in_silence(options: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wrap(nn.Conv2d(3, 1, 1), {"depth": Depth()}, **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (LEVELS, r"between -2\.118 and -1\.787: no image in value_range=\(0, 1\) has the colour mean=\(123\.675, .*"
         r"give value_range=\(0, 255\), or divide them by 255"),
        (CAFFE, r"between -123 and -103: no image .*give value_range=\(0, 255\)"),
        ({"std": (255.0,) * 3}, r"between 0 and 0\.003922: std=\(255, 255, 255\) leaves next to nothing .*divide"),
        ({"value_range": (-1, 1), **LEVELS}, r"no image in value_range=\(-1, 1\) has .*give value_range=\(0, 255\)"),
        ({"value_range": (0, 255), **IMAGENET}, r"and 1136: mean=\(0\.485, .*is next to black .*leave out value_range"),
        ({"mean": (0.5, 0.5, -0.5)}, r"no image in value_range=\(0, 1\) has the colour mean=\(0\.5, 0\.5, -0\.5\)"),
    ],
)  # fmt: skip
def test_numbers_for_another_range_are_named(options: dict[str, Any], said: str) -> None:
    with pytest.warns(UserWarning, match=f"^normalised images reach Conv2d .*{said}") as caught:
        wrap(nn.Conv2d(3, 1, 1), {"depth": Depth()}, **options)
    assert len(caught) == 1 and caught[0].filename == __file__
