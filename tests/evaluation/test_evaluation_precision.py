"""Which precision searches: as asked for, by hardware, by a check on the first batch; and where that is said."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from evaluation_toys import Fickle
from torch import Tensor, nn

from mtlattack.analysis.tables import headline, to_markdown
from mtlattack.attacks import Attack, create_attack
from mtlattack.data import Batch, PreparedDataset
from mtlattack.devices import multiplies_bfloat16
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation import evaluate as evaluate_anywhere
from mtlattack.evaluation import judge
from mtlattack.evidence import Evidence, read_evidence
from mtlattack.models import MultiTaskNetwork

EPS = 4 / 255
evaluate = partial(evaluate_anywhere, device="cpu")
LINE = "gradients in bfloat16, results in float32"


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardware that multiplies in bfloat16."""
    monkeypatch.setattr("mtlattack.evaluation.preparation.multiplies_bfloat16", lambda device: True)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardware that does not."""
    monkeypatch.setattr("mtlattack.evaluation.preparation.multiplies_bfloat16", lambda device: False)


def pgd(steps: int = 2) -> Attack:
    return create_attack("pgd-dgba", eps=EPS, steps=steps)


def decoded(network: MultiTaskNetwork, x: Tensor) -> dict[str, Tensor]:
    """What a network makes of images that are normalised already."""
    paths = network.features(x)
    return {name: head(paths[name], (x.shape[-2], x.shape[-1])) for name, head in network.heads.items()}


class Stubborn(nn.Module):
    """Multiplies by a matrix, once the image is normalised, that stays float32 whatever the weights are cast to."""

    def __init__(self, network: MultiTaskNetwork) -> None:
        super().__init__()
        self.network, self.tasks = network, network.tasks
        self.matrix = [torch.eye(3)]

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        x = self.network.normalise(images).movedim(1, -1) @ self.matrix[0]
        return decoded(self.network, x.movedim(-1, 1))


class Rough(nn.Module):
    """So wavy in its normalised images that those in bfloat16, three digits, end up on another slope."""

    def __init__(self, network: MultiTaskNetwork) -> None:
        super().__init__()
        self.network, self.tasks = network, network.tasks

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return decoded(self.network, torch.sin(300 * self.network.normalise(images)))


class Bare:
    """A callable that is no module."""

    def __init__(self, network: MultiTaskNetwork) -> None:
        self.network, self.tasks = network, network.tasks

    def __call__(self, images: Tensor) -> Mapping[str, Tensor]:
        predictions: Mapping[str, Tensor] = self.network(images)
        return predictions


def said(evidence: Evidence) -> tuple[str, str, float | None]:
    """Precision asked for, precision of the search, and the share of equal signs: as the evidence has them."""
    environment = evidence.environment
    return environment["precision_asked"], evidence.plan["preparation"]["search"], environment["sign_agreement"]


# --- what is asked for


@pytest.mark.parametrize(
    ("precision", "message"),
    [
        ("half", "unknown precision 'half'; known: auto, bfloat16, float32"),
        ("", "unknown precision ''; known: auto, bfloat16, float32"),
        ("bfloat", "unknown precision 'bfloat'; did you mean 'bfloat16'?"),
        ("FLOAT32", "unknown precision 'FLOAT32'; known: auto, bfloat16, float32"),
    ],
)
def test_unknown_precision(
    precision: Any, message: str, network: MultiTaskNetwork, data: PreparedDataset, tmp_path: Path
) -> None:
    model = Fickle(network)
    with pytest.raises(UnknownNameError) as caught:
        evaluate(model, data, [], path=tmp_path / "evidence.h5", precision=precision)
    assert str(caught.value) == message
    assert not list(tmp_path.iterdir()) and model.calls.count == 0


def test_float32_is_the_default(trained: MultiTaskNetwork, rooms: PreparedDataset) -> None:
    evidence = evaluate(trained, rooms, [pgd(), create_attack("apgd-dgba", eps=EPS, steps=3)])
    norms = sum(isinstance(part, nn.BatchNorm2d) for part in trained.modules())
    assert evidence.plan["preparation"] == {"batch_norms_folded": norms, "channels_last": True, "search": "float32"}
    assert said(evidence) == ("float32", "float32", None)
    record = evidence.report().record
    assert record.search_precision == "float32"
    assert [(a.forward_passes, a.backward_passes) for a in record.attacks] == [(2, 2), (4, 3)]
    assert LINE not in headline(record) and LINE not in str(evidence.report())


def test_bfloat16_is_said_wherever_results_are(trained: MultiTaskNetwork, rooms: PreparedDataset) -> None:
    evidence = evaluate(trained, rooms, [pgd(), create_attack("apgd-dgba", eps=EPS, steps=3)], precision="bfloat16")
    asked, search, agreement = said(evidence)
    assert (asked, search) == ("bfloat16", "bfloat16") and agreement is not None and 0.9 < agreement < 1
    assert evidence.environment["dtype"] == "float32"
    record = evidence.report().record
    assert record.search_precision == "bfloat16"
    # The point that the search found best is scored once more by the judge.
    assert [(a.forward_passes, a.backward_passes) for a in record.attacks] == [(2, 2), (5, 3)]
    assert LINE in headline(record)
    assert LINE in str(evidence.report()).splitlines() and LINE in to_markdown(record).splitlines()
    assert "5+3" in str(evidence.report())


def test_a_record_of_evidence_that_says_nothing_is_float32(trained: MultiTaskNetwork, rooms: PreparedDataset) -> None:
    evidence = evaluate(trained, rooms, [])
    del evidence.plan["preparation"]
    assert evidence.report().record.search_precision == "float32"


# --- auto


@pytest.mark.usefixtures("fast")
def test_auto_takes_bfloat16_where_signs_agree(trained: MultiTaskNetwork, rooms: PreparedDataset) -> None:
    evidence = evaluate(trained, rooms, [pgd()], precision="auto")
    asked, search, agreement = said(evidence)
    assert (asked, search) == ("auto", "bfloat16") and agreement is not None and agreement > 0.9
    assert evidence.report().record.search_precision == "bfloat16"


@pytest.mark.usefixtures("slow")
def test_auto_stays_in_float32_on_hardware_that_is_slow_in_bfloat16(
    trained: MultiTaskNetwork, rooms: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("mtlattack.evaluation.preparation.lower_precision")  # not even tried
    assert said(evaluate(trained, rooms, [pgd()], precision="auto")) == ("auto", "float32", None)


@pytest.mark.usefixtures("fast")
def test_auto_stays_in_float32_where_signs_disagree(
    trained: MultiTaskNetwork, rooms: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtlattack.evaluation.preparation._LEAST_AGREEMENT", 0.9999)
    evidence = evaluate(trained, rooms, [pgd()], precision="auto")
    asked, search, agreement = said(evidence)
    assert (asked, search) == ("auto", "float32") and agreement is not None and 0.9 < agreement < 0.9999
    assert evidence.report().record.attacks[0].forward_passes == 2


@pytest.mark.usefixtures("fast")
def test_auto_stays_in_float32_on_a_rough_model(trained: MultiTaskNetwork, rooms: PreparedDataset) -> None:
    asked, search, agreement = said(evaluate(Rough(trained), rooms, [], precision="auto"))
    assert (asked, search) == ("auto", "float32") and agreement is not None and 0.3 < agreement < 0.9


@pytest.mark.usefixtures("fast")
def test_auto_stays_in_float32_where_the_model_cannot_compute_otherwise(
    trained: MultiTaskNetwork, rooms: PreparedDataset
) -> None:
    evidence = evaluate(Stubborn(trained), rooms, [pgd()], precision="auto")
    assert said(evidence) == ("auto", "float32", None)
    expected = evaluate(Stubborn(trained), rooms, [pgd()])
    np.testing.assert_array_equal(evidence.attacked[0].losses, expected.attacked[0].losses)


@pytest.mark.parametrize(("capability", "multiplies"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_cuda_multiplies_in_bfloat16_since_ampere(
    capability: tuple[int, int], multiplies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: capability)
    assert multiplies_bfloat16(torch.device("cuda", 1)) is multiplies


@pytest.mark.parametrize("has_amx", [True, False])
def test_a_cpu_multiplies_in_bfloat16_where_it_has_amx(has_amx: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: has_amx, raising=False)
    assert multiplies_bfloat16(torch.device("cpu")) is has_amx
    assert not multiplies_bfloat16(torch.device("mps"))
    monkeypatch.delattr("torch.cpu._is_amx_tile_supported")  # a torch that cannot tell
    assert not multiplies_bfloat16(torch.device("cpu"))


# --- bfloat16 that is asked for


def test_bfloat16_on_a_model_that_cannot(trained: MultiTaskNetwork, rooms: PreparedDataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="^Stubborn cannot compute in bfloat16: .*(dtype|type)") as caught:
        evaluate(Stubborn(trained), rooms, [pgd()], precision="bfloat16", path=tmp_path / "evidence.h5")
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())
    assert "; perhaps because of what stayed behind: matrix[0] (" in str(caught.value)


def test_bfloat16_warns_where_signs_disagree(trained: MultiTaskNetwork, rooms: PreparedDataset) -> None:
    with pytest.warns(UserWarning, match=r"^only [3-8]\d% of gradient signs agree between bfloat16 and float32$"):
        evidence = evaluate(Rough(trained), rooms, [], precision="bfloat16")
    asked, search, agreement = said(evidence)
    assert (asked, search) == ("bfloat16", "bfloat16") and agreement is not None and agreement < 0.9


# --- callables that are no modules


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_a_callable_is_taken_as_it_is(
    precision: Any, trained: MultiTaskNetwork, rooms: PreparedDataset, batch: Batch
) -> None:
    bare = Bare(trained)
    evidence = evaluate(bare, rooms, [pgd()], precision=precision)
    assert evidence.plan["preparation"] == {"search": "float32"}
    assert said(evidence) == (precision, "float32", None)
    moved = pgd()(bare, batch.images, batch.targets, batch.ids)
    np.testing.assert_allclose(
        evidence.attacked[0].losses, judge(bare, moved, batch.targets, batch.images).losses, rtol=1e-3
    )


def test_a_callable_cannot_be_cast(trained: MultiTaskNetwork, rooms: PreparedDataset) -> None:
    with pytest.raises(InputError, match="^precision bfloat16 needs an nn.Module, the model is a Bare$"):
        evaluate(Bare(trained), rooms, [pgd()], precision="bfloat16")


# --- going on


@pytest.mark.usefixtures("fast")
def test_another_precision_is_another_run(trained: MultiTaskNetwork, rooms: PreparedDataset, tmp_path: Path) -> None:
    path, apgd = tmp_path / "evidence.h5", create_attack("apgd-dgba", eps=EPS, steps=1)
    evaluate(trained, rooms, [pgd()], path=path)
    content = path.read_bytes()
    with pytest.raises(InputError, match=r"holds another run \(other preparation\); start anew with --fresh"):
        evaluate(trained, rooms, [pgd()], path=path, precision="bfloat16")
    assert path.read_bytes() == content
    evaluate(trained, rooms, [apgd], path=path, precision="bfloat16", fresh=True)
    with pytest.raises(InputError, match=r"holds another run \(other attacks, preparation\)"):
        evaluate(trained, rooms, [apgd], path=path)


@pytest.mark.usefixtures("fast")
def test_auto_goes_on_with_what_it_would_choose(
    trained: MultiTaskNetwork, rooms: PreparedDataset, tmp_path: Path
) -> None:
    path = tmp_path / "evidence.h5"
    evaluate(trained, rooms, [pgd()], path=path, precision="bfloat16")
    content = path.read_bytes()
    evaluate(trained, rooms, [pgd()], path=path, precision="auto")
    assert path.read_bytes() == content
    assert said(read_evidence(path))[0] == "bfloat16"
