"""Evidence made up to the last bit, and what a stranger may do to a packed one."""

import dataclasses
import json
import lzma
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from mtlattack.canonical import canonical_json
from mtlattack.evidence import Evidence, Outcome
from mtlattack.evidence.packing.sealed import unseal
from mtlattack.tasks import Task, create_task

TASKS = (create_task("segmentation", classes=3), create_task("depth"))
# Counts of one to four bytes, and float32 values that are none: −0, beyond 2³², halves, negative, subnormal, large.
COUNTS = (0.0, 1.0, 255.0, 256.0, 65535.0, 65536.0, 2.0**24, 2.0**32 - 256)
FLOATS = (*COUNTS, -0.0, 2.0**32, 0.5, -3.0, 1e-45, 3e38)


def evidence_of(
    tasks: Sequence[Task] = TASKS, jobs: int = 3, images: int = 2, seed: int = 0, pool: Sequence[float] = FLOATS
) -> Evidence:
    """A run whose losses, statistics and seconds are float32 values out of a pool; diagnostics in part NaN."""
    rng = np.random.default_rng(seed)
    # Some columns hold counts alone, others anything.
    pools = [np.float32(COUNTS[:2]), np.float32(COUNTS), np.float32(pool)]

    def pick(*shape: int) -> NDArray[np.float64]:
        columns = [rng.choice(pools[rng.integers(3)], (jobs, *shape[:-1])) for _ in range(shape[-1])]
        return np.stack(columns, -1).astype(np.float64)

    losses, seconds = pick(images, len(tasks)), pick(images, 1)[..., 0]
    statistics = {task.name: pick(images, len(task.statistics_names)) for task in tasks}
    perturbation, diagnostics = rng.normal(size=(jobs, images, 4)), rng.normal(size=(jobs, images, 3))
    diagnostics[rng.random(diagnostics.shape) < 0.5] = np.nan
    # A NaN with a payload is still that NaN afterwards.
    diagnostics.view(np.uint64)[0, 0, 0] = 0xFFF8000000000123
    outcomes = [
        Outcome(losses[j], {name: x[j] for name, x in statistics.items()}, perturbation[j], diagnostics[j], seconds[j])
        for j in range(jobs)
    ]
    plan = {
        "tasks": [task.config() for task in tasks],
        "attacks": [{"config": {"name": f"attack-{j}", "norm": "linf", "eps": 0.1 * (j + 1)}} for j in range(jobs - 1)],
        "model": {"name": "net", "sha256": "0" * 64, "parameters": 1},
        "data": {"name": "bilder"},
        "ε": [1.0, 5e-324, None],
    }
    ids = [f"bild-{i:03d}ß" for i in range(images)]
    return Evidence(plan, {"started": "now"}, ids, {t.name: t for t in tasks}, outcomes[0], outcomes[1:])


def with_constant(evidence: Evidence, seed: int = 1) -> Evidence:
    """The run with statistics of constant answers, out of the same pool."""
    other = evidence_of(list(evidence.tasks.values()), 1, len(evidence.ids), seed)
    return dataclasses.replace(evidence, constant=other.clean.statistics)


def assert_same(found: Evidence, wanted: Evidence) -> None:
    """Equal to the last bit."""
    assert (found.plan, found.environment, found.ids) == (wanted.plan, wanted.environment, wanted.ids)
    assert found.tasks == wanted.tasks and list(found.tasks) == list(wanted.tasks)
    assert len(found.attacked) == len(wanted.attacked)
    assert (found.constant is None) == (wanted.constant is None)
    for name, values in (wanted.constant or {}).items():
        assert found.constant is not None and list(found.constant) == list(wanted.tasks)
        assert found.constant[name].dtype == np.float64 and found.constant[name].shape == values.shape
        assert found.constant[name].tobytes() == values.tobytes()
    for one, other in zip([found.clean, *found.attacked], [wanted.clean, *wanted.attacked], strict=True):
        assert list(one.statistics) == list(other.statistics)
        for a, b in zip(_arrays(one), _arrays(other), strict=True):
            assert a.dtype == b.dtype == np.float64 and a.shape == b.shape
            assert a.tobytes() == b.tobytes()


def _arrays(outcome: Outcome) -> list[NDArray[np.float64]]:
    return [outcome.losses, outcome.perturbation, outcome.diagnostics, outcome.seconds, *outcome.statistics.values()]


def changed(data: bytes, change: Callable[[dict[str, Any], dict[str, NDArray[Any]]], dict[str, Any] | None]) -> bytes:
    """Packed evidence with its document and arrays changed in place, or another document, sealed again unchecked."""
    document, arrays = unseal(data)
    arrays = {name: array.copy() for name, array in arrays.items()}
    other = change(document, arrays)
    metadata = {"mtlattack": canonical_json(document if other is None else other).decode()}
    return compressed(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, metadata))


def compressed(plain: bytes, check: int = lzma.CHECK_CRC64, **options: int) -> bytes:
    """As xz."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, **options}]
    return lzma.compress(plain, format=lzma.FORMAT_XZ, check=check, filters=filters)


def safetensors_of(header: Any, body: bytes = b"") -> bytes:
    """A file with any header: bytes as they are, anything else as JSON."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body
