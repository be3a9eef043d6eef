"""Evidence packed and unpacked: every bit comes back, and whatever else a stranger sends is refused in words."""

import dataclasses
import lzma
import os
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compact_toys import COUNTS, TASKS, assert_same, changed, compressed, evidence_of, with_constant
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlattack.errors import InputError
from mtlattack.evidence import Evidence
from mtlattack.evidence.packing import compact
from mtlattack.evidence.packing.compact import MOST_BYTES, pack, read_compact, unpack
from mtlattack.evidence.packing.sealed import unseal
from mtlattack.evidence.packing.stacking import stack, unstack
from mtlattack.tasks import create_task

PACKED = pack(evidence_of())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 20_000) | st.floats(-2, 2) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["kind", "classes", "ignore", "tasks", "attacks", "self"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 4))
def test_made_up_runs_come_back_to_the_last_bit(seed: int, jobs: int, images: int) -> None:
    evidence = evidence_of(jobs=jobs, images=images, seed=seed)
    for each in (evidence, with_constant(evidence, seed + 1)):
        assert_same(unpack(pack(each), "here"), each)


def test_the_version_says_whether_there_is_a_constant_answer() -> None:
    packed = pack(with_constant(evidence_of()))
    assert unseal(PACKED)[0]["format_version"] == 1 and unseal(packed)[0]["format_version"] == 2
    assert packed == pack(unpack(packed, "here"))
    names = set(unseal(packed)[1]) - set(unseal(PACKED)[1])
    assert names == {f"constant/{task.name}/{part}" for task in TASKS for part in ("counted", "counts", "sums")}
    for version, data, message in (
        (1, packed, "this has 'constant/depth/counted', which does not belong there"),
        (2, PACKED, "this has no 'constant/segmentation/counted'"),
    ):
        other = changed(data, lambda document, _, version=version: {**document, "format_version": version})
        with pytest.raises(InputError, match=f"^here: {message}"):
            unpack(other, "here")


def test_constant_answers_are_counted_and_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = with_constant(evidence_of())
    values = compact.values_of(evidence.tasks, 1 + len(evidence.attacked), len(evidence.ids))
    monkeypatch.setattr(compact, "MOST_VALUES", values)
    assert pack(evidence_of()) == PACKED
    with pytest.raises(InputError, match="plan and ids ask for"):
        pack(evidence)


def test_all_counts_and_no_counts_come_back_as_well() -> None:
    assert_same(unpack(pack(evidence_of(pool=COUNTS)), "here"), evidence_of(pool=COUNTS))
    evidence = evidence_of()
    for outcome in [evidence.clean, *evidence.attacked]:
        outcome.statistics["depth"][:] = -0.5
    assert_same(unpack(pack(evidence), "here"), evidence)


def test_equal_evidence_has_equal_bytes() -> None:
    evidence = evidence_of()
    assert pack(evidence) == PACKED == pack(unpack(PACKED, "here"))
    shuffled = dict(reversed(evidence.plan.items()))
    assert pack(dataclasses.replace(evidence, plan=shuffled)) == PACKED
    assert pack(evidence_of(seed=1)) != PACKED


def test_zeros_cost_next_to_nothing() -> None:
    evidence = evidence_of([create_task("normals")], jobs=12, images=32, pool=COUNTS)
    rng, empty = np.random.default_rng(0), len(pack(_with_counts(evidence, lambda shape: np.zeros(shape))))
    sparse = _with_counts(evidence, lambda shape: rng.integers(1, 250, shape) * (rng.random(shape) < 0.02))
    filled = sum(int((outcome.statistics["normals"] > 0).sum()) for outcome in [sparse.clean, *sparse.attacked])
    # A count and its index would be three bytes.
    assert len(pack(sparse)) - empty < 2.7 * filled


def _with_counts(evidence: Evidence, make: Callable[[tuple[int, ...]], Any]) -> Evidence:
    outcomes = [
        dataclasses.replace(outcome, statistics={"normals": np.float64(make(outcome.statistics["normals"].shape))})
        for outcome in [evidence.clean, *evidence.attacked]
    ]
    return dataclasses.replace(evidence, clean=outcomes[0], attacked=outcomes[1:])


def test_what_is_too_large_is_refused_by_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "MOST_BYTES", len(PACKED))
    assert_same(unpack(pack(evidence_of()), "here"), evidence_of())
    monkeypatch.setattr(compact, "MOST_BYTES", 100)
    with pytest.raises(
        InputError, match=f"it has {len(PACKED):,} bytes packed, {len(PACKED) - 100:,} more than the 100 "
    ):
        pack(evidence_of())
    with pytest.raises(InputError, match=f"^here: this is {len(PACKED):,} bytes, at most 100 are allowed"):
        unpack(PACKED, "here")


@pytest.mark.parametrize(
    "field, value, message",
    [
        ("losses", 0.1, "losses has values that are no float32"),
        ("seconds", 1e300, "seconds has values that are no float32"),
        ("losses", np.nan, "losses has values that are not finite"),
        ("perturbation", np.inf, "perturbation has values that are not finite"),
        ("diagnostics", -np.inf, "diagnostics has values that are infinite"),
        ("seconds", np.inf, "seconds has values that are not finite"),
    ],
)
def test_numbers_that_no_run_stores_are_not_packed(field: str, value: float, message: str) -> None:
    evidence = evidence_of()
    getattr(evidence.attacked[1], field)[-1] = value
    with pytest.raises(InputError, match=f"^this evidence cannot be packed: {message}"):
        pack(evidence)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_statistics_that_are_not_finite_are_not_packed(value: float) -> None:
    evidence = evidence_of()
    evidence.clean.statistics["depth"][0, 3] = value
    with pytest.raises(InputError, match="statistics/depth/sums has values that are not finite"):
        pack(evidence)
    evidence = with_constant(evidence_of())
    assert evidence.constant is not None
    evidence.constant["depth"][0, 3] = value
    with pytest.raises(InputError, match="constant/depth/sums has values that are not finite"):
        pack(evidence)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"ids": ["a", "a"]}, "ids has an id twice"),
        ({"ids": ["a"]}, r"losses is float32 \[3, 2, 2\], expected float32 \[3, 1, 2\]"),
        ({"plan": {"tasks": [], "attacks": []}}, "plan.tasks has 0 entries"),
        ({"environment": {"x": float("nan")}}, "cannot be written as JSON"),
        ({"environment": {"x": Path("x")}}, "cannot be written as JSON"),
        ({"environment": {"x": 2**60}}, "integers are within"),
        ({"environment": {"x": "\ud800"}}, "cannot be written as JSON"),
    ],
)
def test_what_would_not_be_read_is_not_packed(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        pack(dataclasses.replace(evidence_of(), **changes))


SEGMENTATION = TASKS[0].config()
DOCUMENTS: list[tuple[dict[str, Any], str]] = [
    (
        {"format": "mtlattack-evidence"},
        "format is 'mtlattack-evidence' version 1, expected 'mtlattack-evidence-compact' 1 or 2",
    ),
    ({"format_version": 3}, "version 3, expected"),
    ({"format_version": True}, "version True, expected"),
    ({"format_version": 1.0}, "version 1.0, expected"),
    ({"more": 1}, "its metadata has 'more', which does not belong there"),
    ({"plan": None}, "plan is no object"),
    ({"plan": {}}, "plan.tasks is no list of objects"),
    ({"plan": {"tasks": {"0": SEGMENTATION}, "attacks": []}}, "plan.tasks is no list"),
    ({"plan": {"tasks": [SEGMENTATION, "depth"], "attacks": []}}, "plan.tasks is no list of objects"),
    ({"plan": {"tasks": [SEGMENTATION]}}, "plan.attacks is no list of objects"),
    ({"plan": {"tasks": [SEGMENTATION], "attacks": [[]]}}, "plan.attacks is no list of objects"),
    (
        {"plan": {"tasks": [SEGMENTATION], "attacks": [{}] * 10_000}},
        "plan.attacks has 10,000 entries, expected 0 to 9,999",
    ),
    ({"plan": {"tasks": [], "attacks": []}}, "plan.tasks has 0 entries, expected 1 to 64"),
    ({"plan": {"tasks": [SEGMENTATION] * 65, "attacks": []}}, "plan.tasks has 65 entries"),
    ({"plan": {"tasks": [SEGMENTATION] * 2, "attacks": []}}, "plan.tasks has a task twice"),
    ({"plan": {"tasks": [{}], "attacks": []}}, "plan.tasks: task description {} has no 'kind'"),
    ({"plan": {"tasks": [{"kind": "dept"}], "attacks": []}}, "unknown task 'dept'; did you mean 'depth'?"),
    ({"plan": {"tasks": [{"kind": []}], "attacks": []}}, "plan.tasks: task []: "),
    ({"plan": {"tasks": [{"kind": 3}], "attacks": []}}, "plan.tasks: "),
    ({"plan": {"tasks": [{"kind": "depth", "self": 1}], "attacks": []}}, "plan.tasks: task 'depth'"),
    ({"plan": {"tasks": [{"kind": "segmentation", "classes": 2**50}], "attacks": []}}, "expected 2 to 4096"),
    ({"plan": {"tasks": [{"kind": "segmentation", "classes": "x" * 9999}], "attacks": []}}, "plan.tasks: segmentation"),
    ({"environment": []}, "environment is no object"),
    ({"ids": {"a": 1}}, "ids is no list of strings"),
    ({"ids": ["a", 1]}, "ids is no list of strings"),
    ({"ids": []}, "ids has 0 entries, expected 1 to 100,000"),
    ({"ids": [str(i) for i in range(100_001)]}, "ids has 100,001 entries"),
    ({"ids": ["a", "a"]}, "ids has an id twice"),
    ({"ids": ["a", "b", "c"]}, "losses is float32 [3, 2, 2], expected float32 [3, 3, 2] from its plan"),
]


@pytest.mark.parametrize("changes, message", DOCUMENTS, ids=[message for _, message in DOCUMENTS])
def test_a_document_of_the_wrong_kind_is_refused(changes: dict[str, Any], message: str) -> None:
    data = changed(PACKED, lambda document, _: {**document, **changes})
    with pytest.raises(InputError, match="^here: .*" + re.escape(message)) as caught:
        unpack(data, "here")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("key", ["format", "format_version", "plan", "environment", "ids"])
def test_a_document_without_one_of_its_parts_is_refused(key: str) -> None:
    with pytest.raises(InputError, match=f"^here: .*{key.split('_')[-1]}"):
        unpack(changed(PACKED, lambda document, _: {k: v for k, v in document.items() if k != key}), "here")


def test_more_numbers_than_memory_should_hold_are_refused_before_it_is_spent() -> None:
    def ask(document: dict[str, Any], _: Any) -> None:
        document["plan"]["tasks"] = [{"kind": "segmentation", "classes": 4096}]
        document["ids"] = [str(i) for i in range(100_000)]

    data = changed(PACKED, ask)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="plan and ids ask for 3,689,400,000 numbers, at most 16,777,216"):
            unpack(data, "here")
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", sorted(unseal(PACKED)[1]))
def test_every_array_must_be_there_with_its_type_and_shape(name: str) -> None:
    array = unseal(PACKED)[1][name]
    wrong_type = np.zeros(array.shape, np.float32 if array.dtype.kind == "u" else np.uint8)
    others = (array.reshape(-1, 1), array.reshape(-1)[:0], np.zeros(()), wrong_type, wrong_type.astype(np.float16))
    for other in others:
        with pytest.raises(InputError, match=f"^here: .*{name}"):
            unpack(changed(PACKED, lambda _, arrays, other=other: arrays.update({name: other})), "here")
    with pytest.raises(InputError, match=f"^here: this has no '{name}'"):
        unpack(changed(PACKED, lambda _, arrays: arrays.__delitem__(name)), "here")
    with pytest.raises(InputError, match=f"^here: this has '{name}2', which does not belong there"):
        unpack(changed(PACKED, lambda _, arrays: arrays.update({f"{name}2": array})), "here")


@pytest.mark.parametrize(
    "name, index, value, message",
    [
        ("losses", (0, 0, 0), np.nan, "losses has values that are not finite"),
        ("perturbation", (1, 0, 0), np.inf, "perturbation has values that are not finite"),
        ("seconds", (2, 1), -np.inf, "seconds has values that are not finite"),
        ("diagnostics", (2, 1, 0), np.inf, "diagnostics has values that are infinite"),
        ("statistics/depth/sums", (0, 0, 0), np.nan, "statistics/depth/sums has values that are not finite"),
        ("statistics/depth/counted", (0,), 2, "statistics/depth/counted has values beside 0 and 1"),
    ],
)
def test_values_that_no_run_has_are_refused(name: str, index: tuple[int, ...], value: float, message: str) -> None:
    def spoil(_: Any, arrays: dict[str, Any]) -> None:
        arrays[name][index] = value

    with pytest.raises(InputError, match=f"^here: {message}"):
        unpack(changed(PACKED, spoil), "here")


def test_counts_have_at_most_four_bytes() -> None:
    def widen(_: Any, arrays: dict[str, Any]) -> None:
        counts = arrays["statistics/depth/counts"]
        arrays["statistics/depth/counts"] = np.zeros((5, *counts.shape[1:]), np.uint8)

    with pytest.raises(InputError, match="here: statistics/depth/counts has 5 bytes a count, expected 1 to 4"):
        unpack(changed(PACKED, widen), "here")


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["plan", "plan.tasks", "plan.attacks", "environment", "ids", "format_version"]), JSON)
def test_a_nonsense_document_is_refused_in_words(place: str, value: Any) -> None:
    def replace(document: dict[str, Any], _: Any) -> None:
        *outer, key = place.split(".")
        (document[outer[0]] if outer else document)[key] = value

    _refused_or_read(changed(PACKED, replace))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_bytes_inside_are_refused_in_words_or_read(data: st.DataObject) -> None:
    plain = bytearray(lzma.decompress(PACKED))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(plain)) | st.integers(0, 64))
        plain[start : start + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    _refused_or_read(compressed(bytes(plain)))


def _refused_or_read(data: bytes) -> None:
    try:
        found = unpack(data, "here")
    except InputError as error:
        assert str(error).startswith("here: ")
        return
    # What is read is whole, and can be packed again.
    assert_same(unpack(pack(found), "there"), found)


def test_counts_that_no_float32_holds_are_refused() -> None:
    evidence = evidence_of()
    arrays = dict(stack(evidence.tasks, [evidence.clean, *evidence.attacked]))
    name = next(name for name, array in arrays.items() if name.endswith("/counts") and array.size)
    planes = np.zeros((4, *arrays[name].shape[1:]), np.uint8)
    planes[0] = planes[3] = 1  # 2²⁴ + 1
    with pytest.raises(InputError, match=f"{name} has values that are no float32"):
        unstack(arrays | {name: planes}, evidence.tasks, len(evidence.attacked) + 1, len(evidence.ids))


def test_a_file_is_read_where_it_is_one(tmp_path: Path) -> None:
    path = tmp_path / "a.evidence.xz"
    path.write_bytes(PACKED)
    assert_same(read_compact(path), evidence_of())
    path.write_bytes(PACKED[:-1])
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: this is truncated"):
        read_compact(path)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda path: None, "cannot be read"),
        (lambda path: path.symlink_to(path.with_name("packed")), "is a link"),
        (lambda path: path.mkdir(), "is no regular file"),
        (lambda path: os.mkfifo(path), "is no regular file"),
        (lambda path: path.write_bytes(bytes(MOST_BYTES + 1)), "is larger than the 4,194,304 bytes"),
    ],
    ids=["missing", "link", "folder", "pipe", "large"],
)
def test_what_is_no_regular_file_of_that_size_is_refused(
    tmp_path: Path, make: Callable[[Path], Any], message: str
) -> None:
    (tmp_path / "packed").write_bytes(PACKED)
    path = tmp_path / "a.evidence.xz"
    make(path)
    with pytest.raises(InputError, match=f"^{re.escape(str(path))} {message}"):
        read_compact(path)
