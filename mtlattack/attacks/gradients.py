"""Input gradients of several losses after one forward pass."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from mtlattack.errors import InputError


class TaskGradients:
    """The gradients of T losses (`[B]` each) with respect to `image` `[B, 3, H, W]`, together or apart; once only.

    `losses` are the values, `[B, T]`, detached. Counts the backward passes that it spends in `passes`.
    """

    def __init__(self, image: Tensor, losses: Sequence[Tensor]) -> None:
        self.losses = torch.stack([loss.detach().float() for loss in losses], 1)
        self.passes = 0
        self._image = image
        # A list, never a stack: stacked in the graph, the loss of one task sends zeros through every other head.
        # A loss that is cut off from the image has no gradient to give.
        self._live = {i: loss for i, loss in enumerate(losses) if loss.requires_grad}
        if not self._live:
            raise InputError("no loss has a gradient: the model is not differentiable in its images")

    def weighted(self, weights: Tensor) -> Tensor:
        """∇ Σ_i w_i L_i for weights `[B, T]`, one backward pass whatever T, `[B, 3, H, W]`."""
        columns = weights.unbind(1)
        return self._backward(list(self._live.values()), [columns[i] for i in self._live])

    def apart(self) -> Iterator[Tensor]:
        """∇L_i for each task that has one, in turn, T backward passes, `[B, 3, H, W]` each."""
        last = max(self._live)
        for i, loss in self._live.items():
            yield self._backward([loss], [torch.ones_like(loss)], keep=i != last)

    def _backward(self, losses: Sequence[Tensor], weights: Sequence[Tensor], keep: bool = False) -> Tensor:
        self.passes += 1
        cotangents = [weight.to(loss.dtype) for loss, weight in zip(losses, weights, strict=True)]
        (gradient,) = torch.autograd.grad(losses, [self._image], cotangents, retain_graph=keep, materialize_grads=True)
        # A pixel whose gradient overflowed says nothing: it must not carry NaN into the image.
        return torch.nan_to_num(gradient)
