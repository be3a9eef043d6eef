"""Input gradients of several losses after one forward pass."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

Memory = dict[str, Tensor]
Note = Callable[[str, Tensor], None]


class TaskGradients:
    """The gradients of T losses (`[B]` each) with respect to `image` `[B, 3, H, W]`, together or apart; once only.

    `losses` are the values, `[B, T]`, detached. `memory` lives as long as a climb: what an aggregator that looks back
    keeps. `note(name, values)` takes a number an image `[B]` for the evidence; the largest of a run is kept. Counts
    the backward passes that it spends in `passes`.
    """

    def __init__(self, image: Tensor, losses: Sequence[Tensor], memory: Memory, note: Note) -> None:
        self.losses = torch.stack([loss.detach().float() for loss in losses], 1)
        self.memory, self.note = memory, note
        self.passes = 0
        self._image = image
        # A list, never a stack: stacked in the graph, the loss of one task sends zeros through every other head.
        # A loss that is cut off from the image has no gradient to give: it counts as zero.
        self._live = {i: loss for i, loss in enumerate(losses) if loss.requires_grad}

    def weighted(self, weights: Tensor) -> Tensor:
        """∇ Σ_i w_i L_i for weights `[B, T]`, one backward pass whatever T, `[B, 3, H, W]`."""
        columns = weights.unbind(1)
        if not self._live:
            return torch.zeros_like(self._image)
        return self._backward(list(self._live.values()), [columns[i] for i in self._live])

    def apart(self) -> Iterator[Tensor]:
        """∇L_i for each task that has one, in turn, T backward passes, `[B, 3, H, W]` each."""
        last = max(self._live, default=None)
        for i, loss in self._live.items():
            yield self._backward([loss], [torch.ones_like(loss)], keep=i != last)

    def stacked(self) -> Tensor:
        """All ∇L_i, `[B, T, 3, H, W]`, zero for a task that has none: as many backward passes as `apart`."""
        found = dict(zip(self._live, self.apart(), strict=True))
        nothing = torch.zeros_like(self._image)
        return torch.stack([found.get(i, nothing) for i in range(self.losses.shape[1])], 1)

    def _backward(self, losses: Sequence[Tensor], weights: Sequence[Tensor], keep: bool = False) -> Tensor:
        self.passes += 1
        cotangents = [weight.to(loss.dtype) for loss, weight in zip(losses, weights, strict=True)]
        (gradient,) = torch.autograd.grad(losses, [self._image], cotangents, retain_graph=keep, materialize_grads=True)
        # A pixel whose gradient overflowed says nothing: it must not carry NaN into the image.
        return torch.nan_to_num(gradient)
