"""Shared features: what all tasks see last, from networks of every layout and from foreign modules."""

import copy

import pytest
import torch
from model_toys import random_images, tiny_network
from preparing_toys import Plain
from torch import Tensor, nn

from mtlattack.errors import InputError, UnknownNameError
from mtlattack.models import MultiTaskNetwork, lower_precision, prepare_for_attack, wrap
from mtlattack.tasks import Depth


def warmed(layout: str = "shared", **fields: str) -> MultiTaskNetwork:
    """A network whose batch norms have something to fold."""
    network = tiny_network(layout, **fields).train()
    with torch.no_grad():
        network(random_images(4, 64, 64, seed=1))
    return network.eval()


def heads_called(network: MultiTaskNetwork, images: Tensor) -> int:
    calls: list[int] = []
    hooks = [head.register_forward_hook(lambda *_: calls.append(1)) for head in network.heads.values()]
    network.shared_features(images)
    for hook in hooks:
        hook.remove()
    return len(calls)


# Index 0 is shared; a tree of three tasks over five stages may share any number of its first stages.
@pytest.mark.parametrize(
    ("layout", "stages"),
    [
        ("shared", 5),
        (("segmentation+depth+normals/" * 4) + "segmentation|depth+normals", 4),
        ("segmentation+depth+normals/" + "/".join(["segmentation+depth|normals"] * 4), 1),
    ],
)
def test_a_tree_gives_the_last_feature_that_its_tasks_share(layout: str, stages: int) -> None:
    network, images = tiny_network(layout), random_images()
    features = network.shared_features(images)
    paths = network.features(network.normalise(images))
    assert all(any(torch.equal(features, feature) for feature in path) for path in paths.values())
    deepest = [feature for feature in paths["depth"] if any(torch.equal(feature, f) for f in paths["normals"])]
    common = [feature for feature in deepest if any(torch.equal(feature, f) for f in paths["segmentation"])]
    assert torch.equal(features, common[-1]) and len(common) == stages
    assert heads_called(network, images) == 0


def test_a_network_of_separate_backbones_shares_nothing() -> None:
    network = tiny_network("separate")
    with pytest.raises(InputError, match=r"layout segmentation\|depth\|normals/.* has no stage that all tasks share"):
        network.shared_features(random_images())
    assert prepare_for_attack(network, random_images()).folded


def test_mtan_shares_its_backbone() -> None:
    network, images = tiny_network(sharing="mtan"), random_images()
    backbone = network.backbone_features(network.normalise(images))  # type: ignore[operator]
    assert torch.equal(network.shared_features(images), backbone[-1]) and heads_called(network, images) == 0


@pytest.mark.parametrize("sharing", ["tree", "mtan"])
def test_a_prepared_copy_has_the_same_features(sharing: str) -> None:
    network, images = warmed(sharing=sharing), random_images(seed=3)
    prepared = prepare_for_attack(network, images)
    features, expected = prepared.shared_features(images), network.shared_features(images).detach()
    assert prepared.folded and features.dtype == torch.float32
    torch.testing.assert_close(features, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    low = lower_precision(prepared).shared_features(images)
    assert low.dtype == torch.float32 and not torch.equal(low, features)
    torch.testing.assert_close(low, expected, rtol=0, atol=0.05 * float(expected.abs().max()))


TREES = ["shared", "segmentation+depth+normals/" + "/".join(["segmentation+depth|normals"] * 4)]


@pytest.mark.parametrize(
    "fields", [*({"layout": layout} for layout in TREES), {"sharing": "mtan"}], ids=["shared", "tree", "mtan"]
)
def test_predictions_come_with_the_feature_that_they_are_made_of(fields: dict[str, str]) -> None:
    network, images = warmed(**fields), random_images()
    for model in (network, prepare_for_attack(network, images)):
        predictions, features = model.with_shared_features(images.clone().requires_grad_())
        assert torch.equal(features, model.shared_features(images))
        assert all(torch.equal(value, predictions[name]) for name, value in model(images).items())
        for value in predictions.values():
            (gradient,) = torch.autograd.grad(value.square().sum(), features, retain_graph=True)
            assert gradient.any()


def test_predictions_of_separate_backbones_come_with_no_feature() -> None:
    with pytest.raises(InputError, match="has no stage that all tasks share"):
        tiny_network("separate").with_shared_features(random_images())


def test_in_fewer_bits_the_feature_is_as_it_was_computed() -> None:
    network, images = warmed(), random_images()
    low = lower_precision(prepare_for_attack(network, images))
    predictions, features = low.with_shared_features(images.clone().requires_grad_())
    assert features.dtype == torch.bfloat16 and {value.dtype for value in predictions.values()} == {torch.float32}
    (gradient,) = torch.autograd.grad(predictions["depth"].sum(), features)
    assert gradient.any()


class Foreign(nn.Module):
    """An encoder with batch norm, and a head that must not be needed."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = Plain()
        self.unused = nn.Identity()
        self.head_calls = 0

    def encode(self, images: Tensor) -> Tensor:
        return self.plain.norm(self.plain.conv(images))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.encode(images)
        self.head_calls += 1
        return {"depth": self.plain.last(features)}


def wrapped(module: nn.Module, **options: object) -> nn.Module:
    return wrap(module, {"depth": Depth()}, mean=(0.5,) * 3, std=(0.2,) * 3, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("source", ["plain.norm", Foreign.encode, lambda module, x: module.encode(x)])
def test_a_foreign_module_says_where_its_features_are(source: object) -> None:
    module, images = Foreign().eval(), random_images()
    hooks = copy.copy(module.plain.norm._forward_hooks)
    model = wrapped(module, features=source)
    features = model.shared_features(images).detach()  # type: ignore[operator]
    torch.testing.assert_close(features, module.encode((images - 0.5) / 0.2))
    assert module.head_calls == 0 and module.plain.norm._forward_hooks == hooks
    prepared = prepare_for_attack(model, images)
    assert prepared.folded == 1
    rounding = 1e-5 * float(features.abs().max())
    torch.testing.assert_close(prepared.shared_features(images), features, rtol=0, atol=rounding)
    point = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(prepared.shared_features(point).square().sum(), point)
    assert gradient.abs().amin() > 0


def test_features_before_a_batch_norm_keep_it_unfolded() -> None:
    model, images = wrapped(Foreign(), features="plain.conv"), random_images()
    with pytest.warns(UserWarning, match="predicts otherwise when its batch norms are folded"):
        prepared = prepare_for_attack(model, images)
    assert prepared.folded == 0
    torch.testing.assert_close(prepared.shared_features(images), model.shared_features(images))  # type: ignore[operator]


class Otherwise(Plain):
    """Calls something else by the name of shared features."""

    def shared_features(self, x: Tensor, scale: float) -> Tensor:
        return scale * x


class Listing(Plain):
    def shared_features(self, x: Tensor) -> list[Tensor]:
        return [x]


@pytest.mark.parametrize("kind", [Otherwise, Listing])
def test_who_does_not_ask_for_shared_features_does_not_need_them(kind: type[Plain]) -> None:
    model, images = kind().eval(), random_images()
    prepared, expected = prepare_for_attack(model, images), prepare_for_attack(Plain().eval(), images)
    assert prepared.folded == expected.folded and prepared(images).keys() == model(images).keys()
    if kind is Listing:
        with pytest.raises(InputError, match=r"Listing.shared_features gives a list, expected a tensor \[B, …\]"):
            prepared.shared_features(images)


def test_another_source_is_another_model() -> None:
    texts = {
        bytes(wrapped(Foreign(), **options).conventions.tolist())  # type: ignore[operator, union-attr]
        for options in ({}, {"features": "plain.norm"}, {"features": "plain.conv"}, {"features": Foreign.encode})
    }
    assert len(texts) == 4


def test_what_a_user_can_get_wrong() -> None:
    images = random_images()
    with pytest.raises(UnknownNameError, match=r"submodule of Foreign .*'plain.nrom'; did you mean 'plain.norm'"):
        wrapped(Foreign(), features="plain.nrom")
    with pytest.raises(InputError, match="features=3, expected a submodule's name or a function"):
        wrapped(Foreign(), features=3)
    for options, message in [
        ({}, r"nobody said where Foreign keeps .* wrap\(…, features="),
        ({"features": "unused"}, "Foreign does not call its submodule 'unused'"),
        ({"features": lambda module, x: module.encode(x).sum()}, r"features gives a tensor \(\), expected .*\(2, …"),
        ({"features": lambda module, x: [x]}, "features gives a list of 1"),
        ({"features": lambda module, x: module.wrong(x)}, "Foreign on images .* raised AttributeError"),
    ]:
        model = wrapped(Foreign(), **options)  # type: ignore[arg-type]
        with pytest.raises(InputError, match=message):
            model.shared_features(images)  # type: ignore[operator]
    point = images.clone().requires_grad_()
    with pytest.raises(InputError, match="shared features have no gradient"):
        wrapped(Foreign(), features=lambda module, x: module.encode(x).detach()).shared_features(point)  # type: ignore[operator]
    with pytest.raises(InputError, match=r"Plain has no `shared_features\(images\)"):
        prepare_for_attack(Plain().eval(), images).shared_features(images)


class WritingInto(Foreign):
    """What follows its encoder writes into what that gives."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"depth": self.plain.last(self.encode(images).relu_())}


@pytest.mark.parametrize("kind", [Foreign, WritingInto])
def test_a_foreign_module_is_listened_to_on_its_way(kind: type[Foreign]) -> None:
    module, images = kind().eval(), random_images()
    hooks = copy.copy(module.plain.norm._forward_hooks)
    model = wrapped(module, features="plain.norm")
    for each in (model, prepare_for_attack(model, images)):
        predictions, features = each.with_shared_features(images.clone().requires_grad_())  # type: ignore[operator]
        assert torch.equal(features, each.shared_features(images))  # type: ignore[operator]
        assert torch.equal(predictions["depth"], each(images)["depth"])
        (gradient,) = torch.autograd.grad(predictions["depth"].square().sum(), features)
        assert gradient.any()
    assert module.plain.norm._forward_hooks == hooks


def test_who_cannot_be_listened_to_says_so() -> None:
    images = random_images()
    for source, message in (
        (Foreign.encode, "no submodule's name says where Foreign keeps the features"),
        (None, r"nobody said where Foreign keeps .* wrap\(…, features='submodule'\)"),
        ("unused", "Foreign does not call its submodule 'unused'"),
    ):
        with pytest.raises(InputError, match=message):
            wrapped(Foreign(), features=source).with_shared_features(images)  # type: ignore[operator]
    with pytest.raises(InputError, match=r"Plain has no `with_shared_features\(images\)"):
        prepare_for_attack(Plain().eval(), images).with_shared_features(images)
