"""Which way published normals point: the right one of 48 frames is found, a wrong one is refused."""

from pathlib import Path

import numpy as np
import pytest
from published_toys import encode_adashare, room, save_npy, save_png

from mtlattack.data.sources.files import read_npy
from mtlattack.data.sources.geometry import normals_from_depth
from mtlattack.data.sources.normals import FRAMES, Frame, choose_frame, read_normals
from mtlattack.data.sources.nyuv2 import CAMERA
from mtlattack.errors import InputError

WHERE = Path("normals")


def unit(*shape: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(*shape, 3))
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def published_in(frame: Frame, ours: np.ndarray) -> np.ndarray:
    """Our vectors as `frame` publishes them, worked out from its text alone."""
    axes = {"x": ours[..., 0], "y": ours[..., 1], "z": ours[..., 2]}
    return np.stack([-axes[a[1]] if a[0] == "-" else axes[a] for a in frame.text.split(",")], -1)


def scene(seed: int = 0) -> np.ndarray:
    """Normals that face the camera, as a room's do: right and left walls, floor, back."""
    ours = unit(30, 40, seed=seed)
    ours[..., 2] = -np.abs(ours[..., 2])
    return ours


def test_there_are_48_frames_and_each_undoes_itself() -> None:
    ours = unit(5, 4)
    assert len({frame.text for frame in FRAMES}) == 48
    for frame in FRAMES:
        np.testing.assert_array_equal(frame.to_ours(published_in(frame, ours)), ours)


@pytest.mark.parametrize("frame", FRAMES[::5], ids=lambda frame: frame.text)
def test_right_frame_is_found(frame: Frame) -> None:
    ours = scene()
    noisy = ours + 0.1 * unit(30, 40, seed=1)
    noisy /= np.linalg.norm(noisy, axis=-1, keepdims=True)
    given = published_in(frame, ours)
    given[:5] = 0
    assert choose_frame("auto", [(given, noisy)], WHERE).text == frame.text
    assert choose_frame(frame.text, [(given, noisy)], WHERE).text == frame.text
    for other in FRAMES[::3]:
        if other.text != frame.text:
            with pytest.raises(InputError, match=f"normals: the normals are not in the frame .*; {frame.text} fits"):
                choose_frame(other.text, [(given, noisy)], WHERE)


def test_what_cannot_be_told_is_refused() -> None:
    ours = scene()
    with pytest.raises(InputError, match="in no frame do the normals agree .* expected at most 15"):
        choose_frame("auto", [(unit(30, 40, seed=3), ours)], WHERE)
    frontal = np.broadcast_to([0.0, 0.0, -1.0], (30, 40, 3))
    with pytest.raises(InputError, match="do not tell whether"):
        choose_frame("auto", [(frontal, frontal)], WHERE)
    assert choose_frame("x,-y,z", [(frontal, frontal)], WHERE).text == "x,-y,z"
    with pytest.raises(InputError, match="no normals to tell"):
        choose_frame("auto", [(np.zeros((3, 3, 3)), ours[:3, :3])], WHERE)
    for text in ("x,y", "x,y,y", "x,y,--z", "right,down,forward"):
        with pytest.raises(InputError, match=f"frame '{text}', expected auto or the axes of three channels"):
            Frame(text)


def test_a_mirrored_image_is_noticed() -> None:
    """A few steep pixels are enough, even if the median angle is small in the wrong frame too."""
    ours = scene()
    ours[:20] = [0, 0, -1]
    given = published_in(Frame("-x,y,z"), ours)
    with pytest.raises(InputError, match="not in the frame x,y,z: a median of 0 degrees .*; -x,y,z fits"):
        choose_frame("x,y,z", [(given, ours)], WHERE)


def test_reading(tmp_path: Path) -> None:
    normals = room(0)["normals"]
    normals[:3] = 0
    save_npy(tmp_path / "a.npy", (normals / 127).astype(np.float32))
    colours = encode_adashare(normals)
    colours[2] = 127  # grey is none as well as white
    save_png(tmp_path / "a.png", colours)
    expected = normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    np.testing.assert_allclose(read_normals(tmp_path / "a.npy", (96, 128)), expected, atol=1e-6)
    np.testing.assert_allclose(
        Frame("x,z,-y").to_ours(read_normals(tmp_path / "a.png", (96, 128))), expected, atol=0.012
    )
    save_npy(tmp_path / "b.npy", np.full((96, 128, 3), 2.0))
    with pytest.raises(InputError, match="b.npy holds no vectors of length 1"):
        read_normals(tmp_path / "b.npy", (96, 128))
    save_npy(tmp_path / "b.npy", np.full((96, 128, 3), np.nan))
    with pytest.raises(InputError, match="b.npy holds no vectors of length 1"):
        read_normals(tmp_path / "b.npy", (96, 128))
    with pytest.raises(InputError, match=r"a.npy has shape \(96, 128, 3\), expected \(9, 9, 3\)"):
        read_normals(tmp_path / "a.npy", (9, 9))


def test_real_normals_are_in_the_frame_that_is_stated(shared_data: Path) -> None:
    """AdaShare's R, G, B are x, z, −y: a median of 2 to 4 degrees from depth; every other frame has 20 and more."""
    folder, size = shared_data / "nyuv2" / "adashare", (120, 160)
    pairs = []
    for path in sorted((folder / "depth").glob("*.npy")):
        depth = read_npy(path, shape=(480, 640)).astype(np.float64)
        rows, columns = np.arange(2, 480, 4), np.arange(2, 640, 4)
        given = read_normals(folder / "normal_mask" / f"{path.stem}.png", (480, 640))[2::4, 2::4]
        assert given.shape[:2] == size
        pairs.append((given, normals_from_depth(depth, CAMERA, rows, columns)))
    medians = {}
    for frame in FRAMES:
        ours = np.concatenate([frame.to_ours(given).reshape(-1, 3) for given, _ in pairs])
        derived = np.concatenate([derived.reshape(-1, 3) for _, derived in pairs])
        known = ours.any(-1) & derived.any(-1)
        cosine = np.clip((ours * derived)[known].sum(-1), -1, 1)
        medians[frame.text] = float(np.degrees(np.median(np.arccos(cosine))))
    right = medians.pop("x,z,-y")
    assert right < 3 and min(medians.values()) > 20
    assert medians["-x,z,-y"] > 30 and medians["x,z,y"] > 30 and medians["x,-z,-y"] > 60
    assert choose_frame("auto", pairs, folder).text == "x,z,-y"
    for given, derived in pairs:  # each image alone says so
        assert choose_frame("auto", [(given, derived)], folder).text == "x,z,-y"
    mirrored = [(given[:, ::-1], derived) for given, derived in pairs]
    with pytest.raises(InputError, match="in no frame do the normals agree"):
        choose_frame("auto", mirrored, folder)
