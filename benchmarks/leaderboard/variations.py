"""How one and the same run can be made on one CPU: what another machine, or another user, would do otherwise."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtlattack.canonical import json_digest
from mtlattack.errors import InputError
from mtlattack.evidence import Evidence, EvidenceFile, read_evidence
from mtlattack.leaderboard.verifying.tolerances import BFLOAT16, FLOAT32, TF32

# What `verify` tolerates where one of two runs has this arithmetic.
ARITHMETICS = {"float32": FLOAT32, "TF32": TF32, "bfloat16 search": BFLOAT16}
_RUNNER = Path(__file__).with_name("run_one.py")


@dataclass(frozen=True)
class Variation:
    """A way to run: `variables` of the environment are read when torch starts, so each has a process of its own.

    `arithmetic` is that of the numbers: rows and verifiers in float32 and in TF32 are honest, and know what they are. A
    search in another precision is not what the row says, and stands here for contrast.
    """

    name: str
    threads: int = 1
    batch_size: int = 16
    form: str = "prepared"
    precision: str = "float32"
    arithmetic: str = "float32"
    variables: Mapping[str, str] = field(default_factory=dict)


# oneDNN takes AVX512_CORE_AMX where there is AMX; ATen's own kernels know default (SSE), avx2 and avx512.
VARIATIONS = (
    Variation("as it is"),
    Variation("2 threads", threads=2),
    Variation("batch 4", batch_size=4),
    Variation("batch 1", batch_size=1),
    Variation("ATen AVX2", variables={"ATEN_CPU_CAPABILITY": "avx2"}),
    Variation("ATen SSE", variables={"ATEN_CPU_CAPABILITY": "default"}),
    Variation("oneDNN AVX512_CORE", variables={"DNNL_MAX_CPU_ISA": "AVX512_CORE"}),
    Variation("oneDNN AVX2", variables={"DNNL_MAX_CPU_ISA": "AVX2"}),
    Variation("oneDNN SSE41", variables={"DNNL_MAX_CPU_ISA": "SSE41"}),
    Variation("not prepared", form="plain"),
    Variation(
        "all otherwise",
        threads=2,
        batch_size=3,
        form="plain",
        variables={"ATEN_CPU_CAPABILITY": "default", "DNNL_MAX_CPU_ISA": "AVX2"},
    ),
    Variation("TF32, emulated", form="tf32", arithmetic="TF32"),
    Variation("bfloat16 search", precision="bfloat16", arithmetic="bfloat16 search"),
)


def evidence_of(
    variation: Variation, model: str, suite: str, eps: float, images: int, attacks: Sequence[str], work: Path
) -> Evidence:
    """What a variation measures, from its file in `work` if that is finished; InputError if its process fails."""
    setting = json_digest([model, suite, eps, images, list(attacks)])[:8]
    path = work / f"{model}-{suite}-{setting}" / f"{variation.name.replace(' ', '-').replace(',', '')}.h5"
    if path.exists() and all(marks.all() for marks in EvidenceFile(path).done().values()):
        return read_evidence(path)
    command = [
        sys.executable, str(_RUNNER), str(path), model, suite, str(eps), str(images), ",".join(attacks),
        str(variation.batch_size), variation.precision, variation.form,
    ]  # fmt: skip
    threads = {name: str(variation.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    finished = subprocess.run(command, env={**os.environ, **threads, **variation.variables}, check=False)
    if finished.returncode:
        raise InputError(f"{variation.name} of {model} failed with exit code {finished.returncode}")
    return read_evidence(path)
