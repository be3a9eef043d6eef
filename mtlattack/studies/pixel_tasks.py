"""M1: whether the gradient of a mean over many tasks is small, as their correlation predicts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from mtlattack.figures import save_figure
from mtlattack.models import prepare_for_attack
from mtlattack.studies.nested import Array, effect
from mtlattack.studies.networks import clean_networks, load
from mtlattack.studies.strength import rounded
from mtlattack.studies.study import Cell, Claim, Measured, Study, Table, Verdict
from mtlattack.tasks import Segmentation

COUNTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
# The pilot's range of slopes, over which the paper's own curve was drawn.
SLOPE = (-0.6, -0.35)
CLOSE = 0.1


def predicted_norm(count: int | Array, own: float | Array, shared: float | Array) -> Any:
    """√E‖(1/M) Σ r_i‖² of M gradients whose mean squared norm is `own` and whose mean inner product with another one
    is `shared`: √([own + (M − 1)·shared]/M), the vulnerability of Mao et al. 2020 (arXiv 2007.07236, theorem 1)."""
    return np.sqrt((own + (count - 1) * shared) / count)


def pixel_gradients(model: Any, images: Tensor, losses_of: Any, pixels: Sequence[Tensor]) -> list[Tensor]:
    """For one image `[1, 3, H, W]` the gradients of the mean loss over each set of pixels (flat indices), flattened."""
    at = images.clone().requires_grad_()
    losses = losses_of(model(at))
    return [torch.autograd.grad(losses[chosen].mean(), at, retain_graph=True)[0].flatten() for chosen in pixels]


def moments(gradients: Sequence[Tensor]) -> tuple[float, float]:
    """Mean squared norm of the gradients, and mean inner product of two different ones."""
    stacked = torch.stack(list(gradients)).double()
    gram = stacked @ stacked.T
    count, total, own = len(stacked), float(gram.sum()), float(gram.trace())
    return own / count, (total - own) / (count * (count - 1))


def slope_of(counts: Sequence[int], norms: Array) -> Array:
    """Log-log slope of norms `[…, counts]`."""
    x = np.log(counts)
    centred = x - x.mean()
    fitted: Array = np.log(norms) @ centred / (centred @ centred)
    return fitted


class M1(Claim):
    """The slope, and the formula on pixels that it has not seen."""

    name = "M1"
    sentence = (
        "The gradient norm of the mean loss over K pixels falls with K, by a log-log slope in [−.6, −.35], as the "
        "covariance of their gradients predicts."
    )
    rule = (
        "K random labelled pixels, K = 1 … 5,000 (as many as an image has); slope of log(root mean squared norm over "
        "images and draws) on log K for each network, mean over networks with the hierarchical bootstrap interval; "
        "holds if the interval lies in [−.6, −.35] and the norm predicted from the Gram matrix of other single pixels "
        "is within 10 % of the measured one, root mean square over K; fails if the interval lies wholly outside or "
        "the prediction is further off; else, or with fewer than 3 networks, undecided"
    )

    def judge(self, measured: Sequence[Measured]) -> Verdict:
        """Over all networks."""
        slope = effect([slope_of(cell.numbers["counts"], norms_under(cell)) for cell in measured])
        off = float(np.sqrt(np.mean([np.square(_ratio(cell) - 1).mean() for cell in measured])))
        told = f"slope {slope}; the prediction is off by {off:.1%}"
        numbers = {"slope": vars(slope), "off": off}
        if not slope.known:
            return Verdict("undecided", told, numbers)
        outside = slope.high < SLOPE[0] or slope.low > SLOPE[1]
        if outside or off > CLOSE:
            return Verdict("fails", told, numbers)
        inside = SLOPE[0] <= slope.low and slope.high <= SLOPE[1]
        return Verdict("holds" if inside else "undecided", told, numbers)


def norms_under(cell: Measured, resamples: int = 200) -> Array:
    """Root mean squared norms, `[1 + resamples, counts]`: of the images as they are, then resampled."""
    squares = np.array(cell.numbers["squared_norms"])
    draws = np.random.default_rng(0).integers(len(squares), size=(resamples, len(squares)))
    norms: Array = np.sqrt(np.concatenate([squares.mean(0)[None], squares[draws].mean(1)]))
    return norms


def _ratio(cell: Measured) -> Array:
    """Measured over predicted norm at each count."""
    counts = np.array(cell.numbers["counts"])
    own, shared = cell.numbers["own"], cell.numbers["shared"]
    ratio: Array = norms_under(cell)[0] / predicted_norm(counts, own, shared)
    return ratio


class PixelTasksStudy(Study):
    """Gradients of the mean cross entropy over K pixels of a segmentation, each pixel a task."""

    name = "pixel-tasks"
    paper = "Mao et al.: Multitask Learning Strengthens Adversarial Robustness (arXiv 2007.07236)"
    summary = "The more tasks, the smaller the gradient of their mean."
    cost = "full: 7 networks, 16 images, some 110 gradients each; quick: 1 network, 2 images"
    claims = (M1(),)

    def cells(self, quick: bool) -> list[Cell]:
        """A cell a network."""
        images, singles, draws = (2, 12, 2) if quick else (16, 64, 4)
        return [
            Cell(self.name, model, {"model": model, "images": images, "singles": singles, "draws": draws}, work=images)
            for model in clean_networks(quick)
        ]

    def measure(self, settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Squared l_2 norms by image and count, mean over draws, and the moments of other, single pixels."""
        model, data = load(settings["model"], settings["images"])
        name, task = next((name, task) for name, task in model.tasks.items() if isinstance(task, Segmentation))
        chance = np.random.default_rng(0)
        squares: list[list[float]] = []
        own: list[float] = []
        shared: list[float] = []
        prepared, counts = None, list[int]()
        for position in range(len(data)):
            batch = data[position]
            prepared = prepared or prepare_for_attack(model, batch.images)
            target = batch.targets[name]
            labelled = (target.flatten() != task.ignore).nonzero().flatten()
            counts = counts or [count for count in COUNTS if count <= len(labelled) // 2]

            def losses_of(predictions: Mapping[str, Tensor], target: Tensor = target) -> Tensor:
                return task.pixel_losses(predictions[name], target)[0].flatten()

            order = torch.from_numpy(chance.permutation(len(labelled)))
            alone, rest = labelled[order[: settings["singles"]]], labelled[order[settings["singles"] :]]
            sets = [
                rest[torch.from_numpy(chance.permutation(len(rest))[:count])]
                for count in counts
                for _ in range(settings["draws"])
            ]
            first = pixel_gradients(prepared, batch.images, losses_of, [pixel[None] for pixel in alone])
            found = pixel_gradients(prepared, batch.images, losses_of, sets)
            norms = np.array([float(gradient.double().square().sum()) for gradient in found])
            squares.append(rounded(norms.reshape(len(counts), -1).mean(1)))
            each = moments(first)
            own.append(each[0])
            shared.append(each[1])
        return {
            "counts": counts,
            "squared_norms": squares,
            "own": rounded(np.mean(own, keepdims=True))[0],
            "shared": rounded(np.mean(shared, keepdims=True))[0],
        }

    def tables(self, measured: Sequence[Measured]) -> list[Table]:
        """A line a network."""
        rows = []
        for cell in measured:
            slope = effect([slope_of(cell.numbers["counts"], norms_under(cell))])
            correlation = cell.numbers["shared"] / cell.numbers["own"]
            off = np.sqrt(np.square(_ratio(cell) - 1).mean())
            rows.append([cell.name, str(slope), f"{correlation:.4f}", f"{off:.1%}"])
        columns = ["model", "slope", "mean correlation of two pixels", "prediction off by"]
        return [Table("the norm of the mean gradient against the number of pixels", columns, rows)]

    def plot(self, measured: Sequence[Measured], folder: Path) -> list[Path]:
        """Measured norms as dots, the prediction as lines, relative to one pixel."""
        figure = Figure(figsize=(7, 4.5), layout="constrained")
        FigureCanvasAgg(figure)
        axis = figure.subplots()
        for number, cell in enumerate(measured):
            counts = np.array(cell.numbers["counts"])
            unit = np.sqrt(cell.numbers["own"])
            axis.plot(counts, norms_under(cell)[0] / unit, "o", color=f"C{number % 10}", label=cell.name, markersize=4)
            axis.plot(counts, predicted_norm(counts, unit**2, cell.numbers["shared"]) / unit, color=f"C{number % 10}")
        axis.plot(COUNTS, 1 / np.sqrt(COUNTS), ":", color="black", label="uncorrelated: 1/√K")
        axis.set(xscale="log", yscale="log", xlabel="pixels K", ylabel="norm of the mean gradient, one pixel = 1")
        axis.legend(fontsize=8)
        return [save_figure(figure, folder / "pixel-tasks.png", dpi=110)]
