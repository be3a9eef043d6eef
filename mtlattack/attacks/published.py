"""Attacks with the step sizes of a paper's released code: to compare with its numbers."""

from typing import Any

from mtlattack.attacks.threat import Threat
from mtlattack.errors import InputError, UnknownNameError

# Of each step rule, or attack of its own, that the code has: options beside the step size, which is ε/steps in all.
_PUBLISHED: dict[str, dict[str, dict[str, Any]]] = {
    "dgba": {"fgsm": {}, "bim": {}, "apgd": {"halve_steadily": False}, "auto-saga": {}},
}
_STEPS = {"dgba": 10}


def published_options(compat: str, kind: str, threat: Threat, steps: int | None = None) -> dict[str, Any]:
    """The options of the step rule or attack called `kind` with which the code of this paper runs it.

    `dgba` is the code of arXiv 2305.12066: l_inf, 10 steps of ε/steps from the clean image, APGD with the halving of
    Croce and Hein. That code takes APGD's decisions for a whole batch, by its mean; here every image has its own.
    UnknownNameError for another name, InputError for what that code does not have.
    """
    if compat not in _PUBLISHED:
        raise UnknownNameError("compat", compat, _PUBLISHED)
    rules = _PUBLISHED[compat]
    if kind not in rules:
        raise InputError(f"compat {compat!r} has no {kind}, expected {', '.join(rules)}")
    if threat.norm != "linf":
        raise InputError(f"compat {compat!r} is for linf, not for {threat.norm}")
    if kind == "fgsm":
        return rules[kind]
    steps = _STEPS[compat] if steps is None else steps
    return {"steps": steps, "step_size": threat.radius / steps} | rules[kind]
