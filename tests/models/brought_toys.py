"""One small network as users bring it: behind code, containers and tools that must not change what an attack finds."""

import threading
import warnings
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

import mtlattack as mta
from mtlattack.tasks import Depth, Task

DEPTH: dict[str, Task] = {"depth": Depth()}


class Network(nn.Module):
    """Depth from two convolutions with a batch norm; `before` is what it does to its images."""

    def __init__(self, before: Callable[[Tensor], Tensor] = lambda x: x) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.tasks, self.before = DEPTH, before
        self.conv, self.norm, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Conv2d(8, 1, 1)
        self.norm.running_mean.uniform_(-1, 1)  # type: ignore[union-attr]
        self.norm.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]

    def forward(self, images: Tensor) -> Mapping[str, Tensor]:
        return {"depth": 3 + self.last(self.norm(self.conv(self.before(images))).relu())}


def twin() -> Network:
    return Network().eval()


# --- that write into their input


def shifted() -> Network:
    return Network(lambda x: (x - 0.5) * 2).eval()


def in_place() -> Network:
    return Network(lambda x: x.sub_(0.5).mul_(2)).eval()


def darkened() -> Network:
    return Network(lambda x: x * torch.tensor([0.25, 1, 1]).view(3, 1, 1)).eval()


def through_a_view() -> Network:
    def darken(x: Tensor) -> Tensor:
        x[:, 0].mul_(0.25)
        return x

    return Network(darken).eval()


def by_a_hook() -> Network:
    def shift(module: nn.Module, arguments: tuple[Tensor]) -> None:
        arguments[0].sub_(0.5).mul_(2)

    network = Network().eval()
    network.register_forward_pre_hook(shift)
    return network


class Function:
    """No module at all."""

    tasks = DEPTH

    def __init__(self) -> None:
        self.network = Network().eval().requires_grad_(False)

    def __call__(self, images: Tensor) -> Mapping[str, Tensor]:
        return self.network(images.sub_(0.5).mul_(2))  # type: ignore[no-any-return]


# --- that keep what deepcopy refuses


class WeightNormed(Network):
    """Has a layer under a weight norm that has already run."""

    def __init__(self) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.conv = torch.nn.utils.weight_norm(self.conv)
            self.conv(torch.zeros(1, 3, 4, 4))


class Remembers(Network):
    """Keeps the features of its last pass, inside an object of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.log = Log()
        self.eval()(torch.zeros(1, 3, 4, 4))

    def forward(self, images: Tensor) -> Mapping[str, Tensor]:
        predictions = super().forward(images)
        self.log.entries.append(predictions)
        return predictions


class Log:
    def __init__(self) -> None:
        self.entries: list[Mapping[str, Tensor]] = []


class Locked(Network):
    """Holds a lock, which cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


def made_in_inference_mode() -> Network:
    with torch.inference_mode():
        return Network().eval()


# --- that went through a tool


class Bare(nn.Module):
    """The prediction alone."""

    def __init__(self) -> None:
        super().__init__()
        network = Network()
        self.conv, self.norm, self.last = network.conv, network.norm, network.last

    def forward(self, images: Tensor) -> Tensor:
        return 3 + self.last(self.norm(self.conv(images)).relu())


def wrapped(module: nn.Module) -> nn.Module:
    return mta.wrap(module, DEPTH, outputs={"depth": ()})


def scripted() -> nn.Module:
    return wrapped(_silently(lambda: torch.jit.script(Bare().eval())))


def frozen() -> nn.Module:
    return wrapped(_silently(lambda: torch.jit.freeze(torch.jit.script(Bare().eval()))))


def traced() -> nn.Module:
    return wrapped(_silently(lambda: torch.jit.trace(Bare().eval(), torch.zeros(1, 3, 8, 8))))


def traced_as_a_whole() -> nn.Module:
    module = _silently(lambda: torch.jit.trace(Network().eval(), torch.zeros(1, 3, 8, 8), strict=False))
    module.tasks = DEPTH  # type: ignore[assignment]
    return module


def compiled() -> nn.Module:
    return torch.compile(Network().eval(), backend="eager")  # type: ignore[return-value]


def compiled_inside() -> nn.Module:
    return wrapped(torch.compile(Bare().eval(), backend="eager"))  # type: ignore[arg-type]


def parallel() -> nn.Module:
    return wrapped(nn.DataParallel(Bare().eval()))


def _silently(make: Callable[[], nn.Module]) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated.
        return make()
