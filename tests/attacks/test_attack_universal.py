"""Universal perturbations: one δ for all images, which must be fitted first and is then free."""

import json

import pytest
import torch
from attack_toys import Counted, LinearNet, ToyNet, losses_of, toy_batch
from torch import Tensor

from mtlattack.attacks import Cost, FittedUniversal, UniversalAttack, create_attack, list_attacks
from mtlattack.attacks.aggregators.wgd import WeightedGradient
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.universal import Labelled
from mtlattack.errors import InputError

EPS = {"linf": 8 / 255, "l2": 0.3}
TASKS = ["segmentation", "depth", "normals"]


def universal(aggregator: str = "dgba", norm: str = "linf", **options: float) -> UniversalAttack:
    attack = create_attack(f"universal-{aggregator}", norm=norm, eps=EPS[norm], **options)
    assert isinstance(attack, UniversalAttack)
    return attack


def batches(count: int = 3, size: int = 4) -> list[Labelled]:
    images, targets = toy_batch(count * size)
    rows = [slice(i * size, (i + 1) * size) for i in range(count)]
    return [(images[r], {name: target[r] for name, target in targets.items()}) for r in rows]


def total_log_loss(images: Tensor, targets: dict[str, Tensor]) -> Tensor:
    return torch.stack(losses_of(ToyNet(), images, targets), 1).log().sum(1)


@pytest.mark.parametrize("norm", list(EPS))
@pytest.mark.parametrize("aggregator", ["dgba", "signsum", "single:depth", "feature"])
def test_the_same_change_for_every_image_and_batch_inside_the_ball(aggregator: str, norm: str) -> None:
    fitted = universal(aggregator, norm, epochs=4).fit(ToyNet(), batches())
    images, targets = toy_batch(6)
    result = fitted(ToyNet(), images, targets)
    delta = (result.double() - images.double()).flatten(1)
    order = float("inf") if norm == "linf" else 2
    assert (delta.norm(order, dim=1) <= EPS[norm]).all()
    assert result.min() >= 0 and result.max() <= 1
    assert fitted.delta.norm(order) > 0.5 * EPS[norm] and fitted.delta.shape == (3, 6, 6)
    # Up to the box and the last float it is δ.
    torch.testing.assert_close(result, (images + fitted.delta).clamp(0, 1), rtol=0, atol=1e-6)
    alone = [fitted(ToyNet(), images[[i]], {k: v[[i]] for k, v in targets.items()}, [f"room-{i}"]) for i in range(6)]
    assert torch.equal(torch.cat(alone), result)


@pytest.mark.parametrize("norm", list(EPS))
def test_a_fitted_change_hurts_more_than_the_noise_it_started_from(norm: str) -> None:
    images, targets = toy_batch(12)
    attack = universal("dgba", norm)
    result = attack.fit(ToyNet(), batches())(ToyNet(), images, targets)
    start = FittedUniversal(threat=attack.threat, attack=attack, delta=attack._start(images))
    clean, noisy, hurt = (total_log_loss(x, targets).mean() for x in (images, start(ToyNet(), images, targets), result))
    assert hurt - clean > 2 * abs(noisy - clean)


def test_a_linear_model_has_a_known_optimum() -> None:
    weights = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0))
    model, images = LinearNet({"a": weights}), torch.full((5, 3, 4, 4), 0.5)
    labels = {"a": torch.ones(5)}
    for norm, expected in [("linf", weights.sign() * EPS["linf"]), ("l2", weights / weights.norm() * EPS["l2"])]:
        fitted = universal("total", norm, epochs=60).fit(model, [(images, labels)])
        torch.testing.assert_close(fitted.delta, expected, rtol=0, atol=0.02 * EPS[norm])


def test_a_fit_depends_on_the_seed_and_on_the_order_and_on_nothing_else() -> None:
    attack, data = universal(epochs=2), batches()
    delta = attack.fit(ToyNet(), data).delta
    assert torch.equal(attack.fit(ToyNet(), tuple(data)).delta, delta)
    model = ToyNet()
    with torch.inference_mode():
        again = attack.fit(model, batches())
    assert torch.equal(again.delta, delta) and not again.delta.is_inference()
    assert torch.equal(attack.fit(ToyNet(), data, search=ToyNet()).delta, delta)
    other = create_attack("universal-dgba", eps=EPS["linf"], epochs=2, seed=1)
    assert isinstance(other, UniversalAttack)
    assert not torch.equal(other.fit(ToyNet(), data).delta, delta)
    assert not torch.equal(attack.fit(ToyNet(), data[::-1]).delta, delta)


def test_an_aggregator_that_looks_back_remembers_each_image_over_the_whole_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Tensor, Tensor]] = []
    plain = WeightedGradient.rates

    def rates(self: WeightedGradient, losses: Tensor, memory: dict[str, Tensor]) -> Tensor:
        seen.append((losses, plain(self, losses, memory)))
        return seen[-1][1]

    monkeypatch.setattr(WeightedGradient, "rates", rates)
    universal("wgd", epochs=3).fit(ToyNet(), batches(2))
    assert len(seen) == 6
    for visit, (losses, found) in enumerate(seen):
        torch.testing.assert_close(found, losses / seen[visit % 2][0])
    assert not torch.equal(seen[5][1], torch.ones_like(seen[5][1]))


def test_whole_gradients_are_not_kept_for_a_data_set(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[dict[str, Tensor]] = []
    begin = Objective.begin

    def beginning(self: Objective, steps: int, memory: dict[str, Tensor] | None = None) -> None:
        kept.append(dict(memory or {}))
        begin(self, steps, memory)

    monkeypatch.setattr(Objective, "begin", beginning)
    for aggregator, remembers in (("saga", False), ("minmax", True)):
        kept.clear()
        universal(aggregator, epochs=2).fit(ToyNet(), batches(2))
        assert [bool(memory) for memory in kept] == [False, False, remembers, remembers]


@pytest.mark.parametrize(
    ("aggregator", "each"), [("dgba", Cost(1, 1)), ("signsum", Cost(1, 3)), ("feature", Cost(2, 1))]
)
def test_cost(aggregator: str, each: Cost) -> None:
    model, attack, data = Counted(ToyNet()), universal(aggregator, epochs=2), batches()
    model.model.train()
    fitted = attack.fit(model, data)
    passes = len(data) * attack.epochs
    assert Cost(model.forwards, model.backwards["images"]) == Cost(passes * each.forward, passes * each.backward)
    assert attack.fitting_cost(3) == Cost(2 * each.forward, 2 * each.backward)
    assert model.model.training and all(p.grad is None for p in model.parameters())
    spent = model.forwards
    fitted(model, *toy_batch(2))
    assert model.forwards == spent and fitted.cost(3) == attack.cost(3) == Cost(0, 0)


def test_the_search_model_gives_the_gradients() -> None:
    judge, search = Counted(ToyNet()), Counted(ToyNet())
    universal(epochs=1).fit(judge, batches(), search=search)
    assert (judge.forwards, search.forwards, search.backwards["images"]) == (0, 3, 3)


def test_names_and_config() -> None:
    attack = universal("single:depth", epochs=3)
    config = json.loads(json.dumps(attack.config()))
    assert config == {
        "name": "universal-single:depth", "norm": "linf", "eps": 8 / 255, "seed": 0, "epochs": 3, "step_size": 2 / 255,
    }  # fmt: skip
    assert create_attack(**config).config() == config
    fitted = attack.fit(ToyNet(), batches())
    assert fitted.config() == config and str(fitted) == str(attack) == "universal-single:depth (linf 8/255)"
    assert "universal-single:depth" in list_attacks("universal-*", tasks=["depth"])


def test_what_a_user_can_get_wrong() -> None:
    images, targets = toy_batch(2)
    with pytest.raises(InputError, match="universal-dgba is not fitted: attack.fit"):
        universal()(ToyNet(), images, targets)
    with pytest.raises(InputError, match="universal-dgba cannot be fitted on no images"):
        universal().fit(ToyNet(), [])
    fitted = universal(epochs=1).fit(ToyNet(), batches())
    larger, labels = toy_batch(2, size=8)
    with pytest.raises(InputError, match="images are 8×8, the universal perturbation was fitted on images 6×6"):
        fitted(ToyNet(), larger, labels)
    with pytest.raises(InputError, match="images are 8×8"):
        universal(epochs=1).fit(ToyNet(), [*batches(), (larger, labels)])
    with pytest.raises(InputError, match="images hold values"):
        universal().fit(ToyNet(), [(2 * images, targets)])
    with pytest.raises(InputError, match="no target for task 'depth'"):
        universal().fit(ToyNet(), [(images, {k: v for k, v in targets.items() if k != "depth"})])
    for options, message in [
        ({"epochs": 0}, "epochs 0 is not a whole number"),
        ({"step_size": 0.0}, "step_size 0.0 is outside"),
        ({"steps": 3}, "universal-dgba takes no option 'steps'; it takes: epochs, step_size"),
        ({"norm": "l1"}, "universal is made for linf, l2, not for l1"),
    ]:
        with pytest.raises(InputError, match=message):
            create_attack("universal-dgba", **{"eps": 0.1} | options)  # type: ignore[arg-type]
