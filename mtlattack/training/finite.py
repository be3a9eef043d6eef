"""What is no longer finite in training, named while there is still something to go back to."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from mtlattack.errors import InputError
from mtlattack.training.objectives import Term


class DivergedError(InputError):
    """Training has left the finite numbers. Nothing of the step that did so was kept."""

    def __init__(self, what: str, epoch: int, place: str = "") -> None:
        kept = (
            f"the state after epoch {epoch - 1} is kept, the same command goes on from there; or " if epoch > 1 else ""
        )
        super().__init__(f"{what} in epoch {epoch}{place}; {kept}lower the learning rate and start anew")


def not_finite_loss(terms: Iterable[Term]) -> str:
    """Of losses whose weighted sum is not finite those that are not, in words; their sum if none is by itself."""
    named = [(_name(term, task), float(loss.detach())) for term in terms for task, loss in term.losses.items()]
    wrong = [f"{name} is {value}" for name, value in named if not math.isfinite(value)]
    return ", ".join(wrong) or "the sum of all losses is not finite"


def not_finite_gradient(terms: Iterable[Term], network: nn.Module) -> str:
    """Of losses that were just computed those whose gradient is not finite, in words; their sum's if none is by itself.

    Each is differentiated once more, which is for naming alone.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    losses = [(_name(term, task), loss) for term in terms for task, loss in term.losses.items()]
    wrong = [name for name, loss in losses if not _is_smooth(loss, parameters)]
    return f"the gradient of {' and of '.join(wrong) or 'the sum of all losses'} is not finite"


def not_finite_weights(network: nn.Module) -> str | None:
    """The first weight or statistic of a network that is not finite, by its name; None where all are."""
    for name, value in network.state_dict().items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            return name
    return None


def _name(term: Term, task: str) -> str:
    return f"the {term.name} loss of {task}".replace("  ", " ")


def _is_smooth(loss: Tensor, parameters: list[nn.Parameter]) -> bool:
    """Whether a loss has a finite gradient."""
    if not loss.requires_grad:
        return True
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return all(gradient is None or bool(torch.isfinite(gradient).all()) for gradient in gradients)
