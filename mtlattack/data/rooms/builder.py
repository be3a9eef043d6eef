"""How pieces are put together. Local frame: x along the width, y up from the floor, +z the back; metres."""

from dataclasses import dataclass

from mtlattack.data.rooms.rng import Stream
from mtlattack.data.rooms.scene import ID, Material, Palette, Primitive, Vec


@dataclass(slots=True)
class Piece:
    """Primitives in their own frame, with width (x), depth (z) and height in metres."""

    width: float
    depth: float
    height: float
    primitives: list[Primitive]


class Builder:
    """Collects the primitives of one piece, with an offset for parts that stand on other parts."""

    def __init__(self, rng: Stream, palette: Palette) -> None:
        self.rng = rng
        self.palette = palette
        self.primitives: list[Primitive] = []

    def add(
        self,
        label: str,
        x: tuple[float, float],
        y: tuple[float, float],
        z: tuple[float, float],
        material: Material,
        shape: str = "box",
        casts: bool = False,
    ) -> None:
        """Add one primitive that fills the ranges x, y, z."""
        self.primitives.append(
            Primitive(shape, ID[label], (x[0], y[0], z[0]), (x[1], y[1], z[1]), material, casts=casts)
        )

    def about(
        self, label: str, at: Vec, size: Vec, material: Material, shape: str = "box", casts: bool = False
    ) -> None:
        """Add one primitive of `size` that stands on the point `at`."""
        x, y, z = at
        w, h, d = size[0] / 2, size[1], size[2] / 2
        self.add(label, (x - w, x + w), (y, y + h), (z - d, z + d), material, shape, casts)

    def piece(self, width: float, depth: float, height: float) -> Piece:
        """What was collected."""
        return Piece(width, depth, height, self.primitives)
