"""A batch that the device has no memory for is done in halves; what is done stays done."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluation_toys import PREPARING, Fickle, assert_equal, tiny_network
from torch import Tensor, nn

from mtlattack.attacks import create_attack
from mtlattack.data import PreparedDataset, load_dataset
from mtlattack.devices import is_out_of_memory
from mtlattack.errors import InputError
from mtlattack.evaluation import evaluate as evaluate_anywhere
from mtlattack.evidence import Evidence, EvidenceFile, read_evidence
from mtlattack.models import MultiTaskNetwork, wrap
from mtlattack.tasks import Depth

evaluate = partial(evaluate_anywhere, device="cpu")
CHECKS = PREPARING - 1  # a trace brings no images
SINGLY = CHECKS - 3  # of which all but two are of one image, one of these with its gradient
ATTACKS = [create_attack("fgsm-total", eps=0.02), create_attack("pgd-dgba", eps=0.02, steps=2)]
CPU = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate"
ERRORS: dict[str, Callable[[], Exception]] = {
    "cuda": lambda: torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB."),
    "torch": lambda: torch.OutOfMemoryError("allocation failed"),
    "cpu": lambda: RuntimeError(CPU),
    "mps": lambda: RuntimeError("MPS backend out of memory (MPS allocated: 9 GB, max allowed: 9 GB)."),
    "cublas": lambda: RuntimeError("CUDA error: out of memory"),
}


@dataclass
class Memory:
    """What fits, without and with gradients; `batches` are the sizes that came, `(size, with gradient)`."""

    plain: float = np.inf
    gradient: float = np.inf
    error: Callable[[], Exception] = ERRORS["cuda"]
    batches: list[tuple[int, bool]] = field(default_factory=list)

    def __deepcopy__(self, memo: object) -> "Memory":
        return self  # a model's copies use the same

    def take(self, images: Tensor) -> None:
        """Raises where these images do not fit."""
        self.batches.append((len(images), images.requires_grad))
        if len(images) > (self.gradient if images.requires_grad else self.plain):
            raise self.error()


class Hungry(nn.Module):
    """Depth by arithmetic a pixel, in a fixed order, so that no image can feel its batch."""

    def __init__(self, memory: Memory) -> None:
        super().__init__()
        self.memory, self.tasks = memory, {"depth": Depth()}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        if isinstance(images, Tensor):  # and no trace
            self.memory.take(images)
        red, green, blue = images.unbind(1)
        return {"depth": (2 + torch.sin(9 * red) + torch.sin(7 * green * blue))[:, None]}


@pytest.fixture
def depths(rooms_path: Path) -> PreparedDataset:
    return load_dataset(rooms_path, tasks={"depth": Depth()}, limit=4)


def collected(run: Callable[[], Evidence]) -> tuple[Evidence, list[str]]:
    """What a run gives, and what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        evidence = run()
    return evidence, [str(warning.message) for warning in caught]


def warning(images: int, then: int) -> str:
    return f"cpu has no memory for {images} images: going on with {then}"


# --- halving


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("fits", "said"),
    [
        (4, []),
        (3, [warning(4, 2)]),
        (2, [warning(4, 2)]),
        (1, [warning(4, 2), warning(2, 1)]),
    ],
)
@pytest.mark.parametrize("error", ERRORS)
def test_run_ends_with_the_numbers_of_small_batches(
    error: str, fits: int, said: list[str], depths: PreparedDataset
) -> None:
    expected = evaluate(Hungry(Memory()), depths, ATTACKS, batch_size=1)
    model = Hungry(Memory(gradient=fits, error=ERRORS[error]))
    evidence, warned = collected(lambda: evaluate(model, depths, ATTACKS, batch_size=4))
    assert warned == said
    assert_equal(evidence, expected)
    assert evidence.plan["batch_size"] == 4


def test_a_network_ends_with_the_same_numbers_up_to_rounding(network: MultiTaskNetwork, data: PreparedDataset) -> None:
    class HungryNetwork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.tasks, self.memory = network, network.tasks, Memory(gradient=2)

        def forward(self, images: Tensor) -> dict[str, Tensor]:
            if isinstance(images, Tensor):
                self.memory.take(images)
            predictions: dict[str, Tensor] = self.network(images)
            return predictions

    evidence, warned = collected(lambda: evaluate(HungryNetwork(), data, ATTACKS, batch_size=4))
    assert warned == [warning(4, 2)]
    expected = evaluate(network, data, ATTACKS, batch_size=2)
    np.testing.assert_allclose(evidence.clean.losses, expected.clean.losses, rtol=1e-5)
    for one, other in zip(evidence.attacked, expected.attacked, strict=True):
        np.testing.assert_allclose(one.losses, other.losses, rtol=1e-3)


def test_what_fitted_once_is_kept_to(depths: PreparedDataset) -> None:
    """One try too large in the whole run; the jobs and batches after it start with what fits."""
    memory = Memory(gradient=1)
    _, warned = collected(lambda: evaluate(Hungry(memory), depths, ATTACKS, batch_size=2))
    assert warned == [warning(2, 1)]
    tries = memory.batches[memory.batches.index((2, True)) - 1 :]
    fgsm, pgd = [(1, True), (1, False)], [(1, True), (1, True), (1, False)]
    first = [(2, False), (2, True), *2 * fgsm, *2 * pgd]
    assert tries == [*first, *2 * [(1, False)], *2 * fgsm, *2 * pgd]


def test_finished_parts_are_not_done_again(depths: PreparedDataset) -> None:
    """Memory gets short between the second image and the third: the first two stay done."""

    class Shrinking(Memory):
        def take(self, images: Tensor) -> None:
            if self.batches[-4:] == [(2, True), (2, True), (2, False), (2, True)]:
                self.gradient = 1
            super().take(images)

    memory = Shrinking(gradient=2)
    evidence, warned = collected(lambda: evaluate(Hungry(memory), depths, ATTACKS[1:], batch_size=4))
    assert warned == [warning(4, 2), warning(2, 1)]
    tries = memory.batches[memory.batches.index((4, True)) + 1 :]
    one, two = ([(n, True), (n, True), (n, False)] for n in (1, 2))
    assert tries == [*two, (2, True), (2, True), *one, *one]
    assert_equal(evidence, evaluate(Hungry(Memory()), depths, ATTACKS[1:], batch_size=1))


def test_clean_pass_is_halved_too(depths: PreparedDataset) -> None:
    class Shrinking(Memory):
        """Enough to prepare the model."""

        def take(self, images: Tensor) -> None:
            if len(self.batches) == CHECKS:
                self.plain = self.gradient = 2
            super().take(images)

    memory = Shrinking()
    evidence, warned = collected(lambda: evaluate(Hungry(memory), depths, ATTACKS, batch_size=4))
    assert warned == [warning(4, 2)]
    assert memory.batches[CHECKS:][:3] == [(4, False), (2, False), (2, False)]
    assert_equal(evidence, evaluate(Hungry(Memory()), depths, ATTACKS, batch_size=1))


def test_batch_of_an_odd_size(rooms_path: Path) -> None:
    """Three images go as one, one and one: half of three is one."""
    three = load_dataset(rooms_path, tasks={"depth": Depth()}, limit=3)
    memory = Memory(gradient=2)
    evidence, warned = collected(lambda: evaluate(Hungry(memory), three, ATTACKS[:1], batch_size=3))
    assert warned == [warning(3, 1)]
    assert_equal(evidence, evaluate(Hungry(Memory()), three, ATTACKS[:1], batch_size=1))


def test_wrapped_model_that_has_no_memory(depths: PreparedDataset) -> None:
    """`wrap` turns what a module raises into an InputError, but not a lack of memory."""
    model = wrap(Hungry(Memory(gradient=2)), {"depth": Depth()})
    _, warned = collected(lambda: evaluate(model, depths, ATTACKS, batch_size=4))
    assert warned == [warning(4, 2)]


# --- one image that does not fit


@pytest.mark.sampled(3)
@pytest.mark.parametrize("error", ERRORS)
def test_one_image_that_does_not_fit_raises_and_what_was_done_is_kept(
    error: str, depths: PreparedDataset, tmp_path: Path
) -> None:
    path, original = tmp_path / "evidence.h5", ERRORS[error]()
    memory = Memory(gradient=0, error=lambda: original)
    with pytest.warns(UserWarning) as warned, pytest.raises(type(original)) as caught:
        evaluate(Hungry(memory), depths, ATTACKS, batch_size=4, path=path)
    assert caught.value is original
    assert [str(w.message) for w in warned] == [warning(4, 2), warning(2, 1)]
    done = EvidenceFile(path).done()
    assert done["clean"].all() and not done["attacks/0000"].any() and not done["attacks/0001"].any()
    with pytest.raises(InputError, match="is not finished"):
        read_evidence(path)
    roomy = Memory()
    evidence = evaluate(Hungry(roomy), depths, ATTACKS, batch_size=4, path=path)
    assert_equal(evidence, evaluate(Hungry(Memory()), depths, ATTACKS, batch_size=4))
    assert roomy.batches[-5:] == [(4, True), (4, False), (4, True), (4, True), (4, False)]
    assert len(roomy.batches) == CHECKS + 5  # the clean pass was done


def test_parts_done_before_an_image_that_does_not_fit_are_kept(depths: PreparedDataset, tmp_path: Path) -> None:
    class Ending(Memory):
        def take(self, images: Tensor) -> None:
            if self.batches.count((1, False)) == SINGLY + 3:
                self.gradient = 0
            super().take(images)

    path = tmp_path / "evidence.h5"
    with pytest.warns(UserWarning), pytest.raises(torch.OutOfMemoryError):
        evaluate(Hungry(Ending(gradient=1)), depths, ATTACKS[:1], batch_size=4, path=path)
    assert EvidenceFile(path).done()["attacks/0000"].tolist() == [True, True, True, False]
    roomy = Memory()
    evidence = evaluate(Hungry(roomy), depths, ATTACKS[:1], batch_size=4, path=path)
    assert roomy.batches[CHECKS:] == [(4, True), (4, False)]  # of the last image alone, which fills a batch
    assert_equal(evidence, evaluate(Hungry(Memory()), depths, ATTACKS[:1], batch_size=4))


def test_other_errors_are_not_halved(network: MultiTaskNetwork, data: PreparedDataset) -> None:
    model = Fickle(tiny_network(network.tasks), fail_at=PREPARING + 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeError, match="out of patience"):
            evaluate(model, data, ATTACKS, batch_size=4)
    assert model.calls.count == PREPARING + 2


@pytest.mark.filterwarnings("ignore:.*gradient signs agree")
def test_no_more_than_one_image_is_looked_at_before_the_first_batch(depths: PreparedDataset) -> None:
    """Not for the gradients' agreement either."""
    memory = Memory(plain=1, gradient=1)
    evaluate(Hungry(memory), depths, ATTACKS, batch_size=1, precision="bfloat16")
    calls = [*8 * [(1, False)], *8 * [(1, True)], *2 * [(1, False)]]  # copies, four images by both, the same twice
    assert memory.batches[: len(calls)] == calls


# --- what says that memory has run out


@pytest.mark.parametrize("error", ERRORS)
def test_errors_that_say_so(error: str) -> None:
    assert is_out_of_memory(ERRORS[error]())
    assert is_out_of_memory(InputError(f"Hungry on images (4, 3, 96, 128) raised {type(error).__name__}: {CPU}"))


@pytest.mark.parametrize(
    "said",
    [
        "CUDA driver error: out of memory",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "GET was unable to find an engine to execute this computation",
    ],
)
def test_libraries_that_say_so(said: str) -> None:
    assert is_out_of_memory(RuntimeError(said))


def test_a_real_one() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (4x3 and 4x3)"),
        RuntimeError("out of patience"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("Expected all tensors to be in the same memory format"),
        InputError("the model's prediction of depth is not finite"),
        IndexError("index 4 is out of bounds for dimension 0 with size 4"),
        KeyError("memory"),
        ValueError(),
    ],
)
def test_errors_that_say_something_else(error: Exception) -> None:
    assert not is_out_of_memory(error)
