"""Sharded is whole: the evidence that shards are merged to is that of one process, bit for bit."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluation_toys import assert_equal
from hypothesis import given, settings
from hypothesis import strategies as st
from shard_toys import TASKS, TinyNet, done_in, tiny_data, write_tiny

from mtlattack.analysis import merge
from mtlattack.attacks import Attack, create_attack
from mtlattack.attacks.standard import Member
from mtlattack.data import join_batches, load_dataset, repeated
from mtlattack.errors import InputError
from mtlattack.evaluation import craft, craft_to, judge_from
from mtlattack.evaluation import evaluate as evaluate_anywhere
from mtlattack.evaluation.environment import numeric_environment
from mtlattack.evidence import Evidence, EvidenceFile, Shard, parts_of, read_evidence
from mtlattack.models import MultiTaskNetwork

evaluate = partial(evaluate_anywhere, device="cpu")
EPS = 8 / 255


def noisy() -> list[Attack]:
    """Noise, gradients, one fitted on images, 8-bit images, one without gradients."""
    return [
        create_attack("pgd-dgba", eps=EPS, steps=1, seed=3),
        create_attack("universal-total", eps=EPS, epochs=1),
        create_attack("fgsm-total", eps=EPS, quantized=True),
        create_attack("square-relative", eps=EPS, steps=2),
    ]


def assert_same(found: Evidence, expected: Evidence) -> None:
    """All that was measured, to the last bit, and the plan."""
    assert_equal(found, expected)
    assert (found.ids, found.plan) == (expected.ids, expected.plan)
    assert found.constant is not None and expected.constant is not None
    for name, values in found.constant.items():
        np.testing.assert_array_equal(values, expected.constant[name])
    for one, other in zip(found.attacked, expected.attacked, strict=True):
        np.testing.assert_array_equal(one.diagnostics, other.diagnostics)


def merged_from(folder: Path, shards: int) -> Evidence:
    return merge([folder / f"{k}-{shards}.h5" for k in range(1, shards + 1)], folder / "whole" / "evidence.h5")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("tiny") / "tiny.h5", 12)


@settings(max_examples=2, deadline=None)
@given(st.data())
def test_sharded_is_whole(tiny: Path, tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject) -> None:
    """For any number of images and shards and any batch size, done in any order, with a kill in between."""
    images = draw.draw(st.integers(1, 12), "images")
    shards, batch_size = draw.draw(st.integers(1, min(images, 4)), "shards"), draw.draw(st.integers(1, 5), "batch size")
    data, folder = tiny_data(tiny, images), tmp_path_factory.mktemp("shards")
    whole = evaluate(TinyNet(), data, noisy(), batch_size=batch_size, seed=3)
    for number in draw.draw(st.permutations(range(1, shards + 1)), "order"):
        shard, model, path = Shard(number, shards), TinyNet(), folder / f"{number}-{shards}.h5"
        run = partial(evaluate, model, data, noisy(), batch_size=batch_size, seed=3, path=path, shard=shard)
        model.calls.fail_at = draw.draw(st.integers(15, 40), "kill")
        try:
            run()
        except RuntimeError as error:
            assert "out of patience" in str(error)
        model.calls.fail_at = -1
        assert run().ids == data.ids[number - 1 :: shards]
    assert_same(merged_from(folder, shards), whole)


def test_a_network_of_the_zoo(rooms_path: Path, tmp_path: Path, trained: MultiTaskNetwork) -> None:
    """Folded, channels-last, on images of 96×128: 3 images in batches of 2, so that all but one are filled up."""
    data = load_dataset(rooms_path, tasks=trained.tasks, limit=3)
    run = partial(evaluate, trained, data, [create_attack("pgd-dgba+dlr", eps=EPS, steps=1)], batch_size=2)
    for number in (1, 2):
        run(path=tmp_path / f"{number}-2.h5", shard=Shard(number, 2))
    assert_same(merged_from(tmp_path, 2), run())


def test_members_of_an_ensemble(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    composition = (Member("pgd-relative", {"steps": 2}), Member("square-relative", {"steps": 2}, norms=("linf",)))
    monkeypatch.setattr("mtlattack.attacks.standard.Standard.composition", composition)
    data = tiny_data(tiny, 5)
    run = partial(evaluate, TinyNet(), data, [create_attack("standard", eps=EPS)], batch_size=2)
    for number in (1, 2):
        run(path=tmp_path / f"{number}-2.h5", shard=Shard(number, 2))
    found, expected = merged_from(tmp_path, 2), run()
    assert_same(found, expected)
    of_shards, of_whole = (each.report().record for each in (found, expected))  # type: ignore[attr-defined]
    assert of_shards.robust_skill == of_whole.robust_skill
    assert of_shards.attacks[-1].name == "standard" and of_shards.attacks[-1].arp == of_whole.attacks[-1].arp


def test_no_image_feels_its_batch(tiny: Path) -> None:
    """Each of a batch elsewhere in it, and beside others: the same bits."""
    data, model = tiny_data(tiny), TinyNet()
    attack = create_attack("pgd-dgba", eps=EPS, steps=2)

    def moved(rows: list[int]) -> dict[int, torch.Tensor]:
        batch = join_batches([data[row] for row in rows])
        return dict(zip(rows, attack(model, batch.images, batch.targets, batch.ids), strict=True))

    expected = moved([0, 1, 2, 3, 4])
    for rows in ([4, 3, 2, 1, 0], [2, 9, 10, 11, 0], [7, 6, 1, 1, 1]):
        for row, image in moved(rows).items():
            assert row > 4 or torch.equal(image, expected[row])


# --- batches of one size


def test_batches_are_filled_up(tiny: Path) -> None:
    batch = join_batches([tiny_data(tiny)[row] for row in range(3)])
    full = batch.filled(7)
    assert full.ids == ["i0", "i1", "i2", "i0", "i1", "i2", "i0"]
    assert all(torch.equal(full.images[place], batch.images[place % 3]) for place in range(7))
    assert all(len(target) == 7 for target in full.targets.values())
    assert batch.filled(3) is batch
    last = batch.images.contiguous(memory_format=torch.channels_last)
    assert repeated(last, 5).is_contiguous(memory_format=torch.channels_last)


def test_every_batch_of_a_run_has_the_same_size(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    original = TinyNet.forward

    def noting(self: TinyNet, images: torch.Tensor) -> dict[str, torch.Tensor]:
        sizes.append(len(images))
        return original(self, images)

    data = tiny_data(tiny, 5)
    evaluate(TinyNet(), data, [], batch_size=3, shard=Shard(1, 5))
    monkeypatch.setattr(TinyNet, "forward", noting)
    evaluate(TinyNet(), data, [], batch_size=3)
    assert sizes[-2:] == [3, 3]
    evaluate(TinyNet(), data, [], batch_size=3, shard=Shard(1, 5))
    assert sizes[-1] == 3
    evaluate(TinyNet(), data, [], batch_size=16, shard=Shard(1, 5))
    assert sizes[-1] == 5  # no larger than the whole run's


def test_crafted_and_judged_apart_it_is_the_same(tiny: Path, tmp_path: Path) -> None:
    data, attacks = tiny_data(tiny, 5), noisy()[:1]
    expected = evaluate(TinyNet(), data, attacks, batch_size=3)
    file = craft_to(tmp_path / "images.h5", TinyNet(), data, attacks, batch_size=3, device="cpu")
    assert_equal(judge_from(file, TinyNet(), data, batch_size=3, device="cpu"), expected)
    batches = list(craft(TinyNet(), data, attacks[0], batch_size=3, device="cpu"))
    assert [len(each.result.images) for each in batches] == [3, 2] == [len(each.clean.ids) for each in batches]
    kept = file.read("attacks/0000", slice(3, 5), batches[1].clean.images)
    assert torch.equal(kept.images, batches[1].result.images)


# --- what a shard says of itself


def test_a_shard_has_the_whole_plan_and_its_own_images(tiny: Path, tmp_path: Path) -> None:
    data, path = tiny_data(tiny, 7), tmp_path / "evidence.h5"
    run = evaluate(TinyNet(), data, [], shard=Shard(2, 3), path=path, batch_size=2)
    assert run.ids == ["i1", "i4"] and run.plan == evaluate(TinyNet(), data, [], batch_size=2).plan
    assert "environment" not in run.plan and run.environment["shard"] == "2/3"
    assert run.environment.items() >= numeric_environment(torch.device("cpu")).items()
    assert done_in(path) == 2


def test_another_shard_is_not_overwritten(tiny: Path, tmp_path: Path) -> None:
    data, path = tiny_data(tiny, 7), tmp_path / "evidence.h5"
    evaluate(TinyNet(), data, [], shard=Shard(2, 3), path=path)
    content = path.read_bytes()
    with pytest.raises(InputError, match="holds shard 2/3 of this run, not shard 1/3; choose another --out"):
        evaluate(TinyNet(), data, [], shard=Shard(1, 3), path=path)
    with pytest.raises(InputError, match="holds shard 2/3 of this run, not the whole"):
        evaluate(TinyNet(), data, [], path=path)
    assert path.read_bytes() == content


def test_more_shards_than_images(tiny: Path) -> None:
    with pytest.raises(InputError, match="shard 1/8: 7 images, expected at least one for each of 8"):
        evaluate(TinyNet(), tiny_data(tiny, 7), [], shard=Shard(1, 8))


@pytest.mark.parametrize("text", ["", "2", "2/", "/8", "a/b", "1.5/2", "-1/4", "1/2/3", "٢/٨"])
def test_text_that_is_no_shard(text: str) -> None:
    with pytest.raises(InputError, match="is no shard, expected one as 2/8"):
        Shard.parse(text)


@pytest.mark.parametrize(("text", "said"), [("0/8", "1/8 to 8/8"), ("9/8", "1/8 to 8/8"), ("0/0", "k/n, n at least 1")])
def test_number_that_no_shard_has(text: str, said: str) -> None:
    with pytest.raises(InputError, match=f"there is no shard {text}, expected {said}"):
        Shard.parse(text)


@given(st.integers(1, 50), st.integers(1, 50))
def test_shards_are_disjoint_and_all(images: int, of: int) -> None:
    if of > images:
        return
    shards = [list(Shard(number, of).positions(images)) for number in range(1, of + 1)]
    assert sorted(position for shard in shards for position in shard) == list(range(images))
    assert all(position % of == number for number, shard in enumerate(shards) for position in shard)


# --- a run that goes on elsewhere


def test_going_on_with_other_threads_is_said(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, data, path = TinyNet(), tiny_data(tiny, 4), tmp_path / "evidence.h5"
    model.calls.fail_at = 16
    with pytest.raises(RuntimeError, match="out of patience"):
        evaluate(model, data, [], batch_size=2, path=path)
    model.calls.fail_at = -1
    here = numeric_environment(torch.device("cpu"))
    monkeypatch.setattr(
        "mtlattack.evaluation.environment.numeric_environment", lambda device: {**here, "threads": here["threads"] + 7}
    )
    with pytest.warns(UserWarning, match="goes on with other threads: numbers may differ by rounding"):
        run = evaluate(model, data, [], batch_size=2, path=path)
    parts = parts_of(run.environment, run.plan)
    assert [part["threads"] for part in parts] == [here["threads"], here["threads"] + 7]
    assert parts_of(read_evidence(path).environment) == parts
    content = path.read_bytes()
    evaluate(model, data, [], batch_size=2, path=path)  # Nothing is left to do: nothing is said.
    assert path.read_bytes() == content


def test_evidence_of_earlier_versions_goes_on(tiny: Path, tmp_path: Path) -> None:
    """It has device, threads and versions in its plan."""
    model, data, path = TinyNet(), tiny_data(tiny, 4), tmp_path / "evidence.h5"
    whole = evaluate(model, data, [], batch_size=2)
    numeric = numeric_environment(torch.device("cpu"))
    environment = {key: value for key, value in whole.environment.items() if key not in numeric}
    EvidenceFile.create(path, whole.plan | {"environment": numeric}, environment, data.ids)
    found = evaluate(model, data, [], batch_size=2, path=path)
    assert_equal(found, whole)
    assert found.report().record.environment["threads"] == numeric["threads"]
    assert TASKS.keys() == found.tasks.keys()
