"""The picture on a row's page: drawn by whoever builds the pages, from the model itself, never submitted."""

from pathlib import Path

from mtlattack.data import load_dataset
from mtlattack.evaluation.environment import weights_digest
from mtlattack.evaluation.panels import draw_panels
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.records import headline_eps, strongest
from mtlattack.leaderboard.suites import shipped_suite
from mtlattack.models import create_model, list_models

# Data sets whose images may be passed on.
SHOWABLE = ("rooms",)


def draw_row(stored: StoredRow, path: Path) -> Path | None:
    """Draw labels and predictions on the suite's first image, clean and under the strongest attack at the headline ε.

    None, and no file, where the model does not ship with these weights, the suite is of another version here, or its
    images may not be passed on.
    """
    row, record = stored.row, stored.record
    suite = shipped_suite(row.suite.name, row.suite.version)
    if suite is None or record.data["name"] not in SHOWABLE or row.model.name not in list_models():
        return None
    model = create_model(row.model.name)
    if weights_digest(model) != row.model.weights_sha256:
        return None
    eps = headline_eps(record)
    worst = strongest(record, eps)
    attacks = [a for a in suite.create_attacks(model.tasks) if (a.name, a.threat.eps) == (worst.name, eps)]
    if not attacks:  # An ensemble is no attack of its own image.
        return None
    data = load_dataset(suite.data, suite.split, tasks=model.tasks, every=suite.every, limit=1)
    title = f"{data.ids[0]}, {attacks[0].name} at {attacks[0].threat}"
    return draw_panels(title, data, 0, {"": model}, attacks[0], path)
