"""The picture of an attack on one image: errors by brightness, and which run, image and attack it is of."""

from pathlib import Path

import numpy as np
import pytest
from evaluation_toys import Little
from matplotlib.image import imread

from mtlattack.attacks import create_attack
from mtlattack.data import PreparedDataset
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation import closeup, evaluate
from mtlattack.evaluation.closeup import closeup_of, paint_errors
from mtlattack.tasks import Painting


def test_errors_are_black_at_none_and_brightest_at_the_largest() -> None:
    errors = np.array([[[0.0, 1.0], [2.0, 9.0]]])
    valid = np.array([[[True, True], [True, False]]])
    pictures, largest, brightest = paint_errors(errors, valid)
    assert largest == 2 and pictures.shape == (1, 2, 2, 3)
    assert pictures[0, 0, 0].max() < 0.02 and tuple(pictures[0, 1, 0]) == brightest
    assert 0.1 < pictures[0, 0, 1].mean() < pictures[0, 1, 0].mean()
    assert (pictures[0, 1, 1] == 0.85).all()  # no label
    assert paint_errors(np.zeros((1, 2, 2)), valid)[0][0, 0].max() < 0.02


def test_what_is_drawn_is_the_runs_own(
    network: Little, data: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attacks = [create_attack(name, eps=eps, steps=2) for name in ("pgd-dgba", "apgd-total") for eps in (0.01, 0.03)]
    run = evaluate(network, data, attacks, device="cpu", batch_size=2)
    drawn: dict[str, Painting] = {}

    def columns(title: str, rows: list[str], columns: dict[str, Painting]) -> object:
        drawn.update(columns, title=title)  # type: ignore[arg-type]
        return original(title, rows, columns)

    original = closeup.draw_columns
    monkeypatch.setattr(closeup, "draw_columns", columns)
    path = closeup_of(run, network, data, tmp_path / "new" / "panel.png", image=data.ids[2], attack="apgd-total")
    assert imread(path).ndim == 3
    assert drawn["title"] == f"Little, image {data.ids[2]}, apgd-total (linf 7.65/255)"
    batch = data[2]
    hurt = create_attack("apgd-total", eps=0.03, steps=2)(network, batch.images, batch.targets, batch.ids)
    image = drawn["image"].pictures
    assert image.shape[0] == len(closeup.ROWS) and drawn.keys() == {"title", "image", *network.tasks}
    np.testing.assert_allclose(image[3], hurt[0].permute(1, 2, 0), atol=1e-6)
    np.testing.assert_allclose(image[4], np.clip(0.5 + 10 * (image[3] - image[1]), 0, 1), atol=1e-6)
    labels = data.tasks["depth"].paint(
        np.concatenate(
            [batch.targets["depth"].numpy()]
            + [network(x)["depth"][:, 0].detach().numpy() for x in (batch.images, hurt)]
        )
    )
    np.testing.assert_allclose(drawn["depth"].pictures[[0, 1, 3]], labels.pictures, atol=1e-6)


def test_what_the_run_is_not_is_refused(network: Little, data: PreparedDataset, tmp_path: Path) -> None:
    run = evaluate(network, data, [create_attack("fgsm-total", eps=0.01)], device="cpu")
    path = tmp_path / "panel.png"
    with pytest.raises(UnknownNameError, match="unknown image of the run '9999'"):
        closeup_of(run, network, data, path, image="9999")
    with pytest.raises(UnknownNameError, match="unknown attack of the run 'fgsm-totl'; did you mean 'fgsm-total'"):
        closeup_of(run, network, data, path, attack="fgsm-totl")
    with pytest.raises(InputError, match="the model has the SHA-256"):
        closeup_of(run, Little(network.tasks, seed=1), data, path)
    with pytest.raises(InputError, match="a clean run has no attack to draw"):
        closeup_of(evaluate(network, data, [], device="cpu"), network, data, path)
    assert not path.exists()
