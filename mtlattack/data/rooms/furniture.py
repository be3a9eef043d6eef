"""Furniture as boxes, cylinders and ellipsoids; every function returns a `Piece` centred on its footprint."""

from collections.abc import Callable

from mtlattack.data.rooms.builder import Builder, Piece
from mtlattack.data.rooms.decor import books, shade, small_plant, table_lamp
from mtlattack.data.rooms.scene import Material


def _legs(b: Builder, label: str, width: float, depth: float, height: float, thick: float, material: Material) -> None:
    shape = b.rng.choice(("box", "box", "cylinder"))
    for sx in (-1.0, 1.0):
        for sz in (-1.0, 1.0):
            at = (sx * (width - thick) / 2, 0.0, sz * (depth - thick) / 2)
            b.about(label, at, (thick, height, thick), material, shape)


def _on_top(b: Builder, width: float, depth: float, height: float, chance: float, room: float = 0.6) -> None:
    """Perhaps put small things on a surface of the given size."""
    slots = max(1, int(width / 0.45))
    for slot in range(slots):
        if not b.rng.chance(chance):
            continue
        x = (slot + 0.5) * width / slots - width / 2
        at = (x, height, depth * b.rng.uniform(-0.2, 0.2))
        kind = b.rng.integer(0, 5)
        if kind == 0 and room > 0.35:
            table_lamp(b, at, room)
        elif kind == 1:
            small_plant(b, at, min(room, b.rng.uniform(0.25, 0.55)))
        else:
            books(b, at, min(0.4, width / slots), min(0.32, depth), min(room, 0.35))


def bed(b: Builder) -> Piece:
    """Single or double bed: frame, mattress, blanket, pillows, often a headboard."""
    rng, palette = b.rng, b.palette
    w, d = rng.uniform(0.9, 1.9), rng.uniform(1.85, 2.1)
    frame, cover = palette.material(0.3), palette.material(0.3)
    base, top = rng.uniform(0.15, 0.32), rng.uniform(0.4, 0.62)
    b.add("bed", (-w / 2, w / 2), (0.05, base), (-d / 2, d / 2), frame)
    b.add(
        "bed",
        (-w / 2 + 0.02, w / 2 - 0.02),
        (base, top),
        (-d / 2 + 0.02, d / 2),
        palette.material(0.2, 0.6),
        "box",
        True,
    )
    fold = d * rng.uniform(-0.1, 0.3)
    drop = rng.uniform(base, top - 0.05)
    b.add("bed", (-w / 2 - 0.02, w / 2 + 0.02), (drop, top + 0.04), (-d / 2 - 0.01, fold), cover)
    count = 1 if w < 1.2 else 2
    pillow = palette.material(0.15, 0.5)
    for i in range(count):
        x = (i + 0.5) * w / count - w / 2
        b.about("bed", (x, top - 0.03, d / 2 - 0.3), (min(0.65, w / count - 0.06), 0.2, 0.4), pillow, "ellipsoid")
    if rng.chance(0.75):
        head = rng.uniform(0.75, 1.25)
        b.add("bed", (-w / 2 - 0.02, w / 2 + 0.02), (0.0, head), (d / 2, d / 2 + 0.07), frame, "box", True)
    if rng.chance(0.3):
        b.add("bed", (-w / 2, w / 2), (0.0, top + 0.2), (-d / 2 - 0.07, -d / 2 - 0.02), frame)
    return b.piece(w + 0.04, d + 0.14, top)


def sofa(b: Builder) -> Piece:
    """Armchair to three-seater: base, seat cushions, back, arms."""
    rng, palette = b.rng, b.palette
    w, d = rng.uniform(0.8, 2.3), rng.uniform(0.78, 1.0)
    seats = max(1, int(w / 0.7))
    cloth = palette.material(0.25)
    cushion = cloth if rng.chance(0.6) else palette.material(0.25)
    arm, seat, back = rng.uniform(0.1, 0.24), rng.uniform(0.36, 0.48), rng.uniform(0.7, 1.0)
    b.add("sofa", (-w / 2, w / 2), (0.06, seat - 0.1), (-d / 2, d / 2), cloth, "box", True)
    b.add("sofa", (-w / 2, w / 2), (0.06, back), (d / 2 - 0.22, d / 2), cloth, "box", True)
    if rng.chance(0.85):
        rise = rng.uniform(0.52, 0.68)
        for s in (-1.0, 1.0):
            x = sorted((s * w / 2, s * (w / 2 - arm)))
            b.add("sofa", (x[0], x[1]), (0.06, rise), (-d / 2, d / 2 - 0.02), cloth)
    else:
        arm = 0.0
    inner = w - 2 * arm
    for i in range(seats):
        x0 = i * inner / seats - inner / 2
        x1 = x0 + inner / seats - 0.015
        b.add("sofa", (x0, x1), (seat - 0.1, seat + 0.03), (-d / 2 - 0.01, d / 2 - 0.2), cushion)
        if rng.chance(0.5):
            b.add("sofa", (x0 + 0.02, x1 - 0.02), (seat + 0.03, back + 0.05), (d / 2 - 0.36, d / 2 - 0.22), cushion)
    if rng.chance(0.5):
        at = (rng.uniform(-0.3, 0.3) * inner, seat + 0.02, 0.0)
        b.about("sofa", at, (0.42, 0.36, 0.2), palette.material(0.1), "ellipsoid")
    return b.piece(w, d, back)


def table(b: Builder) -> Piece:
    """Dining, coffee or side table, or a desk; things may stand on it."""
    rng, palette = b.rng, b.palette
    low = rng.chance(0.35)
    w, d = rng.uniform(0.6, 1.7), rng.uniform(0.5, 0.95)
    h = rng.uniform(0.35, 0.5) if low else rng.uniform(0.68, 0.8)
    wood = palette.material(0.25)
    under = wood if rng.chance(0.6) else palette.material(0.2, 0.5)
    kind = rng.integer(0, 4)
    plate = rng.uniform(0.03, 0.08)
    if kind == 0:
        d = w = min(w, 1.2)
        b.about("table", (0.0, h - plate, 0.0), (w, plate, d), wood, "cylinder", True)
        b.about("table", (0.0, 0.03, 0.0), (0.1, h - plate - 0.03, 0.1), under, "cylinder")
        b.about("table", (0.0, 0.0, 0.0), (w * 0.55, 0.04, d * 0.55), under, "cylinder")
    else:
        b.about("table", (0.0, h - plate, 0.0), (w, plate, d), wood, "box", True)
        if kind == 1:
            for s in (-1.0, 1.0):
                b.about("table", (s * (w / 2 - 0.03), 0.0, 0.0), (0.05, h - plate, d - 0.06), under, "box", True)
            b.add("table", (-w / 2, w / 2), (h * 0.5, h - plate), (d / 2 - 0.08, d / 2 - 0.05), under)
        elif kind == 2 and not low:
            b.about("table", (w / 2 - 0.22, 0.03, 0.0), (0.4, h - plate - 0.03, d - 0.08), under, "box", True)
            b.about("table", (-w / 2 + 0.04, 0.0, 0.0), (0.05, h - plate, d - 0.06), under)
        else:
            _legs(b, "table", w - 0.04, d - 0.04, h - plate, rng.uniform(0.04, 0.09), under)
    _on_top(b, w * 0.8, d * 0.7, h, 0.45)
    return b.piece(w, d, h)


def chair(b: Builder) -> Piece:
    """Legged chair, panel chair, stool, or office chair."""
    rng, palette = b.rng, b.palette
    w, d = rng.uniform(0.4, 0.52), rng.uniform(0.4, 0.52)
    seat, back = rng.uniform(0.42, 0.5), rng.uniform(0.8, 1.05)
    frame = palette.material(0.15)
    cover = frame if rng.chance(0.5) else palette.material(0.12)
    kind = rng.integer(0, 5)
    if kind == 0:
        seat = rng.uniform(0.42, 0.7)
        b.about("chair", (0.0, seat - 0.06, 0.0), (w, 0.06, d), cover, rng.choice(("cylinder", "box")), True)
        _legs(b, "chair", w * 0.75, d * 0.75, seat - 0.06, 0.04, frame)
        return b.piece(w, d, seat)
    b.about("chair", (0.0, seat - 0.07, 0.0), (w, 0.07, d), cover, "box", True)
    if kind == 1:
        b.about("chair", (0.0, 0.06, 0.0), (0.06, seat - 0.12, 0.06), frame, "cylinder")
        b.about("chair", (0.0, 0.0, 0.0), (w, 0.06, d), frame, "cylinder")
    elif kind == 2:
        for s in (-1.0, 1.0):
            b.about("chair", (s * (w / 2 - 0.02), 0.0, 0.0), (0.04, seat + 0.2, d), frame)
    else:
        _legs(b, "chair", w, d, seat - 0.07, rng.uniform(0.035, 0.06), frame)
    z = (d / 2 - 0.05, d / 2)
    if kind in (1, 2) or rng.chance(0.4):
        b.add("chair", (-w / 2, w / 2), (seat, back), z, cover, "box", True)
    else:
        for s in (-1.0, 1.0):
            b.about("chair", (s * (w / 2 - 0.025), seat, d / 2 - 0.025), (0.045, back - seat, 0.045), frame)
        for i in range(2):
            y = seat + (back - seat) * (0.4 + 0.45 * i)
            b.add("chair", (-w / 2, w / 2), (y - 0.07, y + 0.05), z, cover, "box", i == 1)
    return b.piece(w, d, back)


def _shelf(b: Builder, w: float, d: float, h: float) -> None:
    wood = b.palette.material(0.3)
    back = wood if b.rng.chance(0.5) else b.palette.material(0.3)
    b.add("cabinet", (-w / 2, w / 2), (0.0, h), (d / 2 - 0.03, d / 2), back, "box", True)
    for s in (-1.0, 1.0):
        b.about("cabinet", (s * (w / 2 - 0.02), 0.0, 0.0), (0.04, h, d), wood, "box", True)
    rows = max(2, int(h / 0.38))
    for row in range(rows + 1):
        y = (h - 0.04) * row / rows
        b.add("cabinet", (-w / 2, w / 2), (y, y + 0.035), (-d / 2, d / 2), wood, "box", row == rows)
        if row < rows and b.rng.chance(0.7):
            books(b, (0.0, y + 0.035, 0.03), w - 0.12, d - 0.1, h / rows - 0.06)


def _doors(b: Builder, w: float, d: float, y0: float, h: float, columns: int, rows: int) -> None:
    """A closed body with a grid of fronts and knobs."""
    rng, palette = b.rng, b.palette
    body = palette.material(0.4)
    front = body if rng.chance(0.5) else palette.material(0.4)
    knob = palette.material(0.1, 1.0)
    b.add("cabinet", (-w / 2, w / 2), (y0, y0 + h), (-d / 2 + 0.02, d / 2), body, "box", True)
    cw, ch = w / columns, h / rows
    for column in range(columns):
        for row in range(rows):
            x, y = column * cw - w / 2, y0 + row * ch
            b.add("cabinet", (x + 0.015, x + cw - 0.015), (y + 0.015, y + ch - 0.015), (-d / 2, -d / 2 + 0.02), front)
            if rows > 1:
                at = (x + cw / 2, y + ch * 0.55, -d / 2 - 0.01)
            else:
                at = (x + (cw - 0.08 if column % 2 == 0 else 0.08), y + ch * 0.5, -d / 2 - 0.01)
            size = (min(0.16, cw * 0.4), 0.025, 0.03) if rows > 1 else (0.03, 0.16, 0.03)
            b.about("cabinet", at, size, knob)


def cabinet(b: Builder) -> Piece:
    """Bookshelf, wardrobe, chest of drawers, night stand or sideboard; things may stand on the low ones."""
    rng = b.rng
    kind = rng.integer(0, 4)
    if kind == 0:
        w, d, h = rng.uniform(0.6, 1.3), rng.uniform(0.26, 0.4), rng.uniform(0.9, 2.1)
        _shelf(b, w, d, h)
    elif kind == 1:
        w, d, h = rng.uniform(0.8, 1.8), rng.uniform(0.45, 0.62), rng.uniform(1.7, 2.15)
        _doors(b, w, d, 0.0, h, max(1, int(w / 0.5)), 1)
    else:
        if kind == 2:
            w, d, h = rng.uniform(0.6, 1.2), rng.uniform(0.4, 0.55), rng.uniform(0.7, 1.2)
            _doors(b, w, d, 0.0, h, 1 if w < 0.9 else 2, rng.integer(2, 4))
        elif kind == 3:
            w, d, h = rng.uniform(0.38, 0.55), rng.uniform(0.35, 0.45), rng.uniform(0.4, 0.65)
            _doors(b, w, d, 0.0, h, 1, rng.integer(1, 2))
        else:
            w, d, h = rng.uniform(1.2, 2.2), rng.uniform(0.4, 0.6), rng.uniform(0.6, 0.95)
            _doors(b, w, d, 0.0, h, max(2, int(w / 0.5)), 1)
    if h < 1.3:
        _on_top(b, w * 0.85, d * 0.8, h, 0.5)
    return b.piece(w, d, h)


def floor_lamp(b: Builder) -> Piece:
    """A standing lamp with a base, a pole and a shade."""
    h = b.rng.uniform(1.3, 1.8)
    metal = b.palette.material(0.1, plain=0.8)
    b.about("lamp", (0.0, 0.0, 0.0), (0.3, 0.04, 0.3), metal, "cylinder")
    b.about("lamp", (0.0, 0.04, 0.0), (0.04, h - 0.2, 0.04), metal)
    shade(b, (0.0, h - 0.15, 0.0), b.rng.uniform(0.3, 0.5))
    return b.piece(0.45, 0.45, h)


def plant(b: Builder) -> Piece:
    """A plant that stands on the floor."""
    h = b.rng.uniform(0.6, 1.6)
    small_plant(b, (0.0, 0.0, 0.0), h)
    return b.piece(0.5 * h + 0.1, 0.5 * h + 0.1, h)


def clutter(b: Builder) -> Piece:
    """Books, boxes or a ball on the floor."""
    books(b, (0.0, 0.0, 0.0), b.rng.uniform(0.3, 0.6), 0.4, 0.6)
    return b.piece(0.6, 0.45, 0.4)


BUILDERS: dict[str, Callable[[Builder], Piece]] = {
    "bed": bed,
    "sofa": sofa,
    "table": table,
    "chair": chair,
    "cabinet": cabinet,
    "lamp": floor_lamp,
    "plant": plant,
    "clutter": clutter,
}
