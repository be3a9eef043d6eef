"""Taskonomy and its subsets (Tiny-Taskonomy, omnidata's component): indoor scans with many labels a view."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlattack.data.account import Drops
from mtlattack.data.sources.files import Size, find_folder, read_image
from mtlattack.data.sources.images import Arrays, Header, SourceImage, write_images
from mtlattack.data.sources.normals import AUTO, CHECKED_IMAGES, Frame, read_normals
from mtlattack.data.sources.registry import SOURCES
from mtlattack.data.sources.resample import average, check_size, pick
from mtlattack.data.sources.signs import check_signs, toward_camera
from mtlattack.data.sources.taskonomy_domains import DEPTH_LIMIT, NAMES, Domain, domains, read_wide
from mtlattack.data.sources.taskonomy_layout import View, check_complete, choose_splits, find_views

_HEADER = Header(
    "taskonomy",
    "Taskonomy data set licence: non-commercial research; not for redistribution",
    "Zamir, Sax, Shen, Guibas, Malik, Savarese. Taskonomy: Disentangling Task Transfer Learning. CVPR 2018",
)


@SOURCES.register("taskonomy")
def prepare_taskonomy(source: Path, out: Path, *, size: Size = (256, 256), frame: str = AUTO) -> Path:
    """Write Taskonomy's views as a prepared file and return its path.

    Files are `point_P_view_V_domain_D.png` in `<building>_<D>`, `<building>/<D>`, `<D>/<building>` or
    `<D>/taskonomy/<building>`. The labels are the domains that are there: segment_semantic (17 classes, "uncertain" is
    unlabelled), depth_zbuffer (as `depth`), depth_euclidean, normal (as `normals`), edge_texture, keypoints2d,
    reshading, principal_curvature. Where the depth says that the scan has a hole, normals, reshading and curvature are
    invalid too. Images are averaged over area, labels are the pixels under the new pixels' centres. An image's id is
    `<building>/point_P_view_V`.

    Args:
        source: folder with the files, and with `splits.json` or without (then by building, see `choose_splits`).
        out: the prepared file; replaced if it is there.
        size: (height, width), at most that of the files, which are all of one size.
        frame: what the channels of normal files are in our frame (x right, y down, z forward), such as "x,y,-z".
            "auto" takes the first two for x and y, and for z the sign with which nearly all normals face the camera.
            Either way the signs of x and y are compared with depth_zbuffer, if that is there, in some views.

    Raises:
        InputError: a file is missing, damaged, of another size or depth, or contradicts the others; it is named.
    """
    folder = find_folder(source, "the folder that holds Taskonomy's domains or buildings")
    views = find_views(folder, ("rgb", *NAMES))
    splits = choose_splits(folder, views)
    names = check_complete(splits, NAMES)
    chosen = [view for members in splits.values() for view in members]
    height, width, _ = read_image(chosen[0].files["rgb"]).shape
    check_size(size, (height, width))
    normals_frame = _choose_frame(chosen, names, (height, width), frame)
    table = {name: domain for name, domain in domains(normals_frame).items() if name in names}
    images = {
        split: [
            SourceImage(
                view.id, tuple(view.files[name] for name in names), partial(_read, view, table, (height, width), size)
            )
            for view in members
        ]
        for split, members in splits.items()
    }
    labels = {domain.label_name: domain.label for domain in table.values()}
    return write_images(out, _HEADER, images, labels, size=size, root=folder)


def _read(view: View, table: Mapping[str, Domain], full: Size, size: Size, drops: Drops) -> Arrays:
    """A view's image with its labels, in the prepared form; `full` is the size of its files."""
    picked: dict[str, NDArray[Any]] = {
        name: pick(domain.read(view.files[name], full), size) for name, domain in table.items()
    }
    holes = np.zeros(size, np.bool_)
    for name in ("depth_zbuffer", "depth_euclidean"):
        if name in picked:
            holes |= picked[name] >= DEPTH_LIMIT
    arrays = {"image": average(read_image(view.files["rgb"], size=full), size)}
    for name, domain in table.items():
        none, dropped = drops.none(domain.label_name), drops.dropped(domain.label_name)
        arrays[domain.label_name] = domain.convert(view.files[name], picked[name], holes, none, dropped)
    return arrays


def _choose_frame(views: Sequence[View], names: Sequence[str], full: Size, wanted: str) -> Frame:
    """The frame of the files' normals, as wanted or by the sign of z; InputError if depth contradicts it."""
    if "normal" not in names:
        return Frame("x,y,z") if wanted == AUTO else Frame(wanted)
    samples = [views[k] for k in np.unique(np.linspace(0, len(views) - 1, CHECKED_IMAGES).astype(int))]
    normals = [read_normals(view.files["normal"], full) for view in samples]
    where = f"{samples[0].files['normal']} and others"
    frame = Frame(("x,y,-z" if toward_camera(normals, where) > 0 else "x,y,z") if wanted == AUTO else wanted)
    if "depth_zbuffer" in names:
        depths = [read_wide(view.files["depth_zbuffer"], full).astype(np.float64) for view in samples]
        valid = [np.where(depth < DEPTH_LIMIT, depth, 0) for depth in depths]
        check_signs(normals, valid, where, frame.text)
    return frame
