"""Evidence of a subject at a precision, kept in a folder: what is finished is read, what is not goes on."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from subjects import Subject

from mtlattack.attacks import Attack, create_attack
from mtlattack.data import PreparedDataset
from mtlattack.errors import InputError
from mtlattack.evaluation import evaluate
from mtlattack.evaluation.environment import describe_model
from mtlattack.evidence import Evidence, EvidenceFile, read_evidence
from mtlattack.models import MultiTaskNetwork

SearchPrecision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all subjects have in common; `eps` is in [0, 1]."""

    work: Path
    attacks: tuple[str, ...]
    eps: float
    steps: int
    limit: int | None
    batch_size: int
    device: str
    seed: int

    def create_attacks(self) -> list[Attack]:
        """The attacks, in order."""
        return [create_attack(name, eps=self.eps, steps=self.steps, seed=self.seed) for name in self.attacks]


def evidence_of(subject: Subject, precision: SearchPrecision, setting: Setting) -> Evidence:
    """Evidence of a subject attacked in `precision`, from its file if that is finished.

    InputError if the file holds the evidence of another setting, or one under way was begun elsewhere.
    """
    path = setting.work / subject.name / f"{precision}.h5"
    network = subject.network(setting.seed)
    images, attacks = subject.images(network, setting.limit), setting.create_attacks()
    if path.exists():
        _check_same(path, network, subject, images, attacks, setting)
        if all(marks.all() for marks in EvidenceFile(path).done().values()):
            return read_evidence(path)
    with warnings.catch_warnings():
        # Where few signs agree the table says so.
        warnings.filterwarnings("ignore", message="only .* of gradient signs agree")
        return evaluate(
            network,  # type: ignore[arg-type]
            images,
            attacks,
            path=path,
            name=subject.name,
            precision=precision,
            batch_size=setting.batch_size,
            device=setting.device,
            seed=setting.seed,
        )


def _check_same(
    path: Path,
    network: MultiTaskNetwork,
    subject: Subject,
    images: PreparedDataset,
    attacks: list[Attack],
    setting: Setting,
) -> None:
    """Versions and threads of finished evidence may be others: the two precisions need only have the same."""
    plan = EvidenceFile(path).plan()
    wanted: dict[str, Any] = {
        "model": describe_model(network, subject.name),
        "fingerprint": images.fingerprint(),
        "attacks": [attack.config() for attack in attacks],
        "batch_size": setting.batch_size,
        "seed": setting.seed,
    }
    stored = {
        **plan,
        "fingerprint": plan["data"]["fingerprint"],
        "attacks": [planned["config"] for planned in plan["attacks"]],
    }
    differing = [key for key, value in wanted.items() if stored[key] != value]
    if differing:
        raise InputError(f"{path} holds another run (other {', '.join(differing)}); choose another --work")
