"""Random numbers on the side: the same each time inside, and no generator anywhere that shows it afterwards."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from mtlattack.chance import same_chance

CPU = torch.device("cpu")


def draws_on(device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.rand(5), torch.rand(5, device=device).cpu()


def check_on(device: torch.device) -> None:
    """What any device must show."""
    draws_on(device)
    before = torch.get_rng_state()
    inside = []
    for _ in range(2):
        with same_chance(device):
            inside.append(draws_on(device))
            draws_on(device)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one, other) for one, other in zip(*inside, strict=True))


def test_on_the_cpu() -> None:
    check_on(CPU)
    torch.manual_seed(4)
    expected = torch.rand(3), torch.rand(3)
    torch.manual_seed(4)
    first = torch.rand(3)
    with same_chance(CPU):
        inside = torch.rand(3)
    assert torch.equal(first, expected[0]) and torch.equal(torch.rand(3), expected[1])
    assert not torch.equal(inside, expected[1])


def test_an_exception_restores_too() -> None:
    before = torch.get_rng_state()
    with pytest.raises(KeyError), same_chance(CPU):
        torch.rand(3)
        raise KeyError
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.enable_grad])
def test_one_inside_the_other(mode: Callable[[], Any]) -> None:
    with mode(), same_chance(CPU):
        first = torch.rand(3)
        with same_chance(CPU):
            assert torch.equal(torch.rand(3), first)
        after = torch.rand(3)
    with same_chance(CPU):
        assert torch.equal(torch.rand(6), torch.cat([first, after]))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_on_cuda(name: str) -> None:
    check_on(torch.device(name))
    states = torch.cuda.get_rng_state_all()
    with same_chance(torch.device(name)):
        torch.rand(5, device=name)
    assert all(torch.equal(one, other) for one, other in zip(states, torch.cuda.get_rng_state_all(), strict=True))


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_another_cuda_device_goes_on_as_it_was() -> None:
    torch.rand(5, device="cuda:1")
    before = torch.cuda.get_rng_state(1)
    with same_chance(torch.device("cuda:0")):
        assert torch.equal(torch.cuda.get_rng_state(1), before)


@pytest.mark.skipif(not torch.backends.mps.is_available(), reason="needs MPS")
def test_on_mps() -> None:
    check_on(torch.device("mps"))
    before = torch.mps.get_rng_state()
    with same_chance(torch.device("mps")):
        torch.rand(5, device="mps")
    assert torch.equal(torch.mps.get_rng_state(), before)


# --- devices that are not here: CPU generators stand in for theirs


class Generators:
    """Generators that write down what is done with them."""

    def __init__(self, count: int) -> None:
        self.log: list[tuple[int, str]] = []
        self.all = [torch.Generator().manual_seed(100 + k) for k in range(count)]
        self.states = [generator.get_state() for generator in self.all]

    def call(self, place: int, name: str, *args: Any) -> Any:
        self.log.append((place, name))
        return getattr(self.all[place], name)(*args)

    def untouched(self) -> bool:
        return all(torch.equal(g.get_state(), state) for g, state in zip(self.all, self.states, strict=True))

    def stand_ins(self) -> tuple[Any, ...]:
        return tuple(_StandIn(self, place) for place in range(len(self.all)))


class _StandIn:
    def __init__(self, generators: Generators, place: int) -> None:
        for name in ("get_state", "set_state", "manual_seed"):
            setattr(self, name, lambda *args, name=name: generators.call(place, name, *args))


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Generators:
    """Three CUDA devices, the second in use."""
    generators = Generators(3)
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "default_generators", generators.stand_ins())
    return generators


@pytest.fixture
def mps(monkeypatch: pytest.MonkeyPatch) -> Generators:
    generators = Generators(1)
    for name, method in (
        ("get_rng_state", "get_state"),
        ("set_rng_state", "set_state"),
        ("manual_seed", "manual_seed"),
    ):
        monkeypatch.setattr(torch.mps, name, lambda *args, method=method: generators.call(0, method, *args))
    return generators


@pytest.fixture
def no_global_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`torch.manual_seed` seeds every device that there is: nobody may call it."""

    def refuse(seed: int) -> None:
        raise AssertionError("torch.manual_seed")

    monkeypatch.setattr(torch, "manual_seed", refuse)
    monkeypatch.setattr(torch.cuda, "manual_seed_all", refuse)


@pytest.mark.usefixtures("no_global_seed")
@pytest.mark.parametrize(("name", "place"), [("cuda", 1), ("cuda:0", 0), ("cuda:2", 2)])
def test_of_cuda_devices_only_the_one_in_use_is_touched(
    cuda: Generators, mps: Generators, name: str, place: int
) -> None:
    host = torch.get_rng_state()
    values = []
    for _ in range(2):
        with same_chance(torch.device(name)):
            values.append(torch.rand(3, generator=cuda.all[place]))
            torch.rand(3)
        assert cuda.untouched() and torch.equal(torch.get_rng_state(), host)
    assert torch.equal(*values) and torch.equal(values[0], torch.rand(3, generator=torch.Generator().manual_seed(0)))
    assert cuda.log == 2 * [(place, "get_state"), (place, "manual_seed"), (place, "set_state")]
    assert not mps.log


@pytest.mark.usefixtures("no_global_seed")
def test_of_mps_the_state_comes_back(cuda: Generators, mps: Generators) -> None:
    host = torch.get_rng_state()
    with pytest.raises(KeyError), same_chance(torch.device("mps")):
        assert torch.equal(mps.all[0].get_state(), torch.Generator().manual_seed(0).get_state())
        torch.rand(3, generator=mps.all[0])
        torch.rand(3)
        raise KeyError
    assert mps.untouched() and torch.equal(torch.get_rng_state(), host)
    assert [name for _, name in mps.log] == ["get_state", "manual_seed", "set_state"] and not cuda.log


@pytest.mark.usefixtures("no_global_seed")
def test_on_the_cpu_no_other_device_is_touched(cuda: Generators, mps: Generators) -> None:
    with same_chance(CPU):
        torch.rand(3)
    assert not cuda.log and not mps.log
