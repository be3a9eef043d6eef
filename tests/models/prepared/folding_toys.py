"""Modules with batch norms of their own statistics, and what folding these must keep."""

import copy

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn

from mtlattack.models.prepared.folding import fold_batch_norms

BATCH_NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm, BatchNormAct2d)


def drawn(module: nn.Module) -> nn.Module:
    """In eval mode and float64, every batch norm with statistics and weights of its own."""
    generator = torch.Generator().manual_seed(0)
    for norm in module.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            for values, low in ((norm.running_var, 0.5), (norm.running_mean, -1), (norm.weight, -1), (norm.bias, -1)):
                if values is not None:
                    values.data.uniform_(low, 2, generator=generator)
    return module.eval().double().requires_grad_(False)


def images(channels: int = 3) -> Tensor:
    return torch.rand(2, channels, 9, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def norms_left(module: nn.Module) -> int:
    return sum(isinstance(part, BATCH_NORMS) for part in module.modules())


def values_of(predictions: object) -> list[Tensor]:
    if isinstance(predictions, Tensor):
        return [predictions]
    parts = predictions.values() if isinstance(predictions, dict) else predictions
    return [value for part in parts for value in values_of(part)]


def assert_folds(module: nn.Module, *inputs: object, folded: int) -> None:
    """So many batch norms go, the count says so, and nothing else changes."""
    twin, before = copy.deepcopy(module), norms_left(module)
    assert fold_batch_norms(twin) == folded
    assert norms_left(twin) == before - folded
    for value, expected in zip(values_of(twin(*inputs)), values_of(module(*inputs)), strict=True):
        assert value.dtype == torch.float64 and (expected != 0).any()
        torch.testing.assert_close(value, expected, rtol=0, atol=1e-10 * float(expected.abs().max()))
