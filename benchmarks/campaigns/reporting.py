"""What a measurement ends with: its numbers printed, and kept with what they were measured on."""

from pathlib import Path
from typing import Any

import torch

from mtlattack.evaluation.environment import measured_on
from mtlattack.files import write_json


def report(measured: dict[str, Any], json_path: Path | None) -> None:
    """Print the numbers; keep them and the environment at `json_path`, if there is one."""
    print(measured)
    if json_path is not None:
        write_json(json_path, measured | {"environment": measured_on(torch.device("cpu"))})
