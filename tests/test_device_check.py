"""The script that checks a device keeps working where there is only a CPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).parents[1] / "benchmarks/device/check.sh"


@pytest.mark.slow
def test_a_page_is_written_on_a_cpu(tmp_path: Path) -> None:
    environment = os.environ | {"MTLATTACK_PYTHON": sys.executable, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([CHECK, tmp_path, "--small"], env=environment, capture_output=True, text=True)
    page = (tmp_path / "page.md").read_text()
    assert done.returncode == 0, page
    assert "2 ranks of `torchrun` against one process: the same bits" in page
    assert "TF32 | skipped: needs a CUDA device" in page and "| floor |" not in page and " passed" in page
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## Device", "## Tests", "## Speed", "## Precisions", "## Shards"
    ]  # fmt: skip
