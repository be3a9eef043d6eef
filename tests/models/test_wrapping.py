"""Foreign modules made ours: what they are given, where their outputs are found, what is refused."""

from collections import namedtuple
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from model_toys import random_images
from torch import Tensor, nn

from mtlattack.errors import InputError
from mtlattack.evaluation.environment import weights_digest
from mtlattack.models import Output, wrap
from mtlattack.tasks import Depth, Normals, Segmentation

DEPTH = {"depth": Depth()}
TASKS = {"depth": Depth(), "normals": Normals()}
Pair = namedtuple("Pair", ["depth", "n"])


@dataclass
class Plain:
    depth: Tensor
    n: Tensor


class Foreign(nn.Module):
    """Returns the mean over the channels and twice its input, packed by `pack`."""

    def __init__(self, pack=lambda mean, twice: {"depth": mean, "n": twice}) -> None:
        super().__init__()
        self.pack = pack

    def forward(self, x):
        return self.pack(x.mean(1, keepdim=True), 2 * x)


def returning(value) -> nn.Module:
    """A module that returns `value` of its input, called `depth` by its wrapper unless told otherwise."""
    return Foreign(lambda mean, twice: {"depth": value(mean)})


# --- what the module is given


class Caffe(nn.Module):
    """A net as OpenCV and Caffe feed it: BGR, 0 to 255, means subtracted by itself; image by image in numpy's order."""

    means = (104.0, 117.0, 123.0)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 1, 3, padding=1)

    def from_file(self, rgb: np.ndarray) -> Tensor:
        """Prediction for uint8 `[H, W, 3]`."""
        bgr = rgb[:, :, ::-1].astype(np.float32) - np.array(self.means, np.float32)
        return self(torch.from_numpy(bgr.transpose(2, 0, 1).copy())[None])

    def forward(self, x):
        return self.conv(x)


def test_caffe_conventions_equal_the_nets_own_preprocessing():
    net, rng = Caffe(), np.random.default_rng(0)
    rgb = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    model = wrap(net, DEPTH, mean=net.means, channel_order="BGR", value_range=(0, 255), outputs={"depth": ()})
    images = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
    torch.testing.assert_close(model(images)["depth"], net.from_file(rgb), rtol=1e-4, atol=1e-4)


def test_bgr_levels_equal_rgb_with_the_filters_turned_round():
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
    net = Caffe()
    turned = Caffe()
    turned.conv.weight.data = net.conv.weight.data.flip(1)
    rgb = wrap(net, DEPTH, mean=mean, std=std, outputs={"depth": ()})
    bgr = wrap(
        turned, DEPTH, mean=[255 * m for m in mean[::-1]], std=[255 * s for s in std[::-1]],
        channel_order="BGR", value_range=(0, 255), outputs={"depth": ()},
    )  # fmt: skip
    images = random_images()
    torch.testing.assert_close(rgb(images)["depth"], bgr(images)["depth"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("span", [(-1, 1), (0, 255), (-0.5, 0.5)])
def test_the_range_is_stretched_before_mean_and_std(span):
    images, (low, high) = torch.rand(2, 3, 8, 8), span
    images[0, :, 0, :2] = torch.tensor([0.0, 1.0])
    seen = wrap(nn.Identity(), {"normals": Normals()}, value_range=span, outputs={"normals": ()})(images)["normals"]
    assert (seen[0, :, 0, 0] == low).all() and (seen[0, :, 0, 1] == high).all()
    torch.testing.assert_close(seen, low + images * (high - low))
    mean = [low + share * (high - low) for share in (0.3, 0.5, 0.6)]
    shifted = wrap(
        nn.Identity(), {"normals": Normals()}, value_range=span, mean=mean, std=(2, 2, 4), outputs={"normals": ()}
    )
    by_hand = (seen - torch.tensor(mean).view(3, 1, 1)) / torch.tensor([2, 2, 4]).view(3, 1, 1)
    torch.testing.assert_close(shifted(images)["normals"], by_hand)


def test_by_default_images_reach_the_module_as_they_are():
    images = random_images()
    model = wrap(Foreign(), DEPTH)
    assert torch.equal(model(images)["depth"], images.mean(1, keepdim=True)) and isinstance(model.tasks["depth"], Depth)


class Picky(nn.Module):
    """Takes multiples of 32 alone; gives its input, and its input at an eighth of the size."""

    def forward(self, x):
        if x.shape[-2] % 32 or x.shape[-1] % 32:
            raise RuntimeError(f"wrong size {tuple(x.shape[-2:])}")
        self.seen = x.detach()
        return {"normals": x, "depth": F.avg_pool2d(x.mean(1, keepdim=True), 8)}


@pytest.mark.parametrize("size", [(33, 50), (32, 65), (1, 1), (64, 96)])
def test_sizes_are_padded_with_the_mean_and_predictions_cut_back(size):
    images, mean = random_images(2, *size), (0.5, 0.25, 0.125)
    model = wrap(
        Picky(), TASKS, mean=mean, channel_order="BGR", size_multiple=32,
        outputs={"depth": Output(resize="bilinear")},
    )  # fmt: skip
    predictions = model(images)
    expected = images.flip(1) - torch.tensor(mean).view(3, 1, 1)
    assert torch.equal(predictions["normals"], expected)
    padded = model.module.seen
    assert padded.shape[-2:] == tuple(-(-side // 32) * 32 for side in size)
    assert not padded[..., size[0] :, :].any() and not padded[..., size[1] :].any()
    coarse = F.avg_pool2d(padded.mean(1, keepdim=True), 8)
    whole = F.interpolate(coarse, scale_factor=8, mode="bilinear")[..., : size[0], : size[1]]
    torch.testing.assert_close(predictions["depth"], whole)


def test_what_the_module_raises_is_said():
    with pytest.raises(InputError, match=r"Picky on images \(2, 3, 33, 50\) raised RuntimeError: wrong size"):
        wrap(Picky(), TASKS)(random_images(2, 33, 50))


# --- where outputs are found


@pytest.mark.parametrize(
    ("pack", "outputs"),
    [
        (lambda mean, twice: {"depth": mean, "normals": twice}, None),
        (lambda mean, twice: {"depth": mean, "n": twice}, {"normals": "n"}),
        (lambda mean, twice: [mean, twice], {"depth": 0, "normals": 1}),
        (lambda mean, twice: (mean, twice), {"depth": 0, "normals": -1}),
        (lambda mean, twice: {0: mean, 1: twice}, {"depth": 0, "normals": 1}),
        (Pair, {"depth": "depth", "normals": "n"}),
        (Pair, {"depth": 0, "normals": "n"}),
        (Plain, {"normals": "n"}),
        (lambda mean, twice: {"out": {"n": [twice]}, "depth": mean}, {"normals": ("out", "n", 0)}),
        (lambda mean, twice: SimpleNamespace(d=(mean,), n=twice), {"depth": ("d", 0), "normals": Output("n")}),
        (
            lambda mean, twice: torch.cat([mean, twice], 1),
            {"depth": Output((), channels=slice(0, 1)), "normals": Output((), channels=slice(1, None))},
        ),
    ],
)
def test_outputs_are_found_by_key_position_attribute_or_path(pack, outputs):
    mean, std, images = (0.1, 0.2, 0.3), (0.5, 1.0, 2.0), random_images()
    predictions = wrap(Foreign(pack), TASKS, mean=mean, std=std, outputs=outputs)(images)
    x = (images - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    assert list(predictions) == list(TASKS)
    assert torch.equal(predictions["depth"], x.mean(1, keepdim=True)) and torch.equal(predictions["normals"], 2 * x)


def test_the_order_is_channels_transform_resize():
    def module(mean):
        return F.avg_pool2d(torch.cat([-mean, mean.log()], 1), 8).flatten(2)

    def unfold(x):
        assert x.shape[1] == 1
        return x.unflatten(2, (4, 6)).exp()

    output = Output(channels=slice(1, 2), transform=unfold, resize="bilinear")
    images = 0.1 + 0.8 * random_images()
    came = wrap(returning(module), DEPTH, outputs={"depth": output})(images)["depth"]
    small = F.avg_pool2d(images.mean(1, keepdim=True).log(), 8).exp()
    torch.testing.assert_close(came, F.interpolate(small, (32, 48), mode="bilinear", align_corners=False))


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
def test_resizing_keeps_what_has_the_size_and_a_constant(mode):
    images = random_images()
    same = wrap(Foreign(), DEPTH, outputs={"depth": Output(resize=mode)})(images)["depth"]
    torch.testing.assert_close(same, images.mean(1, keepdim=True))
    module = returning(lambda mean: 0 * mean[..., ::7, ::7] + 2)
    constant = wrap(module, DEPTH, outputs={"depth": Output(resize=mode)})(images)["depth"]
    torch.testing.assert_close(constant, torch.full((2, 1, 32, 48), 2.0))


def test_normals_of_other_axes():
    axes = torch.tensor([1.0, -1.0, -1.0]).view(3, 1, 1)
    outputs = {"normals": Output("n", transform=lambda n: n * axes)}
    images = random_images()
    came = wrap(Foreign(), {"normals": Normals()}, outputs=outputs)(images)["normals"]
    assert torch.equal(came, 2 * images * axes)


def test_half_precision_becomes_that_of_the_images():
    prediction = wrap(returning(lambda mean: mean.half()), DEPTH)(random_images())["depth"]
    assert prediction.dtype == torch.float32


# --- as a model


def test_the_images_gradient_is_that_of_the_composed_function():
    torch.manual_seed(0)
    net = nn.Conv2d(3, 2, 3, padding=1, stride=2).double()
    output = Output((), channels=slice(1, 2), transform=torch.exp, resize="bilinear")
    model = wrap(
        net, DEPTH, mean=(0.1, 0.2, 0.3), std=(4, 5, 6), channel_order="BGR", value_range=(-1, 1), size_multiple=4,
        outputs={"depth": output},
    ).double()  # fmt: skip
    images = torch.rand(1, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: model(x)["depth"], images)


def test_the_model_is_in_eval_mode_and_no_image_depends_on_its_batch():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Conv2d(4, 1, 1))
    model = wrap(net, DEPTH, outputs={"depth": Output((), resize="bilinear")})
    images = random_images(3)
    together = model(images)["depth"]
    torch.testing.assert_close(together, torch.cat([model(image[None])["depth"] for image in images]))
    assert not any(part.training for part in model.modules())


def test_another_convention_is_another_model():
    def digest(**options):
        return weights_digest(wrap(Foreign(), DEPTH, **options))

    others = [
        {"channel_order": "BGR"}, {"value_range": (0, 255)}, {"size_multiple": 8}, {"mean": (0, 0, 1)},
        {"outputs": {"depth": "n"}}, {"outputs": {"depth": Output("n", channels=slice(0, 1))}},
        {"outputs": {"depth": Output(resize="nearest")}},
    ]  # fmt: skip
    assert len({digest(), *(digest(**options) for options in others)}) == 1 + len(others)
    assert digest() == digest(channel_order="RGB", outputs={"depth": Output()})


def test_another_transform_is_another_model():
    def digest(transform):
        return weights_digest(wrap(Foreign(), DEPTH, outputs={"depth": Output(transform=transform)}))

    scales = (1.0, 2.0)
    digests = [digest(lambda x, scale=scale: x * scale) for scale in scales]
    assert (
        len({digest(None), digest(torch.exp), *digests}) == 4 and digest(lambda x, scale=1.0: x * scale) == digests[0]
    )


def test_features_are_known_by_what_their_function_computes():
    def digest(features):
        return weights_digest(wrap(Foreign(), DEPTH, features=features))

    assert digest(lambda module, x: x) != digest(lambda module, x: 2 * x)


def test_what_stored_rows_name_is_still_their_digest():
    net = nn.Conv2d(3, 1, 1)
    nn.init.constant_(net.weight, 0.5)
    nn.init.zeros_(net.bias)
    output = Output((), channels=slice(0, 1), resize="bilinear")
    model = wrap(net, DEPTH, mean=(104, 117, 123), channel_order="BGR", value_range=(0, 255), outputs={"depth": output})
    assert weights_digest(model) == "08a4b965d204fa1f84a4ad16415022af0f41ae1d43e0c4fe7bf4b0e7e23de10c"


def test_the_wrapper_adds_no_weights():
    net = nn.Conv2d(3, 1, 1)
    assert list(wrap(net, DEPTH).state_dict()) == ["module.weight", "module.bias"]


# --- what is refused


@pytest.mark.parametrize(
    ("pack", "output", "message"),
    [
        (dict, "deep", "no output 'deep', the module returned a dict with depth, n"),
        (dict, 0, "no output 0, the module returned a dict with depth, n"),
        (dict, ("depth", "x"), "no output \\('depth', 'x'\\)"),
        (lambda **o: [*o.values()], 2, "no output 2, the module returned a list of 2"),
        (lambda **o: (*o.values(),), "depth", "no output 'depth', the module returned a tuple of 2"),
        (lambda depth, n: depth, None, r"no output 'depth', the module returned a tensor \(2, 1, 32, 48\); .* is \(\)"),
        (lambda depth, n: depth, 0, r"no output 0, the module returned a tensor"),
        (lambda depth, n: depth, "data", r"no output 'data', the module returned a tensor"),
        (lambda depth, n: None, "depth", "no output 'depth', the module returned a NoneType"),
        (dict, (), "gives a dict with depth, n, expected a tensor"),
        (lambda depth, n: {"depth": depth.detach().numpy()}, "depth", "gives a ndarray, expected a tensor"),
        (lambda depth, n: {"depth": (10 * depth).long()}, "depth", "gives torch.int64, expected floating-point"),
        (dict, "n", r"gives \(2, 3, 32, 48\), expected \(2, 1, 32, 48\): 3 channels instead of 1"),
        (dict, Output("n", channels=slice(7, 9)), r"gives \(2, 0, 32, 48\) made of a tensor \(2, 3, 32, 48\)"),
        (dict, Output("depth", transform=lambda x: x[..., ::8]), r"\(2, 1, 32, 6\) made of .* another size"),
        (dict, Output("depth", transform=lambda x: x[:1], resize="bilinear"), r"gives \(1, 1, 32, 48\)"),
        (dict, Output("depth", transform=lambda x: x[:, 0], resize="bilinear"), r"gives \(2, 32, 48\)"),
        (dict, Output("depth", transform=lambda x: None), "gives a NoneType"),
        (dict, Output("depth", transform=lambda x: x @ x), r"the transform of \(2, 1, 32, 48\) raised RuntimeError"),
    ],
)
def test_an_output_that_is_none_is_refused(pack, output, message):
    place = output if isinstance(output, Output) else Output(output)
    model = wrap(Foreign(lambda mean, twice: pack(depth=mean, n=twice)), DEPTH, outputs={"depth": place})
    with pytest.raises(InputError, match=f"task 'depth': .*{message}"):
        model(random_images())


def test_a_prediction_cut_off_from_the_image_is_refused_where_a_gradient_is_wanted():
    model = wrap(Foreign(lambda mean, twice: {"depth": mean, "normals": twice.detach()}), TASKS)
    images = random_images()
    model(images)
    with torch.no_grad():
        model(images.requires_grad_())
    with pytest.raises(InputError, match="task 'normals': the prediction has no gradient in the image"):
        model(images)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 4, 8, 8), (1, 8, 8, 3)])
def test_what_is_no_batch_of_images_is_refused(shape):
    with pytest.raises(InputError, match=r"images have shape .*, expected \[B, 3, H, W\]"):
        wrap(Foreign(), DEPTH)(torch.rand(shape))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outputs": {"normals": "n"}}, r"outputs are given for \['normals'\], the tasks are \['depth'\]"),
        ({"channel_order": "GBR"}, "channel_order='GBR', expected one of RGB, BGR"),
        ({"value_range": (1, 0)}, r"value_range=\(1, 0\), expected \(low, high\)"),
        ({"value_range": (0, float("inf"))}, "value_range="),
        ({"value_range": (0, float("nan"))}, "value_range="),
        ({"mean": (0.5,)}, r"mean=\(0.5,\), expected three finite numbers"),
        ({"mean": (0, 0, float("nan"))}, "mean="),
        ({"std": (1, 0, 1)}, r"std=\(1, 0, 1\), expected positive"),
        ({"size_multiple": 0}, "size_multiple=0, expected a whole number of at least 1"),
        ({"size_multiple": 2.5}, "size_multiple=2.5"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        wrap(Foreign(), DEPTH, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 3}, r"channels=3, expected a slice like slice\(0, 13\)"),
        ({"transform": "exp"}, "transform='exp', expected a function"),
        ({"resize": True}, "resize=True, expected one of bilinear, bicubic, nearest"),
    ],
)
def test_an_output_that_makes_no_sense_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        Output("depth", **options)


def test_what_is_no_module_and_what_are_no_tasks_is_refused():
    with pytest.raises(InputError, match="the module is a function, expected an nn.Module"):
        wrap(lambda x: x, DEPTH)
    for tasks in ({}, ["depth"], {"depth": "depth"}, None):
        with pytest.raises(InputError, match="expected tasks by name"):
            wrap(Foreign(), tasks)


def test_batch_statistics_are_refused():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, track_running_stats=False))
    with pytest.raises(InputError, match="1 is a BatchNorm2d without running statistics: .* depend on its batch"):
        wrap(net, {"segmentation": Segmentation(4)})
    wrap(nn.Sequential(nn.Conv2d(3, 4, 1), nn.InstanceNorm2d(4)), {"segmentation": Segmentation(4)})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"outputs": ["depth"]},
            r"outputs=\['depth'\], expected a key by task: \{'depth': 'depth'\} where the module returns",
        ),
        ({"outputs": "depth"}, "outputs='depth', expected a key by task"),
        ({"outputs": {"depth": ["a", "b"]}}, r"key=\['a', 'b'\], expected a key, a position or a tuple of these"),
        (
            {"outputs": {"depth": torch.exp}},
            "expected a key, a position or a tuple of these; a function of the tensor is a",
        ),
        ({"outputs": {"depth": ("a", None)}}, r"key=\('a', None\), expected a key"),
        ({"mean": 0.5}, "mean=0.5, expected three finite numbers, one a channel"),
        ({"std": "abc"}, "std='abc', expected three finite numbers, one a channel"),
        ({"value_range": 255}, r"value_range=255, expected \(low, high\) like \(0, 255\)"),
        ({"value_range": (0, None)}, r"value_range=\(0, None\), expected \(low, high\)"),
        ({"tasks": [Depth()]}, "tasks=.*, expected tasks by name like .'depth': create_task"),
        ({"tasks": {"a:b": Depth()}}, "a task cannot be called 'a:b', expected letters, digits"),
    ],
)
def test_options_of_another_kind_say_what_is_expected(options, message):
    with pytest.raises(InputError, match=message):
        wrap(Foreign(), **{"tasks": DEPTH, **options})
