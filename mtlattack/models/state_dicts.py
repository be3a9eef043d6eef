"""Weights that others saved: read without running code, put into a module."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from mtlattack.errors import InputError, one_line
from mtlattack.models.checkpoint_files import SUFFIX

# Under what names training scripts keep the state dict, and what wrappers of the module put before its keys.
_KEYS = ("state_dict", "model_state_dict", "model_state", "model", "network", "net", "params")
_PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "net.")
_DEEPEST = 3
_NAMED = 3


def load_weights(module: nn.Module, path: Path) -> None:
    """Fill `module` with the weights at `path`, safetensors or what `torch.save` wrote of a state dict.

    The state dict may lie under a usual key ("state_dict", "model"…) and its keys bear usual prefixes ("module."…).
    InputError for a file that holds anything but tensors and plain values, or that does not fit: every weight of the
    module must be there in its shape, and no other.
    """
    wanted = module.state_dict()
    weights = _without_prefixes(read_state_dict(path), wanted)
    misshapen = [key for key, value in weights.items() if key in wanted and wanted[key].shape != value.shape]
    for key, value in weights.items():
        if value.layout != torch.strided or value.device.type != "cpu" or value.is_complex():
            raise InputError(f"{path}: {key} is no dense real tensor ({value.dtype}, {value.layout}, {value.device})")
    result = module.load_state_dict({k: v for k, v in weights.items() if k not in misshapen}, strict=False)
    shapes = [f"{key} {tuple(weights[key].shape)} instead of {tuple(wanted[key].shape)}" for key in misshapen]
    problems = {
        "missing": [key for key in result.missing_keys if key not in misshapen],
        "not in the model": result.unexpected_keys,
        "of another shape": shapes,
    }
    if any(problems.values()):
        text = "; ".join(f"{what}: {_some(names)}" for what, names in problems.items() if names)
        raise InputError(f"{path} does not fit the model: {text}")


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, on the CPU; nothing in it is run. InputError for a file that holds no state dict.

    `.safetensors` by suffix, anything else as `torch.load(weights_only=True)` reads it.
    """
    if not os.path.isfile(path):
        raise InputError(f"no checkpoint file {path}")
    if path.suffix == SUFFIX:
        try:
            return safetensors.torch.load_file(path)
        except SafetensorError as error:
            raise InputError(f"{path} is truncated or no safetensors file ({one_line(error)})") from None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpicklers and zip readers raise what they like
        raise InputError(f"{path} {_refusal(str(error))}") from None
    return _state_dict(content, path)


def _refusal(reason: str) -> str:
    """Why torch did not read a file; its own text advises to read it unsafely."""
    remedy = "expected what torch.save(module.state_dict(), path) writes"
    pickled = re.search(r"Unsupported (?:global: GLOBAL|class) (\S+)", reason)
    if pickled:
        return f"holds a pickled {pickled[1]}, which is refused: to read it can run code; {remedy}"
    if "TorchScript" in reason:
        return f"is a TorchScript archive; {remedy}"
    return f"is truncated, no file of torch or holds more than tensors; {remedy}"


def _state_dict(content: object, path: Path) -> dict[str, Tensor]:
    for _ in range(_DEEPEST):
        nested = [content[key] for key in _KEYS if isinstance(content, Mapping) and key in content]
        mappings = [value for value in nested if isinstance(value, Mapping)]
        if not mappings:
            break
        content = mappings[0]
    if not isinstance(content, Mapping) or not content:
        found = "nothing" if isinstance(content, Mapping) else f"a {type(content).__name__}"
        raise InputError(f"{path} holds {found}, expected a state dict: tensors by name")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise InputError(
                f"{path} holds a {type(value).__name__} under {key!r}, expected tensors by name; "
                f"a state dict among other things is found under {', '.join(_KEYS)}"
            )
    return dict(content)


def _without_prefixes(weights: dict[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights by the module's own names, as far as prefixes keep them from it."""
    while weights and not weights.keys() & wanted.keys():
        shared = [prefix for prefix in _PREFIXES if all(key.startswith(prefix) for key in weights)]
        if not shared:
            break
        weights = {key.removeprefix(shared[0]): value for key, value in weights.items()}
    return weights


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
