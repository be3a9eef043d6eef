"""Lists that are options: `a,b`."""

from mtlattack.errors import InputError


def listed(text: str, option: str, of: str = "names") -> list[str]:
    """The entries of a list, without the blanks around them; InputError for a comma with nothing on one side of it."""
    entries = [entry.strip() for entry in text.split(",")]
    if not all(entries):
        raise InputError(f"{option} {text!r}, expected {of} with commas between")
    return entries
