"""The optimiser and its schedule."""

import math

import torch
from torch import nn


def create_optimizer(network: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """AdamW. Scales and biases are not decayed: decay would only pull them towards a meaningless 0."""
    decayed = [p for p in network.parameters() if p.ndim > 1]
    free = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=learning_rate)


def one_cycle(progress: float, warmup: float = 0.1) -> float:
    """Learning rate factor at a training progress in [0, 1]: linear up to 1, then a half cosine down to 0."""
    if progress < warmup:
        return progress / warmup
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))
