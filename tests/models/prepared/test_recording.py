"""What is around torch's own recorder, which a CPU only sees being called: streams, warnings, passes that wait."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from mtlattack.models.prepared import Predict, record_on_cuda

STREAMS = "The AccumulateGrad node's stream does not match the stream of the node that produced the gradient."
SAMPLE = (torch.ones(1, 3, 2, 2, requires_grad=True),)


class Cuda:
    """What of `torch.cuda` a recording uses: notes streams and modes, and says `warned` or raises when it records."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, warned: str = "", raised: str = "") -> None:
        self.stream, self.mode, self.seen = "default", "warn", list[str]()
        self.warned, self.raised = warned, raised
        monkeypatch.setattr(torch.cuda, "device", self.around)
        monkeypatch.setattr(torch.cuda, "stream", self.around)
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: self.stream)
        monkeypatch.setattr(torch.cuda, "get_sync_debug_mode", lambda: self.mode)
        monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", self.watch)
        monkeypatch.setattr(torch.cuda, "make_graphed_callables", self.record)

    @contextmanager
    def around(self, _: Any) -> Iterator[None]:
        """As torch's: whatever stream is current inside, afterwards it is the one before."""
        before = self.stream
        try:
            yield
        finally:
            self.stream = before

    def watch(self, mode: str) -> None:
        warnings.warn("Synchronization debug mode is a prototype feature and does not yet detect all", stacklevel=1)
        self.mode = mode

    def predict(self, images: Tensor) -> dict[str, Tensor]:
        self.seen.append(self.mode)
        return {"depth": images.sum(1), "cut off": images.detach()}

    def record(self, predict: Predict, sample: tuple[Tensor]) -> Predict:
        self.stream = "capturing"
        predict(*sample)
        if self.warned:
            warnings.warn(self.warned, stacklevel=1)
        if self.raised:
            raise RuntimeError(self.raised)
        return predict


def test_a_pass_is_watched_before_it_is_recorded_and_not_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = Cuda(monkeypatch)
    assert record_on_cuda(cuda.predict, SAMPLE) == cuda.predict
    assert cuda.seen == ["error", "warn"] and cuda.mode == "warn" and cuda.stream == "default"


def test_a_pass_that_waits_is_never_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = Cuda(monkeypatch)

    def waits(images: Tensor) -> dict[str, Tensor]:
        raise RuntimeError("called a synchronizing CUDA operation" if cuda.mode == "error" else "recorded")

    with pytest.raises(RuntimeError, match="synchronizing"):
        record_on_cuda(waits, SAMPLE)
    assert cuda.mode == "warn"


def test_a_recording_that_fails_leaves_the_stream_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = Cuda(monkeypatch, raised="operation not permitted")
    with pytest.raises(RuntimeError, match="operation not permitted"):
        record_on_cuda(cuda.predict, SAMPLE)
    assert cuda.stream == "default"


def test_what_torch_says_of_its_own_streams_is_ignored_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        record_on_cuda(Cuda(monkeypatch, warned=STREAMS).predict, SAMPLE)
        with pytest.raises(UserWarning, match="something else"):
            record_on_cuda(Cuda(monkeypatch, warned="something else").predict, SAMPLE)
