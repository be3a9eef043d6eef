"""Where a foreign module keeps the features that its tasks share."""

from collections.abc import Callable

from torch import Tensor, nn

from mtlattack.errors import InputError, UnknownNameError
from mtlattack.models.identity import identity
from mtlattack.models.outputs import describe

# The dotted name of a submodule, or a function of the module and its input.
FeatureSource = str | Callable[[nn.Module, Tensor], Tensor]
_NEVER_CALLED = "{} does not call its submodule {!r}, which was to give the features"


class _Reached(BaseException):
    """Carries what a submodule gave past the rest of its module, which need not run. No `except Exception` stops it."""

    def __init__(self, value: object) -> None:
        super().__init__()
        self.value = value


def check_source(module: nn.Module, source: object) -> None:
    """InputError for what is no source of features, UnknownNameError for a submodule that is not there."""
    if isinstance(source, str):
        names = [name for name, _ in module.named_modules(remove_duplicate=False) if name]
        if source not in names:
            raise UnknownNameError(f"submodule of {type(module).__name__} for the features:", source, names)
    elif not callable(source):
        raise InputError(f"features={source!r}, expected a submodule's name or a function (module, images) → tensor")


def describe_source(source: FeatureSource) -> str:
    """What tells one source from another: a submodule's name, or what the function computes."""
    return source if isinstance(source, str) else identity(source)


def read_features(module: nn.Module, source: FeatureSource, x: Tensor) -> Tensor:
    """What the source gives for the module's input `x` `[B, 3, H, W]`; InputError unless it is a tensor `[B, …]`."""
    value = _first_output(module, source, x) if isinstance(source, str) else source(module, x)
    return _checked(value, f"submodule {source!r}" if isinstance(source, str) else "features", len(x))


def read_on_the_way(module: nn.Module, name: str, x: Tensor) -> tuple[object, Tensor]:
    """What the module returns for `x` `[B, 3, H, W]`, and what its submodule gave first on the way there.

    InputError unless that is a tensor `[B, …]`.
    """
    first: list[Tensor] = []

    def passed(_module: nn.Module, _arguments: object, output: object) -> object:
        if first:
            return output
        first.append(_checked(output, f"submodule {name!r}", len(x)))
        # What follows may write into it.
        return first[0].clone()

    handle = module.get_submodule(name).register_forward_hook(passed)
    try:
        returned = module(x)
    finally:
        handle.remove()
    if not first:
        raise InputError(_NEVER_CALLED.format(type(module).__name__, name))
    return returned, first[0]


def _checked(value: object, what: str, batch: int) -> Tensor:
    if not isinstance(value, Tensor) or value.ndim < 2 or len(value) != batch:
        raise InputError(f"{what} gives {describe(value)}, expected a tensor ({batch}, …)")
    return value


def _first_output(module: nn.Module, name: str, x: Tensor) -> object:
    """What a submodule returns when it is first called; what comes after it does not run."""

    def reached(_module: nn.Module, _arguments: object, output: object) -> None:
        raise _Reached(output)

    handle = module.get_submodule(name).register_forward_hook(reached)
    try:
        module(x)
    except _Reached as found:
        return found.value
    finally:
        handle.remove()
    raise InputError(_NEVER_CALLED.format(type(module).__name__, name))
