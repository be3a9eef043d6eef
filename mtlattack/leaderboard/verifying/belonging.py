"""That evidence, model and images are those of a row, before anything is attacked."""

from pathlib import Path

from mtlattack.data import PreparedDataset
from mtlattack.errors import InputError
from mtlattack.evaluation.environment import weights_digest
from mtlattack.evidence import Evidence
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.rows.building import check_belongs
from mtlattack.leaderboard.rows.plan import check_evidence
from mtlattack.models.checkpoint_files import file_hash
from mtlattack.tasks import Model


def check_row_of(stored: StoredRow, evidence: Evidence) -> None:
    """InputError unless the evidence is of the row's suite and weights."""
    try:
        check_belongs(stored.row, check_evidence(evidence))
    except InputError as error:
        raise InputError(f"row {stored.id} is not what its evidence says: {error}") from None


def check_model_of(stored: StoredRow, evidence: Evidence, model: Model) -> None:
    """InputError unless the model has the row's tasks and weights."""
    if dict(model.tasks) != evidence.tasks:
        raise InputError(
            f"the model predicts {', '.join(map(str, model.tasks.values()))}; "
            f"row {stored.id} is about {', '.join(map(str, evidence.tasks.values()))}"
        )
    found, wanted = weights_digest(model), stored.row.model.weights_sha256
    if found != wanted:
        raise InputError(
            f"other weights: theirs have SHA-256 {found}, those of row {stored.id} {wanted} (model.weights_sha256)"
        )


def check_data_of(stored: StoredRow, evidence: Evidence, data: PreparedDataset) -> None:
    """InputError unless `data` are the row's images and labels, all of them."""
    found, said = data.digests(), evidence.plan["data"]["sha256"]
    # In the order in which the data set has them, which begins with ids and images.
    for name in dict.fromkeys([*found, *said]):
        if found.get(name) != (wanted := said.get(name)):
            raise InputError(
                f"other data: {name} of {data.path} has SHA-256 {found.get(name)}, row {stored.id} has {wanted} "
                f"(data.sha256.{name})"
            )
    if data.ids != evidence.ids:
        raise InputError(f"the image ids in the evidence of row {stored.id} are not those of {data.path}")


def check_checkpoint_of(stored: StoredRow, path: Path) -> None:
    """InputError unless the file at `path` is the one that the row's weights came from; nothing in it is read."""
    if not path.is_file():
        raise InputError(f"no checkpoint file {path}")
    found, wanted = file_hash(path), stored.row.model.checkpoint_sha256
    if found != wanted:
        raise InputError(
            f"another checkpoint: {path} has SHA-256 {found}, that of row {stored.id} {wanted} "
            "(model.checkpoint_sha256)"
        )
