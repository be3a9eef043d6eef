"""Table and picture from the JSON files of matrix.py; see README.md beside it."""

import json
from pathlib import Path
from typing import Annotated

import typer
from plot import plot
from table import markdown


def main(
    documents: Annotated[list[Path], typer.Argument(help="JSON files of matrix.py.")],
    picture: Annotated[Path | None, typer.Option(help="Where to draw the matrices.")] = None,
) -> None:
    """Print each file's table as Markdown, and draw all of them."""
    loaded = [json.loads(path.read_text(encoding="utf-8")) for path in documents]
    for document in loaded:
        model, images = document["model"]["name"], document["data"]["images"]
        print(f"**{model}**, ε = {document['eps_255']:g}/255, {images} images\n")
        print(markdown(document))
    if picture:
        plot(loaded, picture)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(main)
    app()
