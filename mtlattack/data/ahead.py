"""Reading overlaps computing: the next batch is read while this one is worked on."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from mtlattack.data.labelled import LabelledImages
from mtlattack.data.prepared import Batch, join_batches


def read_ahead(dataset: LabelledImages, batches: Sequence[Sequence[int]], device: torch.device) -> Iterator[Batch]:
    """Batches of images, given by their positions, on `device`; a thread of its own reads one batch ahead.

    On the way to CUDA they pass through pinned memory, so that the copy need not wait either. An image that cannot be
    read raises InputError when its batch is due.
    """
    to_cuda = device.type == "cuda"

    def read(positions: Sequence[int]) -> Batch:
        batch = join_batches([dataset[position] for position in positions])
        return batch.pinned() if to_cuda else batch

    with ThreadPoolExecutor(1) as reader:
        coming = [reader.submit(read, positions) for positions in batches[:1]]
        for following in [*batches[1:], None]:
            if not coming:
                return
            batch = coming.pop().result()
            if following is not None:
                coming.append(reader.submit(read, following))
            yield batch.to(device, non_blocking=to_cuda)
