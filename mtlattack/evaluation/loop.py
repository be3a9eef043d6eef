"""Jobs × batches of images: what is done stays done, and what the device has no memory for is done in halves."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from mtlattack.data import Batch, LabelledImages, read_ahead
from mtlattack.devices import is_out_of_memory, release_memory
from mtlattack.evaluation.preparation import Preparation
from mtlattack.evidence import WHOLE, Shard
from mtlattack.progress import progress_bar
from mtlattack.wording import counted

Done = Mapping[str, NDArray[np.bool_]]


@dataclass
class Loop:
    """Calls `do(job, batch, rows)` for every batch of every job that is not done: `jobs` by their names, with what a
    progress bar calls them. `do` stores what it has done of `rows`, the places of the batch's first images in what is
    done; the images after them only fill it up.

    Every batch has the same size, so that no bit of an image's numbers depends on how many came with it: some kernels
    add in an order that goes by the size.
    """

    prepared: Preparation
    jobs: Mapping[str, str]
    batch_size: int
    do: Callable[[str, Batch, slice], None]
    fitting: int = field(init=False)

    def __post_init__(self) -> None:
        self.fitting = self.batch_size

    def finish(self, data: LabelledImages, done: Done, device: torch.device, title: str, shard: Shard = WHOLE) -> None:
        """Do what is not `done` yet of a shard of the images."""
        positions = shard.positions(len(data))
        self.fitting = full_size(self.batch_size, len(data))
        todo = [
            start
            for start in range(0, len(positions), self.fitting)
            if not all(done[job][start : start + self.fitting].all() for job in self.jobs)
        ]
        size = self.fitting
        batches = [positions[start : start + size] for start in todo]
        with progress_bar(title, len(positions) * len(self.jobs), "images") as bar:
            bar.advance(sum(int(done[job].sum()) for job in self.jobs))
            for start, batch in zip(todo, read_ahead(data, batches, device), strict=True):
                batch = self.prepared.laid_out(batch)
                for job in self.jobs:
                    bar.describe(self.jobs[job])
                    # A run that was stopped between portions has done the first of them.
                    finished = int(done[job][start : start + size].sum())
                    for images in self._in_portions(job, batch, start, finished):
                        bar.advance(images)

    def _in_portions(self, job: str, batch: Batch, start: int, finished: int) -> Iterator[int]:
        """One job on the rest of a batch: as a whole, or as many images at a time as the device had memory for so far.

        Gives the number of images each time some are done.
        """
        while finished < len(batch.ids):
            portion = batch.part(slice(finished, finished + self.fitting))
            rows = slice(start + finished, start + finished + len(portion.ids))
            if self._fits(job, self.prepared.laid_out(portion.filled(self.fitting)), rows):
                finished += len(portion.ids)
                yield len(portion.ids)

    def _fits(self, job: str, batch: Batch, rows: slice) -> bool:
        """Do the job, or else drop the CUDA graphs, or if there are none, halve what is taken to fit."""
        images, device = len(batch.ids), batch.images.device
        try:
            self.do(job, batch, rows)
            return True
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            dropped = self.prepared.release_graphs()
            if images == 1 and not dropped:
                raise
        if dropped:
            make_room(device, f"for {counted(images, 'image')} beside CUDA graphs: going on without these")
        else:
            self.fitting = images // 2
            make_room(device, f"for {counted(images, 'image')}: going on with {self.fitting}")
        return False


def full_size(batch_size: int, images: int) -> int:
    """How many images every batch has, of a run on so many."""
    return min(batch_size, images)


def make_room(device: torch.device, what: str) -> None:
    """Say what there was no memory for, and free what is no longer used."""
    release_memory(device)
    warnings.warn(f"{device} has no memory {what}", stacklevel=3)
