"""What every attack keeps, whatever its parts: one table of attacks, every invariant over all of it."""

from dataclasses import dataclass, field
from functools import cache

import pytest
import torch
from attack_toys import Counted, ToyNet, losses_of, toy_batch
from torch import nn

from mtlattack.attacks import Attack, Cost, create_aggregator, create_attack

EPS = {"linf": 8 / 255, "l2": 0.3, "l1": 1.5, "l0": 4, "patch": 0.25}


@dataclass(frozen=True)
class Case:
    name: str
    norm: str = "linf"
    random: bool = False
    options: dict = field(default_factory=dict)

    def attack(self, **more) -> Attack:
        return create_attack(self.name, norm=self.norm, eps=EPS[self.norm], **self.options, **more)

    def __str__(self) -> str:
        return "-".join([self.name, self.norm, *(f"{key}{value}" for key, value in self.options.items())])


STEPS = [
    ("fgsm", False, {}),
    ("bim", False, {"steps": 5}),
    ("pgd", True, {"steps": 5}),
    ("pgd", True, {"steps": 3, "restarts": 2}),
    ("mim", False, {"steps": 5}),
    ("apgd", False, {"steps": 10}),
    ("apgd", True, {"steps": 5, "restarts": 3}),
]
# Each norm with an aggregator that weighs losses and with one that weighs gradients.
AGGREGATORS = {"linf": ["dgba", "signsum"], "l2": ["single:depth", "total", "signsum"]}
CASES = [
    Case(f"{step}-{aggregator}", norm, random, options)
    for step, random, options in STEPS
    for norm, aggregators in AGGREGATORS.items()
    for aggregator in aggregators
]
CASES += [
    Case(f"{step}-{aggregator}", norm, random, options)
    for step, random, options, aggregator in [
        ("pgd", True, {"steps": 5}, "dgba"),
        ("apgd", True, {"steps": 5, "restarts": 2}, "dgba"),
        ("mim", False, {"steps": 5}, "total"),
        ("fgsm", False, {}, "total"),
    ]
    for norm in ("l1", "l0", "patch")
]
# Gradients are weighted apart from step rules: one that draws noise and one that looks back will do.
BY_GRADIENTS = ["average", "cagrad", "mgda", "nash", "pcgrad", "saga", "ta-moo", "upgrad"]
BY_LOSSES = ["minmax", "relative", "smta:depth", "wgd", "wgd-inverse"]
CASES += [Case(f"pgd-{name}", "linf", True, {"steps": 5}) for name in [*BY_GRADIENTS, *BY_LOSSES]]
THOROUGH = [Case(f"apgd-{name}", "l2", True, {"steps": 4, "restarts": 2}) for name in [*BY_GRADIENTS, *BY_LOSSES]]
# Further step rules; those that keep the best point never end below the clean image.
CASES += [
    Case(f"{step}-{aggregator}", norm, random, options)
    for step, random, options, norms in [
        ("nim", False, {"steps": 5}, ("linf", "l2")),
        ("tim", False, {"steps": 5}, ("linf", "l2")),
        ("heavyball", True, {"steps": 4}, ("linf",)),
        ("dim", True, {"steps": 5}, ("linf", "l2")),
        ("sim", False, {"steps": 4, "copies": 2}, ("linf",)),
        ("vmi", True, {"steps": 4, "neighbours": 2}, ("linf", "l2")),
        ("bsr", True, {"steps": 4, "copies": 2}, ("linf",)),
        ("adam", False, {"steps": 5}, ("linf",)),
        ("decay", False, {"steps": 5}, ("linf", "l2")),
        ("decay", True, {"steps": 4, "restarts": 2}, ("linf", "l2")),
        ("square", True, {"steps": 12}, ("linf",)),
        ("noise", True, {"restarts": 6}, ("linf", "l2")),
    ]
    for aggregator in ("signsum", "dgba")
    for norm in norms
]
TRACKED = ("apgd", "adam", "decay")
NAMES = [f"room-{i}" for i in range(16)]
every_attack = pytest.mark.parametrize(
    "case", [*CASES, *(pytest.param(case, marks=pytest.mark.slow) for case in THOROUGH)], ids=str
)


def state(model: nn.Module) -> dict:
    """All that an attack could leave behind in a model, by value."""
    return {
        "modes": [module.training for module in model.modules()],
        "flags": [parameter.requires_grad for parameter in model.parameters()],
        "grads": [None if p.grad is None else p.grad.tolist() for p in model.parameters()],
        "values": [value.tolist() for value in model.state_dict().values()],
    }


def training_model() -> ToyNet:
    model = ToyNet().train()
    model.norm.eval()
    model.stem.grad = torch.ones_like(model.stem)
    return model


@cache
def results() -> dict[str, torch.Tensor]:
    """Of each case what it makes of sixteen images of a network as it is, once it was asked for."""
    return {}


def result_of(case: Case) -> torch.Tensor:
    if str(case) not in results():
        results()[str(case)] = case.attack()(ToyNet(), *toy_batch(), NAMES)
    return results()[str(case)]


@pytest.mark.sampled(4)
@every_attack
def test_result_is_inside_ball_and_box_to_the_last_float(case):
    images, result = toy_batch()[0], result_of(case)
    delta = result.double() - images.double()
    pixels = (delta != 0).any(1).flatten(1).double()
    size = {
        "linf": delta.abs().flatten(1).amax(1),
        "l2": delta.flatten(1).norm(dim=1),
        "l1": delta.flatten(1).abs().sum(1),
        "l0": pixels.sum(1),
        "patch": pixels.mean(1),
    }[case.norm]
    assert (size <= EPS[case.norm]).all()
    # From a clean image that four pixels do not hurt apgd does not move.
    assert (size > 0.2 * EPS[case.norm]).float().mean() > (0.8 if case.norm == "l0" else 0.99)
    assert result.min() >= 0 and result.max() <= 1
    assert result.dtype == torch.float32 and result.shape == images.shape
    assert not result.requires_grad and result.grad_fn is None


@pytest.mark.sampled(4)
@every_attack
def test_score_rises(case):
    images, targets = toy_batch()
    # What a gradient says of the network as it is does not reach across the whole range of a pixel.
    model, aggregator = ToyNet(), create_aggregator(case.name.partition("-")[2])
    columns = [list(model.tasks).index(name) for name in aggregator.tasks(list(model.tasks))]
    if case.norm in ("l0", "patch"):
        model.stem.data *= 0.1
        result = case.attack()(model, images, targets)
    else:
        result = result_of(case)
    clean, hurt = (torch.stack(losses_of(model, x, targets), 1)[:, columns] for x in (images, result))
    unit = clean if aggregator.relative_to_clean else torch.ones_like(clean)
    clean, hurt = aggregator.score(clean / unit), aggregator.score(hurt / unit)
    assert hurt.mean() > clean.mean()
    if case.norm in ("l0", "patch"):
        assert (hurt > clean).all()
    if case.name.startswith(TRACKED):
        assert (hurt >= clean).all()


@pytest.mark.sampled(4)
@every_attack
def test_model_and_arguments_are_untouched(case):
    model, (images, targets) = training_model(), toy_batch(4)
    before, pixels, labels = state(model), images.clone(), {name: value.clone() for name, value in targets.items()}
    result = case.attack()(model, images, targets)
    assert state(model) == before
    assert torch.equal(images, pixels) and not images.requires_grad and images.grad is None
    assert all(torch.equal(targets[name], labels[name]) for name in labels)
    assert result.data_ptr() != images.data_ptr()


@pytest.mark.sampled(4)
@every_attack
def test_result_does_not_depend_on_the_batch(case):
    (images, targets), attack, together = toy_batch(), case.attack(), result_of(case)
    for some in (torch.tensor([14]), torch.tensor([9, 0, 15, 3, 7])):
        part = {name: value[some] for name, value in targets.items()}
        assert torch.equal(attack(ToyNet(), images[some], part, [NAMES[i] for i in some]), together[some])


@pytest.mark.sampled(4)
@every_attack
def test_seed_and_ids_matter_only_where_there_is_chance(case):
    model, (images, targets) = ToyNet(), toy_batch(4)
    result = case.attack(seed=0)(model, images, targets, torch.arange(4))
    if not case.random:
        assert torch.equal(case.attack(seed=1)(model, images, targets, list("abcd")), result)
    elif not case.name.startswith(TRACKED):
        assert not torch.equal(case.attack(seed=1)(model, images, targets), result)
        assert not torch.equal(case.attack(seed=0)(model, images, targets, list("abcd")), result)


@pytest.mark.parametrize("name", ["pgd-dgba", "square-dgba", "noise-dgba"])
def test_an_image_without_an_id_has_its_position_for_one(name):
    attack, (images, targets) = create_attack(name, eps=0.1, seed=0), toy_batch(4)
    result = attack(ToyNet(), images, targets)
    for ids in ([0, 1, 2, 3], torch.arange(4)):
        assert torch.equal(attack(ToyNet(), images, targets, ids), result)


@pytest.mark.sampled(4)
@every_attack
def test_passes_are_those_that_the_attack_says(case):
    model, (images, targets) = Counted(ToyNet()), toy_batch(2)
    attack = case.attack()
    attack(model, images, targets)
    assert Cost(model.forwards, model.backwards["images"]) == attack.cost(3)


@pytest.mark.parametrize(
    ("name", "options", "cost"),
    [
        ("fgsm-total", {}, Cost(1, 1)),
        ("bim-dgba", {"steps": 7}, Cost(7, 7)),
        ("pgd-dgba", {}, Cost(20, 20)),
        ("pgd-single:depth", {"steps": 4, "restarts": 3}, Cost(15, 12)),
        ("mim-signsum", {"steps": 4}, Cost(4, 12)),
        ("apgd-dgba", {}, Cost(21, 20)),
        ("apgd-signsum", {"steps": 4, "restarts": 2}, Cost(10, 24)),
        ("nim-dgba", {"steps": 4}, Cost(4, 4)),
        ("dim-dgba", {}, Cost(20, 20)),
        ("tim-signsum", {"steps": 4}, Cost(4, 12)),
        ("sim-dgba", {}, Cost(100, 100)),
        ("sim-signsum", {"steps": 4, "copies": 2}, Cost(8, 24)),
        ("vmi-dgba", {}, Cost(400, 400)),
        ("vmi-signsum", {"steps": 4, "neighbours": 2}, Cost(10, 30)),
        ("bsr-dgba", {"steps": 2, "copies": 3}, Cost(6, 6)),
        ("mim-fia", {"steps": 5}, Cost(35, 35)),
        ("apgd-fia", {"steps": 5, "masks": 4}, Cost(10, 9)),
        ("decay-dgba", {}, Cost(21, 20)),
        ("adam-signsum", {"steps": 4, "restarts": 2}, Cost(10, 24)),
        ("square-dgba", {}, Cost(101, 0)),
        ("noise-signsum", {}, Cost(10, 0)),
    ],
)
def test_cost(name, options, cost):
    assert create_attack(name, eps=0.1, **options).cost(3) == cost


def test_single_does_not_reach_other_heads():
    model, (images, targets) = Counted(ToyNet()), toy_batch(2)
    create_attack("bim-single:depth", eps=0.1, steps=4)(model, images, targets)
    assert model.backwards == {"images": 4, "segmentation": 0, "depth": 4, "normals": 0}


def test_signsum_reaches_one_head_a_pass():
    model, (images, targets) = Counted(ToyNet()), toy_batch(2)
    create_attack("bim-signsum", eps=0.1, steps=4)(model, images, targets)
    assert model.backwards == {"images": 12, "segmentation": 4, "depth": 4, "normals": 4}


@pytest.mark.parametrize("failing_call", [1, 2, 5])
def test_model_is_restored_when_it_raises(failing_call):
    class Failing(ToyNet):
        calls = 0

        def forward(self, images):
            self.calls += 1
            if self.calls == failing_call:
                raise RuntimeError("out of memory")
            return super().forward(images)

    model, (images, targets) = Failing().train(), toy_batch(2)
    model.norm.eval()
    before = state(model)
    with pytest.raises(RuntimeError, match="out of memory"):
        create_attack("apgd-dgba", eps=0.1, steps=4)(model, images, targets)
    assert state(model) == before


def test_modes_are_restored_although_a_module_overrides_train():
    class FrozenNorm(ToyNet):
        def train(self, mode=True):
            super().train(mode)
            self.norm.eval()
            self.dropout.eval()
            return self

    model = FrozenNorm().train()
    model.dropout.training = True
    before = state(model)
    create_attack("bim-dgba", eps=0.1, steps=2)(model, *toy_batch(2))
    assert state(model) == before


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
@pytest.mark.parametrize("name", ["apgd-dgba", "pgd-signsum"])
def test_works_under_any_grad_mode(name, mode):
    attack = create_attack(name, eps=0.1, steps=4)
    expected = attack(ToyNet(), *toy_batch(2))
    model = ToyNet()
    with mode():
        images, targets = toy_batch(2)
        assert torch.equal(attack(model, images, targets), expected)


def test_images_that_require_grad_are_only_read():
    images, targets = toy_batch(2)
    leaf = images.clone().requires_grad_()
    result = create_attack("pgd-dgba", eps=0.1, steps=2)(ToyNet(), leaf, targets)
    assert not result.requires_grad and leaf.grad is None and leaf.requires_grad
    assert torch.equal(result, create_attack("pgd-dgba", eps=0.1, steps=2)(ToyNet(), images, targets))


def test_model_runs_in_eval_mode_without_parameter_gradients():
    class Watching(ToyNet):
        seen = ()

        def forward(self, images):
            self.seen += ((any(m.training for m in self.modules()), any(p.requires_grad for p in self.parameters())),)
            return super().forward(images)

    model = Watching().train()
    create_attack("apgd-total", eps=0.1, steps=3)(model, *toy_batch(2))
    assert model.seen == ((False, False),) * 4


def test_non_finite_gradients_do_not_reach_the_image():
    class Overflowing(ToyNet):
        def forward(self, images):
            predictions = super().forward(images)
            return predictions | {"depth": predictions["depth"] + (images[:, :1, 3:4, 3:4] * 0).sqrt()}

    images, targets = toy_batch(2)
    for norm, eps in EPS.items():
        result = create_attack("pgd-dgba", norm=norm, eps=eps, steps=2)(Overflowing(), images, targets)
        assert result.isfinite().all() and not torch.equal(result, images)
