"""Measuring on another device than the CPU, without one: shapes alone, one transfer, no devices mixed."""

import pytest
import torch
from device_toys import CPU, META, MixedDevicesError, OneDevice
from kind_toys import every_task, of_shape, target_shape
from torch import Tensor, nn

from mtlattack.evaluation import judge
from mtlattack.evidence import DIAGNOSTICS, NORMS
from mtlattack.tasks import Classes

TASKS = every_task()
BATCH = 3


class Echo(nn.Module):
    """Predicts each task as channels of the images, repeated, by a weight that has a place."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks, self.weight = TASKS, nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        channels = self.weight * images.repeat(1, 5, 1, 1)
        return {name: of_shape(task, channels[:, : task.channels]) for name, task in TASKS.items()}


@pytest.fixture
def transfers(monkeypatch: pytest.MonkeyPatch) -> list[torch.Size]:
    """Ones come back in place of values that there are none of; the shapes of what was fetched."""
    fetched: list[torch.Size] = []

    def fetch(values: Tensor) -> Tensor:
        fetched.append(values.shape)
        return torch.ones(values.shape, dtype=values.dtype)

    monkeypatch.setattr(Tensor, "cpu", fetch)
    return fetched


def batch_on(device: torch.device) -> tuple[Tensor, dict[str, Tensor]]:
    targets = {name: torch.ones(BATCH, *target_shape(task, (8, 9)), device=device) for name, task in TASKS.items()}
    targets |= {name: targets[name].long() for name, task in TASKS.items() if isinstance(task, Classes)}
    return torch.rand(BATCH, 3, 8, 9, device=device), targets


def test_a_batch_is_measured_on_the_device_and_fetched_once(transfers: list[torch.Size]) -> None:
    images, targets = batch_on(META)
    with OneDevice():
        measured = judge(Echo().to(META), images, targets, images, {"gap": torch.ones(BATCH, device=META)})
    assert len(transfers) == 1
    assert measured.losses.shape == (BATCH, len(TASKS))
    assert measured.perturbation.shape == (BATCH, len(NORMS))
    assert measured.diagnostics.shape == (BATCH, len(DIAGNOSTICS))
    for name, task in TASKS.items():
        assert measured.statistics[name].shape == (BATCH, len(task.statistics_names))


@pytest.mark.usefixtures("transfers")
def test_what_was_left_behind_is_seen() -> None:
    images, targets = batch_on(META)
    with pytest.raises(MixedDevicesError), OneDevice():
        judge(Echo(), images, targets, images)
    with pytest.raises(MixedDevicesError), OneDevice():
        judge(Echo().to(META), images, batch_on(CPU)[1], images)


def test_clean_images_may_come_from_the_host(transfers: list[torch.Size]) -> None:
    images, targets = batch_on(META)
    with OneDevice():
        judge(Echo().to(META), images, targets, batch_on(CPU)[0])
    assert len(transfers) == 1
