"""What other libraries and torch's own tools give, as it is: one row each, with what its user calls by hand."""

import sys
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.export import Dim, export
from torch.optim.swa_utils import AveragedModel

from mtlattack.models import Output
from mtlattack.tasks import Depth, Segmentation, TaskMap

CLASSES = 5
SEG: TaskMap = {"seg": Segmentation(CLASSES)}
TASKS: TaskMap = {**SEG, "depth": Depth()}
SIZE = (16, 16)
ByHand = Callable[[nn.Module, Tensor], Mapping[str, Tensor]]


def called(module: nn.Module, images: Tensor) -> Mapping[str, Tensor]:
    """As its user calls what returns predictions by task."""
    return module(images)  # type: ignore[no-any-return]


def upsampled(logits: Tensor) -> Mapping[str, Tensor]:
    return {"seg": F.interpolate(logits, SIZE, mode="bilinear")}


@dataclass(frozen=True)
class Row:
    """A module in eval mode, how its predictions are got by hand, what `wrap` is told, and the name in reports."""

    make: Callable[[], nn.Module]
    name: str
    by_hand: ByHand = called
    tasks: TaskMap = field(default_factory=lambda: TASKS)
    outputs: Mapping[str, Any] | None = None
    rounding: float = 1e-5
    """Of what its tool computes in an order of its own."""


class Net(nn.Module):
    """A convolution with a batch norm, and a head a task."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.seg, self.depth = nn.Conv2d(8, CLASSES, 1), nn.Conv2d(8, 1, 1)
        self.eval()

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.norm(self.conv(x)).relu()
        return {"seg": self.seg(features), "depth": self.depth(features).exp()}


class Mixed(Net):
    """Under autocast, as it was trained: predictions come in bfloat16."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            return super().forward(x)


class ModelOutput(OrderedDict[str, Any]):
    """As that of `transformers`: a mapping whose entries are attributes too, and rows of a tuple by number."""

    def __getattr__(self, name: str) -> Any:
        return self[name] if name in self else super().__getattribute__(name)

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else tuple(self.values())[key]


class Attributes:
    """Predictions that are attributes alone."""

    def __init__(self, logits: Tensor, depths: Tensor) -> None:
        self.logits, self.depths = logits, depths


class ForSegmentation(Net):
    """Logits at a quarter of the size behind a loss that is None, in what `kind` makes of both."""

    def __init__(self, kind: Callable[..., Any] = ModelOutput) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Tensor) -> Any:
        found = super().forward(x)
        return self.kind(logits=F.avg_pool2d(found["seg"], 4), depths=found["depth"])


def quietly(tool: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """Without what torch says of its older tools."""

    def make() -> nn.Module:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return tool()

    return make


def exported() -> nn.Module:
    """For any number of images of one size."""
    shapes = ({0: Dim("batch", min=1, max=64)},)
    return export(Net(), (torch.rand(2, 3, *SIZE),), dynamic_shapes=shapes).module()


def lraspp() -> nn.Module:
    """torchvision's smallest segmentation network, as it ships."""
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    return lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=CLASSES).eval()


def segformer() -> nn.Module:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    sizes = {"hidden_sizes": [8, 16], "num_attention_heads": [1, 2], "depths": [1, 1], "mlp_ratios": [2, 2]}
    strides = {"num_encoder_blocks": 2, "sr_ratios": [2, 1], "patch_sizes": [3, 3], "strides": [2, 2]}
    config = transformers.SegformerConfig(**sizes, **strides, decoder_hidden_size=16, num_labels=CLASSES)
    return transformers.SegformerForSemanticSegmentation(config).eval()  # type: ignore[no-any-return]


def unet() -> nn.Module:
    smp = pytest.importorskip("segmentation_models_pytorch", reason="segmentation-models-pytorch is not installed")
    options = {"encoder_depth": 3, "decoder_channels": (16, 8, 8), "encoder_weights": None}
    return smp.Unet("mobilenet_v2", classes=CLASSES, **options).eval()  # type: ignore[no-any-return]


def hard_sharing() -> nn.Module:
    # Of LibMTL on PyPI a backbone that is not taken here imports this from where torchvision had it until 0.12.
    gone = ModuleType("torchvision.models.utils")
    gone.load_state_dict_from_url = torch.hub.load_state_dict_from_url  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, gone.__name__, gone)
        architecture = pytest.importorskip("LibMTL.architecture", reason="LibMTL is not installed")
    heads = nn.ModuleDict({"seg": nn.Conv2d(8, CLASSES, 1), "depth": nn.Conv2d(8, 1, 1)})
    options = {"rep_grad": False, "multi_input": False, "device": torch.device("cpu")}
    net = architecture.HPS(list(TASKS), lambda: nn.Conv2d(3, 8, 3, padding=1), heads, **options)
    return net.eval()  # type: ignore[no-any-return]


BY_ATTRIBUTE = {"seg": Output("logits", resize="bilinear"), "depth": "depths"}
LOW = {"seg": Output("logits", resize="bilinear")}


def read(module: nn.Module, images: Tensor) -> Mapping[str, Tensor]:
    found = module(images)
    return {**upsampled(found.logits), "depth": found.depths}


ROWS: dict[str, Row] = {
    "torchvision": Row(lraspp, "LRASPP", lambda m, x: {"seg": m(x)["out"]}, SEG, {"seg": "out"}),
    "transformers": Row(
        segformer, "SegformerForSemanticSegmentation", lambda m, x: upsampled(m(pixel_values=x).logits), SEG, LOW
    ),
    "smp": Row(unet, "Unet", lambda m, x: {"seg": m(x)}, SEG, {"seg": ()}),
    "LibMTL": Row(hard_sharing, "HPS"),
    "ModelOutput": Row(ForSegmentation, "ForSegmentation", read, outputs=BY_ATTRIBUTE),
    "ModelOutput by place": Row(
        ForSegmentation, "ForSegmentation", read, outputs={"seg": Output(0, resize="bilinear"), "depth": 1}
    ),
    "attributes": Row(lambda: ForSegmentation(Attributes), "ForSegmentation", read, outputs=BY_ATTRIBUTE),
    "DataParallel": Row(lambda: nn.DataParallel(Net()), "Net"),
    "averaged weights": Row(lambda: AveragedModel(Net()).eval(), "AveragedModel"),
    "torch.compile": Row(lambda: torch.compile(Net(), backend="eager"), "Net"),  # type: ignore[return-value]
    "torch.fx": Row(lambda: torch.fx.symbolic_trace(Net()), "Net"),
    "torch.export": Row(exported, "GraphModule"),
    "scripted": Row(quietly(lambda: torch.jit.script(Net())), "Net"),
    "traced": Row(quietly(lambda: torch.jit.trace(Net(), torch.rand(2, 3, *SIZE), strict=False)), "Net"),  # type: ignore[arg-type,return-value]
    "frozen": Row(quietly(lambda: torch.jit.freeze(torch.jit.script(Net()))), "Net"),
    # A batch norm that is folded is rounded to bfloat16 elsewhere.
    "autocast": Row(Mixed, "Mixed", rounding=0.02),
}
