"""A row of a run: its card, and where its evidence lies."""

from mtlattack.errors import InputError
from mtlattack.evidence import Evidence
from mtlattack.leaderboard.rows.plan import Plan, check_evidence
from mtlattack.leaderboard.rows.schema import EvidenceReference, ModelCard, Row, Submitter, SuiteReference
from mtlattack.schemas import validate


def build_row(evidence: Evidence, card: ModelCard, submitted: Submitter, reference: EvidenceReference) -> Row:
    """The row that stands for `evidence`, with what the submitter says of model and self.

    InputError names the field of a plan that no row can have, among others of a run outside a suite or without attacks,
    and for weights or parameters other than the card's.
    """
    plan = check_evidence(evidence)
    document = {"suite": _suite_of(plan), "model": card, "submitted": submitted, "evidence": reference}
    row = validate(Row, document, "row: ")
    check_belongs(row, plan)
    return row


def check_belongs(row: Row, plan: Plan) -> None:
    """InputError names the first field that is not what the plan of its evidence says."""
    suite = _suite_of(plan)
    for field, said, found in (
        ("suite.name", row.suite.name, suite.name),
        ("suite.version", row.suite.version, suite.version),
        ("suite.sha256", row.suite.sha256, suite.sha256),
        ("model.weights_sha256", row.model.weights_sha256, plan.model.sha256),
        ("model.parameters", row.model.parameters, plan.model.parameters),
    ):
        if said != found:
            raise InputError(f"{field} is {said}, the evidence has {found}")


def _suite_of(plan: Plan) -> SuiteReference:
    assert plan.suite is not None
    return SuiteReference(**plan.suite.model_dump(exclude={"overrides"}))
