"""One run of one model, in a process of its own: PATH MODEL SUITE EPS IMAGES GLOB,… BATCH PRECISION FORM."""

import sys
import warnings
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from torch import Tensor, nn
from twins import in_tf32

from mtlattack.data import load_dataset
from mtlattack.evaluation import evaluate, load_suite
from mtlattack.models import create_model
from mtlattack.tasks import Task


class Plain:
    """A model as it is: batch norms stay, tensors keep their layout, for what is no module is not prepared."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network.requires_grad_(False)
        self.tasks: Mapping[str, Task] = network.tasks  # type: ignore[assignment]

    def __call__(self, images: Tensor) -> Mapping[str, Tensor]:
        """Predictions by task."""
        predictions: Mapping[str, Tensor] = self.network(images)
        return predictions


# What is handed to the runner.
FORMS: Mapping[str, Callable[[nn.Module], object]] = {
    "prepared": lambda network: network,
    "plain": Plain,
    "tf32": lambda network: Plain(in_tf32(network)),
}


def main(
    path: str, model: str, suite: str, eps: str, images: str, attacks: str, batch: str, precision: str, form: str
) -> None:
    """Run the suite's attacks that the globs name at one ε (of 255) on the first of its images."""
    network, chosen = create_model(model), load_suite(suite)
    chosen = chosen.model_copy(update={"eps": [float(eps)]})
    data = load_dataset(chosen.data, chosen.split, tasks=network.tasks, every=chosen.every, limit=int(images))
    globs = attacks.split(",")
    every = chosen.create_attacks(network.tasks)
    # Where few signs agree the comparison shows it.
    warnings.filterwarnings("ignore", message="only .* of gradient signs agree")
    evaluate(
        FORMS[form](network),  # type: ignore[arg-type]
        data,
        [attack for attack in every if any(fnmatchcase(attack.name, glob) for glob in globs)],
        path=Path(path),
        name=model,
        precision=precision,  # type: ignore[arg-type]
        batch_size=int(batch),
        device="cpu",
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
