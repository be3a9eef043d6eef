"""PGD-DGBA as public multi-task attack code writes it: one backward pass a task, gradients of the parameters too."""

import torch
from torch import Tensor

from mtlattack.models import MultiTaskNetwork


def t_backward_pgd(
    model: MultiTaskNetwork, images: Tensor, targets: dict[str, Tensor], *, eps: float, step_size: float, steps: int
) -> Tensor:
    """Adversarial images: from the clean ones, steps of `step_size` along sign Σ_i ∇L_i/L_i, clamped to the l_inf ball.

    The loop that the DGBA authors publish (Zhang et al., arXiv 2305.12066): each loss goes back by `loss.backward()`
    through a model whose parameters want gradients, and the image's `.grad` is read off. Same losses and same points
    as our `bim-dgba` with this step size; leaves no gradient behind.
    """
    lower, upper = (images - eps).clamp_min(0), (images + eps).clamp_max(1)
    points = images
    for _ in range(steps):
        image = points.detach().requires_grad_()
        predictions = model(image)
        losses = [task.loss(predictions[name], targets[name]) for name, task in model.tasks.items()]
        direction = torch.zeros_like(images)
        for i, loss in enumerate(losses):
            model.zero_grad()
            image.grad = None
            loss.sum().backward(retain_graph=i < len(losses) - 1)
            assert image.grad is not None
            direction += image.grad / loss.detach().view(-1, 1, 1, 1)
        points = (image.detach() + step_size * direction.sign()).clamp(lower, upper)
    model.zero_grad()
    return points
