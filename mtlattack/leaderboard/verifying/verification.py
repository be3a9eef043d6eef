"""Verification: some of a row's images are attacked again, and the numbers compared with the row's evidence.

A forged row may well be consistent with its own evidence. Which images are looked at follows from a nonce that nobody
knew before, so that it would have to be right on all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from textwrap import shorten
from typing import Any

from mtlattack.attacks import Attack
from mtlattack.data import PreparedDataset, load_dataset
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation import evaluate
from mtlattack.evaluation.members import expand
from mtlattack.evidence import NUMERIC, Evidence
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.ledger import Event
from mtlattack.leaderboard.records import headline_eps, levels_of
from mtlattack.leaderboard.rows.entry import check_entry
from mtlattack.leaderboard.rows.plan import check_evidence, ran_on
from mtlattack.leaderboard.suites import shipped_suite
from mtlattack.leaderboard.verifying.agreement import Pair, attacked_differences, clean_differences, rows_of
from mtlattack.leaderboard.verifying.belonging import check_data_of, check_model_of, check_row_of
from mtlattack.leaderboard.verifying.picking import draw_nonce, pick_images
from mtlattack.leaderboard.verifying.tolerances import Agreement, arithmetic_of, judge_attack, judge_clean
from mtlattack.schemas import validate
from mtlattack.tasks import Model
from mtlattack.wording import counted

IMAGES = 8
_LONGEST_NOTE = 2000


@dataclass(frozen=True)
class Verification:
    """What came of verifying a row: the nonce, the images that follow from it, the threats, and what was compared.

    `thorough` is whether every attack of the suite at the headline ε met IMAGES of the images, or all there are;
    `environment` is what the verifier ran on, as in the evidence of any run.
    """

    row: str
    nonce: str
    images: list[str]
    of_images: int
    threats: list[str]
    thorough: bool
    clean: Agreement
    attacked: list[Agreement]
    environment: dict[str, Any]

    @property
    def agrees(self) -> bool:
        """Whether the row's evidence is what was found, within the tolerances."""
        return self.clean.ok and all(agreement.ok for agreement in self.attacked)

    @property
    def farthest(self) -> Agreement:
        """Where the finding is that takes most of its tolerance."""
        return max((self.clean, *self.attacked), key=lambda agreement: agreement.farthest.share)


def verify_row(
    stored: StoredRow,
    evidence: Evidence,
    model: Model,
    data: PreparedDataset,
    *,
    images: int = IMAGES,
    nonce: str | None = None,
    attacks: Sequence[str] = ("*",),
    eps: Sequence[float] | None = None,
    batch_size: int | None = None,
    device: str | None = None,
) -> Verification:
    """Attack `images` of the row's images again and compare with its `evidence`, both ways: what is stronger
    than reported differs as much as what is weaker.

    `model` is the row's and `data` all images of its suite. `nonce` is drawn if none is given; the same one picks the
    same images. `attacks` are globs over the names of the suite's attacks, `eps` in image units: the row's headline ε
    by default. Attacks, seeds and the precision of the search are the row's own, and so is the batch size unless one
    is given. InputError if the row is not what its evidence says or of another suite than the one here, if model,
    weights or images are not the row's, and for attacks or ε that it has not.
    """
    check_entry(evidence)
    check_row_of(stored, evidence)
    check_model_of(stored, evidence, model)
    check_data_of(stored, evidence, data)
    plan, tasks = check_evidence(evidence), evidence.tasks
    search = plan.preparation.search
    nonce = draw_nonce() if nonce is None else nonce
    rows = pick_images(stored.id, nonce, evidence.ids, images)
    jobs = _jobs(stored, evidence, attacks, [headline_eps(stored.record)] if eps is None else eps)
    picked = [evidence.ids[position] for position in rows]
    found = evaluate(
        model,
        load_dataset(data.path, data.split, tasks=data.tasks, ids=picked),
        jobs.values(),
        name=stored.row.model.name,
        precision=search,
        batch_size=min(plan.batch_size if batch_size is None else batch_size, len(picked)),
        device=device,
        seed=plan.seed,
    )
    environment = {key: found.environment[key] for key in NUMERIC}
    arithmetic = arithmetic_of(tf32=environment["tf32"] or any(part.tf32 for part in ran_on(evidence)), search=search)
    clean = Pair(rows_of(evidence.clean, rows), found.clean)
    pairs = [Pair(rows_of(evidence.attacked[p], rows), f) for p, f in zip(jobs, found.attacked, strict=True)]
    return Verification(
        row=stored.id,
        nonce=nonce,
        images=picked,
        of_images=len(evidence.ids),
        threats=list(dict.fromkeys(str(attack.threat) for attack in jobs.values())),
        thorough=_jobs(stored, evidence, "*", [headline_eps(stored.record)]).keys() <= jobs.keys()
        and len(rows) >= min(IMAGES, len(evidence.ids)),
        clean=judge_clean(clean_differences(clean, tasks), len(rows), arithmetic),
        attacked=[
            judge_attack(
                attack.name, attack.threat.eps, attacked_differences(clean, pair, tasks), len(rows), arithmetic
            )
            for attack, pair in zip(jobs.values(), pairs, strict=True)
        ],
        environment=environment,
    )


def _jobs(stored: StoredRow, evidence: Evidence, globs: Sequence[str], levels: Sequence[float]) -> dict[int, Attack]:
    """What globs and ε name, by its place in the evidence, made anew from the suite; of an ensemble its members."""
    suite, known = shipped_suite(stored.row.suite.name), levels_of(stored.record)
    assert suite is not None, "its evidence may enter, so its suite ships"
    for level in levels:
        if level not in known:
            raise InputError(f"eps {level:g} is none of row {stored.id}, which has {', '.join(map(str, known))}")
    run, ensembles = expand(suite.create_attacks(evidence.tasks), evidence.tasks)
    places: dict[str, list[int]] = {}
    for place, attack in enumerate(run):
        places.setdefault(attack.name, []).append(place)
    for ensemble in ensembles:
        places.setdefault(ensemble["name"], []).extend(ensemble["members"])
    chosen: set[int] = set()
    for glob in globs:
        named = [name for name in places if fnmatchcase(name, glob)]
        if not named:
            raise UnknownNameError(f"attack of suite {suite.name}:", glob, places)
        chosen.update(place for name in named for place in places[name])
    return {place: run[place] for place in sorted(chosen) if run[place].threat.eps in levels}


def event_of(verification: Verification, by: str, at: datetime) -> Event:
    """The ledger's line for a verification: `verified` or `disputed`, and a note from which it can be done again.

    InputError for a name that the ledger does not take, and for a row that agrees where too little was looked at to
    call it verified.
    """
    if verification.agrees and not verification.thorough:
        raise InputError(
            f"row {verification.row} agrees, but `verified` takes every attack at the suite's headline eps on at least "
            f"{counted(min(IMAGES, verification.of_images), 'image')}: nothing was recorded"
        )
    document = {
        "row": verification.row,
        "status": "verified" if verification.agrees else "disputed",
        "at": at,
        "by": by,
        "note": _note(verification),
    }
    return validate(Event, document, "event: ")


def _note(verification: Verification) -> str:
    agreement, environment = verification.farthest, verification.environment
    attacks = dict.fromkeys(each.name for each in verification.attacked)
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
    return shorten(
        f"{len(verification.images)} of {counted(verification.of_images, 'image')}, nonce {verification.nonce}; "
        f"{counted(len(attacks), 'attack')} at {', '.join(verification.threats)}; "
        f"largest share of a tolerance: {agreement.name}, {agreement}; "
        f"on {environment['device']} ({environment['cpu_capability']}), {versions}; attacks: {', '.join(attacks)}",
        _LONGEST_NOTE,
        placeholder=" …",
    )
