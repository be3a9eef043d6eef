"""A shard: a disjoint part of the images of one run."""

import re
from dataclasses import dataclass

from mtlattack.errors import InputError
from mtlattack.wording import counted


@dataclass(frozen=True)
class Shard:
    """Number `number`, from 1, `of` so many: of the images, counted from 0, those whose number is `number` − 1 modulo
    `of`. InputError for a number that is not among 1 to `of`."""

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            expected = f"1/{self.of} to {self.of}/{self.of}" if self.of > 0 else "k/n, n at least 1"
            raise InputError(f"there is no shard {self}, expected {expected}")

    @staticmethod
    def parse(text: str) -> "Shard":
        """What `2/8` says; InputError for anything else."""
        found = re.fullmatch(r"(\d+)/(\d+)", text.strip(), re.ASCII)
        if found is None:
            raise InputError(f"shard {text!r} is no shard, expected one as 2/8: the second of eight")
        return Shard(int(found[1]), int(found[2]))

    def positions(self, images: int) -> range:
        """Which of so many images are its own; InputError if there are fewer images than shards."""
        if images < self.of:
            raise InputError(f"shard {self}: {counted(images, 'image')}, expected at least one for each of {self.of}")
        return range(self.number - 1, images, self.of)

    @property
    def folder(self) -> str:
        """Name of the folder that it has within its run's."""
        return f"shard-{self.number}-of-{self.of}"

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


WHOLE = Shard(1, 1)
"""All images."""
