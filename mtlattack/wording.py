"""Counts in words."""


def counted(count: int, thing: str) -> str:
    """`1 image`, `1,449 images`, `2 classes`, `0 entries`: so many of a thing, which is named in the singular."""
    if count == 1:
        return f"1 {thing}"
    things = f"{thing[:-1]}ies" if thing.endswith("y") else f"{thing}es" if thing.endswith("s") else f"{thing}s"
    return f"{count:,} {things}"
