"""What was measured: numbers per image, kept safe and passed on; what they mean is for `analysis` to say."""

from mtlattack.evidence.agreement import Agreement, AgreementFile
from mtlattack.evidence.outcome import (
    CLEAN,
    DIAGNOSTICS,
    NORMS,
    Evidence,
    Measurement,
    Outcome,
    job_names,
    tasks_of_plan,
)
from mtlattack.evidence.store import FORMAT_VERSION, EvidenceFile, read_evidence

__all__ = [
    "CLEAN",
    "DIAGNOSTICS",
    "FORMAT_VERSION",
    "NORMS",
    "Agreement",
    "AgreementFile",
    "Evidence",
    "EvidenceFile",
    "Measurement",
    "Outcome",
    "job_names",
    "read_evidence",
    "tasks_of_plan",
]
