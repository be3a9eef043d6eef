"""Rooms written as Taskonomy publishes its views, in every layout that it is passed on in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from published_toys import save_png

from mtlattack.data import load_dataset

Arrays = dict[str, np.ndarray[Any, Any]]

FULL = (96, 128)
VIEWS = (("Allensville", 0, 3), ("Allensville", 10, 0), ("pomaria_1_int", 2, 1), ("wiconisco", 7, 0))
"""Building, point, view of the images that are written, in the order of their ids."""
IDS = [f"{building}/point_{point}_view_{view}" for building, point, view in VIEWS]
LAYOUTS: dict[str, Callable[[str, str], str]] = {
    "archives": lambda building, domain: f"{building}_{domain}",
    "unpacked archives": lambda building, domain: f"{building}_{domain}/{domain}",
    "by building": lambda building, domain: f"{building}/{domain}",
    "by domain": lambda building, domain: f"{domain}/{building}",
    "omnidata": lambda building, domain: f"{domain}/taskonomy/{building}",
}


def room_arrays(position: int) -> Arrays:
    """The numbers of Taskonomy's files for one of the shipped rooms, with a hole in the mesh."""
    targets = load_dataset("rooms", limit=8)[position]
    label = {name: target[0].numpy() for name, target in targets.targets.items()}
    depth = label["depth"].astype(np.float64)
    y, x = np.mgrid[:96, :128]
    ray = np.sqrt(1 + ((x - 63.5) / 110) ** 2 + ((y - 47.5) / 110) ** 2)
    normals = label["normals"].transpose(1, 2, 0).astype(np.float64)
    shade = np.rint(255 * np.abs(normals[..., 2])).astype(np.uint8)
    curvature = np.random.default_rng(position).integers(0, 256, (*FULL, 3)).astype(np.uint8)
    arrays = {
        "rgb": np.rint(255 * targets.images[0].permute(1, 2, 0).numpy()).astype(np.uint8),
        "segment_semantic": np.where(x < 9, 0, label["segmentation"] + 1).astype(np.uint8),
        "depth_zbuffer": np.rint(512 * depth).astype(np.uint16),
        "depth_euclidean": np.rint(512 * depth * ray).astype(np.uint16),
        # y down, z toward the camera, as its authors say.
        "normal": np.rint((normals * (1, 1, -1) + 1) * 127.5).astype(np.uint8),
        "edge_texture": np.rint(9000 * label["edge_texture"]).astype(np.uint16),
        "keypoints2d": np.rint(500 * label["keypoints2d"]).astype(np.uint16),
        "reshading": np.repeat(shade[..., None], 3, -1),
        "principal_curvature": curvature,
    }
    arrays["depth_zbuffer"][:10] = arrays["depth_euclidean"][:10] = 65535
    return arrays


def file_name(point: int, view: int, domain: str) -> str:
    alias = {"segment_semantic": "segmentsemantic"}.get(domain, domain)
    return f"point_{point}_view_{view}_domain_{alias}.png"


def write_taskonomy(folder: Path, layout: str = "archives", domains: tuple[str, ...] | None = None) -> Path:
    """`VIEWS` in a layout, with all domains or these."""
    for position, (building, point, view) in enumerate(VIEWS):
        for domain, array in room_arrays(position).items():
            if domains is None or domain in domains:
                save_png(folder / LAYOUTS[layout](building, domain) / file_name(point, view, domain), array)
    return folder
