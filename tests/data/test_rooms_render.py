"""rooms: the same bytes everywhere, labels that agree with the geometry, features that agree with references."""

import hashlib

import numpy as np
import pytest
from scipy import ndimage

from mtlattack.data import rooms
from mtlattack.data.rooms import features
from mtlattack.data.rooms.render import DEPTH_STEP, scene
from mtlattack.data.rooms.rng import Stream, stream_array

SHAPES = {
    "image": ((rooms.HEIGHT, rooms.WIDTH, 3), np.uint8),
    "segmentation": ((rooms.HEIGHT, rooms.WIDTH), np.uint8),
    "depth": ((rooms.HEIGHT, rooms.WIDTH), np.uint16),
    "normals": ((rooms.HEIGHT, rooms.WIDTH, 3), np.int8),
    "edge_texture": ((rooms.HEIGHT, rooms.WIDTH), np.uint16),
    "keypoints2d": ((rooms.HEIGHT, rooms.WIDTH), np.uint16),
}

# A changed digest means changed data: raise SCENE_VERSION, render datasets/rooms again, train the shipped models again.
DIGESTS = {
    ("test", 0): "ec4ced8efa5e0a6042074d239ba7fd405bd91a5c7a6d59e34f8c34b1ba714d9f",
    ("test", 255): "dffb255e4ae120d99e8b71029af662f4930354116133bbe39c1ee65796bfef19",
    ("train", 0): "7e927391227a038f8dc271be449284a89d0c896b449b97ae15111e84f47a4361",
    ("train", 7999): "45b6e4a625ca69b2cd9b8b6c49202e620e4aee79e89c3530964c558350d8c3b2",
}


def digest(sample: dict[str, np.ndarray]) -> str:
    """SHA-256 over the arrays' bytes, in the order of their names."""
    total = hashlib.sha256()
    for name in sorted(sample):
        array = sample[name]
        total.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
    return total.hexdigest()


@pytest.fixture(scope="module")
def samples() -> list[dict[str, np.ndarray]]:
    return [rooms.render(i, "test") for i in range(40)]


@pytest.mark.parametrize("key", DIGESTS, ids=str)
def test_same_bytes_everywhere(key: tuple[str, int]) -> None:
    assert digest(rooms.render(key[1], key[0])) == DIGESTS[key]


def test_splits_and_indices_share_no_scene() -> None:
    images = [rooms.render(i, split)["image"].tobytes() for split in rooms.SPLITS for i in range(8)]
    assert len(set(images)) == len(images)


def test_shapes_dtypes_and_ranges(samples: list[dict[str, np.ndarray]]) -> None:
    for sample in samples:
        assert {name: (a.shape, a.dtype) for name, a in sample.items()} == SHAPES
        assert sample["segmentation"].max() < len(rooms.CLASSES)
        valid = sample["depth"] > 0
        assert valid.mean() > 0.6
        assert sample["depth"][valid].min() > 50 and sample["depth"].max() < 10_000
        assert not (sample["depth"] % DEPTH_STEP).any()
        assert sample["edge_texture"].max() * rooms.EDGE_SCALE <= 1.0
        assert sample["keypoints2d"].max() * rooms.KEYPOINT_SCALE <= 1.0
        assert sample["image"].std() > 5.0


def test_normals_are_units_and_face_the_camera(samples: list[dict[str, np.ndarray]]) -> None:
    for index, sample in enumerate(samples):
        n = sample["normals"] / 127.0
        valid = sample["depth"] > 0
        assert np.array_equal(valid, sample["normals"].any(axis=-1))
        assert np.abs(np.linalg.norm(n[valid], axis=-1) - 1.0).max() < 0.01
        points = back_project(index, np.ones((rooms.HEIGHT, rooms.WIDTH)))
        rays = points / np.linalg.norm(points, axis=-1, keepdims=True)
        assert ((n * rays).sum(-1)[valid] < 0.01).all()
        assert (n[..., 1][sample["segmentation"] == rooms.CLASSES.index("floor")] < -0.6).all()
        assert (n[..., 1][sample["segmentation"] == rooms.CLASSES.index("ceiling")] > 0.6).all()


def back_project(index: int, depth: np.ndarray) -> np.ndarray:
    """Camera coordinates [H, W, 3] in metres of the pixels' centres at z-depth `depth` [H, W] in metres."""
    camera = rooms.camera(index, "test")
    x = (np.arange(rooms.WIDTH) + 0.5 - camera.cx) / camera.focal
    y = (np.arange(rooms.HEIGHT) + 0.5 - camera.cy) / camera.focal
    return np.stack([x[None, :] * depth, y[:, None] * depth, depth], -1)


def test_depth_agrees_with_normals_on_flat_surfaces(samples: list[dict[str, np.ndarray]]) -> None:
    """Vectors between points of one flat patch, from depth alone, are at right angles to the labelled normal."""
    step = 5
    agree = np.zeros(2, np.int64)
    total = np.zeros(2, np.int64)
    for index, sample in enumerate(samples):
        points = back_project(index, sample["depth"] / 1000.0)
        key = sample["normals"].astype(np.int64)
        key = ((key[..., 0] * 256 + key[..., 1]) * 256 + key[..., 2]) * 16 + sample["segmentation"]
        window = np.lib.stride_tricks.sliding_window_view(key, (step, step))
        flat = (window == window[..., :1, :1]).all((-1, -2)) & (sample["depth"][: 1 - step, : 1 - step] > 0)
        n = (sample["normals"] / 127.0)[: 1 - step, : 1 - step][flat]
        start = points[: 1 - step, : 1 - step][flat]
        # Wall, floor and ceiling come first in CLASSES; a piece of furniture also has parallel planes side by side.
        kind = (sample["segmentation"][: 1 - step, : 1 - step][flat] > 2).astype(np.int64)
        for end in (points[: 1 - step, step - 1 :][flat], points[step - 1 :, : 1 - step][flat]):
            along = end - start
            error = np.abs((n * along).sum(-1))
            # Half a depth step at both ends, seen along the ray, and half an int8 step of the normal.
            allowed = 0.0045 + 0.008 * np.linalg.norm(along, axis=-1)
            agree += np.bincount(kind[error < allowed], minlength=2)
            total += np.bincount(kind, minlength=2)
    assert (total > 50_000).all()
    assert agree[0] / total[0] > 0.9999
    assert agree[1] / total[1] > 0.9


def test_every_pixel_of_the_room_lies_inside_it(samples: list[dict[str, np.ndarray]]) -> None:
    for index, sample in enumerate(samples[:10]):
        room = scene(index, "test")
        axes = np.array([room.camera.right, room.camera.down, room.camera.forward])
        assert np.allclose(axes @ axes.T, np.eye(3), atol=1e-12)
        world = back_project(index, sample["depth"] / 1000.0) @ axes + np.array(room.camera.position)
        assert (world > -0.02).all() and (world < np.array(room.size) + 0.02).all()
        floor = world[..., 1][sample["segmentation"] == rooms.CLASSES.index("floor")]
        assert np.abs(floor).max(initial=0.0) < 0.02


def test_every_class_occurs_and_furniture_is_in_view(samples: list[dict[str, np.ndarray]]) -> None:
    counts = np.zeros(len(rooms.CLASSES), np.int64)
    for sample in samples:
        counts += np.bincount(sample["segmentation"].ravel(), minlength=len(rooms.CLASSES))
        assert (sample["segmentation"] > 2).mean() > 0.03
    assert (counts > 500).all(), dict(zip(rooms.CLASSES, counts, strict=True))


def test_no_camera_inside_anything() -> None:
    for index in range(200):
        room = scene(index, "train")
        for item in room.items:
            x, z = room.camera.position[0] - item.x, room.camera.position[2] - item.z
            local = (item.cos * x - item.sin * z, room.camera.position[1], item.sin * x + item.cos * z)
            for part in item.primitives:
                sides = list(zip(part.low, part.high, local, strict=True))
                assert all(low < high for low, high, _ in sides)
                assert not all(low - 0.05 < at < high + 0.05 for low, high, at in sides)


def test_splitmix64_known_values() -> None:
    stream = Stream(1234567)
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert [stream.next() for _ in known] == known
    assert Stream(0).next() == 0xE220A8397B1DCDAF
    assert stream_array(1234567, 4).tolist() == known


def test_stream_ranges() -> None:
    stream = Stream(3)
    assert {stream.integer(2, 5) for _ in range(200)} == {2, 3, 4, 5}
    values = [stream.uniform(-1.0, 2.0) for _ in range(500)]
    assert -1.0 <= min(values) < -0.9 and 1.9 < max(values) < 2.0
    cos, sin = stream.turn(1.0)
    assert cos * cos + sin * sin == pytest.approx(1.0)


def random_image(height: int = 40, width: int = 52) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_edge_magnitude_against_scipy() -> None:
    image = random_image()
    level = (image @ np.array([77.0, 150.0, 29.0])) / (256.0 * 255.0)
    kernel = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0
    smooth = ndimage.correlate1d(np.pad(level, 8, mode="edge"), kernel, axis=0)
    smooth = ndimage.correlate1d(smooth, kernel, axis=1)
    expected = np.hypot(ndimage.sobel(smooth, axis=0), ndimage.sobel(smooth, axis=1))[8:-8, 8:-8]
    assert np.allclose(features.edge_magnitude(image), expected, atol=1e-12)


def test_box_sums_against_brute_force() -> None:
    values = np.random.default_rng(1).integers(0, 1000, (17, 21))
    margin = 4
    integral = features.integral_image(values)
    sums = features.box_sums(integral, margin, -3, -2, 5, 4)
    for row in range(17 - 2 * margin):
        for column in range(21 - 2 * margin):
            y, x = row + margin - 3, column + margin - 2
            assert sums[row, column] == values[y : y + 5, x : x + 4].sum()


def test_hessian_response_against_explicit_kernels() -> None:
    image = random_image()
    level = np.pad((image @ np.array([77.0, 150.0, 29.0])) / 65280.0, 20, mode="edge")
    best = np.zeros(image.shape[:2])
    for lobe in (3, 5, 7):
        size = 3 * lobe
        yy, xy = np.zeros((size, size)), np.zeros((size, size))
        inner = slice((lobe + 1) // 2, size - (lobe + 1) // 2)
        yy[:, inner] = 1.0
        yy[lobe : 2 * lobe, inner] = -2.0
        middle = size // 2
        for sy, sx, sign in ((-1, -1, 1.0), (1, 1, 1.0), (-1, 1, -1.0), (1, -1, -1.0)):
            rows = slice(middle - lobe, middle) if sy < 0 else slice(middle + 1, middle + 1 + lobe)
            columns = slice(middle - lobe, middle) if sx < 0 else slice(middle + 1, middle + 1 + lobe)
            xy[rows, columns] = sign
        parts = [ndimage.correlate(level, k)[20:-20, 20:-20] / size**2 for k in (yy, yy.T, xy)]
        best = np.maximum(best, parts[0] * parts[1] - 0.81 * parts[2] ** 2)
    assert np.allclose(features.hessian_response(image), best, atol=1e-12)


def test_a_blob_is_a_keypoint_and_a_straight_edge_is_none() -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :20] = 128
    image[20:27, 44:51] = 255
    response = features.keypoints2d(image)
    assert response[23, 47] == features.LEVELS
    assert response[:, 10:30].max() == 0
    assert features.edge_texture(image)[24, 19] > 100
    assert features.edge_texture(image)[24, 8] == 0


@pytest.mark.parametrize(("index", "split", "named"), [(0, "validation", "'validation'"), (-3, "test", "-3")])
def test_bad_arguments_are_named(index: int, split: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        rooms.render(index, split)
