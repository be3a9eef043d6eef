"""Models of other libraries, wrapped: predictions as called by hand, attacked and evaluated on rooms."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from foreign_toys import CLASSES as FEW
from foreign_toys import ROWS, SIZE, Net
from model_toys import random_images
from torch import Tensor, nn
from torchvision.models import resnet18
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.segmentation import DeepLabV3
from torchvision.models.segmentation.deeplabv3 import DeepLabHead
from torchvision.models.segmentation.fcn import FCNHead
from torchvision.transforms.functional import normalize

import mtlattack as mta
from mtlattack.data import PreparedDataset, load_dataset, write_rooms
from mtlattack.models import model_name, model_path
from mtlattack.models.wrapping import WrappedModel
from mtlattack.tasks import Depth, Normals, Segmentation

TWO = {"seg": Segmentation(FEW), "depth": Depth()}
# Of these two smaller ones of the same library or kind are always tried.
LARGE = ("torchvision", "transformers")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLASSES = 14


@dataclass
class Case:
    """A wrapped model, and its predictions by hand."""

    model: WrappedModel
    by_hand: Any

    @property
    def data(self) -> dict[str, Any]:
        return dict(self.model.tasks)


class TwoHeads(nn.Module):
    """Segmentation by a torchvision model as it is, depth from the same backbone at a stride of 8."""

    def __init__(self, net: DeepLabV3, channels: int) -> None:
        super().__init__()
        self.net, self.depth = net, nn.Conv2d(channels, 1, 1)

    def forward(self, x: Tensor) -> dict[str, Any]:
        return {**self.net(x), "more": {"log_depth": self.depth(self.net.backbone(x)["out"])}}


def deeplab() -> Case:
    """torchvision's DeepLabV3 on a small backbone, with its auxiliary head."""
    torch.manual_seed(0)
    backbone = IntermediateLayerGetter(resnet18(weights=None), {"layer1": "aux", "layer2": "out"})
    net = DeepLabV3(backbone, DeepLabHead(128, CLASSES, (2, 4, 6)), FCNHead(64, CLASSES))
    module = TwoHeads(net, 128).eval()

    def by_hand(images: Tensor) -> dict[str, Tensor]:
        x = normalize(images, MEAN, STD)
        log_depth = module.depth(net.backbone(x)["out"])
        size = images.shape[-2:]
        return {"segmentation": net(x)["out"], "depth": F.interpolate(log_depth.exp(), size, mode="bilinear")}

    outputs = {
        "segmentation": "out",
        "depth": mta.Output(("more", "log_depth"), transform=torch.exp, resize="bilinear"),
    }
    tasks = {"segmentation": Segmentation(CLASSES), "depth": Depth()}
    return Case(mta.wrap(module, tasks, mean=MEAN, std=STD, outputs=outputs), by_hand)


def pyramid() -> Case:
    """An encoder of segmentation-models-pytorch with one decoder for all tasks, for multiples of 32 only."""
    smp = pytest.importorskip("segmentation_models_pytorch", reason="segmentation-models-pytorch is not installed")
    torch.manual_seed(0)
    net = smp.FPN("mobilenet_v2", encoder_weights=None, classes=CLASSES + 1 + 3).eval()

    def by_hand(images: Tensor) -> dict[str, Tensor]:
        height, width = images.shape[-2:]
        padded = F.pad(normalize(images, MEAN, STD), (0, -width % 32, 0, -height % 32))
        segmentation, depth, normals = net(padded)[..., :height, :width].split([CLASSES, 1, 3], 1)
        return {"segmentation": segmentation, "depth": depth, "normals": normals}

    tasks = {"segmentation": Segmentation(CLASSES), "depth": Depth(), "normals": Normals()}
    ends = {"segmentation": (0, CLASSES), "depth": (CLASSES, CLASSES + 1), "normals": (CLASSES + 1, CLASSES + 4)}
    outputs = {name: mta.Output((), channels=slice(*end)) for name, end in ends.items()}
    return Case(mta.wrap(net, tasks, mean=MEAN, std=STD, size_multiple=32, outputs=outputs), by_hand)


@pytest.fixture(scope="module", params=[deeplab, pyramid], ids=["torchvision", "smp"])
def case(request: pytest.FixtureRequest) -> Case:
    return request.param()


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rooms(tmp_path_factory.mktemp("rooms") / "rooms.h5", "test", 4)


@pytest.fixture
def data(case: Case, rooms: Path) -> PreparedDataset:
    return load_dataset(rooms, tasks=case.model.tasks)


@pytest.mark.parametrize("size", [(64, 96), (50, 70)])
def test_predictions_are_those_of_the_library(case: Case, size: tuple[int, int]) -> None:
    images = random_images(2, *size)
    with torch.no_grad():
        ours, theirs = case.model(images), case.by_hand(images)
    assert list(ours) == list(theirs)
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value)
        assert value.std() > 0


def test_the_auxiliary_head_is_found_under_its_key() -> None:
    net = deeplab().model.module.net
    model = mta.wrap(net, {"segmentation": Segmentation(CLASSES)}, outputs={"segmentation": "aux"})
    images = random_images()
    torch.testing.assert_close(model(images)["segmentation"], net(images)["aux"])


def test_the_padding_is_needed(case: Case) -> None:
    if case.model.size_multiple == 1:
        pytest.skip("this model takes any size")
    bare = mta.wrap(case.model.module, case.model.tasks, outputs=case.model.outputs)
    with pytest.raises(mta.InputError, match=r"FPN on images \(2, 3, 33, 48\) raised RuntimeError: Wrong input shape"):
        bare(random_images(2, 33, 48))


def test_an_attack_hurts_and_stays_in_the_ball(case: Case, data: PreparedDataset) -> None:
    batch, attack = data[0], mta.create_attack("pgd-dgba", eps=4 / 255, steps=2)
    adversarial = attack(case.model, batch.images, batch.targets, batch.ids)
    delta = (adversarial.double() - batch.images.double()).abs()
    assert 0 < delta.max() <= 4 / 255 and (delta > 0).double().mean() > 0.9
    assert adversarial.min() >= 0 and adversarial.max() <= 1
    with torch.no_grad():
        before, after = (
            torch.stack([task.loss(case.model(x)[name], batch.targets[name]) for name, task in case.data.items()])
            for x in (batch.images, adversarial)
        )
    assert (after / before).log().mean() > 0


def test_evaluation_gives_finite_numbers(case: Case, data: PreparedDataset) -> None:
    evidence = mta.evaluate(case.model, data, [mta.create_attack("fgsm-total", eps=4 / 255)], device="cpu")
    record = evidence.report().record
    assert record.data["images"] == 4 and set(record.clean) == set(case.data)
    for outcome in (evidence.clean, *evidence.attacked):
        assert all(map(math.isfinite, outcome.losses.flatten()))
    assert all(math.isfinite(value) for metrics in record.clean.values() for value in metrics.values())
    assert all(math.isfinite(v) for metrics in record.attacks[0].metrics.values() for v in metrics.values())


# --- one row a library or tool, as it is


def targets(images: Tensor) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(1)
    seg = torch.randint(0, FEW, (len(images), *SIZE), generator=draw)
    return {"seg": seg, "depth": 1 + torch.rand(seg.shape, generator=draw)}


@pytest.mark.parametrize("row", [pytest.param(row, marks=[pytest.mark.slow] if row in LARGE else []) for row in ROWS])
# Both of torch.compile itself.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13.0")
def test_what_is_brought_is_called_attacked_and_named(row: str) -> None:
    """In its user's words: predictions as by hand, an attack that hurts, and the class that they wrote."""
    brought, images = ROWS[row], random_images(2, *SIZE)
    module = brought.make()
    model = mta.wrap(module, brought.tasks, outputs=brought.outputs)
    with torch.no_grad():
        ours, theirs = model(images), brought.by_hand(module, images)
    for name in brought.tasks:
        torch.testing.assert_close(ours[name], theirs[name].float())
    run = mta.evaluate(model, (images, targets(images)), [mta.create_attack("fgsm-total", eps=8 / 255)], device="cpu")
    assert run.plan["model"]["name"] == brought.name
    by_hand = [task.loss(theirs[name].float(), targets(images)[name]) for name, task in brought.tasks.items()]
    torch.testing.assert_close(
        torch.from_numpy(run.clean.losses).float(),
        torch.stack(by_hand, 1),
        rtol=brought.rounding,
        atol=brought.rounding,
    )
    assert (run.attacked[0].losses.sum(1) > run.clean.losses.sum(1)).all()


def test_the_name_that_a_user_gives_stands_in_reports() -> None:
    images = random_images(2, *SIZE)
    for model in (
        mta.wrap(Net(), TWO, name="my net [b]"),
        mta.prepare_for_attack(mta.wrap(Net(), TWO, name="my net [b]"), images),
    ):
        assert (
            mta.evaluate(model, (images, targets(images)), [], device="cpu").report().record.model["name"]
            == "my net [b]"
        )
    shipped = mta.create_model("rooms-resnet10t.shared")
    assert model_name(shipped) == "rooms-resnet10t.shared" and model_name(
        mta.load_checkpoint(model_path(model_name(shipped)))
    ) == model_name(shipped)
    assert model_name(targets) == "targets" and model_name(nn.DataParallel(mta.wrap(Net(), TWO))) == "Net"
    for name in ("", 3):
        with pytest.raises(mta.InputError, match=f"name={name!r}, expected what reports are to call the model"):
            mta.wrap(Net(), TWO, name=name)  # type: ignore[arg-type]


def test_two_tasks_of_a_kind_in_one_network(tmp_path: Path) -> None:
    """Evidence, record, ensemble, tables and what is read again know them by their keys."""
    images = random_images(2, *SIZE)
    tasks = {"first": Segmentation(FEW), "second": Segmentation(FEW)}
    model = mta.wrap(Net(), tasks, outputs={"first": "seg", "second": mta.Output("seg", transform=lambda x: x.flip(1))})
    labels = {"first": targets(images)["seg"], "second": targets(images)["seg"]}
    attacks = [mta.create_attack("fgsm-single:second", eps=8 / 255), mta.create_attack("fgsm-total+dlr", eps=8 / 255)]
    run = mta.evaluate(model, (images, labels), attacks, device="cpu", path=tmp_path / "evidence.h5")
    again = mta.read_evidence(tmp_path / "evidence.h5")
    assert list(again.tasks) == ["first", "second"] and again.tasks["second"].name == "second"
    assert (run.attacked[0].losses[:, 1] > run.clean.losses[:, 1]).all()
    assert run.clean.losses[:, 0].tolist() != run.clean.losses[:, 1].tolist()
    report = again.report()
    assert list(report.record.clean) == ["first", "second"] and re.search(r"^ +first +second$", str(report), re.M)
    members = [attack.name for attack in mta.create_attack("standard", eps=8 / 255).members(tasks)]  # type: ignore[attr-defined]
    assert {"apgd-single:second+dlr", "apgd-single:first"} <= set(members)
