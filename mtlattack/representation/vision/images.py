"""Few labelled images of a data set, drawn by a seed."""

import numpy as np
import torch

from mtlattack.data import Batch, PreparedDataset
from mtlattack.errors import InputError


def few_images(data: PreparedDataset, count: int, seed: int) -> Batch:
    """`count` random images with their labels; of two draws by one seed the smaller is the beginning of the larger.

    InputError for none, and for more than there are.
    """
    if not 1 <= count <= len(data):
        raise InputError(f"{count} labelled images, expected 1 to the {len(data)} of {data.name}")
    chosen = [data[int(place)] for place in np.random.default_rng(seed).permutation(len(data))[:count]]
    return Batch(
        [identity for each in chosen for identity in each.ids],
        torch.cat([each.images for each in chosen]),
        {name: torch.cat([each.targets[name] for each in chosen]) for name in chosen[0].targets},
    )
