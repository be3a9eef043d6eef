"""Modules and tensors in plain attributes, which `Module.to` does not reach: named where a model fails over them."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from device_toys import CPU, META, OneDevice
from model_toys import random_images
from preparing_toys import Plain, Predictions, predict
from torch import Tensor, nn

from mtlattack.errors import InputError
from mtlattack.models import lower_precision, prepare_for_attack, wrap
from mtlattack.models.prepared import how_to_reach, out_of_reach
from mtlattack.tasks import Depth


def layer() -> nn.Module:
    return nn.Conv2d(1, 1, 1)


class Holder(Plain):
    """Holds something in an attribute that is not registered, and may use it on its prediction."""

    def __init__(self, held: Any, use: Callable[[Any], nn.Module] | None = None) -> None:
        super().__init__()
        self.held, self.use = held, use

    def forward(self, images: Tensor) -> Predictions:
        depth = super().forward(images)["depth"]
        return {"depth": depth if self.use is None else self.use(self.held)(depth)}


@pytest.mark.parametrize(
    ("held", "names"),
    [
        ([layer()], ["held[0]"]),
        ((nn.ReLU(), layer()), ["held[1]"]),
        ({"near": [layer(), layer()], 3: layer()}, ["held['near'][0]", "held['near'][1]", "held[3]"]),
        ([nn.Sequential(layer())], ["held[0]"]),
        ([nn.BatchNorm2d(1, affine=False)], ["held[0]"]),
        (torch.ones(3), ["held"]),
        ([torch.ones(3, dtype=torch.bfloat16)], []),
        ([torch.ones(3, dtype=torch.long)], []),
        ([nn.ReLU()], []),
        (layer(), []),
        (nn.ModuleList([layer()]), []),
        (nn.Parameter(torch.ones(3)), []),
        ([1, "two", None], []),
    ],
)
def test_what_a_cast_leaves_behind(held: Any, names: list[str]) -> None:
    assert out_of_reach(Holder(held), CPU, torch.bfloat16) == names
    assert out_of_reach(nn.ModuleDict({"inner": Holder(held)}), CPU, torch.bfloat16) == [f"inner.{n}" for n in names]


def test_what_a_move_leaves_behind() -> None:
    assert out_of_reach(Holder([torch.ones(3, dtype=torch.long), layer()]), META, torch.float32) == [
        "held[0]",
        "held[1]",
    ]
    assert out_of_reach(Holder([layer()]), CPU, torch.float32) == []


def test_a_list_of_what_is_registered_too_leaves_nothing_behind() -> None:
    model = Holder([])
    model.held = [model.conv, model.last.weight, nn.Sequential(model.norm)]
    assert out_of_reach(model, CPU, torch.bfloat16) == []


def test_only_where_something_is_left_behind_there_is_advice() -> None:
    assert how_to_reach([]) == ""
    advice = how_to_reach(["a[0]", "b"])
    assert advice.startswith("; perhaps because of what stayed behind: a[0], b (") and "nn.ModuleList" in advice


# --- models that use them

USED: dict[str, tuple[Any, Callable[[Any], nn.Module]]] = {
    "held[0]": ([layer()], lambda held: held[0]),
    "held['last']": ({"last": layer()}, lambda held: held["last"]),
    "held[0][1]": (((nn.ReLU(), layer()),), lambda held: held[0][1]),
}


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("name", USED)
def test_another_device_names_what_it_cannot_reach(name: str, wrapped: bool) -> None:
    model: nn.Module = Holder(*USED[name])
    place = f"module.{name}" if wrapped else name
    if wrapped:
        model = wrap(model, {"depth": Depth()})
    with pytest.raises(InputError) as caught, OneDevice():
        prepare_for_attack(model, random_images().to(META))
    said = str(caught.value)
    assert said.startswith(f"{type(model).__name__} fails on meta in float32: ") and "\n" not in said
    assert f"; perhaps because of what stayed behind: {place} (Module.to reaches" in said


def test_on_their_own_device_they_are_no_error() -> None:
    model = Holder(*USED["held[0]"]).eval()
    prepared = prepare_for_attack(model, random_images())
    torch.testing.assert_close(predict(prepared, random_images()), predict(model, random_images()))
    with pytest.raises(RuntimeError):
        predict(lower_precision(prepared), random_images())


def test_what_is_not_used_hinders_nobody() -> None:
    prepared = prepare_for_attack(Holder([layer()]), random_images())
    assert predict(lower_precision(prepared), random_images())["depth"].dtype == torch.float32


def test_an_error_of_another_cause_is_not_hidden() -> None:
    def broken(held: Any) -> nn.Module:
        raise KeyError("weights of the head")

    with pytest.raises(KeyError, match="weights of the head"):
        prepare_for_attack(Holder([layer()], broken), random_images())


def test_a_lack_of_memory_is_none_of_it() -> None:
    def large(held: Any) -> nn.Module:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(torch.OutOfMemoryError):
        prepare_for_attack(Holder([layer()], large), random_images().to(META))
