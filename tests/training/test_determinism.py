"""Deterministic kernels on CUDA, which the CPU only sees being asked for."""

import os
import warnings
from typing import Any

import pytest
import torch

from mtlattack.training.determinism import deterministic

CUDA = torch.device("cuda")
SAID = "upsample_bilinear2d_backward_out_cuda does not have a deterministic implementation, but you set …"


def settings() -> tuple[Any, ...]:
    cudnn = torch.backends.cudnn
    return (
        torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory, cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32,
        os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    )  # fmt: skip


@pytest.mark.parametrize("workspace", [None, ":16:8"])
@pytest.mark.parametrize("fails", [False, True])
def test_everything_is_set_inside_and_as_it_was_afterwards(
    workspace: str | None, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    if workspace is not None:
        monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", workspace)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    before, found = settings(), list[str]()
    try:
        with deterministic(CUDA, found):
            inside = settings()
            if fails:
                raise KeyError
    except KeyError:
        pass
    assert inside == (True, True, False, True, False, before[5], workspace or ":4096:8")
    assert settings() == before and not found


def test_nothing_changes_on_a_cpu() -> None:
    before = settings()
    with deterministic(torch.device("cpu"), []):
        assert settings() == before


def test_an_operation_without_such_a_kernel_is_named_once_and_other_warnings_go_on() -> None:
    found: list[str] = []
    with pytest.warns(UserWarning) as caught:
        for _ in range(2):
            with deterministic(CUDA, found):
                warnings.warn(SAID, stacklevel=1)
                warnings.warn("something else", stacklevel=1)
                warnings.warn(SAID.replace("bilinear", "nearest"), stacklevel=1)
    assert found == ["upsample_bilinear2d_backward_out_cuda", "upsample_nearest2d_backward_out_cuda"]
    assert {str(warning.message) for warning in caught} == {"something else"}


def test_torch_itself_says_it_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operation that is not deterministic on a CPU either."""
    found: list[str] = []
    with deterministic(CUDA, found):
        torch.zeros(3).put_(torch.tensor([0, 0]), torch.ones(2), accumulate=False)
    assert len(found) == 1 and found[0].startswith("put_")
