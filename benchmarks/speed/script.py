"""What the scripts here share on the command line."""

from mtlattack.errors import InputError


def parse_size(text: str) -> tuple[int, int]:
    """Height and width from `120x160`."""
    height, _, width = text.partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) > 0 and int(width) > 0):
        raise InputError(f"size {text!r}, expected HEIGHTxWIDTH, e.g. 120x160")
    return int(height), int(width)
