"""Few labelled images of a data set, drawn by a seed."""

import numpy as np

from mtlattack.data import Batch, PreparedDataset, join_batches
from mtlattack.errors import InputError
from mtlattack.wording import counted


def few_images(data: PreparedDataset, count: int, seed: int) -> Batch:
    """`count` random images with their labels; of two draws by one seed the smaller is the beginning of the larger.

    InputError for none, and for more than there are.
    """
    if not 1 <= count <= len(data):
        raise InputError(f"{counted(count, 'labelled image')}, expected 1 to the {len(data)} of {data.name}")
    chosen = np.random.default_rng(seed).permutation(len(data))[:count]
    return join_batches([data[int(place)] for place in chosen])
