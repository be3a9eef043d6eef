"""The zoo's page: a table and a plot of records, pictures of predictions.

    python benchmarks/zoo/zoo.py FOLDER…

Each FOLDER holds a `record.json` of one zoo model under one attack at one ε, as `mtlattack run` writes it; files
`*.record.json` as `mtlattack train` writes them are found too; of the other models what zoo.json holds stays. Writes
zoo.json, zoo.png and rooms.png beside this script and the tables into its README.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pictures import draw_predictions
from plot import plot_zoo
from table import table

from mtlattack.analysis import Record
from mtlattack.files import write_json, write_section
from mtlattack.models import create_model, list_models, model_path
from mtlattack.training import load_recipe

HERE = Path(__file__).parent


def main() -> None:
    known = {row["name"]: row for row in json.loads((HERE / "zoo.json").read_text())}
    known |= {row["name"]: row for row in map(describe, map(read, find(map(Path, sys.argv[1:]))))}
    missing = [name for name in list_models() if name not in known]
    if missing:
        sys.exit(f"no record of {', '.join(missing)}; make one with `mtlattack run`")
    rows = [known[name] for name in list_models()]
    write_json(HERE / "zoo.json", rows)
    for data in ("rooms", "nyuv2"):
        some = [row for row in rows if row["data"] == data]
        tasks = list(create_model(some[0]["name"]).tasks.values())
        write_section(HERE / "README.md", data, "zoo.py", table(some, tasks))
    plot_zoo(rows, HERE / "zoo.png")
    draw_predictions(["rooms-resnet10t.shared", "rooms-resnet10t.shared.at-dgba"], HERE / "rooms.png")


def find(places: Any) -> list[Path]:
    """Record files in these folders."""
    return [path for place in places for path in sorted([*place.glob("*.record.json"), *place.glob("record.json")])]


def read(path: Path) -> Record:
    return Record.model_validate_json(path.read_text())


def describe(record: Record) -> dict[str, Any]:
    """A model's row: what it is, and clean and attacked metrics with the intervals over images."""
    name, (attack,) = record.model["name"], record.attacks
    network, recipe = create_model(name), load_recipe(name)
    return {
        "name": name,
        "data": record.data["name"],
        "images": record.data["images"],
        "degree": round(network.layout.sharing_degree, 4),
        "training": recipe.adversarial.attack if recipe.adversarial else "clean",
        "parameters": record.model["parameters"],
        "bytes": model_path(name).stat().st_size,
        "attack": attack.config,
        "clean": record.clean,
        "attacked": attack.metrics,
        "log_ratio": attack.log_ratio.model_dump(),
        "arp": attack.arp.model_dump(),
        "environment": record.environment["versions"] | {"threads": record.environment["threads"]},
    }


if __name__ == "__main__":
    main()
