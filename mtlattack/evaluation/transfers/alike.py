"""How alike the input gradients of two tasks, or of two models, are: rows of numbers an image."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlattack.attacks import create_aggregator
from mtlattack.attacks.aggregators.gram import exact
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.posing import posed
from mtlattack.data import Batch, LabelledImages, read_ahead
from mtlattack.evaluation.crafting import no_autocast
from mtlattack.evaluation.transfers.parties import Party, naming
from mtlattack.evidence import Agreement, AgreementFile
from mtlattack.progress import progress_bar
from mtlattack.tasks import TaskMap

# Of all gradients that are held at a time, in bytes.
_MOST_BYTES = 2**28


@dataclass(frozen=True)
class BetweenTasks:
    """The gradients of a model's tasks against each other: a matrix of its tasks."""

    party: Party
    tasks: TaskMap

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns and losses of each."""
        return len(self.tasks), len(self.tasks), 1

    @property
    def gradients(self) -> int:
        """How many an image are held at a time."""
        return len(self.tasks)

    def compare(self, batch: Batch) -> Agreement:
        """The agreement for some images."""
        found = task_gradients(self.party, batch, self.tasks).transpose(0, 1)
        return _compared([each[:, None] for each in found], [each[:, None] for each in found])


@dataclass(frozen=True)
class BetweenModels:
    """The gradients of sources against those of victims, each task's against the same task's."""

    sources: Sequence[Party]
    victims: Sequence[Party]
    tasks: TaskMap

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns and losses of each."""
        return len(self.sources), len(self.victims), len(self.tasks)

    @property
    def gradients(self) -> int:
        """How many an image are held at a time."""
        return len(self.tasks) * len({party.name for party in (*self.sources, *self.victims)})

    def compare(self, batch: Batch) -> Agreement:
        """The agreement for some images."""
        parties = {party.name: party for party in (*self.sources, *self.victims)}
        found = {name: task_gradients(party, batch, self.tasks) for name, party in parties.items()}
        return _compared([found[s.name] for s in self.sources], [found[v.name] for v in self.victims])


Comparison = BetweenTasks | BetweenModels


def finish(
    file: AgreementFile, comparisons: Sequence[Comparison], data: LabelledImages, batch_size: int, device: torch.device
) -> None:
    """Fill the file's matrices, one a comparison, where they are not done."""
    values = 3 * data.size[0] * data.size[1]
    with progress_bar("comparing gradients", len(data) * len(comparisons)) as bar:
        for matrix, comparison in enumerate(comparisons):
            done = file.done(matrix)
            bar.advance(int(done.sum()))
            fitting = max(1, min(batch_size, _MOST_BYTES // (4 * values * comparison.gradients)))
            batches = [range(start, min(start + fitting, len(data))) for start in range(0, len(data), fitting)]
            batches = [rows for rows in batches if not done[rows.start : rows.stop].all()]
            for rows, batch in zip(batches, read_ahead(data, batches, device), strict=True):
                file.write(matrix, slice(rows.start, rows.stop), comparison.compare(batch))
                bar.advance(len(rows))


def task_gradients(party: Party, batch: Batch, tasks: TaskMap) -> Tensor:
    """∇L_i of these tasks of a model at the clean images, `[B, T, 3·H·W]`."""
    batch, model = party.prepared.laid_out(batch), party.prepared.judge
    with (
        naming(party.name),
        no_autocast(batch.images.device),
        posed(model, batch.images, party.targets(batch)) as problem,
    ):
        # Its own say of the tasks: of several models at once it is a mean.
        own = {name: party.tasks[name] for name in tasks}
        objective = Objective(replace(problem, tasks=own), create_aggregator("total"))
        return objective.task_gradients(problem.images).detach().contiguous().flatten(2)


def _compared(rows: Sequence[Tensor], columns: Sequence[Tensor]) -> Agreement:
    """Of gradients `[B, K, D]` each; one and the same is compared with itself to exactly 1."""
    cosine = [[_cosine(one, other) for other in columns] for one in rows]
    signs = [[_equal_signs(one, other) for other in columns] for one in rows]
    return Agreement(_stacked(cosine), _stacked(signs))


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    """`[B, K]`, NaN where a gradient is zero."""
    # Scaled first: squares of small gradients would underflow.
    one, other = (exact(each) / exact(each).abs().amax(-1, keepdim=True) for each in (one, other))
    return ((one * other).sum(-1) / (one.norm(dim=-1) * other.norm(dim=-1))).clamp(-1, 1)


def _equal_signs(one: Tensor, other: Tensor) -> Tensor:
    """`[B, K]`, NaN where no value is non-zero in both."""
    product = one.sign() * other.sign()
    return (product > 0).sum(-1) / (product != 0).sum(-1)


def _stacked(values: list[list[Tensor]]) -> NDArray[np.float64]:
    """`[rows][columns]` of `[B, K]` as `[B, rows, columns, K]`."""
    tensors = torch.stack([torch.stack(row) for row in values]).permute(2, 0, 1, 3)
    return tensors.cpu().double().numpy()  # type: ignore[no-any-return]
