"""What was measured: numbers per image, kept safe and passed on; what they mean is for `analysis` to say."""

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
from mtlattack.evidence.store import FORMAT_VERSION, EvidenceFile, read_evidence

__all__ = [
    "ARRIVAL",
    "CLEAN",
    "DIAGNOSTICS",
    "FORMAT_VERSION",
    "NORMS",
    "Evidence",
    "EvidenceFile",
    "Measurement",
    "Outcome",
    "job_names",
    "read_evidence",
    "targets_of",
    "tasks_of_plan",
]
