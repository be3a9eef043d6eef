"""Folding batch norms: what is folded predicts as before, to the last digits of float64; what must not be is left."""

from collections.abc import Callable

import pytest
from folding_toys import assert_folds, drawn, images
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from mtlattack.models.prepared.folding import fold_batch_norms


def conv(inputs: int = 3, outputs: int = 4, **options) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, **options)


def norm(channels: int = 4, **options) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, **options)


class Block(nn.Module):
    """A convolution, a batch norm, and whatever a subclass makes of them."""

    def __init__(self, convolution: nn.Module | None = None) -> None:
        super().__init__()
        self.conv = conv() if convolution is None else convolution
        self.norm = norm()
        self.last = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.norm(self.conv(x)))


# --- what is folded


FOLDABLE: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "bias": (lambda: nn.Sequential(conv(), norm()), 1),
    "no bias": (lambda: nn.Sequential(conv(bias=False), norm(), nn.ReLU()), 1),
    "groups": (lambda: nn.Sequential(conv(3, 6, groups=3), norm(6)), 1),
    "strided, dilated": (lambda: nn.Sequential(conv(stride=2, dilation=2), norm(eps=0.1)), 1),
    "not affine": (lambda: nn.Sequential(conv(bias=False), norm(affine=False)), 1),
    "transposed": (lambda: nn.Sequential(nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1), norm(5)), 1),
    "transposed, no bias": (lambda: nn.Sequential(nn.ConvTranspose2d(3, 5, 3, bias=False), norm(5)), 1),
    "timm, with activation": (lambda: nn.Sequential(conv(), BatchNormAct2d(4)), 1),
    "timm, without activation": (lambda: nn.Sequential(conv(), BatchNormAct2d(4, apply_act=False)), 1),
    "synchronised": (lambda: nn.Sequential(conv(), nn.SyncBatchNorm(4)), 1),
    "two in a row": (lambda: nn.Sequential(conv(), norm(), nn.ReLU(), conv(4), norm()), 2),
    "nested": (lambda: nn.Sequential(nn.Sequential(conv()), nn.Sequential(norm(), nn.ReLU())), 1),
    "something after": (Block, 1),
}


@pytest.mark.parametrize("name", FOLDABLE)
def test_pairs_are_folded(name: str) -> None:
    make, folded = FOLDABLE[name]
    assert_folds(drawn(make()), images(), folded=folded)


@pytest.mark.parametrize("act", [nn.ReLU, nn.SiLU, nn.Hardtanh])
def test_the_activation_of_timms_batch_norm_survives(act: type[nn.Module]) -> None:
    module = drawn(nn.Sequential(conv(), BatchNormAct2d(4, act_layer=act)))
    fold_batch_norms(module)
    assert sum(isinstance(part, act) for part in module.modules()) == 1
    assert_folds(drawn(nn.Sequential(conv(), BatchNormAct2d(4, act_layer=act))), images(), folded=1)


def test_a_pair_that_is_called_twice_is_folded_once() -> None:
    class Siamese(Block):
        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.norm(self.conv(x)) * self.norm(self.conv(x.flip(-1))))

    assert_folds(drawn(Siamese()), images(), folded=1)


def test_a_second_call_finds_nothing() -> None:
    module = drawn(nn.Sequential(conv(), norm()))
    assert (fold_batch_norms(module), fold_batch_norms(module)) == (1, 0)


# --- what is left alone


class UsedTwice(Block):
    """One convolution, with its batch norm and without."""

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x)) * self.conv(x.flip(-1))


class UsedElsewhere(Block):
    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return self.norm(y) + y


class TwoNorms(Block):
    """One convolution, its output normalised twice."""

    def __init__(self) -> None:
        super().__init__()
        self.other = norm()

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return self.norm(y) + self.other(y)


class SharedNorm(Block):
    """One batch norm after two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.other = conv()

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x)) + self.norm(self.other(x))


class Returned(Block):
    """Gives the convolution's output away."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.conv(x)
        return y, self.norm(y)


class Doubling(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class Shifted(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x


class Tied(nn.Module):
    """The same batch norm under two names: a trace says the first, the code here says the second."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = nn.Sequential(conv(), norm())
        self.again = self.pair[1]

    def forward(self, x: Tensor) -> Tensor:
        return self.again(self.pair[0](x))


def hooked(where: int, register: str) -> nn.Module:
    """A hook that triples what one of a pair gives, or is given."""
    module = nn.Sequential(conv(), norm())
    if register == "register_forward_hook":
        module[where].register_forward_hook(lambda part, taken, given: 3 * given)
    else:
        module[where].register_forward_pre_hook(lambda part, taken: (3 * taken[0],))
    return module


LEFT: dict[str, Callable[[], nn.Module]] = {
    "norm before": lambda: nn.Sequential(norm(3), conv()),
    "something between": lambda: nn.Sequential(conv(), nn.ReLU(), norm()),
    "used twice": UsedTwice,
    "used elsewhere": UsedElsewhere,
    "two norms": TwoNorms,
    "shared norm": SharedNorm,
    "returned": Returned,
    "tied": Tied,
    "no statistics": lambda: nn.Sequential(conv(), norm(track_running_stats=False)),
    "convolution's subclass": lambda: nn.Sequential(Doubling(3, 4, 3), norm()),
    "norm's subclass": lambda: nn.Sequential(conv(), Shifted(4)),
    "transposed with groups": lambda: nn.Sequential(nn.ConvTranspose2d(3, 6, 3, groups=3), norm(6)),
    "parametrised": lambda: nn.Sequential(parametrizations.weight_norm(conv()), norm()),
    "hook on the convolution": lambda: hooked(0, "register_forward_hook"),
    "hook on the norm": lambda: hooked(1, "register_forward_hook"),
    "pre-hook on the convolution": lambda: hooked(0, "register_forward_pre_hook"),
    "pre-hook on the norm": lambda: hooked(1, "register_forward_pre_hook"),
}


@pytest.mark.parametrize("name", LEFT)
def test_others_are_left_alone(name: str) -> None:
    assert_folds(drawn(LEFT[name]()), images(), folded=0)


# --- modules that cannot be traced


class ByShape(nn.Module):
    """Code that depends on the image's shape: a trace knows none."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) if x.shape[-1] > 2 else x


def pair(inputs: int = 4) -> nn.Sequential:
    return nn.Sequential(conv(inputs), norm())


def test_a_module_that_cannot_be_traced_is_searched_part_by_part() -> None:
    assert_folds(drawn(ByShape(nn.Sequential(pair(3), nn.ReLU(), pair()))), images(), folded=2)
    assert_folds(drawn(nn.Sequential(pair(3), ByShape(pair()), pair())), images(), folded=3)
    assert_folds(drawn(ByShape(ByShape(ByShape(pair(3))))), images(), folded=1)


def test_what_such_a_module_calls_itself_is_left_alone() -> None:
    class Branching(Block):
        def forward(self, x: Tensor) -> Tensor:
            return self.norm(self.conv(x)) if x.shape[-1] > 2 else self.conv(x)

    assert_folds(drawn(nn.Sequential(Branching(), pair())), images(), folded=1)


def test_a_convolution_whose_output_such_a_module_takes_too_is_left_alone() -> None:
    class Forking(Block):
        def __init__(self) -> None:
            super().__init__()
            self.part = ByShape(nn.Sequential(nn.ReLU(), conv(4)))

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x)
            return self.part(y) + self.norm(y)

    assert_folds(drawn(Forking()), images(), folded=0)


def test_beside_a_part_that_cannot_be_traced() -> None:
    # The blocks of a stage: Sequential in Sequential, one of them untraceable.
    stage = nn.Sequential(nn.Sequential(pair(3), ByShape(pair()), pair()), conv(4), norm())
    assert_folds(drawn(stage), images(), folded=4)


def test_around_a_part_that_cannot_be_traced() -> None:
    class Stage(Block):
        """Its own pair, and a part that cannot be traced."""

        def __init__(self) -> None:
            super().__init__()
            self.part = ByShape(pair())

        def forward(self, x: Tensor) -> Tensor:
            return self.part(self.norm(self.conv(x)))

    assert_folds(drawn(nn.Sequential(Stage(), pair())), images(), folded=3)
