"""TensorFloat-32 is off for a while, by whichever names of torch it was set.

Each case has a process of its own: torch can't be brought back to where nothing was set.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from evaluation_toys import Little
from process_toys import start

from mtlattack.evaluation import evaluate
from mtlattack.tasks import Depth
from mtlattack.tf32 import allows_tf32, without_tf32

BACKENDS: Any = torch.backends
CUDNN, PRODUCTS = BACKENDS.cudnn, BACKENDS.cuda.matmul
pytestmark = pytest.mark.skipif(not hasattr(CUDNN, "conv"), reason="this torch has the older names alone")


def set_to(precision: str, *parts: Any) -> None:
    for part in parts:
        part.fp32_precision = precision


# How a user may have set torch, and whether TF32 is allowed then.
SETTINGS: dict[str, tuple[Callable[[], None], bool]] = {
    "nothing": (lambda: None, True),
    "convolutions off": (lambda: setattr(CUDNN, "allow_tf32", False), False),
    "products on": (lambda: setattr(PRODUCTS, "allow_tf32", True), True),
    "products medium": (lambda: torch.set_float32_matmul_precision("medium"), True),
    "newer: all off": (lambda: set_to("ieee", BACKENDS), False),
    "newer: all on": (lambda: set_to("tf32", BACKENDS), True),
    "newer: cudnn off": (lambda: set_to("ieee", CUDNN), False),
    "newer: convolutions off": (lambda: set_to("ieee", CUDNN.conv, CUDNN.rnn), False),
    "newer: products on": (lambda: set_to("tf32", PRODUCTS), True),
}
OLDER = [name for name in SETTINGS if not name.startswith("newer")]


def shown() -> list[object]:
    """All that torch says, by both sets of names."""
    found: list[object] = [part.fp32_precision for part in (BACKENDS, CUDNN, CUDNN.conv, CUDNN.rnn, PRODUCTS)]
    for read in (lambda: CUDNN.allow_tf32, lambda: PRODUCTS.allow_tf32, torch.get_float32_matmul_precision):
        try:
            found.append(read())
        except RuntimeError as error:
            found.append(type(error))
    return found


def check(name: str) -> None:
    choose, allowed = SETTINGS[name]
    choose()
    before = shown()
    assert allows_tf32() == allowed
    with pytest.raises(KeyError), without_tf32():
        assert not allows_tf32()
        assert {part.fp32_precision for part in (CUDNN.conv, CUDNN.rnn, PRODUCTS)} <= {"none", "ieee"}
        if name in OLDER:  # which a model may read
            assert not CUDNN.allow_tf32 and not PRODUCTS.allow_tf32
            with CUDNN.flags(enabled=False):
                pass
        raise KeyError
    assert shown() == before and allows_tf32() == allowed
    if name in ("nothing", "newer: all off", "newer: all on"):  # what has it from above goes on to
        for precision in ("tf32", "ieee"):
            set_to(precision, BACKENDS)
            assert PRODUCTS.fp32_precision == precision


def run(name: str) -> None:
    """All that looks at TF32 in a run: copies, first calls, the environment."""
    SETTINGS[name][0]()
    found = evaluate(
        Little({"depth": Depth()}), (np.full((1, 8, 8, 3), 0.5), {"depth": np.ones((1, 8, 8))}), [], device="cpu"
    )
    assert found.environment["calls"] is not None and not found.environment["tf32"]


@pytest.mark.parametrize("name", ["newer: all off", "newer: all on"])
def test_a_run_where_it_was_set_by_the_newer_names(name: str) -> None:
    process = start(run, name)
    process.join()
    assert process.exitcode == 0


@pytest.mark.parametrize("name", SETTINGS)
def test_off_inside_and_as_it_was_afterwards(name: str) -> None:
    process = start(check, name)
    process.join()
    assert process.exitcode == 0
