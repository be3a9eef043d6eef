"""A run with CUDA graphs, emulated: the same numbers, and a way back where there is no memory for them."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from evaluation_toys import Fickle, Little, assert_equal
from graph_toys import DEVICES, Counting, record_on_cpu
from torch import Tensor

from mtlattack.attacks import Attack, create_attack
from mtlattack.data import PreparedDataset
from mtlattack.errors import InputError
from mtlattack.evaluation import evaluate
from mtlattack.evaluation.preparation import CudaGraphs, Preparation, prepare, wants_graphs, with_graphs
from mtlattack.evidence import Evidence
from mtlattack.models import GraphedModel, MultiTaskNetwork, PreparedModel
from mtlattack.models.prepared import Predict, Record

EPS = 4 / 255
MODES: tuple[CudaGraphs, CudaGraphs] = ("off", "on")
SIZE = (24, 32)
Seconds = Callable[[Any, Tensor], float]


def attacks() -> list[Attack]:
    return [
        create_attack("pgd-dgba", eps=EPS, steps=2),
        create_attack("apgd-total", eps=EPS, steps=3),
        create_attack("fgsm-signsum", eps=EPS),
        create_attack("universal-total", eps=EPS, epochs=1),
    ]


@pytest.fixture
def emulated(monkeypatch: pytest.MonkeyPatch) -> Callable[[Record], Counting]:
    """Runs on a CPU record with this, which then counts; a replay takes half the time."""

    def install(record: Record) -> Counting:
        counting = Counting(record)
        seconds: Seconds = lambda model, images: 0.5 if isinstance(model, GraphedModel) else 1.0  # noqa: E731
        monkeypatch.setattr("mtlattack.models.prepared.graphed._seconds", seconds)
        monkeypatch.setattr("mtlattack.evaluation.setup.wants_graphs", lambda mode, *rest: mode == "on")
        monkeypatch.setattr("mtlattack.evaluation.setup.with_graphs", partial(with_graphs, record=counting))
        return counting

    return install


run = partial(evaluate, device="cpu", batch_size=3)


@pytest.mark.filterwarnings("ignore:.*gradient signs agree")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_numbers_are_those_of_a_run_without(
    precision: Any, network: Little, data: PreparedDataset, emulated: Callable[[Record], Counting]
) -> None:
    expected = run(network, data, attacks(), precision=precision)
    counting = emulated(record_on_cpu)
    evidence = run(network, data, attacks(), precision=precision, cuda_graphs="on")
    assert evidence.plan == expected.plan
    assert_equal(evidence, expected)
    assert "cuda_graphs" not in expected.environment
    assert evidence.environment["cuda_graphs"] == {"judge": 2.0, "search": 2.0}
    # The first three of the four images, and the last one, thrice; all four that are fitted on go through the model.
    assert counting.replays.keys() == {(3, 3, *SIZE)}


@pytest.mark.filterwarnings("ignore:.*gradient signs agree")
@pytest.mark.parametrize(("precision", "times"), [("float32", 1), ("bfloat16", 2)])
def test_recorded_once_for_one_model_and_twice_for_two(
    precision: str, times: int, network: Little, data: PreparedDataset
) -> None:
    """For a batch filled with the images that there are, laid out as the runner lays them out."""
    images, samples = torch.rand(2, 3, 32, 48), list[Tensor]()

    def record(predict: Predict, sample: tuple[Tensor]) -> Predict:
        samples.append(sample[0].detach().clone())
        return record_on_cpu(predict, sample)

    plain = prepare(network, data[0], precision)
    graphed = with_graphs(plain, images, 5, record)
    assert len(samples) == times
    for sample in samples:
        assert torch.equal(sample, images[[0, 1, 0, 1, 0]])
        assert sample.is_contiguous(memory_format=torch.channels_last)
    assert graphed.low == plain.low and graphed.description == plain.description
    assert graphed.sign_agreement == plain.sign_agreement


@pytest.mark.parametrize(("batch_size", "recorded"), [(2, 2), (4, 4), (16, 4)])
def test_recorded_for_batches_of_the_run(
    batch_size: int,
    recorded: int,
    network: Little,
    data: PreparedDataset,
    emulated: Callable[[Record], Counting],
) -> None:
    counting = emulated(record_on_cpu)
    run(network, data, attacks()[:1], cuda_graphs="on", batch_size=batch_size)
    assert counting.replays.keys() == {(recorded, 3, *SIZE)}


def refusing(what: Callable[[int], bool]) -> Record:
    """Cannot record one of two."""
    count = 0

    def record(predict: Predict, sample: tuple[Tensor]) -> Predict:
        nonlocal count
        count += 1
        if what(count):
            raise RuntimeError("no graph of this")
        return record_on_cpu(predict, sample)

    return record


@pytest.mark.filterwarnings("ignore:.*gradient signs agree")
@pytest.mark.parametrize("refused", [1, 2])
def test_one_of_two_models_stays_as_it_is(
    refused: int, network: Little, data: PreparedDataset, emulated: Callable[[Record], Counting]
) -> None:
    expected = run(network, data, attacks()[:2], precision="bfloat16")
    emulated(refusing(lambda count: count == refused))
    with pytest.warns(UserWarning, match=r"raises RuntimeError \(no graph of this\) as a CUDA graph"):
        evidence = run(network, data, attacks()[:2], precision="bfloat16", cuda_graphs="on")
    assert evidence.plan == expected.plan
    assert_equal(evidence, expected)
    speed_ups = evidence.environment["cuda_graphs"]
    assert speed_ups[["judge", "search"][refused - 1]] is None and set(speed_ups.values()) == {None, 2.0}


def test_a_callable_stays_as_it_is(network: Little, data: PreparedDataset) -> None:
    class Bare:
        tasks = network.tasks

        def __call__(self, images: Tensor) -> Any:
            return network(images)

    model = Bare()
    with pytest.warns(UserWarning, match="^the model is a Bare, no nn.Module: no CUDA graph of it$"):
        found = with_graphs(prepare(model, data[0], "float32"), data[0].images, 2, record_on_cpu)
    assert found.judge is model and found.search is model and found.speed_ups == {"judge": None, "search": None}


# --- memory


NO_MEMORY = torch.cuda.OutOfMemoryError("CUDA out of memory.")


class Failing:
    """A recorder whose graphs fail in a run after so many replays."""

    def __init__(self, error: Exception, after: int) -> None:
        self.error, self.left = error, after
        self.running = False

    def __call__(self, predict: Predict, sample: tuple[Tensor]) -> Predict:
        recorded = record_on_cpu(predict, sample)

        def failing(images: Tensor) -> dict[str, Tensor]:
            self.left -= self.running
            if self.left < 0:
                raise self.error
            return recorded(images)

        return failing

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Into the runner; passes that check a recording do not fail."""

        def graphed(plain: Preparation, images: Tensor, size: int) -> Preparation:
            self.running = False
            found = with_graphs(plain, images, size, self)
            self.running = True
            return found

        monkeypatch.setattr("mtlattack.evaluation.setup.with_graphs", graphed)


def collected(work: Callable[[], Evidence]) -> tuple[Evidence, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        evidence = work()
    return evidence, [str(warning.message) for warning in caught]


@pytest.mark.parametrize("batch_size", [1, 3])
def test_graphs_are_dropped_where_there_is_no_memory_beside_them(
    batch_size: int,
    network: Little,
    data: PreparedDataset,
    emulated: Callable[[Record], Counting],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before a batch is halved, and also where there is nothing to halve."""
    expected = run(network, data, attacks()[:2], batch_size=batch_size)
    emulated(record_on_cpu)
    Failing(NO_MEMORY, after=2).install(monkeypatch)
    evidence, said = collected(lambda: run(network, data, attacks()[:2], batch_size=batch_size, cuda_graphs="on"))
    images = "1 image" if batch_size == 1 else f"{batch_size} images"
    assert said == [f"cpu has no memory for {images} beside CUDA graphs: going on without these"]
    assert evidence.plan == expected.plan
    assert_equal(evidence, expected)


def test_then_batches_are_halved(
    network: Little,
    data: PreparedDataset,
    emulated: Callable[[Record], Counting],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forward, full = PreparedModel.forward, [False]

    def hungry(self: PreparedModel, images: Tensor) -> dict[str, Tensor]:
        if full[0] and len(images) > 1:
            raise NO_MEMORY
        return forward(self, images)

    class Filling(Failing):
        def __call__(self, predict: Predict, sample: tuple[Tensor]) -> Predict:
            recorded = super().__call__(predict, sample)

            def filling(images: Tensor) -> dict[str, Tensor]:
                full[0] = self.running
                return recorded(images)

            return filling

    emulated(record_on_cpu)
    monkeypatch.setattr(PreparedModel, "forward", hungry)
    Filling(NO_MEMORY, after=0).install(monkeypatch)
    _, said = collected(lambda: run(network, data, attacks()[:1], cuda_graphs="on"))
    assert said == [
        "cpu has no memory for 3 images beside CUDA graphs: going on without these",
        "cpu has no memory for 3 images: going on with 1",
    ]


def test_a_fit_drops_graphs_too(
    network: Little,
    data: PreparedDataset,
    emulated: Callable[[Record], Counting],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = run(network, data, attacks()[3:], batch_size=4)
    emulated(record_on_cpu)
    Failing(NO_MEMORY, after=0).install(monkeypatch)
    evidence, said = collected(lambda: run(network, data, attacks()[3:], batch_size=4, cuda_graphs="on"))
    assert said == ["cpu has no memory to fit beside CUDA graphs: going on without these"]
    assert evidence.plan == expected.plan
    assert_equal(evidence, expected)


def test_other_errors_are_not_taken_for_a_lack_of_memory(
    network: Little,
    data: PreparedDataset,
    emulated: Callable[[Record], Counting],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emulated(record_on_cpu)
    Failing(RuntimeError("out of patience"), after=2).install(monkeypatch)
    with pytest.raises(RuntimeError, match="out of patience"):
        run(network, data, attacks()[:1], cuda_graphs="on")


# --- where there are none


def test_refused_on_a_cpu_before_anything_is_computed(network: Little, data: PreparedDataset) -> None:
    model = Fickle(network)
    with pytest.raises(InputError, match="^cuda_graphs needs a CUDA device, the run is on cpu$"):
        run(model, data, attacks(), cuda_graphs="on")
    assert model.calls.count == 0


@pytest.mark.parametrize(
    ("mode", "device", "wanted"),
    [
        ("auto", "cuda:1", True),
        ("on", "cuda", True),
        ("off", "cuda", False),
        ("auto", "cpu", False),
        ("off", "mps", False),
    ],
)
def test_auto_is_wherever_there_are_any(mode: str, device: str, wanted: bool, network: Little) -> None:
    assert wants_graphs(mode, torch.device(device), network) == wanted
    # A callable is no module, of which there could be a graph: only who asks for one is told so.
    assert wants_graphs(mode, torch.device(device), lambda images: {}) == (wanted and mode == "on")  # type: ignore[arg-type]


def test_what_there_is_not() -> None:
    model = torch.nn.Identity()
    with pytest.raises(InputError, match="^cuda_graphs needs a CUDA device, the run is on mps$"):
        wants_graphs("on", torch.device("mps"), model)
    with pytest.raises(InputError, match="^unknown cuda_graphs 'yes'; known: auto, off, on"):
        wants_graphs("yes", torch.device("cuda"), model)


def test_the_memory_that_graphs_hold_is_said(
    network: Little, data: PreparedDataset, emulated: Callable[[Record], Counting], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = iter([1_000, 5_000])
    emulated(record_on_cpu)
    monkeypatch.setattr("mtlattack.evaluation.preparation._held", lambda device: next(held))
    assert run(network, data, attacks()[:1], cuda_graphs="on").environment["cuda_graphs_bytes"] == 4_000


@pytest.mark.parametrize("device", DEVICES[1:])
def test_on_a_device(device: str, trained: MultiTaskNetwork, rooms: PreparedDataset) -> None:
    expected, evidence = (
        evaluate(trained, rooms, attacks()[:2], device=device, cuda_graphs=graphs) for graphs in MODES
    )
    for one, other in zip(evidence.attacked, expected.attacked, strict=True):
        np.testing.assert_allclose(one.losses, other.losses, rtol=0.01)
    assert evidence.environment["cuda_graphs"].keys() == {"judge", "search"}
