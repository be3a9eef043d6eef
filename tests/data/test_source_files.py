"""Reading published files: every number as it is stored, and an error that names the file for whatever is wrong."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from published_toys import corrupt, save_npy, save_png, truncate

from mtlattack.data import prepare
from mtlattack.data.sources.encode import encode_depth, encode_normals, encode_scaled
from mtlattack.data.sources.files import check_classes, find_folder, read_gray, read_image, read_npy
from mtlattack.data.sources.images import choose_splits, paired_files
from mtlattack.errors import InputError, UnknownNameError

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (6, 9, 3)).astype(np.uint8)


def test_colour_images(tmp_path: Path) -> None:
    save_png(tmp_path / "rgb.png", COLOURS)
    save_png(tmp_path / "grey.png", COLOURS[..., 0])
    Image.fromarray(np.concatenate([COLOURS, COLOURS[..., :1]], -1)).save(tmp_path / "alpha.png")
    assert np.array_equal(read_image(tmp_path / "rgb.png", size=(6, 9)), COLOURS)
    assert np.array_equal(read_image(tmp_path / "alpha.png"), COLOURS)
    assert np.array_equal(read_image(tmp_path / "grey.png"), COLOURS[..., :1].repeat(3, -1))


def test_numbers_of_one_channel_stay_what_they_are(tmp_path: Path) -> None:
    eight, sixteen = COLOURS[..., 0], RNG.integers(0, 65536, (6, 9)).astype(np.uint16)
    sixteen[0, :3] = 0, 32768, 65535
    palette = Image.fromarray(eight // 2, "L").convert("P")
    palette.putdata((eight // 2).ravel().tolist())
    palette.putpalette(RNG.integers(0, 256, 768).tolist())
    palette.save(tmp_path / "palette.png")
    save_png(tmp_path / "8.png", eight)
    save_png(tmp_path / "16.png", sixteen)
    for name, expected in {"8": eight, "16": sixteen, "palette": eight // 2}.items():
        found = read_gray(tmp_path / f"{name}.png", size=(6, 9))
        assert found.dtype == expected.dtype and np.array_equal(found, expected)


def test_arrays(tmp_path: Path) -> None:
    array = RNG.normal(size=(4, 5, 1))
    save_npy(tmp_path / "a.npy", array)
    assert np.array_equal(read_npy(tmp_path / "a.npy", shape=(None, 5, 1)), array)
    np.save(tmp_path / "object.npy", np.array([{}]), allow_pickle=True)
    np.save(tmp_path / "text.npy", np.array(["a"]))
    np.savez(tmp_path / "several.npz", a=array)
    with pytest.raises(InputError, match=r"a.npy has shape \(4, 5, 1\), expected \(4, any\)"):
        read_npy(tmp_path / "a.npy", shape=(4, None))
    with pytest.raises(InputError, match="object.npy is damaged or no .npy file"):
        read_npy(tmp_path / "object.npy")
    for name in ("text.npy", "several.npz"):
        with pytest.raises(InputError, match=f"{name} holds no array of numbers"):
            read_npy(tmp_path / name)


def test_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    for spoil in (corrupt, truncate):
        save_png(path, RNG.integers(0, 256, (50, 50, 3)).astype(np.uint8))
        spoil(path)
        with pytest.raises(InputError, match="x.png is damaged or no image"):
            read_image(path)
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(InputError, match=r"x.png is damaged or no image \(unknown format\)$"):
        read_gray(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="x.png is damaged or no .npy file"):
        read_npy(path)
    path.unlink()
    for read in (read_image, read_gray, read_npy):
        with pytest.raises(InputError, match="no file .*x.png"):
            read(path)
    with pytest.raises(InputError, match="no folder .*x.png: it holds pictures"):
        find_folder(path, "it holds pictures")


def test_wrong_kinds_are_named(tmp_path: Path) -> None:
    save_png(tmp_path / "rgb.png", COLOURS)
    save_png(tmp_path / "16.png", np.full((6, 9), 700, np.uint16))
    with pytest.raises(InputError, match="rgb.png is an image of mode RGB, expected one channel"):
        read_gray(tmp_path / "rgb.png")
    with pytest.raises(InputError, match="16.png is an image of mode .*, expected 8-bit RGB"):
        read_image(tmp_path / "16.png")
    with pytest.raises(InputError, match=r"rgb.png is 6x9 \(height x width\), expected 9x6"):
        read_image(tmp_path / "rgb.png", size=(9, 6))
    with pytest.raises(InputError, match="a.png has the class 13, expected 0 to 12 or 255"):
        check_classes(Path("a.png"), np.array([0, 12, 255, 13]), 13, 255)
    check_classes(Path("a.png"), np.array([0, 12, 255]), 13, 255)


def test_files_in_pairs(tmp_path: Path) -> None:
    for stem in (0, 2, 10):
        save_npy(tmp_path / "a" / f"{stem}.npy", np.zeros(1))
        save_png(tmp_path / "b" / f"{stem}.png", COLOURS)
    folders = {tmp_path / "a": ".npy", tmp_path / "b": ".png"}
    (tmp_path / "b" / "readme.txt").touch()
    pairs = paired_files(folders, "things")
    assert list(pairs) == ["0", "2", "10"]
    assert pairs["2"] == (tmp_path / "a" / "2.npy", tmp_path / "b" / "2.png")
    (tmp_path / "a" / "2.npy").unlink()
    with pytest.raises(InputError, match="no file .*a/2.npy: things"):
        paired_files(folders, "things")
    with pytest.raises(InputError, match="no folder .*c: things"):
        paired_files({tmp_path / "c": ".npy"}, "things")
    (tmp_path / "c").mkdir()
    with pytest.raises(InputError, match=r"no file .*c/\*.npy: things"):
        paired_files({tmp_path / "c": ".npy"}, "things")


def test_choice_of_splits() -> None:
    found = {"train": 1, "test": 2}
    assert choose_splits(found, None, "x") == found
    assert choose_splits(found, ["test"], "x") == {"test": 2} == choose_splits(found, "test", "x")
    assert list(choose_splits(found, "test, train", "x")) == ["test", "train"]
    with pytest.raises(UnknownNameError, match="unknown split of x 'tset'; did you mean 'test'"):
        choose_splits(found, "tset", "x")


def test_encoding() -> None:
    values = np.array([0.0, -1.0, np.nan, np.inf, 0.0004, 0.0006, 1.2345, 65.535, 65.536])
    assert encode_depth(values).tolist() == [0, 0, 0, 0, 0, 1, 1234, 65535, 0]
    assert encode_scaled(values, 0.5).tolist() == [0, 0, 0, 0, 0, 0, 2, 131, 131]
    assert encode_normals(np.array([[0.6, 0, -0.8], [0, 0, 0]])).tolist() == [[76, 0, -102], [0, 0, 0]]


@pytest.mark.parametrize("kind", ["text", "hdf5"])
def test_nobody_elses_file_is_replaced(kind: str, tmp_path: Path) -> None:
    """Such as one of the source's own, named as the output by mistake."""
    out = tmp_path / "splits.mat"
    if kind == "text":
        out.write_text("mine")
    else:
        h5py.File(out, "w").close()
    before = out.read_bytes()
    with pytest.raises(InputError, match="splits.mat is there already and no prepared file, expected another place or"):
        prepare("cityscapes", tmp_path, out)
    assert out.read_bytes() == before
