"""Stage 1: what trains a shared backbone on the source tasks, with the target held out."""

from collections.abc import Mapping, Sequence
from typing import Any

from mtlattack.errors import InputError
from mtlattack.training import Adversarial, Recipe


def source_recipe(
    data: str,
    sources: Sequence[str],
    target: str,
    network: Mapping[str, Any],
    adversarial: Adversarial | None = None,
    **options: Any,
) -> Recipe:
    """The recipe of stage 1, to be trained by `training.train`: `sources` from a shared backbone, clean or adversarial.

    `network` is the recipe's, without a layout; `options` are its other fields. InputError without source tasks, and
    for a target among them.
    """
    if not sources:
        raise InputError("no source tasks, expected at least 1: a representation comes from them")
    if target in sources:
        raise InputError(
            f"the target {target} is a source task ({', '.join(sources)}); expected a task that is no source"
        )
    kind = "clean" if adversarial is None else "adversarial"
    return Recipe(
        name=f"{kind}-{'+'.join(sources)}",
        data=data,
        tasks=list(sources),
        network={**network, "layout": "shared"},
        adversarial=adversarial,
        **options,
    )
