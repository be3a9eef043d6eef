"""What tells one function from another: its code and all that it computes with, the same text in every process."""

import dis
import hashlib
import sys
from collections.abc import Iterator
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MappingProxyType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any

import numpy as np
import torch
from torch import Tensor

# Known by name: their code goes with their version.
_LIBRARIES = sys.stdlib_module_names | {"numpy", "scipy", "timm", "torch", "torchvision"}
_NAMED = (type, FunctionType, BuiltinFunctionType, MethodDescriptorType, WrapperDescriptorType)
_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented))
# Of a class, what says where it stands and not what it does.
_ABOUT = frozenset(
    f"__{name}__"
    for name in "annotate annotate_func annotations annotations_cache dict doc firstlineno module static_attributes "
    "weakref".split()
)


def identity(function: object) -> str:
    """SHA-256 of a function or any callable object.

    Of its bytecode, constants, defaults, the values that it captures and the globals that it reads, recursively; of an
    object's class and state; of tensors' values. What comes from a library counts by its name. Python versions have
    their own bytecode, hence identities of their own. Blind to what is reached through a module (`mine.scale`
    counts as the module's name) and to what cannot be looked into (a lock, an open file: by type).
    """
    return hashlib.sha256(_text(function).encode(errors="surrogatepass")).hexdigest()


def _text(value: object) -> str:
    return "".join(f"{len(part)}:{part}" for part in _Description().parts(value))


class _Description:
    """Goes through a value and what it holds; what can hold itself once, and after that by its place."""

    def __init__(self) -> None:
        # The values are kept: a number of one that is gone would be given to another.
        self._seen: dict[int, tuple[int, object]] = {}

    def parts(self, value: Any) -> Iterator[str]:
        """What makes up the value, in an order that does not depend on the process."""
        if isinstance(value, _PLAIN):
            yield f"{type(value).__name__} {value!r}"
        elif isinstance(value, ModuleType):
            yield f"module {value.__name__}"
        elif isinstance(value, tuple | frozenset | CodeType):
            # Whether two equal ones are one object is the compiler's whim.
            yield from self._inside(value)
        elif id(value) in self._seen:
            yield f"seen {self._seen[id(value)][0]}"
        else:
            self._seen[id(value)] = len(self._seen), value
            yield from self._inside(value)

    def _inside(self, value: Any) -> Iterator[str]:
        if isinstance(value, Tensor):
            values = value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
            yield f"tensor {value.dtype} {tuple(value.shape)} {hashlib.sha256(values).hexdigest()}"
        elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
            yield f"array {value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
        elif isinstance(value, CodeType):
            yield from self._code(value)
        elif isinstance(value, tuple | list):
            yield f"{type(value).__name__} {len(value)}"
            for entry in value:
                yield from self.parts(entry)
        elif isinstance(value, set | frozenset):
            # A set has another order in every process.
            yield f"{type(value).__name__} {sorted(map(_text, value))}"
        elif isinstance(value, dict | MappingProxyType):
            yield f"{type(value).__name__} {len(value)}"
            for key, entry in sorted(((_text(key), entry) for key, entry in value.items()), key=lambda item: item[0]):
                yield key
                yield from self.parts(entry)
        elif isinstance(value, MethodType):
            yield from self.parts((value.__func__, value.__self__))
        elif _is_of_library(value):
            yield f"{getattr(value, '__module__', None)}.{value.__qualname__}"
        elif isinstance(value, FunctionType):
            yield from self._function(value)
        elif isinstance(value, type):
            yield from self._class(value)
        else:
            yield from self._object(value)

    def _code(self, code: CodeType) -> Iterator[str]:
        """Instructions, and what they refer to by its place: constants and names."""
        yield f"code {code.co_code.hex()} {code.co_exceptiontable.hex()} {code.co_flags} {code.co_argcount}"
        yield f"names {code.co_kwonlyargcount} {code.co_names} {len(code.co_freevars)}"
        yield from self.parts(code.co_consts)

    def _function(self, function: FunctionType) -> Iterator[str]:
        yield "function"
        yield from self.parts(function.__code__)
        yield from self.parts((function.__defaults__, function.__kwdefaults__, function.__dict__))
        for cell in function.__closure__ or ():
            yield from self.parts(_content(cell))
        for name in sorted(_globals_read(function.__code__)):
            if name in function.__globals__:
                yield f"global {name}"
                yield from self.parts(function.__globals__[name])

    def _class(self, kind: type) -> Iterator[str]:
        yield f"class {kind.__qualname__}"
        yield from self.parts(kind.__bases__)
        yield from self.parts({name: held for name, held in vars(kind).items() if name not in _ABOUT})

    def _object(self, value: Any) -> Iterator[str]:
        """As pickle would take it apart: what makes it, and its state."""
        yield f"object of {type(value).__qualname__}"
        if isinstance(value, staticmethod | classmethod):
            yield from self.parts(value.__func__)
        elif isinstance(value, property):
            yield from self.parts((value.fget, value.fset, value.fdel))
        elif isinstance(value, torch.jit.ScriptModule | torch.jit.ScriptFunction):
            yield str(value.code)
            yield from self.parts(dict(value.state_dict()) if isinstance(value, torch.jit.ScriptModule) else None)
        else:
            yield from self.parts(_taken_apart(value))


def _is_of_library(value: Any) -> bool:
    """Whether it is a function or class with a name of its own in a library, or built in."""
    if not isinstance(value, _NAMED):
        return False
    if isinstance(value, BuiltinFunctionType) and not isinstance(value.__self__, type | ModuleType | None):
        return False  # A method of some object, which counts as well.
    module = getattr(value, "__module__", None) or "builtins"
    return module.partition(".")[0] in _LIBRARIES and "<" not in value.__qualname__


def _globals_read(code: CodeType) -> set[str]:
    """The global names that a function's code reads, functions inside it included."""
    names = {step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return names.union(*(_globals_read(inside) for inside in code.co_consts if isinstance(inside, CodeType)))


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # nothing in it yet
        return ...


def _taken_apart(value: Any) -> object:
    try:
        reduced = value.__reduce_ex__(4)
        # From the fourth on: iterators over what a container holds.
        return reduced if isinstance(reduced, str) else (*reduced[:3], *(part and [*part] for part in reduced[3:5]))
    except Exception:  # whatever an object raises that pickle cannot take apart
        return None
