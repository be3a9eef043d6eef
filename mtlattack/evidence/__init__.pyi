from .agreement import Agreement, AgreementFile
from .mapped import part_of
from .merging import merge_shards
from .outcome import (
    ARRIVAL,
    CLEAN,
    DIAGNOSTICS,
    NORMS,
    Evidence,
    Measurement,
    Outcome,
    job_names,
    targets_of,
    tasks_of_plan,
)
from .parts import NUMERIC, differing, parts_of
from .shard import WHOLE, Shard
from .store import FORMAT_VERSION, EvidenceFile, read_evidence

__all__ = [
    "ARRIVAL",
    "CLEAN",
    "DIAGNOSTICS",
    "FORMAT_VERSION",
    "NORMS",
    "Agreement",
    "AgreementFile",
    "NUMERIC",
    "WHOLE",
    "Evidence",
    "EvidenceFile",
    "Measurement",
    "Outcome",
    "Shard",
    "differing",
    "job_names",
    "merge_shards",
    "part_of",
    "parts_of",
    "read_evidence",
    "targets_of",
    "tasks_of_plan",
]
