"""What a run ran on: devices, versions, and the identity of weights."""

import hashlib
import os
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Any

import torch
from torch import nn

from mtlattack.commit import describe_commit
from mtlattack.data import LabelledImages
from mtlattack.models import model_name
from mtlattack.tf32 import allows_tf32

_VERSIONED = ("mtlattack", "torch", "timm", "numpy")


def numeric_environment(device: torch.device) -> dict[str, Any]:
    """What can change a number, if only by rounding: versions, device, arithmetic, threads."""
    return {
        "versions": {"python": platform.python_version(), **_versions()},
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "dtype": "float32",
        "tf32": device.type == "cuda" and allows_tf32(),
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }


@cache
def _versions() -> dict[str, str]:
    return {name: version(name) for name in _VERSIONED}


def describe_environment(
    device: torch.device, precision_asked: str, sign_agreement: float | None, calls: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What the evidence of a run says of what it ran on, what precision its gradients were asked for in, how far they
    agree with float32's, and what the first calls of the model have shown."""
    found = {"precision_asked": precision_asked, "sign_agreement": sign_agreement, "calls": calls}
    return measured_on(device) | found


def measured_on(device: torch.device) -> dict[str, Any]:
    """`numeric_environment` and `circumstances` of something that is measured on this device, for its file."""
    return numeric_environment(device) | circumstances()


def circumstances() -> dict[str, Any]:
    """What changes no number by itself: when, on what system, by what command and which commit of ours."""
    command = os.fsencode(" ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]]))
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "command": command.decode("utf-8", "backslashreplace"),
        "commit": describe_commit(),
    }


def weights_digest(model: object) -> str:
    """SHA-256 over names, types, shapes and values of a module's weights and buffers, the unsaved ones too: a wrapped
    model's mean and std are such."""
    digest = hashlib.sha256()
    if isinstance(model, nn.Module):
        buffers = dict(model.named_buffers(remove_duplicate=False))
        for name, tensor in sorted((dict(model.named_parameters(remove_duplicate=False)) | buffers).items()):
            values = tensor.detach().cpu().contiguous()
            digest.update(f"{name}:{values.dtype}:{tuple(values.shape)}\0".encode())
            digest.update(values.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def describe_model(model: object, name: str | None = None) -> dict[str, Any]:
    """Name, identity and size of a model, for the record."""
    parameters = sum(p.numel() for p in model.parameters()) if isinstance(model, nn.Module) else 0
    return {"name": name or model_name(model), "sha256": weights_digest(model), "parameters": parameters}


def describe_data(data: LabelledImages) -> dict[str, Any]:
    """Which images, for the plan; reads them all."""
    identity = data.identify()
    return {
        "name": data.name,
        "split": data.split,
        "images": len(data),
        "fingerprint": identity.fingerprint,
        "sha256": identity.digests,
    }
