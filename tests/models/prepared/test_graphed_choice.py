"""CUDA graphs where they pay: only where they give the same and are faster; otherwise the model as it was."""

import warnings
from functools import cache
from typing import Any

import pytest
import torch
from graph_toys import DEVICES, record_for, record_on_cpu
from model_toys import random_images, tiny_network
from preparing_toys import Plain, Predictions
from torch import Tensor, nn

from mtlattack.models import GraphedModel, PreparedModel, graph_where_it_pays, lower_precision, prepare_for_attack
from mtlattack.models.prepared import Predict, record_on_cuda
from mtlattack.tasks import Segmentation


@cache
def prepared() -> PreparedModel:
    return prepare_for_attack(tiny_network(), random_images())


def times(monkeypatch: pytest.MonkeyPatch, graphed: float) -> None:
    """A pass of the model itself takes a second."""
    monkeypatch.setattr(
        "mtlattack.models.prepared.graphed._seconds",
        lambda model, images: graphed if isinstance(model, GraphedModel) else 1.0,
    )


def silently(*arguments: Any) -> tuple[PreparedModel | GraphedModel, float | None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return graph_where_it_pays(*arguments)


def test_taken_where_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    times(monkeypatch, 0.5)
    model, speed_up = silently(prepared(), random_images(), record_on_cpu)
    assert isinstance(model, GraphedModel) and model.prepared is prepared() and speed_up == 2
    for name, value in prepared()(random_images(seed=1)).items():
        assert torch.equal(model(random_images(seed=1))[name], value)


@pytest.mark.parametrize(("graphed", "pays"), [(0.95, True), (0.96, False), (1.0, False), (3.0, False)])
def test_left_where_not_five_percent_faster(graphed: float, pays: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    times(monkeypatch, graphed)
    model, speed_up = silently(prepared(), random_images(), record_on_cpu)
    assert (isinstance(model, GraphedModel), speed_up is not None) == (pays, pays)
    assert pays or model is prepared()


def test_time_is_taken() -> None:
    """By the clock, whatever it says on a busy machine: taken where it is 5 % faster, and left where it is not."""
    model, speed_up = silently(prepared(), random_images(), record_on_cpu)
    assert (model is prepared()) == (speed_up is None)
    assert speed_up is None or speed_up >= 1.05


@pytest.mark.parametrize("device", DEVICES[1:])
def test_on_a_device(device: str) -> None:
    images = random_images().to(device)
    model, speed_up = silently(prepare_for_attack(tiny_network(), images), images, record_for(device))
    assert isinstance(model, GraphedModel) and speed_up is not None and speed_up > 1.05


def test_a_slow_graph_holds_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    times(monkeypatch, 2.0)
    released: list[torch.device] = []
    monkeypatch.setattr("mtlattack.models.prepared.graphed.release_memory", released.append)
    silently(prepared(), random_images(), record_on_cpu)
    assert released == [torch.device("cpu")]


# --- recordings that are wrong


def doubled(predict: Predict, sample: tuple[Tensor]) -> Predict:
    """Predicts otherwise for one task."""
    predict(*sample)
    return lambda images: {n: 2 * v if n == "depth" else v for n, v in predict(images).items()}


def first_only(predict: Predict, sample: tuple[Tensor]) -> Predict:
    """Forgot to look at the images."""
    kept = predict(sample[0].detach())
    return lambda images: {name: value.detach() + 0 * images.sum() for name, value in kept.items()}


class _Halved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        return images.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient / 2


def with_other_gradients(predict: Predict, sample: tuple[Tensor]) -> Predict:
    predict(*sample)
    return lambda images: predict(_Halved.apply(images))


class _Forgetful(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        ctx.passes = 0
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        ctx.passes += 1
        return gradient * (ctx.passes == 1)


def with_one_backward_pass(predict: Predict, sample: tuple[Tensor]) -> Predict:
    """The first backward pass after a forward pass is right; only that."""
    predict(*sample)
    return lambda images: predict(_Forgetful.apply(images))


def without_a_task(predict: Predict, sample: tuple[Tensor]) -> Predict:
    predict(*sample)
    return lambda images: {name: value for name, value in predict(images).items() if name != "depth"}


@pytest.mark.parametrize("record", [doubled, first_only, with_other_gradients, with_one_backward_pass])
def test_left_with_a_warning_where_it_gives_something_else(record: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    times(monkeypatch, 0.1)
    said = "^TreeNetwork gives other predictions or gradients as a CUDA graph: left as it was$"
    with pytest.warns(UserWarning, match=said):
        assert graph_where_it_pays(prepared(), random_images(), record) == (prepared(), None)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: operation not permitted\nwhen stream is capturing"),
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB."),
        AssertionError("hooks"),
    ],
)
def test_left_with_a_warning_where_recording_raises(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(predict: Predict, sample: tuple[Tensor]) -> Predict:
        raise error

    with pytest.warns(UserWarning) as caught:
        assert graph_where_it_pays(prepared(), random_images(), raising) == (prepared(), None)
    said = f"TreeNetwork raises {type(error).__name__} ({' '.join(str(error).split())}) as a CUDA graph: left as it was"
    assert [str(warning.message) for warning in caught] == [said]


def test_of_a_recording_that_breaks_what_broke_it_is_told() -> None:
    def breaking(predict: Predict, sample: tuple[Tensor]) -> Predict:
        try:
            raise RuntimeError("operation not permitted when stream is capturing")
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")

    with pytest.warns(UserWarning, match=r"raises RuntimeError \(operation not permitted when stream is capturing\)"):
        graph_where_it_pays(prepared(), random_images(), breaking)


def test_left_where_a_replay_raises() -> None:
    with pytest.warns(UserWarning, match="^TreeNetwork raises ValueError "):
        assert graph_where_it_pays(prepared(), random_images(), without_a_task) == (prepared(), None)


# --- kernels that add in any order


class _Rounded(torch.autograd.Function):
    """Gradients that are off by another share of the largest one at every call, as atomic additions make them."""

    calls = 0

    @staticmethod
    def forward(ctx: Any, images: Tensor, share: float) -> Tensor:
        ctx.share = share
        return images.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        _Rounded.calls += 1
        noise = torch.randn(gradient.shape, generator=torch.Generator().manual_seed(_Rounded.calls)).clamp(-3, 3) / 3
        return gradient + ctx.share * gradient.abs().max() * noise, None


class Rounds(Plain):
    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, images: Tensor) -> Predictions:
        return super().forward(_Rounded.apply(images, self.share) if isinstance(images, Tensor) else images)


@pytest.mark.parametrize(("share", "taken"), [(5e-5, True), (1.5e-4, True), (1e-3, False), (0.5, False)])
def test_a_model_may_differ_from_its_graph_as_from_itself(
    share: float, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    times(monkeypatch, 0.5)
    model = prepare_for_attack(Rounds(share), random_images())

    def record(predict: Predict, sample: tuple[Tensor]) -> Predict:
        predict(*sample)
        return predict  # Each of its passes is rounded anew, as a replay's.

    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if not taken else "error")
        assert isinstance(graph_where_it_pays(model, random_images(), record)[0], GraphedModel) == taken


# --- models that cannot be recorded


class Reads(Plain):
    """Looks at a value and decides."""

    def forward(self, images: Tensor) -> Predictions:
        if isinstance(images, Tensor) and float(images.detach().mean()) > 2:
            raise ValueError("too bright")
        return super().forward(images)


class Draws(Plain):
    """Random numbers."""

    def forward(self, images: Tensor) -> Predictions:
        return {"depth": super().forward(images)["depth"] * torch.rand_like(images[:, :1])}


class Counts(Plain):
    """Python that a replay does not run."""

    calls = 0

    def forward(self, images: Tensor) -> Predictions:
        if isinstance(images, Tensor):
            Counts.calls += 1
        return {"depth": super().forward(images)["depth"] * (1 + Counts.calls % 2)}


@pytest.mark.filterwarnings("ignore:.*left as it was:UserWarning")
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (Reads, r"Reads raises RuntimeError \(operation not permitted when stream is capturing\)"),
        (Draws, "Draws gives other predictions or gradients"),
        (Counts, "Counts gives other predictions or gradients"),
    ],
)
def test_models_that_no_graph_can_follow(make: type[Plain], said: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = prepare_for_attack(make(), random_images())
    with pytest.warns(UserWarning, match=f"^{said} as a CUDA graph: left as it was$"):
        assert graph_where_it_pays(model, random_images(), record_on_cpu) == (model, None)


class Probabilities(Plain):
    """Their sum is flat: a gradient of nothing but rounding."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks = {"segmentation": Segmentation(8)}  # type: ignore[dict-item]

    def forward(self, images: Tensor) -> Predictions:
        return {"segmentation": self.features(images).softmax(1)}


@pytest.mark.parametrize("model", [Probabilities(), tiny_network()])
@pytest.mark.parametrize("low", [False, True])
def test_models_that_graphs_follow(model: nn.Module, low: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    times(monkeypatch, 0.5)
    copy = prepare_for_attack(model, random_images())
    found, _ = silently(lower_precision(copy) if low else copy, random_images(), record_on_cpu)
    assert isinstance(found, GraphedModel)


def test_nothing_is_recorded_without_cuda() -> None:
    """The default goes to torch, and what torch says here is no traceback."""
    if torch.cuda.is_available():
        pytest.skip("needs a machine without a CUDA device")
    with pytest.warns(UserWarning, match="^TreeNetwork raises .* as a CUDA graph: left as it was$"):
        assert graph_where_it_pays(prepared(), random_images(), record_on_cuda) == (prepared(), None)
