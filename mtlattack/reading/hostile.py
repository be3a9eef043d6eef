"""Reading what a stranger left: regular files of bounded size, nothing behind a link."""

import os
import stat
from pathlib import Path

from mtlattack.errors import InputError

# Not on every system.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_regular(path: Path, most_bytes: int) -> bytes:
    """The content of a regular file; InputError for a link, a device, and for more than `most_bytes`."""
    if path.is_symlink():
        raise InputError("is a link, expected a file")
    try:
        handle = os.open(path, os.O_RDONLY | _NO_LINK)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise InputError("is no regular file")
    with open(handle, "rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise InputError(f"is larger than the {most_bytes:,} bytes that are allowed")
    return content
