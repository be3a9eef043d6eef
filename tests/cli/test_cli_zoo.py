"""The cards of the shipped models: their clean metrics are what `mtlattack run --attacks none` measures."""

import re
from pathlib import Path

import pytest
from cli_toys import CommandLine

from mtlattack.analysis import Record
from mtlattack.models import list_models, model_path


def clean_numbers(name: str) -> dict[tuple[str, str], str]:
    """(task, metric) → the number in the card's `clean` column."""
    card = model_path(name).with_name(f"{name}.md").read_text()
    rows = re.findall(r"\| (\w+) \| ([\w.]+) [↑↓] \| ([\d.]+)", card)
    return {(task, metric): number for task, metric, number in rows}


@pytest.mark.slow  # all test images, and of each model
@pytest.mark.parametrize("name", list_models())
def test_a_cards_clean_metrics_are_reproduced_exactly(
    name: str, cli: CommandLine, request: pytest.FixtureRequest
) -> None:
    suite, data = "rooms-linf", []
    if name.startswith("nyuv2"):
        suite, data = "nyuv2-linf", ["--data", request.getfixturevalue("shared_data") / "nyuv2" / "nyuv2-120x160.h5"]
    cli.good("run", suite, "--model", name, *data, "--attacks", "none", "--device", "cpu", "--out", "clean")
    record = Record.model_validate_json(Path("clean/record.json").read_text())
    assert clean_numbers(name) == {
        (task, metric): f"{value:.4f}" for task, metrics in record.clean.items() for metric, value in metrics.items()
    }
