"""Which attacks `standard` consists of, by the tasks of a model."""

from dataclasses import replace

import pytest
from attack_toys import ToyNet, toy_batch

from mtlattack.attacks import Attack, Standard, create_attack
from mtlattack.tasks import Depth, Segmentation

EPS = 4 / 255


def names(members: tuple[Attack, ...]) -> list[str]:
    return [member.name for member in members]


def standard(**options: str) -> Standard:
    attack = create_attack("standard", eps=EPS, **options)
    assert isinstance(attack, Standard)
    return attack


def test_with_segmentation_there_are_members_that_no_scale_of_its_logits_changes() -> None:
    members = standard().members(["segmentation", "depth"])
    singles = ["apgd-single:segmentation", "apgd-single:depth", "apgd-single:segmentation+dlr"]
    assert names(members) == ["apgd-relative", "apgd-skill+dlr", *singles, "square-relative"]
    assert sum(member.cost(2).backward for member in members) == 200 + 20 * 2 == standard().cost(2).backward


def test_without_it_the_one_for_its_own_metric_is_left_out() -> None:
    members = ["apgd-relative", "apgd-skill+dlr", "apgd-single:depth"]
    assert names(standard().members(["depth"])) == [*members, "square-relative"]
    assert names(standard(norm="l2").members(["depth"])) == members


def test_the_kind_of_a_task_counts_whatever_its_name() -> None:
    found = names(standard().members({"classes": Segmentation(4), "segmentation": Depth()}))
    assert "apgd-single:classes+dlr" in found
    assert "apgd-single:segmentation+dlr" not in found
    assert names(standard().members(ToyNet().tasks)) == names(standard().members(list(ToyNet().tasks)))


def test_it_finds_what_a_member_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each image the points of the member with the highest mean relative loss."""
    few = [replace(member, options={**member.options, "steps": 4}) for member in Standard.composition]
    monkeypatch.setattr(Standard, "composition", tuple(few))
    images, targets = toy_batch(2)
    model = ToyNet()
    found = standard()(model, images, targets)
    each = [member(model, images, targets) for member in standard().members(model.tasks)]
    for image, point in enumerate(found):
        assert any(bool((point == other[image]).all()) for other in each)
