"""What hangs on walls and ceilings: windows, doors, pictures, wall cupboards, pendant lamps.

Wall pieces use the furniture's frame with the wall's plane at local z = 0 and the room towards -z.
"""

from mtlattack.data.rooms.builder import Builder, Piece
from mtlattack.data.rooms.decor import books, shade
from mtlattack.data.rooms.scene import ID, Material, Primitive


def window(b: Builder, ceiling: float) -> Piece:
    """A frame with bars before a bright pane; some panes have no depth, as with a real sensor."""
    rng, palette = b.rng, b.palette
    w = rng.uniform(0.7, 1.9)
    y0 = rng.uniform(0.3, 1.05)
    y1 = min(ceiling - 0.15, y0 + rng.uniform(0.9, 1.5))
    frame = palette.material(0.3, plain=0.7)
    sky = palette.colour() if rng.chance(0.4) else (0.6, 0.75, 0.95)
    lit = rng.choice((0.15, 0.8, 1.5, 2.2))
    ground = palette.colour()
    if rng.chance(0.3):
        pane = palette.material(0.12, emission=lit * 0.5)
    else:
        horizon = rng.uniform(0.5, 1.6)
        pane = Material("outdoors", sky, ground, (0.35, horizon), (100.0, 0.0), seed=rng.next(), emission=lit)
    measured = rng.chance(0.75)
    bar = rng.uniform(0.04, 0.08)
    low, high = (-w / 2 + bar, y0 + bar, -0.015), (w / 2 - bar, y1 - bar, 0.0)
    b.primitives.append(Primitive("box", ID["window"], low, high, pane, measured=measured))
    z = (-0.05, 0.0)
    b.add("window", (-w / 2, w / 2), (y0, y0 + bar), (-0.09, 0.0), frame)
    b.add("window", (-w / 2, w / 2), (y1 - bar, y1), z, frame)
    for x in (-w / 2, w / 2 - bar):
        b.add("window", (x, x + bar), (y0, y1), z, frame)
    bars = rng.integer(0, 2)
    for i in range(1, bars + 1):
        x = -w / 2 + w * i / (bars + 1) - bar / 2
        b.add("window", (x, x + bar), (y0, y1), z, frame)
    if rng.chance(0.35):
        y = y0 + (y1 - y0) * rng.uniform(0.4, 0.7)
        b.add("window", (-w / 2, w / 2), (y, y + bar), z, frame)
    return b.piece(w, 0.1, y1)


def door(b: Builder) -> Piece:
    """A door leaf in its frame, with panels and a handle."""
    rng, palette = b.rng, b.palette
    w, h = rng.uniform(0.75, 1.1), rng.uniform(1.95, 2.15)
    leaf, frame = palette.material(0.5), palette.material(0.3, plain=0.6)
    b.add("door", (-w / 2, w / 2), (0.0, h), (-0.03, 0.0), leaf)
    t = rng.uniform(0.05, 0.1)
    b.add("door", (-w / 2 - t, w / 2 + t), (h, h + t), (-0.06, 0.0), frame)
    for x in (-w / 2 - t, w / 2):
        b.add("door", (x, x + t), (0.0, h + t), (-0.06, 0.0), frame)
    if rng.chance(0.6):
        rows = rng.integer(1, 3)
        inset = leaf if rng.chance(0.5) else palette.material(0.3)
        for row in range(rows):
            y = 0.12 + (h - 0.12) * row / rows
            top = y + (h - 0.12) / rows - 0.12
            b.add("door", (-w / 2 + 0.13, w / 2 - 0.13), (y, top), (-0.045, -0.03), inset)
    side = rng.choice((-1.0, 1.0)) * (w / 2 - 0.09)
    b.about("door", (side, 1.0, -0.07), (0.12, 0.03, 0.04), palette.material(0.1, plain=1.0))
    return b.piece(w + 2 * t, 0.1, h + t)


def picture(b: Builder) -> Piece:
    """A framed picture."""
    rng, palette = b.rng, b.palette
    w, h = rng.uniform(0.3, 1.2), rng.uniform(0.3, 0.9)
    y = rng.uniform(1.1, 1.55) - h * 0.2
    bar = rng.uniform(0.015, 0.07)
    b.add("picture", (-w / 2, w / 2), (y, y + h), (-0.025, 0.0), palette.material(0.1))
    art = palette.material(0.2)
    if rng.chance(0.6):
        kind = rng.choice(("noise", "blotch", "blotch", "cells"))
        art = Material(kind, palette.colour(), palette.colour(), (0.16, 0.12), seed=rng.next())
    b.add("picture", (-w / 2 + bar, w / 2 - bar), (y + bar, y + h - bar), (-0.03, -0.02), art)
    return b.piece(w, 0.04, y + h)


def cupboard(b: Builder) -> Piece:
    """A closed cupboard or an open board high on the wall."""
    rng, palette = b.rng, b.palette
    w, d = rng.uniform(0.6, 1.5), rng.uniform(0.22, 0.36)
    y = rng.uniform(1.35, 1.6)
    wood = palette.material(0.3)
    if rng.chance(0.5):
        h = rng.uniform(0.4, 0.65)
        b.add("cabinet", (-w / 2, w / 2), (y, y + h), (-d, 0.0), wood, "box", True)
        count = max(1, int(w / 0.45))
        front = wood if rng.chance(0.5) else palette.material(0.3)
        for i in range(count):
            x = i * w / count - w / 2
            b.add("cabinet", (x + 0.012, x + w / count - 0.012), (y + 0.012, y + h - 0.012), (-d - 0.018, -d), front)
    else:
        h = 0.35
        b.add("cabinet", (-w / 2, w / 2), (y, y + 0.04), (-d, 0.0), wood, "box", True)
        books(b, (0.0, y + 0.04, -d / 2), w * rng.uniform(0.4, 0.95), d * 0.9, 0.35)
    return b.piece(w, d, y + h)


def pendant(b: Builder, ceiling: float) -> Piece:
    """A lamp that hangs from the ceiling, or a flat one on it."""
    rng = b.rng
    if rng.chance(0.35):
        material = b.palette.material(0.1, plain=0.7, emission=rng.uniform(0.4, 1.6))
        w = rng.uniform(0.3, 0.7)
        shape = rng.choice(("cylinder", "box"))
        b.about(
            "lamp",
            (0.0, ceiling - 0.12, 0.0),
            (w, 0.12, w * (rng.uniform(0.4, 1.0) if shape == "box" else 1.0)),
            material,
            shape,
        )
    else:
        drop = rng.uniform(0.3, 0.75)
        b.about("lamp", (0.0, ceiling - drop, 0.0), (0.025, drop, 0.025), b.palette.material(0.1, plain=1.0))
        shade(b, (0.0, ceiling - drop, 0.0), rng.uniform(0.28, 0.55))
    return b.piece(0.5, 0.5, ceiling)
