"""A model from what a user types: a zoo name, a checkpoint's path, or `module:factory`."""

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from torch import nn

from mtlattack.errors import InputError
from mtlattack.models.checkpoint_files import SUFFIX, checkpoint_name
from mtlattack.models.checkpoints import load_checkpoint
from mtlattack.models.state_dicts import load_weights
from mtlattack.models.wrapping import WrappedModel, are_tasks
from mtlattack.models.zoo import create_model

# What `resolve_source` makes of models: no modules to import a factory from.
SOURCES = ("ens", "sgm", "ghost")
_WEIGHTS_ALONE = (".pt", ".pth", ".ckpt", ".bin")


def resolve_model(model: str, checkpoint: Path | None = None) -> tuple[nn.Module, str]:
    """The model, in eval mode, and the name it goes by.

    `module:factory` is imported (the current folder comes first) and called without arguments; `checkpoint` fills it
    with weights, see `load_weights`: those of the module inside if the factory wraps one. InputError says what is
    wrong with any of them.
    """
    if model.partition(":")[0].partition("@")[0] in SOURCES and ":" in model:
        raise InputError(
            f"{model} is a source of adversarial images for other models, not to be judged itself; expected a model"
        )
    if ":" in model:
        return _from_factory(model, checkpoint), model if checkpoint is None else f"{model}@{checkpoint.stem}"
    if model.endswith(_WEIGHTS_ALONE):
        if not os.path.isfile(model):
            raise InputError(f"no checkpoint file {model}")
        raise InputError(
            f"{model} holds weights alone; say what to fill with them: --model module:factory --checkpoint {model}"
        )
    if checkpoint is not None:
        raise InputError(f"--checkpoint goes with --model module:factory, not with {model!r}")
    if model.endswith(SUFFIX) or "/" in model:
        path = Path(model)
        return load_checkpoint(path), checkpoint_name(path)
    return create_model(model), model


def resolve_named(name: str, place: Path) -> tuple[nn.Module, str]:
    """The model that a file at a place names, and this name; InputError also for one that is code to be imported:
    that is for who reads the file to name."""
    if ":" in name:
        raise InputError(
            f"{place} names the model {name!r}, code that no file may run; give it with --model, and weights that "
            "filled it with --checkpoint"
        )
    return resolve_model(name)


def _from_factory(reference: str, checkpoint: Path | None) -> nn.Module:
    with _current_folder_first():
        factory = _import(reference)
        network = _run(reference, factory)
    if not isinstance(network, nn.Module) or not are_tasks(getattr(network, "tasks", None)):
        raise InputError(
            f"{reference} gives {type(network).__name__}, expected an nn.Module with tasks; see models.wrap"
        )
    if checkpoint is not None:
        load_weights(network.module if isinstance(network, WrappedModel) else network, checkpoint)
    return network.eval()


def _import(reference: str) -> Callable[[], object]:
    module_name, _, factory_name = reference.partition(":")
    if "/" in module_name or module_name.endswith(".py"):
        name = module_name.removesuffix(".py").strip("./").replace("/", ".")
        raise InputError(f"model {reference!r}: expected a module's name, not its file: {name}:{factory_name}")
    module = _run(reference, lambda: importlib.import_module(module_name))
    try:
        factory = getattr(module, factory_name)
    except AttributeError as error:
        raise InputError(f"model {reference!r}: {error}") from None
    if not callable(factory):
        raise InputError(f"model {reference!r}: {factory_name} is a {type(factory).__name__}, expected a function")
    return factory


def _run(reference: str, function: Callable[[], Any]) -> Any:
    """What a user's code gives; whatever it raises becomes an InputError that says where."""
    try:
        return function()
    except (ImportError, InputError) as error:
        raise InputError(f"model {reference!r}: {error}") from error
    except SyntaxError as error:  # its text holds the place
        raise InputError(f"model {reference!r}: SyntaxError: {error}") from error
    except (Exception, SystemExit) as error:  # a script without a main guard may well exit
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}, line {frame.lineno}"
        raise InputError(f"model {reference!r}: {type(error).__name__}: {error} ({place})") from error


@contextmanager
def _current_folder_first() -> Iterator[None]:
    """Inside, modules in the current folder are found, also by what a factory imports when it is called."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        with suppress(ValueError):  # the user's code may have removed it
            sys.path.remove(folder)
