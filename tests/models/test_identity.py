"""Functions are told apart by what they compute, and by nothing else: not by process, place or module."""

import os
import subprocess
import sys
import threading
from types import FunctionType

import identity_toys
import pytest
import torch
from identity_toys import DIFFERENT, around, layer, scaled

from mtlattack.models.identity import identity


def test_no_two_of_them_are_one() -> None:
    identities = [identity(function) for function in DIFFERENT]
    assert len(set(identities)) == len(DIFFERENT)


@pytest.mark.slow
def test_other_processes_agree() -> None:
    """In one with other hashes of strings, and where the functions' module has another name."""
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    run = subprocess.run(
        [sys.executable, identity_toys.__file__], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == [identity(function) for function in DIFFERENT]


def test_the_same_source_compiled_again_is_the_same() -> None:
    source = "lambda x, scale=(1, 2): x * scale[0] + sum(y for y in (x, 'one', 2.5))"
    assert identity(eval(source)) == identity(eval(source)) != identity(eval(source.replace("2.5", "3.5")))


def test_calls_change_nothing() -> None:
    function = around(scaled, 1)
    before = identity(function)
    for _ in range(100):  # Python rewrites code that runs often.
        function(torch.ones(1))
    assert identity(function) == before


def test_globals_that_are_read_count(monkeypatch: pytest.MonkeyPatch) -> None:
    before = identity(scaled)
    monkeypatch.setattr(identity_toys, "layer", None)
    assert identity(scaled) == before
    monkeypatch.setattr(identity_toys, "SCALE", 3.0)
    assert identity(scaled) != before


def test_weights_count_by_value() -> None:
    one, two = layer(1.0), layer(2.0)
    assert identity(layer(1.0)) == identity(one) != identity(two)
    two.bias.data.fill_(1.0)  # type: ignore[union-attr, operator]
    assert identity(one) == identity(two)


def test_what_holds_itself_has_an_end() -> None:
    held: list[object] = [1]
    held.append(held)
    recursive = FunctionType((lambda x: again(x)).__code__, {"again": None})  # type: ignore[name-defined] # noqa: F821
    recursive.__globals__["again"] = recursive
    assert identity(around(torch.exp, held)) and identity(recursive)


def test_what_cannot_be_looked_into_counts_by_its_type() -> None:
    lock, other = threading.Lock(), threading.Lock()
    assert identity(around(torch.exp, lock)) == identity(around(torch.exp, other)) != identity(around(torch.exp, None))
