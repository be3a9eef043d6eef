"""Suites: the shipped ones expand, and a mistake in one is named in one line."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mtlattack.data import load_dataset
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation import choose, list_suites, load_suite
from mtlattack.tasks import Depth, EdgeTexture, Keypoints2D, Normals, Segmentation, TaskMap

TASKS = {task.name: task for task in (Segmentation(13), Depth(), Normals(), EdgeTexture(), Keypoints2D())}
THREE = {name: TASKS[name] for name in ("segmentation", "depth", "normals")}
HEAD = 'name = "mine"\nversion = 1\ndescription = ""\ndata = "rooms"\n'


def write(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(HEAD + text)
    return str(path)


@pytest.mark.parametrize("name", list_suites())
def test_shipped_suite_expands(name: str) -> None:
    suite = load_suite(name)
    tasks: TaskMap = THREE if suite.data == "nyuv2" else TASKS
    attacks = suite.create_attacks(tasks)
    assert suite.name == name and suite.model is not None and suite.model.startswith(suite.data)
    assert len({str(attack) for attack in attacks}) == len(attacks) > 0
    names = list(dict.fromkeys(attack.name for attack in attacks))
    assert len(attacks) == len(names) * len(suite.eps)
    assert {"apgd-total", "apgd-dgba", *(f"apgd-single:{task}" for task in tasks)} <= set(names)
    assert ("standard" if suite.data_sha256 else "apgd-signsum") in names  # what ranks must not be dodged by scaling
    levels = 255 if suite.norm == "linf" else 1
    assert [attack.threat.eps * levels for attack in attacks[:: len(names)]] == pytest.approx(suite.eps)


@pytest.mark.parametrize("name", ["quick", "rooms-board"])
def test_leaderboard_suites_know_their_images(name: str) -> None:
    suite = load_suite(name)
    data = load_dataset(suite.data, suite.split, every=suite.every, limit=suite.limit)
    assert suite.data_sha256 == data.digests() and len(data) in (16, 32)


def test_nyuv2_board_knows_its_images(shared_data: Path) -> None:
    suite = load_suite("nyuv2-board")
    path = shared_data / "nyuv2" / "nyuv2-120x160.h5"
    if not path.is_file():
        pytest.skip("NYUv2 is not prepared here")
    assert suite.data_sha256 == load_dataset(path, suite.split, tasks=THREE, every=suite.every).digests()


def test_identity_is_of_what_is_run(tmp_path: Path) -> None:
    text = 'eps = [4]\nattacks = ["fgsm-dgba"]\n'
    suite = load_suite(write(tmp_path, text))
    shown = suite.model_copy(update={"description": "else", "model": "else", "headline": 4.0})
    assert shown.sha256 == suite.sha256 == load_suite(write(tmp_path, text)).sha256
    for change in ({"seed": 1}, {"eps": [4.5]}, {"version": 2}, {"every": 2}, {"attacks": []}):
        assert suite.model_copy(update=change).sha256 != suite.sha256


def test_headline_is_one_of_eps(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"headline 5 is not one of eps \[4.0, 8.0\]"):
        load_suite(write(tmp_path, "eps = [4, 8]\nheadline = 5\nattacks = []"))


@pytest.mark.parametrize("name", ["rooms-linf", "nyuv2-linf"])
def test_full_suites_hold_every_pair(name: str) -> None:
    suite, tasks = load_suite(name), THREE if name.startswith("nyuv2") else TASKS
    aggregators = ["total", "signsum", "dgba", *(f"single:{task}" for task in tasks)]
    expected = {f"{step}-{aggregator}" for step in ("fgsm", "pgd", "apgd") for aggregator in aggregators}
    assert suite.eps == [1, 2, 4, 8, 16]
    assert {attack.name for attack in suite.create_attacks(tasks)} == expected


def test_globs_keep_their_order_and_name_each_attack_once(tmp_path: Path) -> None:
    suite = load_suite(write(tmp_path, 'eps = [4, 8]\nattacks = ["pgd-total", "fgsm-single:*", "*-total"]'))
    steps = ["pgd-total", *(f"fgsm-single:{task}" for task in sorted(THREE))]
    names = [attack.name for attack in suite.create_attacks(THREE)]
    assert names[:4] == steps and names[: len(names) // 2] == names[len(names) // 2 :]
    assert names.count("pgd-total") == 2 and names.count("apgd-total") == 2


def test_options_reach_their_step_rule_alone(tmp_path: Path) -> None:
    text = 'eps = [4]\nseed = 7\nattacks = ["fgsm-total", "pgd-total", "apgd-total", "bim-total"]\n[options]\n'
    suite = load_suite(write(tmp_path, text + "pgd = {steps = 3, restarts = 2}\napgd = {steps = 5}\n"))
    configs = {attack.name: attack.config() for attack in suite.create_attacks(THREE)}
    assert (configs["pgd-total"]["steps"], configs["pgd-total"]["restarts"]) == (3, 2)
    assert (configs["apgd-total"]["steps"], configs["apgd-total"]["restarts"]) == (5, 1)
    assert configs["bim-total"]["steps"] == 20 and "steps" not in configs["fgsm-total"]
    assert {config["seed"] for config in configs.values()} == {7}


def test_l2_counts_as_it_is(tmp_path: Path) -> None:
    suite = load_suite(write(tmp_path, 'norm = "l2"\neps = [0.5, 300]\nattacks = ["pgd-dgba"]'))
    assert [(a.threat.norm, a.threat.eps) for a in suite.create_attacks(THREE)] == [("l2", 0.5), ("l2", 300)]


@pytest.mark.parametrize(
    ("norm", "eps", "texts"),
    [
        ("linf", [4, 8], ["linf 4/255, 8-bit", "linf 8/255, 8-bit"]),
        ("l1", [12.5], ["l1 12.5, 8-bit"]),
        ("l0", [10, 50], ["l0 10 px, 8-bit", "l0 50 px, 8-bit"]),
        ("patch", [0.05], ["patch 5 %, 8-bit"]),
    ],
)
def test_every_norm_and_8_bit_images(norm: str, eps: list[float], texts: list[str], tmp_path: Path) -> None:
    text = f'norm = "{norm}"\neps = {eps}\nquantize = true\nattacks = ["pgd-dgba"]'
    attacks = load_suite(write(tmp_path, text)).create_attacks(THREE)
    assert [str(attack.threat) for attack in attacks] == texts
    assert all(attack.config()["quantized"] is True for attack in attacks)


def test_a_target_is_what_every_attack_of_a_suite_leads_to(tmp_path: Path) -> None:
    text = 'eps = [4]\nattacks = ["apgd-relative", "bim-*"]\n'
    target = {"segmentation": "1->5", "depth": "x1.5"}
    suite = load_suite(write(tmp_path, text + '[target]\nsegmentation = "1->5"\ndepth = "x1.5"\n'))
    attacks = {attack.name: attack for attack in suite.create_attacks(THREE)}
    assert all(attack.config()["target"] == target for attack in attacks.values())
    assert {"apgd-relative", "bim-total"} <= set(attacks) and "bim-dgba" not in attacks  # which leads to none
    plain = load_suite(write(tmp_path, text))
    assert plain.sha256 != suite.sha256 != suite.model_copy(update={"target": {"depth": "x2"}}).sha256
    for name, message in (("pgd-dgba", "dgba leads to no target"), ("standard", "takes no target")):
        with pytest.raises(InputError, match=message):
            suite.model_copy(update={"attacks": [name]}).create_attacks(THREE)


def test_a_glob_leaves_out_attacks_on_a_task_that_a_target_leads_nowhere(tmp_path: Path) -> None:
    """One without a goal, and one that is to be kept."""
    text = 'eps = [4]\nattacks = ["fgsm-single:*"]\n[target]\nsegmentation = "1->5"\ndepth = "keep"\n'
    suite = load_suite(write(tmp_path, text))
    assert [attack.name for attack in suite.create_attacks(THREE)] == ["fgsm-single:segmentation"]


def test_a_target_that_is_asked_for_takes_the_place_of_the_suites(tmp_path: Path) -> None:
    """And brings an attack where there was none that leads to one."""

    def asked(text: str, **changes: Any) -> tuple[dict[str, Any], list[str], dict[str, str]]:
        chosen = choose(
            write(tmp_path, 'eps = [4]\nattacks = ["pgd-total"]\n' + text), "toy", None, None, changes,
            resolve=lambda name, checkpoint: (SimpleNamespace(tasks=THREE), name),  # type: ignore[arg-type,return-value]
            load=lambda *names, **limits: None,  # type: ignore[arg-type,return-value]
        )  # fmt: skip
        return chosen.overrides, [a.name for a in chosen.attacks], chosen.attacks[0].config()["target"]

    own, other = {"depth": "x2"}, {"depth": "keep", "normals": "y30"}
    table = '[target]\ndepth = "x2"\n'
    assert asked(table) == ({}, ["pgd-total"], own)
    assert asked(table, target=other) == ({"target": other}, ["pgd-total"], other)
    assert asked("", target=own) == ({"target": own, "attacks": ["apgd-relative"]}, ["apgd-relative"], own)


def test_empty_attacks_mean_clean_only(tmp_path: Path) -> None:
    assert load_suite(write(tmp_path, "eps = [4]\nattacks = []")).create_attacks(THREE) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("eps = [4, 8, 4]\nattacks = []", r"eps \[4.0, 8.0, 4.0\] holds a value twice"),
        ("eps = [300]\nattacks = []", r"eps 300 is outside \(0, 255\] for linf"),
        ("eps = [0]\nattacks = []", r"eps 0 is outside \(0, 255\]"),
        ("eps = [nan]\nattacks = []", "eps nan is outside"),
        ("eps = [-1]\nnorm = 'l2'\nattacks = []", "eps -1 is outside"),
        ("eps = []\nattacks = []", "eps: List should have at least 1 item"),
        ("eps = [4]", "attacks: Field required"),
        ("eps = [4]\nattacks = []\nlimt = 3", r"limt: Extra inputs are not permitted \(got 3\)"),
        ("eps = [4]\nattacks = []\nlimit = 0", r"limit: Input should be greater than or equal to 1 \(got 0\)"),
        ("eps = [4]\nattacks = []\nnorm = 'l3'", "norm: Input should be 'linf', 'l2', 'l1', 'l0' or 'patch'"),
        ("eps = [inf]\nattacks = []\nnorm = 'l2'", r"eps inf is outside \(0, ∞\) for l2"),
        ("eps = [2]\nattacks = []\nnorm = 'patch'", r"eps 2 is outside \(0, 1\] for patch"),
        ("eps = [1.5]\nattacks = []\nnorm = 'l0'", "eps 1.5 is not a whole number of pixels"),
        ("eps = [0.5]\nattacks = []\nquantize = true", "eps 0.00196078 .linf. is too small for 8-bit images"),
        ("eps = [4]\nattacks = []\nseed = -1", "seed -1, expected a whole number of at least 0"),
        (
            "eps = [4]\nattacks = []\noptions = {pdg = {steps = 3}}",
            "unknown step rule, aggregator or attack 'pdg'; did you mean 'pgd'",
        ),
        ("eps = [4]\nattacks = []\noptions = {pgd = {step = 3}}", "pgd takes no option 'step'; it takes: steps"),
        ("eps = [4]\nattacks = []\noptions = {pgd = {eps = 3}}", "pgd takes no option 'eps'"),
        ("eps = [4]\nattacks = []\noptions = {pgd = {steps = 0}}", "steps 0 is not a whole number"),
        ("eps = [4]\nattacks = []\ntarget = 'x2'", "target: Input should be a valid dictionary"),
        ("eps = [4]\nattacks = []\ntarget = {}", "target: Dictionary should have at least 1 item"),
        ("eps = [4]\nattacks = []\ntarget = {depth = 2}", r"target.depth: Input should be a valid string \(got 2\)"),
        ("eps = 4,", r"mine.toml: .*\(at line 5, column 8\)"),
    ],
)
def test_mistake_names_file_field_and_value(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mine.toml: .*" + message.removeprefix("mine.toml: ")) as caught:
        load_suite(write(tmp_path, text))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_wrong_names_give_a_hint(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown suite 'qick'; did you mean 'quick'"):
        load_suite("qick")
    with pytest.raises(InputError, match="no suite file .*none.toml"):
        load_suite(str(tmp_path / "none.toml"))
    suite = load_suite(write(tmp_path, 'eps = [4]\nattacks = ["pgd-total", "apgd-dbga"]'))
    with pytest.raises(UnknownNameError, match="unknown attack 'apgd-dbga'; did you mean 'apgd-dgba'"):
        suite.create_attacks(THREE)
    with pytest.raises(UnknownNameError, match="unknown attack 'pgd-single:keypoints2d'"):
        suite.model_copy(update={"attacks": ["pgd-single:keypoints2d"]}).create_attacks(THREE)


def test_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="binary.toml: .*codec can't decode"):
        load_suite(str(path))


@pytest.mark.parametrize("norm", ["l2", "l1", "l0", "patch"])
def test_a_glob_names_what_is_made_for_the_norm(norm: str, tmp_path: Path) -> None:
    eps = {"l0": 4, "patch": 0.1}.get(norm, 1)
    suite = load_suite(write(tmp_path, f'norm = "{norm}"\neps = [{eps}]\nattacks = ["apgd-*", "square-dgba"]'))
    with pytest.raises(InputError, match=f"square is made for linf, not for {norm}"):
        suite.create_attacks(THREE)
    names = [attack.name for attack in suite.model_copy(update={"attacks": ["apgd-*"]}).create_attacks(THREE)]
    assert "apgd-dgba" in names and "apgd-maxmin" not in names and ("apgd-sparse" in names) == (norm == "l0")
    with pytest.raises(InputError, match=f"none of the attacks that adam-max\\* names is made for {norm}"):
        suite.model_copy(update={"attacks": ["adam-max*"]}).create_attacks(THREE)


def test_a_criterion_that_there_is_not_is_named(tmp_path: Path) -> None:
    suite = load_suite(write(tmp_path, 'eps = [4]\nattacks = ["apgd-*+cospg"]'))
    with pytest.raises(UnknownNameError, match="unknown criterion 'cospg'; did you mean 'cospgd'"):
        suite.create_attacks(THREE)
