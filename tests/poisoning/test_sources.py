"""Tables of tasks, read from small files in the published formats; the real ones where they are at hand."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from mtlattack.errors import InputError
from mtlattack.poisoning.sources import read_described, read_tasks
from mtlattack.poisoning.sources.mnist import principal_components, read_idx
from mtlattack.reading.matlab import read_mat


def cells(*arrays: object) -> np.ndarray:
    """A MATLAB row of cells."""
    row = np.empty((1, len(arrays)), object)
    for i, each in enumerate(arrays):
        row[0, i] = np.asarray(each)
    return row


def idx(values: np.ndarray) -> bytes:
    """MNIST's format."""
    return bytes((0, 0, 8, values.ndim)) + np.array(values.shape, ">u4").tobytes() + values.astype(np.uint8).tobytes()


def test_landmine_and_school_are_cells(tmp_path: Path) -> None:
    x = np.arange(12.0).reshape(4, 3)
    scipy.io.savemat(
        tmp_path / "LandmineData.mat", {"feature": cells(x, x[:2]), "label": cells([[0], [1], [0], [1]], [[1], [0]])}
    )
    tasks = read_tasks("landmine", tmp_path)
    assert (tasks.kind, tasks.names, tasks.sizes) == ("classification", ("field1", "field2"), [4, 2])
    assert (tasks.points[0][0] == x).all() and tasks.points[1][1].tolist() == [1, 0]
    scipy.io.savemat(
        tmp_path / "school.mat", {"X": cells(np.c_[x, np.ones(4)].astype(np.uint8)), "Y": cells([[9], [8], [7], [1]])}
    )
    school = read_tasks("school", tmp_path)
    assert school.dimension == 3 and school.points[0][1].tolist() == [9, 8, 7, 1]


BIG = np.zeros((2, 28))
# The first element behind the header is a matrix: 48 bytes of flags, sizes and name, then the tag of its numbers.
MATRIX, CLASS, SIZES, NUMBERS = 128, 144, 160, 192


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (NUMBERS, 100, "an element of type 100 claims"),
        (NUMBERS + 4, 2**31 - 1, "an element of type 9 claims 2,147,483,647 bytes"),
        (MATRIX + 4, 2**30, "an element of type 14 claims"),
        (SIZES, 2**30, "claims 30,064,771,072 values, more than are there"),
        (SIZES, -1, "is not read"),
        (CLASS, 5, "a variable of class 5 "),
    ],
)
def test_a_matlab_file_that_lies_is_refused_before_it_is_believed(
    place: int, value: int, told: str, tmp_path: Path
) -> None:
    """scipy would read from where it is told to, and die of that."""
    path = tmp_path / "sarcos_inv.mat"
    scipy.io.savemat(path, {"sarcos_inv": BIG})
    content = bytearray(path.read_bytes())
    content[place : place + 4] = struct.pack("<i", value)
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"sarcos_inv.mat is truncated or no MATLAB file \(.*{told}"):
        read_tasks("sarcos", tmp_path)


@pytest.mark.parametrize("compressed", [False, True])
def test_what_matlab_writes_is_not_refused(compressed: bool, tmp_path: Path) -> None:
    struct_of = {"a": cells(["x", "yz"], np.eye(2, dtype=np.int8)), "empty": np.zeros((0, 0)), "text": "é"}
    written = {"sarcos_inv": BIG, "other": struct_of}
    scipy.io.savemat(tmp_path / "sarcos_inv.mat", written, do_compression=compressed)
    found = read_mat(tmp_path / "sarcos_inv.mat", "sarcos_inv", "other")
    assert (found["sarcos_inv"] == BIG).all() and str(found["other"]["text"].item()[0]) == "é"


def test_a_packed_file_is_read_as_far_as_it_says_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "x-ubyte.gz"
    path.write_bytes(gzip.compress(idx(np.zeros(3)) + bytes(2**20)))
    with pytest.raises(InputError, match="holds more than 3 bytes, expected 3"):
        read_idx(path)
    path.write_bytes(gzip.compress(bytes((0, 0, 8, 2)) + np.array([2**31, 2**31], ">u4").tobytes()))
    with pytest.raises(InputError, match="claims 4,611,686,018,427,387,904 bytes, at most"):
        read_idx(path)


def test_a_table_whose_name_no_file_can_have_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text('file = "\\u0000"\nkind = "regression"\ntargets = ["y"]\n')
    with pytest.raises(InputError, match="cannot read .*null byte"):
        read_described(tmp_path / "x.toml")


def test_sarcos_takes_the_training_file_where_there_is_one(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(5, 28))
    scipy.io.savemat(tmp_path / "sarcos_inv_test.mat", {"sarcos_inv_test": rows[:2]})
    assert read_tasks("sarcos", tmp_path).sizes == [2] * 7
    scipy.io.savemat(tmp_path / "sarcos_inv.mat", {"sarcos_inv": rows})
    tasks = read_tasks("sarcos", tmp_path)
    assert tasks.sizes == [5] * 7 and (tasks.points[6][1] == rows[:, 27]).all()


def test_parkinsons_is_a_task_a_person(tmp_path: Path) -> None:
    heading = "subject#\tage\tsex\ttest_time\tmotor_UPDRS\ttotal_UPDRS\tJitter(%)"
    lines = ["1\t72\t0\t5.6\t28.2\t34.4\t0.1", "2\t60\t1\t1.0\t10\t12\t0.2", "1\t72\t0\t6.0\t28.4\t35\t0.3"]
    (tmp_path / "parkinsons_updrs.data").write_text("\n".join([heading, *lines]))
    tasks = read_tasks("parkinsons", tmp_path, {"target": "total_UPDRS"})
    assert tasks.names == ("1", "2") and tasks.points[0][1].tolist() == [34.4, 35]
    assert tasks.points[0][0].tolist() == [[5.6, 0.1], [6.0, 0.3]]
    with pytest.raises(InputError, match="target 'age', expected motor_UPDRS or total_UPDRS"):
        read_tasks("parkinsons", tmp_path, {"target": "age"})


def test_mnist_is_digits_against_the_rest_or_in_pairs(tmp_path: Path) -> None:
    digits = np.arange(20) % 10
    images = np.random.default_rng(0).integers(0, 256, (20, 4, 4))
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(digits))
    rest = read_tasks("mnist", tmp_path, {"components": "3"})
    assert len(rest) == 10 and rest.dimension == 3 and rest.points[7][1].nonzero()[0].tolist() == [7, 17]
    pairs = read_tasks("mnist", tmp_path, {"components": "3", "tasks": "pairs"})
    assert len(pairs) == 45 and pairs.names[:2] == ("0v1", "0v2") and pairs.points[1][1].tolist() == [0, 1, 0, 1]
    assert read_tasks("mnist", tmp_path, {"components": "2", "limit": "10"}).sizes == [10] * 10
    for options, message in (
        ({"components": "17"}, "components 17, expected 1 to 16"),
        ({"components": "many"}, "components 'many', expected a whole number from 1 on"),
        ({"tasks": "triples"}, "tasks 'triples', expected rest or pairs"),
    ):
        with pytest.raises(InputError, match=message):
            read_tasks("mnist", tmp_path, options)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(digits)[:-1])
    with pytest.raises(InputError, match="holds 19 bytes, expected 20"):
        read_tasks("mnist", tmp_path)


def test_principal_components_keep_what_varies_most() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(size=(50, 6)) * [9, 5, 1, 1, 1, 1]
    kept = principal_components(values, 2)
    singular = np.linalg.svd(values - values.mean(0), compute_uv=False)
    assert np.linalg.norm(kept, axis=0) == pytest.approx(singular[:2])


def test_any_table_that_is_described(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("who,a,b,y,z\nann,1,2,3,4\nbob,5,6,7,8\nann,9,10,11,12\n")
    described = tmp_path / "mine.toml"
    described.write_text('file = "mine.csv"\nkind = "regression"\ntargets = ["y", "z"]\ntask = "who"\n')
    tasks = read_described(described)
    assert tasks.names == ("y:ann", "y:bob", "z:ann", "z:bob")
    assert tasks.points[2][0].tolist() == [[1, 2], [9, 10]] and tasks.points[2][1].tolist() == [4, 12]
    described.write_text('file = "mine.csv"\nkind = "regression"\ntargets = ["y", "z"]\nfeatures = ["a"]\n')
    tasks = read_described(described)
    assert tasks.names == ("y", "z") and tasks.dimension == 1
    assert tasks.rows is not None and [each.tolist() for each in tasks.rows] == [[0, 1, 2]] * 2


def test_the_mark_that_spreadsheets_write_is_no_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("y,a\n1,2\n3,5\n", encoding="utf-8-sig")
    (tmp_path / "mine.toml").write_text('file = "mine.csv"\nkind = "regression"\ntargets = ["y"]\n')
    assert read_described(tmp_path / "mine.toml").points[0][1].tolist() == [1, 3]


def test_a_damaged_packed_file_is_refused(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(idx(np.arange(64).reshape(4, 4, 4)), mtime=0))
    packed[12:20] = b"\xff" * 8
    (tmp_path / "images.gz").write_bytes(packed)
    with pytest.raises(InputError, match=r"cannot read .*images\.gz"):
        read_idx(tmp_path / "images.gz")


@pytest.mark.parametrize(
    ("table", "description", "message"),
    [
        ("a,y\n1,2\n", 'targets = ["t"]', "mine.csv has no column 't'; it has a, y"),
        ("a,y\n1,2\n", 'targets = ["y"]\nfeatures = ["b"]', "mine.csv has no column 'b'"),
        ("a,y\n1,2,3\n", 'targets = ["y"]', "mine.csv, line 2: 3 values, expected 2"),
        ("a,y\nx,2\n", 'targets = ["y"]', "mine.csv, column 'a': could not convert"),
        ("a,y\nnan,2\n", 'targets = ["y"]', "task 'y': a feature of point 0 is not finite"),
        ("a,y\n", 'targets = ["y"]', "mine.csv: no row"),
        ("a,y\n1,2\n", 'targets = ["y", "a"]', "mine.csv has no column for features: all of a, y are targets"),
        ("", 'targets = ["y"]', "mine.csv is empty"),
        ("a,a,y\n1,2,3\n", 'targets = ["y"]', "mine.csv: its heading names 'a' twice"),
        (f'a,y\n"{"1" * 140_000}",2\n', 'targets = ["y"]', "cannot read .*mine.csv .*field larger than field limit"),
        ("a,y\n1,2\n", "targets = []", "mine.toml: targets: List should have at least 1 item"),
        ("a,y\n1,2\n", 'targets = ["y"]\ncolour = 1', "mine.toml: colour: Extra inputs"),
    ],
)
def test_bad_tables(tmp_path: Path, table: str, description: str, message: str) -> None:
    (tmp_path / "mine.csv").write_text(table)
    (tmp_path / "mine.toml").write_text(f'file = "mine.csv"\nkind = "regression"\n{description}\n')
    with pytest.raises(InputError, match=message):
        read_described(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("landmines", {}, "unknown table of tasks 'landmines'; did you mean 'landmine'?"),
        ("landmine", {}, "has no LandmineData.mat"),
        ("sarcos", {}, "has neither sarcos_inv.mat nor sarcos_inv_test.mat"),
        ("mnist", {}, "has no train-images-idx3-ubyte"),
        ("parkinsons", {}, "cannot read"),
        ("school", {"size": "1"}, "school has no option 'size'; it has none"),
        ("mnist", {"size": "1"}, "mnist has no option 'size'; it has tasks, components, limit"),
    ],
)
def test_bad_folders_and_options(tmp_path: Path, name: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_tasks(name, tmp_path, options)
    with pytest.raises(InputError, match="no folder|unknown table"):
        read_tasks(name, tmp_path / "gone", options)


@pytest.mark.parametrize(
    ("name", "tasks", "points", "dimension"),
    [("landmine", 29, 14820, 9), ("school", 139, 15362, 27), ("sarcos", 7, 7 * 4449, 21), ("parkinsons", 42, 5875, 17)],
)
def test_the_published_files(shared_data: Path, name: str, tasks: int, points: int, dimension: int) -> None:
    read = read_tasks(name, shared_data / "mtrl")
    assert (len(read), sum(read.sizes), read.dimension) == (tasks, points, dimension)
    if name == "landmine":
        assert sum(y.sum() for _, y in read.points) == 904
