"""Checkpoints: safetensors, the network's description in the header, the file's hash in its name."""

import hashlib
import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mtlattack.errors import InputError, one_line
from mtlattack.files import whole_file
from mtlattack.models.checkpoint_files import HASH, SUFFIX, check_hash, checkpoint_name
from mtlattack.models.creating import create_network, sketch_network
from mtlattack.models.network import MultiTaskNetwork

_HEADER = "mtlattack"
_FORMAT_VERSION = 1
_FLOATS = ("F64", "F32", "F16", "BF16")
_MOST_BUFFER_BYTES = 2**30
_MOST_DESCRIPTION = 2**20


def save_checkpoint(
    network: MultiTaskNetwork, folder: Path, name: str, *, dtype: torch.dtype = torch.float32,
    provenance: Mapping[str, Any] | None = None,
) -> Path:  # fmt: skip
    """Write `folder/name-<hash>.safetensors` and return its path.

    Floating-point weights are stored as `dtype`; `provenance` (recipe, seed, data fingerprint…) goes to the header.
    """
    description = {
        "format_version": _FORMAT_VERSION,
        "network": network.config.model_dump(),
        "provenance": dict(provenance or {}),
    }
    weights = {key: _stored(value, dtype) for key, value in network.state_dict().items()}
    data, digest = _hashed(weights, description)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{digest}{SUFFIX}"
    with whole_file(path) as partial:
        partial.write_bytes(data)
    return path


def _hashed(weights: dict[str, Tensor], description: dict[str, Any]) -> tuple[bytes, str]:
    """The file and its hash, 8 digits with a letter among them: where there is none the header gets some salt."""
    for salt in itertools.count():
        salted = description | ({"salt": salt} if salt else {})
        data = save(weights, {_HEADER: json.dumps(salted)})
        digest = hashlib.sha256(data).hexdigest()[:8]
        if re.fullmatch(HASH, digest):
            break
    return data, digest


def load_checkpoint(path: str | Path) -> MultiTaskNetwork:
    """The network stored at `path`, in eval mode and float32.

    InputError for a file that is missing, truncated, not ours, or whose content does not match the hash in its name. A
    header may describe a giant: memory is taken only once the file is seen to hold every weight of it.
    """
    path = Path(path)
    description = read_description(path)
    try:
        sketch = sketch_network(description["network"])
        with safe_open(path, "pt") as file:
            _check_tensors(file, sketch)
            network = create_network(sketch.config)
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in weights.items()})
    network.given_name = checkpoint_name(path)
    return network.eval()


def read_description(path: str | Path) -> dict[str, Any]:
    """The header of a checkpoint: `network`, `provenance`, `format_version`. Checks the hash in the name."""
    path = Path(path)
    check_hash(path)
    try:
        with safe_open(path, "pt") as file:
            header = (file.metadata() or {}).get(_HEADER)
    except SafetensorError as error:
        raise InputError(f"{path} is truncated or no safetensors file ({one_line(error)})") from None
    if header is None:
        raise InputError(f"{path} has no mtlattack description in its header; bring foreign weights with models.wrap")
    description = _parse(path, header)
    if description.get("format_version") != _FORMAT_VERSION:
        found = description.get("format_version")
        raise InputError(f"{path} has checkpoint format {found}, expected {_FORMAT_VERSION}")
    return description


def has_description(path: Path) -> bool:
    """Whether a file's name and header say that it is a checkpoint of ours; InputError for damaged safetensors."""
    if path.suffix != SUFFIX:
        return False
    try:
        with safe_open(path, "pt") as file:
            return _HEADER in (file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is truncated or no safetensors file ({one_line(error)})") from None


def _check_tensors(file: Any, sketch: MultiTaskNetwork) -> None:
    """Compare names, shapes and kinds of the file's tensors with the network's; InputError names the first other."""
    wanted, found = sketch.state_dict(), set(file.keys())
    for name, value in wanted.items():
        if name not in found:
            raise InputError(f"weights do not fit the network it describes: no {name}, expected {list(value.shape)}")
        stored = file.get_slice(name)
        shape, dtype = stored.get_shape(), stored.get_dtype()
        if shape != list(value.shape):
            raise InputError(
                f"weights do not fit the network it describes: {name} has shape {shape}, expected {list(value.shape)}"
            )
        if (dtype in _FLOATS) != value.is_floating_point():
            raise InputError(f"weights do not fit the network it describes: {name} has type {dtype}")
    # What is not stored (masks, position tables) follows from the header alone.
    if (size := sum(buffer.nbytes for buffer in sketch.buffers())) > _MOST_BUFFER_BYTES:
        raise InputError(f"the network it describes holds {size:,} bytes beside its weights, at most 2**30 are allowed")
    if surplus := sorted(found - wanted.keys()):
        raise InputError(f"weights do not fit the network it describes: it has no {surplus[0]}")


def _parse(path: Path, header: str) -> dict[str, Any]:
    if len(header) > _MOST_DESCRIPTION:
        raise InputError(f"{path}: its description has {len(header):,} characters, at most 2**20 are read")
    try:
        description = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: its description is no JSON ({error})") from None
    if not isinstance(description, dict) or not isinstance(description.get("network"), dict):
        raise InputError(f"{path}: its description holds no network")
    return description


def _stored(value: Tensor, dtype: torch.dtype) -> Tensor:
    return value.detach().to(dtype if value.is_floating_point() else value.dtype).contiguous()
