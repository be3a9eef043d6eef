"""One random room: size, camera, lights, and furniture placed where the camera sees it and nothing overlaps."""

from mtlattack.data.rooms import fixtures
from mtlattack.data.rooms.builder import Builder, Piece
from mtlattack.data.rooms.furniture import BUILDERS
from mtlattack.data.rooms.rng import Stream
from mtlattack.data.rooms.scene import Camera, Item, Light, Palette, Scene, Vec

_WANTED = (
    ("bed", 0.15),
    ("sofa", 0.15),
    ("table", 0.2),
    ("chair", 0.11),
    ("cabinet", 0.18),
    ("lamp", 0.06),
    ("plant", 0.1),
    ("clutter", 0.05),
)
_LIMITS = {"bed": 1, "sofa": 2, "table": 2, "chair": 4, "cabinet": 3, "lamp": 1, "plant": 2, "clutter": 2}
# (cos, sin) that turns a piece's back (+z) to the wall: +z, +x, -x.
_WALLS = ((1.0, 0.0), (0.0, 1.0), (0.0, -1.0))

Rect = tuple[float, float, float, float]


def make_camera(rng: Stream, size: Vec, height: int, width: int) -> Camera:
    """A camera near the z = 0 wall that looks into the room."""
    w, h, d = size
    position = (w * rng.uniform(0.2, 0.8), min(h - 0.4, rng.uniform(1.0, 1.9)), d * rng.uniform(0.04, 0.2))
    cy, sy = rng.turn(0.28)
    drift = (position[0] / w - 0.5) * 0.5  # look towards the middle of the room
    cd, sd = (1 - drift * drift) / (1 + drift * drift), -2 * drift / (1 + drift * drift)
    cy, sy = cy * cd - sy * sd, sy * cd + cy * sd
    t = rng.uniform(-0.03, 0.16) + (position[1] - 1.4) * 0.12
    cp, sp = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    cr, sr = rng.turn(0.025)
    right, down = (cy, 0.0, -sy), (-sy * sp, -cp, -cy * sp)
    return Camera(
        position=position,
        right=tuple(cr * r + sr * n for r, n in zip(right, down, strict=True)),  # type: ignore[arg-type]
        down=tuple(cr * n - sr * r for r, n in zip(right, down, strict=True)),  # type: ignore[arg-type]
        forward=(sy * cp, -sp, cy * cp),
        focal=width * rng.uniform(0.62, 0.95),
        cx=width / 2,
        cy=height / 2,
    )


class _Placer:
    """Puts pieces into the room, refusing what overlaps, crowds the camera or cannot be seen."""

    def __init__(self, rng: Stream, scene: Scene, height: int, width: int) -> None:
        self.rng, self.scene = rng, scene
        self.palette = Palette(rng)
        self.taken: list[Rect] = []
        self.on_wall: list[tuple[int, float, float, float, float]] = []
        self._half_x = width / 2 / scene.camera.focal
        self._half_y = height / 2 / scene.camera.focal

    def builder(self) -> Builder:
        return Builder(self.rng, self.palette)

    def sees(self, point: Vec, margin: float = 0.95) -> bool:
        x, y, z = self.scene.camera.project(point)
        return z > 0.7 and abs(x) < margin * self._half_x * z and abs(y) < (margin + 0.3) * self._half_y * z

    def _free(self, rect: Rect, height: float, allowed: Rect | None = None) -> bool:
        w, _, d = self.scene.size
        if rect[0] < -1e-6 or rect[2] < -1e-6 or rect[1] > w + 1e-6 or rect[3] > d + 1e-6:
            return False
        for other in self.taken:
            overlaps = rect[0] < other[1] and other[0] < rect[1] and rect[2] < other[3] and other[2] < rect[3]
            if overlaps and other is not allowed:
                return False
        px, _, pz = self.scene.camera.position
        dx = max(rect[0] - px, 0.0, px - rect[1])
        dz = max(rect[2] - pz, 0.0, pz - rect[3])
        keep = 1.7 if height > 1.2 else 1.1 if height > 0.75 else 0.7
        return dx * dx + dz * dz > keep * keep

    def place(self, piece: Piece, x: float, z: float, cos: float, sin: float, allowed: Rect | None = None) -> bool:
        """Add the piece at (x, z) if it fits there."""
        hx = 0.5 * (abs(cos) * piece.width + abs(sin) * piece.depth)
        hz = 0.5 * (abs(sin) * piece.width + abs(cos) * piece.depth)
        rect = (x - hx, x + hx, z - hz, z + hz)
        if not self._free(rect, piece.height, allowed) or not self.sees((x, piece.height * 0.5, z)):
            return False
        self.taken.append(rect)
        self.scene.items.append(Item(x, z, cos, sin, piece.primitives))
        return True

    def against_wall(self, piece: Piece, wall: int, share: float) -> bool:
        """Add the piece with its back to a wall, `share` of the way along."""
        w, _, d = self.scene.size
        cos, sin = _WALLS[wall]
        gap = piece.depth / 2 + (0.02 if piece.height < 2.2 else 0.0)
        half = piece.width / 2
        if wall == 0:
            x, z = half + (w - 2 * half) * share, d - gap
        else:
            x, z = (w - gap if wall == 1 else gap), half + (d - 2 * half) * share
        return self.place(piece, x, z, cos, sin)

    def hang(self, piece: Piece, low: float, blocks: bool = False) -> bool:
        """Add a wall piece that reaches from height `low` to its own height, where a wall is seen and free."""
        w, _, d = self.scene.size
        for _ in range(10):
            wall = self.rng.choice((0, 0, 1, 2))
            length = w if wall == 0 else d
            if piece.width > length - 0.2:
                continue
            at = self.rng.uniform(piece.width / 2 + 0.08, length - piece.width / 2 - 0.08)
            x, z = ((at, d), (w, at), (0.0, at))[wall]
            span = (wall, at - piece.width / 2 - 0.05, at + piece.width / 2 + 0.05, low - 0.05, piece.height + 0.05)
            clash = any(
                o[0] == wall and o[1] < span[2] and span[1] < o[2] and o[3] < span[4] and span[3] < o[4]
                for o in self.on_wall
            )
            if clash or not self.sees((x, (low + piece.height) / 2, z), 1.0):
                continue
            self.on_wall.append(span)
            cos, sin = _WALLS[wall]
            self.scene.items.append(Item(x, z, cos, sin, piece.primitives))
            if blocks:
                rx, rz = (piece.width / 2, 0.5) if wall == 0 else (0.5, piece.width / 2)
                self.taken.append((x - rx, x + rx, z - rz, z + rz))
            return True
        return False

    def furnish(self, name: str) -> bool:
        """Build one piece of furniture and try a few places for it."""
        rng = self.rng
        w, _, d = self.scene.size
        piece = BUILDERS[name](self.builder())
        free = name in ("chair", "clutter") or (name in ("table", "plant", "sofa") and rng.chance(0.5))
        for _ in range(14):
            if free or (name == "lamp" and rng.chance(0.5)):
                cos, sin = rng.turn(1.0) if rng.chance(0.5) else rng.choice(((1.0, 0.0), (0.0, 1.0), (0.0, -1.0)))
                if name == "chair" and rng.chance(0.4):
                    cos = -cos  # seen from behind
                done = self.place(piece, rng.uniform(0.3, w - 0.3), rng.uniform(0.9, d - 0.3), cos, sin)
            else:
                done = self.against_wall(piece, rng.choice((0, 0, 1, 2)), rng.uniform())
            if done:
                if name == "table" and piece.height > 0.6:
                    self._seats(piece)
                return True
        return False

    def _seats(self, table: Piece) -> None:
        """Chairs around the table that was placed last, facing it."""
        item, rect = self.scene.items[-1], self.taken[-1]
        sides = ((0.0, -1.0), (0.0, 1.0), (1.0, 0.0), (-1.0, 0.0))
        for side in sides[: self.rng.integer(0, 4)]:
            piece = BUILDERS["chair"](self.builder())
            reach = (table.width if side[0] else table.depth) / 2 + piece.depth * self.rng.uniform(0.2, 0.6)
            x, _, z = item.to_world((side[0] * reach, 0.0, side[1] * reach))
            # The chair's back (+z) points away from the table: local (0, 1) turns to `side`.
            cos, sin = side[1], side[0]
            turned = (cos * item.cos - sin * item.sin, sin * item.cos + cos * item.sin)
            self.place(piece, x, z, *turned, allowed=rect)


def _lights(rng: Stream, size: Vec) -> list[Light]:
    w, h, d = size

    def tint(power: float) -> Vec:
        warm = rng.uniform(-0.18, 0.18)
        return power * (1.0 + warm), power, power * (1.0 - warm)

    main = (w * rng.uniform(0.2, 0.8), h * rng.uniform(0.78, 0.97), d * rng.uniform(0.2, 0.8))
    lights = [Light(main, tint(rng.uniform(1.5, 3.5)), True)]
    if rng.chance(0.6):
        side = rng.choice((0.12, w - 0.12))
        at = (side, rng.uniform(0.9, 2.0), d * rng.uniform(0.2, 0.9))
        lights.append(Light(at, tint(rng.uniform(0.8, 2.5)), rng.chance(0.6)))
    return lights


def make_scene(rng: Stream, height: int, width: int) -> Scene:
    """A furnished room, for an image of height x width pixels."""
    size = (rng.uniform(3.0, 6.0), rng.uniform(2.35, 3.0), rng.uniform(3.6, 6.8))
    scene = Scene(size, [], make_camera(rng, size, height, width))
    placer = _Placer(rng, scene, height, width)
    palette = placer.palette
    wall = palette.material(0.45, plain=0.2)
    floor = palette.material(0.45)
    ceiling = palette.material(0.6, plain=0.5)
    accent = palette.material(0.45, plain=0.2) if rng.chance(0.3) else wall
    scene.surfaces = [wall, accent, floor, ceiling, wall, wall]
    for _ in range(rng.integer(0, 2)):
        piece = fixtures.window(placer.builder(), size[1])
        placer.hang(piece, 0.4)
    if rng.chance(0.65):
        placer.hang(fixtures.door(placer.builder()), 0.0, blocks=True)
    counts: dict[str, int] = {}
    for _ in range(rng.integer(6, 10)):
        name = rng.weighted(_WANTED)
        if counts.get(name, 0) < _LIMITS[name] and placer.furnish(name):
            counts[name] = counts.get(name, 0) + 1
    if rng.chance(0.3):
        placer.hang(fixtures.cupboard(placer.builder()), 1.35)
    for _ in range(rng.integer(0, 4)):
        placer.hang(fixtures.picture(placer.builder()), 1.0)
    if rng.chance(0.55):
        piece = fixtures.pendant(placer.builder(), size[1])
        x, z = size[0] * rng.uniform(0.3, 0.7), size[2] * rng.uniform(0.45, 0.85)
        scene.items.append(Item(x, z, 1.0, 0.0, piece.primitives))
    scene.lights = _lights(rng, size)
    scene.ambient = rng.uniform(0.18, 0.45)
    scene.exposure = rng.uniform(0.14, 0.36)
    scene.balance = (rng.uniform(0.85, 1.15), 1.0, rng.uniform(0.85, 1.15))
    scene.noise = rng.uniform(0.0, 1.8)
    scene.noise_seed = rng.next()
    return scene
