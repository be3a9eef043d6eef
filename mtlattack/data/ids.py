"""What the names of images must be: each its own, and text that every file can hold."""

import re
from collections import Counter
from collections.abc import Sequence

from mtlattack.errors import InputError

# What Python makes of bytes in a file's name that are no UTF-8.
_SURROGATE = re.compile("[\ud800-\udfff]")


def check_ids(ids: Sequence[str], whose: str) -> None:
    """InputError for an id that is there twice, or is no UTF-8."""
    twice = next((identity for identity, times in Counter(ids).items() if times > 1), None)
    if twice is not None:
        raise InputError(f"{whose} has the image id {twice!r} twice")
    odd = next((identity for identity in ids if _SURROGATE.search(identity)), None)
    if odd is not None:
        raise InputError(f"{whose} has the image id {odd!r}, which is no UTF-8; rename its files")
