"""Sources by name, that images can be crafted on them, and that nobody evaluates them."""

import pytest

import mtlattack as mta
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation import craft
from mtlattack.models import EnsembleSource, GhostSource, SkipGradientSource, resolve_model, resolve_source

A, B = "rooms-resnet10t.shared", "rooms-resnet10t.separate"


def test_names() -> None:
    source, name = resolve_source(f"ens:sgm@0.2:{A}+ghost:{B}")
    assert name == f"ens:sgm@0.2:{A}+ghost:{B}" and isinstance(source, EnsembleSource) and source.networks == 2
    sgm, ghost = source.sources
    assert isinstance(sgm, SkipGradientSource) and float(sgm.gamma) == 0.2 and isinstance(ghost, GhostSource)
    model, plain = resolve_source(A)
    assert plain == A and type(model) is type(resolve_model(A)[0])


@pytest.mark.parametrize(
    "name, said",
    [
        (f"ens:{A}", "expected two sources at least, as in ens:A[+]B"),
        (f"ens:{A}+", "expected two sources at least"),
        (f"ens:{A}+{A}", f"{A} is named twice"),
        (f"ens@2:{A}+{B}", "ens takes no value, '2' was given"),
        (f"sgm:ens:{A}+{B}", "an ensemble stands outside of everything"),
        (f"ens:{A}+ens:{B}+{A}", "an ensemble stands outside of everything"),
        (f"sgm@much:{A}", "'much' is no number, expected one as in sgm@0.5:A"),
        (f"sgm@1.5:{A}", r"gamma 1.5 is outside \[0, 1\]"),
        (f"ghost@nan:{A}", r"spread nan is outside \[0, 1\)"),
        ("ens:rooms-resnet10t.shard+" + B, "did you mean 'rooms-resnet10t.shared'"),
    ],
)
def test_what_is_wrong_with_a_name_is_said(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        resolve_source(name)


def test_an_unknown_kind_of_source_gets_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown source 'smg'; did you mean 'sgm'"):
        resolve_source(f"smg:{A}")


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", [f"sgm:{A}", f"ghost@0.1:{A}", f"ens:{A}+{B}"])
def test_a_source_is_crafted_on_and_never_judged(name: str) -> None:
    source, _ = resolve_source(name)
    data = mta.load_dataset("rooms", "test", limit=2, tasks=source.tasks)
    attack = mta.create_attack("mim-dgba", eps=8 / 255, steps=2)
    (crafted,) = craft(source, data, attack, device="cpu")
    change = (crafted.result.images - crafted.clean.images).abs()
    assert (change.flatten(1).amax(1) > 0.02).all() and (change <= 8 / 255 + 1e-6).all()
    with pytest.raises(InputError, match=f"{type(source).__name__} is a source of adversarial images for others"):
        mta.evaluate(source, data, [attack], device="cpu")
    with pytest.raises(InputError, match="is a source of adversarial images for other models.*expected a model"):
        resolve_model(name)
