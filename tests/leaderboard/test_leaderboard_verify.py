"""Verification: an honest row comes out again, a forged one does not, whatever it is consistent with."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checking_toys import changed
from leaderboard_toys import IMAGES, MODEL, TINY_SUITE, write_suite
from verify_toys import DGBA, HEADLINE, OTHER, again, job_of, narrow, put_forged, weaken

from mtlattack.attacks import Attack
from mtlattack.data import PreparedDataset, load_dataset
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation import evaluate, load_suite
from mtlattack.evidence import Evidence
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.verifying.agreement import Pair, attacked_differences, clean_differences, rows_of
from mtlattack.leaderboard.verifying.picking import draw_nonce, pick_images
from mtlattack.leaderboard.verifying.tolerances import BFLOAT16, FLOAT32, TF32, arithmetic_of, judge_attack, judge_clean
from mtlattack.leaderboard.verifying.verification import event_of, verify_row
from mtlattack.models import MultiTaskNetwork, create_model, create_network


@pytest.fixture(scope="module")
def model() -> MultiTaskNetwork:
    return create_model(MODEL)


@pytest.fixture(scope="module")
def data(suites: Path) -> PreparedDataset:
    return load_dataset("rooms", limit=IMAGES)


def test_an_honest_row_comes_out_again(
    stored: StoredRow, model: MultiTaskNetwork, data: PreparedDataset, tiny_evidence: Evidence
) -> None:
    result = again(stored, model, data, attacks=["*"])
    assert result.agrees and result.farthest.ok
    # More images are asked for than there are.
    assert result.images == data.ids and result.of_images == IMAGES
    names = [p["config"]["name"] for p in tiny_evidence.plan["attacks"] if p["config"]["eps"] == HEADLINE]
    assert [agreement.name for agreement in result.attacked] == names and len(names) == 9
    assert {agreement.eps for agreement in result.attacked} == {HEADLINE}
    reported = next(attack for attack in stored.record.attacks if (attack.name, attack.eps) == ("apgd-dgba", HEADLINE))
    first = result.attacked[names.index("apgd-dgba")].findings[0].difference
    assert first.reported == pytest.approx(reported.log_ratio.value, rel=1e-9)


@pytest.mark.parametrize("options", [{"batch_size": 1}, {"images": 2, "nonce": "other"}, {"eps": [2 / 255, 4 / 255]}])
def test_it_does_however_it_is_run(
    stored: StoredRow, model: MultiTaskNetwork, data: PreparedDataset, options: dict[str, object]
) -> None:
    result = again(stored, model, data, **options)
    assert result.agrees and len(result.images) == options.get("images", IMAGES)
    assert [agreement.eps for agreement in result.attacked] == options.get("eps", [HEADLINE])


def test_a_nonce_says_which_images(tiny_evidence: Evidence) -> None:
    ids = [f"test-{i:05d}" for i in range(40)]
    by_hash = sorted(
        ids, key=lambda x: hashlib.sha256(json.dumps(["a" * 16, "n", x]).replace(" ", "").encode()).digest()
    )
    picked = pick_images("a" * 16, "n", ids, 8)
    assert picked == sorted(ids.index(x) for x in by_hash[:8]) == pick_images("a" * 16, "n", ids, 8)
    backwards = pick_images("a" * 16, "n", ids[::-1], 8)
    assert {ids[::-1][i] for i in backwards} == {ids[i] for i in picked}
    assert pick_images("a" * 16, "m", ids, 8) != picked != pick_images("b" * 16, "n", ids, 8)
    assert pick_images("a" * 16, "n", ids, 41) == list(range(40))


def test_no_image_is_safe(tiny_evidence: Evidence) -> None:
    # Binomial: 300 draws of 4 of 16 give each image 75 ± 7.5 times.
    ids = [str(i) for i in range(16)]
    often = Counter(i for n in range(300) for i in pick_images("a" * 16, f"nonce{n}", ids, 4))
    assert all(40 < often[i] < 110 for i in range(16))
    assert len({draw_nonce() for _ in range(50)}) == 50


@pytest.mark.parametrize("nonce", ["", "two words", "new\nline", "ü", "x" * 65])
def test_nonces_that_are_refused(nonce: str) -> None:
    with pytest.raises(InputError, match="nonce .*expected 1 to 64"):
        pick_images("a" * 16, nonce, ["x"], 1)
    with pytest.raises(InputError, match="images 0, expected at least 1"):
        pick_images("a" * 16, "n", ["x"], 0)


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, ...], Evidence]:
    return {}


@pytest.fixture
def run_once(found: dict[tuple[str, ...], Evidence], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is run again is run once for all: it is the same for every forged row."""

    def remembered(model: object, data: PreparedDataset, attacks: Iterable[Attack], **options: Any) -> Evidence:
        attacks = list(attacks)
        key = (*data.ids, *map(str, attacks), str(options))
        if key not in found:
            found[key] = evaluate(model, data, attacks, **options)  # type: ignore[arg-type]
        return found[key]

    monkeypatch.setattr("mtlattack.leaderboard.verifying.verification.evaluate", remembered)


def five_percent_more_robust(evidence: Evidence) -> None:
    weaken(evidence, job_of(evidence, "apgd-dgba"), 0.95)


def one_percent_more_robust(evidence: Evidence) -> None:
    weaken(evidence, job_of(evidence, "apgd-dgba"), 0.99)


def five_percent_stronger(evidence: Evidence) -> None:
    weaken(evidence, job_of(evidence, "apgd-dgba"), 1.05)


def lower_clean_losses(evidence: Evidence) -> None:
    evidence.clean.losses[:, 1] = narrow(0.999 * evidence.clean.losses[:, 1])


def better_clean_segmentation(evidence: Evidence) -> None:
    evidence.clean.statistics["segmentation"] = tiny_gain(evidence.clean.statistics["segmentation"])


def better_depth_under_attack(evidence: Evidence) -> None:
    statistics = evidence.attacked[job_of(evidence, "apgd-dgba")].statistics["depth"]
    # All but the numbers of pixels: errors a tenth smaller.
    statistics[:, 1:] = narrow(0.9 * statistics[:, 1:])


def tiny_gain(statistics: np.ndarray) -> np.ndarray:
    """Segmentation with 3 % of the right pixels of each class more."""
    classes = (statistics.shape[1] - 1) // 3
    better = statistics.copy()
    better[:, 1 : 1 + classes] = np.floor(1.03 * statistics[:, 1 : 1 + classes])
    return better


def weaker_attack_in_its_place(evidence: Evidence) -> None:
    evidence.attacked[job_of(evidence, "apgd-dgba")] = evidence.attacked[job_of(evidence, "fgsm-dgba")]


def smaller_eps_in_its_place(evidence: Evidence) -> None:
    evidence.attacked[job_of(evidence, "apgd-dgba")] = evidence.attacked[DGBA]


def one_image_better(evidence: Evidence) -> None:
    outcome, clean = evidence.attacked[job_of(evidence, "apgd-dgba")], evidence.clean
    outcome.losses[1] = clean.losses[1]


def masked_gradients(evidence: Evidence) -> None:
    evidence.attacked[job_of(evidence, "apgd-dgba")].diagnostics[:, 0] = 1


def other_labels(evidence: Evidence) -> None:
    for outcome in [evidence.clean, *evidence.attacked]:
        outcome.statistics["depth"][0, 0] -= 1


FORGERIES = {
    five_percent_more_robust: ("apgd-dgba", "log ratio"),
    one_percent_more_robust: ("apgd-dgba", "log ratio"),
    five_percent_stronger: ("apgd-dgba", "log ratio"),
    lower_clean_losses: ("clean", "clean loss"),
    better_clean_segmentation: ("clean", "clean metrics"),
    better_depth_under_attack: ("apgd-dgba", "metrics"),
    weaker_attack_in_its_place: ("apgd-dgba", "log ratio"),
    smaller_eps_in_its_place: ("apgd-dgba", "log ratio"),
    one_image_better: ("apgd-dgba", "image"),
    masked_gradients: ("apgd-dgba", "noted"),
    other_labels: ("clean", "labels"),
}


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.__name__)
def test_a_forged_row_does_not_though_it_fits_its_evidence(
    board: Board, tiny_evidence: Evidence, model: MultiTaskNetwork, data: PreparedDataset,
    forgery: Callable[[Evidence], None], run_once: None,
) -> None:  # fmt: skip
    stored = put_forged(board, tiny_evidence, forgery)
    result = again(stored, model, data)
    where, measure = FORGERIES[forgery]
    wrong = {
        (each.name, finding.difference.measure)
        for each in [result.clean, *result.attacked]
        for finding in each.findings
        if not finding.ok
    }
    assert not result.agrees and not result.farthest.ok
    assert (where, measure) in wrong


def test_another_models_evidence_under_this_checkpoint(
    board: Board, tiny_evidence: Evidence, model: MultiTaskNetwork, data: PreparedDataset
) -> None:
    other, job = create_model(OTHER), job_of(tiny_evidence, "fgsm-dgba")
    attack = load_suite("tiny").create_attacks(other.tasks)[job]
    evidence = evaluate(other, data, [attack], device="cpu")

    def paste(copied: Evidence) -> None:
        for of, there in ((copied.clean, evidence.clean), (copied.attacked[job], evidence.attacked[0])):
            of.losses[:] = there.losses
            of.statistics.update(there.statistics)

    result = again(put_forged(board, tiny_evidence, paste), model, data, attacks=["fgsm-dgba"])
    assert not result.clean.ok and not result.attacked[0].ok


def test_evidence_of_other_weights_is_not_the_rows(
    stored: StoredRow, model: MultiTaskNetwork, data: PreparedDataset, tiny_evidence: Evidence
) -> None:
    edited = changed(tiny_evidence, lambda e: e.plan["model"].update(sha256="b" * 64))
    with pytest.raises(InputError, match=f"row {stored.id} is not what its evidence says: model.weights_sha256 is"):
        verify_row(stored, edited, model, data)


def test_what_is_not_the_rows(stored: StoredRow, model: MultiTaskNetwork, data: PreparedDataset) -> None:
    with pytest.raises(InputError, match=r"other weights: .*\(model.weights_sha256\)"):
        again(stored, create_model(OTHER), data)
    segmentation = [task.config() for task in model.tasks.values()][:1]
    with pytest.raises(InputError, match="the model predicts .*; row .* is about"):
        again(stored, create_network({**model.config.model_dump(), "tasks": segmentation}), data)
    for other in (load_dataset("rooms", limit=IMAGES, every=2), load_dataset("rooms", limit=IMAGES - 1)):
        with pytest.raises(InputError, match=r"other data: id of .*\(data.sha256.id\)"):
            again(stored, model, other)
    with pytest.raises(UnknownNameError, match="unknown attack of suite tiny: 'apgd-dbga'; did you mean 'apgd-dgba'"):
        again(stored, model, data, attacks=["apgd-dbga"])
    with pytest.raises(InputError, match="eps 0.5 is none of row"):
        again(stored, model, data, eps=[0.5])


def test_a_row_of_another_version_of_its_suite(
    stored: StoredRow, model: MultiTaskNetwork, data: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "suites").mkdir()
    write_suite(tmp_path / "suites", TINY_SUITE.replace("version = 1", "version = 2"))
    monkeypatch.setattr("mtlattack.evaluation.suites.SUITES", tmp_path / "suites")
    with pytest.raises(InputError, match="suite.version is 1, tiny is at version 2: versions never mix"):
        again(stored, model, data)


def test_tolerances_follow_strength_images_and_arithmetic(tiny_evidence: Evidence) -> None:
    tasks, rows = tiny_evidence.tasks, list(range(IMAGES))
    clean = Pair(tiny_evidence.clean, rows_of(tiny_evidence.clean, rows))
    job = job_of(tiny_evidence, "apgd-dgba")
    reported = tiny_evidence.attacked[job]
    found = changed(tiny_evidence, lambda e: weaken(e, job, 0.98)).attacked[job]
    differences = attacked_differences(clean, Pair(reported, found), tasks)
    ratio = np.log(reported.losses / clean.reported.losses)
    assert differences[0].reported == pytest.approx(ratio.mean(), rel=1e-12)
    assert differences[0].size == pytest.approx(-0.02 * ratio.mean(), rel=1e-3)
    assert not judge_attack("apgd-dgba", HEADLINE, differences, 8, FLOAT32).ok
    assert judge_attack("apgd-dgba", HEADLINE, differences, 8, BFLOAT16).ok
    assert judge_attack("apgd-single:depth", HEADLINE, differences, 8, FLOAT32).findings[0].share < 1.05
    eight, thirtytwo = (judge_attack("a-b", HEADLINE, differences, k, FLOAT32).findings[0].tolerance for k in (8, 32))
    assert eight == pytest.approx(0.005 * abs(differences[0].found), rel=0.03)
    assert thirtytwo == pytest.approx(eight / 2, rel=0.03)
    chosen = [arithmetic_of(tf32=tf32, search=search) for tf32 in (False, True) for search in ("float32", "bfloat16")]
    assert chosen[:3] == [FLOAT32, BFLOAT16, TF32]
    assert (chosen[3].joint, chosen[3].clean_loss) == (BFLOAT16.joint, TF32.clean_loss)
    # Nothing is tolerated of labels, and nothing undefined.
    assert judge_clean(clean_differences(clean, tasks), IMAGES, FLOAT32).farthest.share == 0
    lost = changed(tiny_evidence, lambda e: e.attacked[job].losses.fill(np.nan)).attacked[job]
    assert not judge_attack("a-b", HEADLINE, attacked_differences(clean, Pair(reported, lost), tasks), 8, BFLOAT16).ok


def test_a_note_fits_the_ledger_and_names_must(
    stored: StoredRow, model: MultiTaskNetwork, data: PreparedDataset
) -> None:
    result = again(stored, model, data, images=1, attacks=["fgsm-dgba"])
    many = replace(result, thorough=True, attacked=[result.attacked[0]] * 300)
    assert len(event_of(many, "somebody", datetime.now(UTC)).note) <= 2000
    with pytest.raises(InputError, match="event: by"):
        event_of(many, "", datetime.now(UTC))
