"""`standard` against the rest of the registry at equal backward passes, and what its members add; see README.md.

`standard` and each rival have evidence of their own under --work: what is there is read, what is not is made.
"""

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from contestants import affordable
from table import markdown

from mtlattack.analysis.ablation import ablation
from mtlattack.analysis.change import measure_change, weighted_metrics
from mtlattack.analysis.ensembles import ensemble_change, ensemble_skill
from mtlattack.analysis.record import AttackResult
from mtlattack.analysis.report import BOOTSTRAP_SEED, RESAMPLES, interval
from mtlattack.analysis.resampling import resampling_weights
from mtlattack.analysis.skill import constant_metrics, measure_skill
from mtlattack.analysis.summaries import SUMMARIES
from mtlattack.attacks import Attack, create_attack
from mtlattack.cli.script import run_script
from mtlattack.data import load_dataset
from mtlattack.devices import choose_device
from mtlattack.evaluation import evaluate
from mtlattack.evaluation.environment import measured_on
from mtlattack.evidence import Evidence
from mtlattack.files import write_json
from mtlattack.models import create_model

# The strongest of the matrix and of the step rules by loss and by skill, what `standard` goes by for skill, and the
# DGBA authors' setting: steps of ε/K from the clean image.
RIVALS = (
    "apgd-relative",
    "apgd-relative+segpgd",
    "decay-relative",
    "apgd-dgba",
    "apgd-dgba+dlr",
    "apgd-skill+dlr",
    "apgd-minmax",
    "apgd-minmax+dlr",
)
AUTHORS = "bim-dgba"


def main(
    work: Annotated[Path, typer.Option(help="Folder of the evidence.")],
    model: Annotated[str, typer.Option(help="Zoo model.")],
    data: Annotated[str, typer.Option(help="Data set by name, or a prepared file.")] = "rooms",
    split: Annotated[str, typer.Option(help="Split of the data.")] = "test",
    limit: Annotated[int, typer.Option(min=1, help="Only the first so many images.")] = 32,
    eps: Annotated[float, typer.Option(min=0, help="ε · 255, l_inf.")] = 4,
    batch_size: Annotated[int, typer.Option(min=1)] = 16,
    seed: Annotated[int, typer.Option(help="Of the attacks.")] = 0,
    peers: Annotated[
        bool, typer.Option(help="Also APGD of other libraries; needs these, and ../speed on the path.")
    ] = False,
    json_path: Annotated[Path | None, typer.Option("--json", help="Where to write every number.")] = None,
) -> None:
    """Attack one model with `standard`, and with its rivals in as many backward passes."""
    network = create_model(model)
    tasks = list(network.tasks)
    images = load_dataset(data, split, tasks=network.tasks, limit=limit)
    standard = create_attack("standard", eps=eps / 255, seed=seed)
    budget = sum(member.cost(len(tasks)).backward for member in standard.members(network.tasks))  # type: ignore[attr-defined]
    rivals: list[Attack] = [affordable(name, len(tasks), budget, eps / 255, seed) for name in (*RIVALS, AUTHORS)]
    versions: dict[str, str] = {}
    if peers:
        names, versions = _peers()
        rivals += [create_attack(name, eps=eps / 255, seed=seed, steps=budget) for name in names]
    folder = work / f"standard-{model}-{split}-eps{eps:g}"

    def evidence_of(attack: Attack) -> Evidence:
        path = folder / f"{attack.name}.h5"
        return evaluate(network, images, [attack], path=path, name=model, batch_size=batch_size, seed=seed)  # type: ignore[arg-type]

    evidence = evidence_of(standard)
    document = {
        "benchmark": "registry/standard",
        "circumstances": {**measured_on(choose_device()), "load": os.getloadavg()[0]},
        "peers": versions,
        "model": evidence.plan["model"],
        "data": evidence.plan["data"],
        "eps_255": eps,
        "backward_passes": budget,
        "seed": seed,
        **_compare(evidence, [evidence_of(rival) for rival in rivals]),
    }
    if json_path:
        write_json(json_path, document)
    print(markdown(document))


def _peers() -> tuple[list[str], dict[str, str]]:
    """Names of the other libraries' attacks, registered, and versions of these libraries."""
    import peers

    return peers.NAMES, peers.VERSIONS


def _compare(evidence: Evidence, rivals: Sequence[Evidence]) -> dict[str, Any]:
    """What sums up `standard` and its rivals, how much more loss it makes and less skill it leaves, paired, and what
    its members add."""
    weights = resampling_weights(len(evidence.ids), RESAMPLES, BOOTSTRAP_SEED)
    clean = weighted_metrics(evidence.clean.statistics, evidence.tasks, weights)
    (ensemble,) = evidence.plan["ensembles"]
    ours = ensemble_change(evidence.clean, clean, evidence.attacked, evidence.tasks, weights).loss_change
    constant = constant_metrics(evidence, weights)
    left = ensemble_skill(evidence.attacked, evidence, constant, weights)
    assert constant is not None and left is not None
    rows = []
    for rival in rivals:
        (outcome,), (planned,), (result,) = rival.attacked, rival.plan["attacks"], rival.report().record.attacks
        loss = measure_change(evidence.clean, clean, outcome, evidence.tasks, weights).loss_change
        theirs = measure_skill(weighted_metrics(outcome.statistics, evidence.tasks, weights), constant, evidence.tasks)
        row = _summed_up(result) | {"steps": planned["config"]["steps"]}
        row |= {"standard_over_loss_change": interval(ours / loss).model_dump()}
        rows.append(row | {"standard_minus_skill": interval(left.mean - theirs.mean).model_dump()})
    record = evidence.report().record
    (standard,) = (result for result in record.attacks if result.name == "standard")
    added = {name: asdict(found) for name, found in ablation(evidence, ensemble).items()}
    return {
        "attacks": [_summed_up(standard), *rows],
        "added": {name: {key: one and one.model_dump() for key, one in found.items()} for name, found in added.items()},
        "members": standard.members,
        "flags": [flag.model_dump() for flag in record.flags],
        "checked": record.checked,
    }


def _summed_up(result: AttackResult) -> dict[str, Any]:
    return {"name": result.name} | {summary.key: summary.of(result).model_dump() for summary in SUMMARIES}


if __name__ == "__main__":
    run_script(main)
