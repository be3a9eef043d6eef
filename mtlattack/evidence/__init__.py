"""What was measured: numbers per image, kept safe and passed on; what they mean is for `analysis` to say."""

from mtlattack.evidence.agreement import Agreement, AgreementFile
from mtlattack.evidence.mapped import part_of
from mtlattack.evidence.merging import merge_shards
from mtlattack.evidence.outcome import (
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
from mtlattack.evidence.parts import NUMERIC, differing, parts_of
from mtlattack.evidence.shard import WHOLE, Shard
from mtlattack.evidence.store import FORMAT_VERSION, EvidenceFile, read_evidence

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
