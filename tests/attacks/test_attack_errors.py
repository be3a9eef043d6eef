"""What a user can get wrong (each message names the thing, its value, what was expected); names, lists, configs."""

import json

import pytest
import torch
from attack_toys import ToyNet, few, toy_batch

from mtlattack.attacks import create_aggregator, create_attack, create_step, list_aggregators, list_attacks, list_steps
from mtlattack.errors import InputError, UnknownNameError


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("apgd-dbga", "apgd-dgba"),
        ("agpd-dgba", "apgd-dgba"),
        ("apgd_dgba", "apgd-dgba"),
        ("pgd-singel:depth", "pgd-single:depth"),
        ("pdg-single:my_task", "pgd-single:my_task"),
        ("apgd-single", "apgd-single:depth"),
        ("apgd-single:", "apgd-single:depth"),
        ("bim-total:depth", "bim-smta:depth"),
    ],
)
def test_wrong_attack_names(name, meant):
    with pytest.raises(UnknownNameError) as caught:
        create_attack(name, eps=0.1)
    message = str(caught.value)
    assert message.startswith(f"unknown attack {name!r}; did you mean '{meant[:8]}")
    assert meant in list_attacks(tasks=["depth", "my_task"])


def test_wrong_part_names():
    with pytest.raises(UnknownNameError, match="unknown aggregator 'dbga'; did you mean 'dgba'"):
        create_aggregator("dbga")
    with pytest.raises(UnknownNameError, match="unknown step rule 'agpd'; did you mean 'apgd'"):
        create_step("agpd")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("apgd-dgba", {"eps": 8.0}, r"eps 8.0 is outside \(0, 1\]; did you mean 8/255"),
        ("apgd-dgba", {"norm": "linv"}, "unknown norm 'linv'; did you mean 'linf'"),
        ("fgsm-dgba", {"steps": 20}, "fgsm-dgba takes no option 'steps'; it takes: none"),
        ("bim-dgba", {"restarts": 2}, "bim-dgba takes no option 'restarts'; it takes: steps, step_size"),
        ("apgd-dgba", {"momentum": 0.5}, "apgd-dgba takes no option 'momentum'"),
        ("pgd-dgba", {"steps": 0}, "steps 0 is not a whole number"),
        ("pgd-dgba", {"steps": 2.5}, "steps 2.5 is not a whole number"),
        ("pgd-dgba", {"restarts": -1}, "restarts -1 is not a whole number"),
        ("pgd-dgba", {"step_size": 0.0}, r"step_size 0.0 is outside"),
        ("mim-dgba", {"momentum": 2.0}, "momentum 2.0 is outside"),
        ("pgd-dgba", {"seed": -1}, "seed -1, expected a whole number of at least 0"),
        ("standard", {"seed": 0.5}, "seed 0.5, expected a whole number"),
    ],
)
def test_wrong_options(name, options, message):
    with pytest.raises(InputError, match=message):
        create_attack(name, **{"eps": 0.1} | options)


def with_pixel(value):
    def change(images, targets):
        images[0, 0, 0, 0] = value
        return images, targets

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_pixel(float("nan")), r"images hold NaN, expected finite values in \[0, 1\]"),
        (with_pixel(float("inf")), "images hold values from 0 to inf"),
        (with_pixel(1.5), "images hold values from 0 to 1.5"),
        (with_pixel(-0.25), "images hold values from -0.25 to 1"),
        (lambda x, y: (x.double(), y), "images are torch.float64, expected torch.float32"),
        (lambda x, y: ((x * 255).byte(), y), "images are torch.uint8"),
        (lambda x, y: (x.numpy(), y), "images are a ndarray, expected a tensor"),
        (lambda x, y: (x[0], y), r"images have shape \(3, 6, 6\), expected \[B, 3, H, W\]"),
        (lambda x, y: (x[:, :1], y), r"images have shape \(4, 1, 6, 6\)"),
        (lambda x, y: (x[:0], y), r"images have shape \(0, 3, 6, 6\)"),
        (lambda x, y: (x, {k: v for k, v in y.items() if k != "depth"}), "no target for task 'depth'; there are"),
        (lambda x, y: (x, y | {"depth": y["depth"][:3]}), r"target 'depth' has shape \(3, 6, 6\), expected 4 images"),
    ],
)
def test_wrong_images_and_targets(change, message):
    images, targets = change(*toy_batch(4))
    with pytest.raises(InputError, match=message):
        create_attack("bim-dgba", eps=0.1, steps=2)(ToyNet(), images, targets)


def test_wrong_ids_tasks_and_models():
    images, targets = toy_batch(4)
    attack = create_attack("bim-dgba", eps=0.1, steps=2)
    with pytest.raises(InputError, match="3 ids for 4 images"):
        attack(ToyNet(), images, targets, ["a", "b", "c"])
    with pytest.raises(UnknownNameError, match="unknown task 'dept'; did you mean 'depth'"):
        create_attack("bim-single:dept", eps=0.1)(ToyNet(), images, targets)
    with pytest.raises(InputError, match="model Identity has no `tasks`"):
        attack(torch.nn.Identity(), images, targets)

    class Forgetful(ToyNet):
        def forward(self, images):
            return {"depth": super().forward(images)["depth"]}

    with pytest.raises(InputError, match="the model predicts depth, not its task 'segmentation'"):
        attack(Forgetful(), images, targets)

    class Opaque(ToyNet):
        def forward(self, images):
            return super().forward(images.detach())

    with pytest.raises(InputError, match="not differentiable in its images"):
        attack(Opaque(), images, targets)

    class BatchMean:
        def loss(self, prediction, target):
            return (prediction[:, 0] - target).abs().mean()

    model = ToyNet()
    model.tasks = {"depth": BatchMean()}
    with pytest.raises(InputError, match=r"depth: loss has shape \(\), expected one an image"):
        attack(model, images, targets)


def test_lists():
    steps, aggregators = list_steps(), list_aggregators(tasks=["depth", "normals"])
    assert {"apgd", "bim", "decay", "fgsm", "mim", "noise", "pgd", "square"} <= set(steps)
    assert {"dgba", "signsum", "single:depth", "single:normals", "total"} <= set(aggregators)
    assert steps == sorted(steps) and "single:segmentation" not in aggregators
    attacks = list_attacks(tasks=["depth", "normals"])
    assert {f"{step}-{aggregator}" for step in steps for aggregator in aggregators} <= set(attacks)
    assert len(set(attacks)) == len(attacks)
    assert list_attacks("apgd-single:*", tasks=["depth"]) == ["apgd-single:depth"]
    assert "pgd-single:segmentation" in list_attacks()


@pytest.mark.sampled(4)
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(
    "name", sorted({f"{s}-dgba" for s in list_steps()} | {f"pgd-{a}" for a in list_aggregators(tasks=["depth"])})
)
def test_config_makes_the_same_attack_again(name, norm):
    step, _, aggregator = name.partition("-")
    if any(norm not in (part.norms or [norm]) for part in (create_step(step), create_aggregator(aggregator))):
        pytest.skip(f"{name} is not made for {norm}")
    images, targets = toy_batch(2)
    # As it is by default, and short enough to be run: some solve programs of thousands of operations a step.
    for options in ({}, few(name, steps=2)):
        attack = create_attack(name, norm=norm, eps=8 / 255, seed=3, **options)
        config = json.loads(json.dumps(attack.config()))
        again = create_attack(**config)
        assert again.name == name and again.config() == config
        assert {"name", "norm", "eps", "seed"} <= config.keys()
    assert torch.equal(attack(ToyNet(), images, targets), again(ToyNet(), images, targets))


def test_default_step_sizes():
    sizes = {name: create_attack(f"{name}-dgba", eps=0.1).config().get("step_size") for name in list_steps()}
    assert all(sizes[name] is None for name in ("fgsm", "noise", "square"))
    walk = dict.fromkeys(["bim", "bsr", "dim", "mim", "nim", "sim", "tim", "vmi"], 0.005)
    expected = walk | {"adam": 0.1, "apgd": 0.2, "decay": 0.2, "pgd": 0.0125, "heavyball": 0.0125}
    assert {name: sizes[name] for name in expected} == pytest.approx(expected)
    for step, size in (("apgd", 5), ("decay", 5), ("pgd", 0.625)):
        assert create_attack(f"{step}-dgba", norm="l0", eps=9).config()["step_size"] == size


def test_an_attack_prints():
    assert str(create_attack("apgd-dgba", eps=8 / 255)) == "apgd-dgba (linf 8/255)"


@pytest.mark.parametrize("name", ["pgd-dgba", "apgd-single:depth", "apgd-maxmin", "pgd-mgda", "bim-signsum"])
def test_one_head_that_is_cut_off_is_no_mistake(name):
    """Its gradient is zero, which the first one of a climb says; a model without any gradient is one."""

    class Cut(ToyNet):
        def forward(self, images):
            predictions = super().forward(images)
            return predictions | {"depth": predictions["depth"].detach()}

    images, targets = toy_batch(2)
    result = create_attack(name, eps=0.1, steps=3).run(Cut(), images, targets)
    assert torch.equal(result.images, images) == (name == "apgd-single:depth")
    assert (result.diagnostics["vanished"] == (name == "apgd-single:depth")).all()
