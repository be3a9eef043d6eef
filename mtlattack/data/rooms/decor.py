"""Small things that stand on others or on the floor: books, boxes, balls, lamp shades, table lamps, plants."""

from mtlattack.data.rooms.builder import Builder
from mtlattack.data.rooms.scene import Material, Vec


def books(b: Builder, at: Vec, width: float, depth: float, room: float) -> None:
    """A row or a stack of books, or a box, a ball or a vase, no wider than `width` and no higher than `room`."""
    rng, palette = b.rng, b.palette
    x, y, z = at
    kind = rng.integer(0, 5)
    if kind <= 1:
        left, end = x - width / 2, x + width / 2
        while left < end - 0.05:
            w = min(end - left, rng.uniform(0.08, 0.35))
            material = palette.material(0.09)
            if rng.chance(0.7):
                material = Material("cells", material.first, palette.colour(), (0.09, 0.09), seed=rng.next())
            h = min(room, rng.uniform(0.16, 0.32))
            b.add("clutter", (left, left + w), (y, y + h), (z - depth * 0.4, z + depth * 0.4), material)
            left += w + (rng.uniform(0.02, 0.2) if rng.chance(0.3) else 0.0)
    elif kind == 2:
        top = y
        for _ in range(rng.integer(2, 4)):
            h = rng.uniform(0.03, 0.07)
            if top + h > y + room:
                break
            size = (min(width, rng.uniform(0.18, 0.3)), h, min(depth, rng.uniform(0.2, 0.32)))
            b.about("clutter", (x + rng.uniform(-0.02, 0.02), top, z), size, palette.material(0.1, plain=0.5))
            top += h
    else:
        w = min(width, depth, room, rng.uniform(0.14, 0.4))
        shape = ("box", "ellipsoid", "cylinder")[kind - 3]
        h = min(room, w * (1.0 if shape == "ellipsoid" else rng.uniform(0.5, 1.6)))
        b.about("clutter", (x, y, z), (w, h, w), palette.material(0.12), shape)


def shade(b: Builder, at: Vec, size: float) -> None:
    """A lamp shade around the point `at`: cylinder, ellipsoid or box, lit or not."""
    x, y, z = at
    lit = b.rng.uniform(0.5, 1.6) if b.rng.chance(0.6) else 0.0
    material = b.palette.material(0.08, plain=0.5, emission=lit)
    shape = b.rng.choice(("cylinder", "cylinder", "ellipsoid", "box"))
    b.about("lamp", (x, y - size * 0.4, z), (size, size * b.rng.uniform(0.5, 1.0), size), material, shape)


def table_lamp(b: Builder, at: Vec, room: float) -> None:
    """A small lamp standing on `at`."""
    x, y, z = at
    height = min(room, b.rng.uniform(0.3, 0.55))
    material = b.palette.material(0.1, plain=0.6)
    b.about("lamp", at, (0.14, 0.03, 0.14), material, "cylinder")
    if b.rng.chance(0.5):
        b.about("lamp", (x, y + 0.03, z), (0.035, height * 0.6, 0.035), material)
    else:
        b.about("lamp", (x, y + 0.02, z), (0.16, height * 0.55, 0.16), material, "ellipsoid")
    shade(b, (x, y + height * 0.75, z), b.rng.uniform(0.2, 0.32))


def small_plant(b: Builder, at: Vec, height: float) -> None:
    """A pot with leaves, `height` metres in all, standing on `at`."""
    rng = b.rng
    x, y, z = at
    pot = height * rng.uniform(0.2, 0.35)
    wide = pot * rng.uniform(0.8, 1.3)
    b.about("plant", at, (wide, pot, wide), b.palette.material(0.1), rng.choice(("cylinder", "cylinder", "box")))
    leaves = b.palette.material(0.07)
    if rng.chance(0.65):
        green = rng.uniform(0.2, 0.6)
        first = (green * rng.uniform(0.3, 0.9), green, green * rng.uniform(0.1, 0.6))
        dark = tuple(c * 0.35 for c in first)
        leaves = Material("blotch", first, dark, (0.05, 0.08), seed=rng.next())  # type: ignore[arg-type]
    rest = height - pot
    if rng.chance(0.4):
        b.about("plant", (x, y + pot, z), (0.03, rest * 0.7, 0.03), leaves)
    for _ in range(rng.integer(3, 6)):
        w = rest * rng.uniform(0.25, 0.5)
        h = rest * rng.uniform(0.3, 0.7)
        at = (
            x + rest * rng.uniform(-0.25, 0.25),
            y + pot + (rest - h) * rng.uniform(),
            z + rest * rng.uniform(-0.2, 0.2),
        )
        b.about("plant", at, (w, h, w), leaves, "ellipsoid")
