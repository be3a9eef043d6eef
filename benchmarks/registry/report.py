"""Tables and picture from the JSON files of matrix.py and standard.py; see README.md beside it."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from plot import plot
from table import TABLES, markdown

from mtlattack.cli.script import run_script
from mtlattack.errors import InputError
from mtlattack.files import write_section


def main(
    documents: Annotated[list[Path], typer.Argument(help="JSON files of matrix.py and standard.py.")],
    picture: Annotated[Path | None, typer.Option(help="Where to draw the matrices.")] = None,
    readme: Annotated[Path | None, typer.Option(help="File whose section of each file's name gets its table.")] = None,
) -> None:
    """Print each file's table as Markdown, and draw the matrices."""
    loaded = {path.stem: _read(path) for path in documents}
    for name, document in loaded.items():
        model, data = document["model"]["name"], document["data"]
        title = (
            f"**{model}**, {data['images']} images of {data['name']} {data['split']}, ε = {document['eps_255']:g}/255, "
            f"{document['backward_passes']} backward passes"
        )
        text = f"{title}\n\n{markdown(document)}"
        print(text)
        if readme:
            write_section(readme, name, "report.py", text)
    if picture:
        plot([document for document in loaded.values() if document["benchmark"] == "registry/matrix"], picture)


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if document.get("benchmark") not in TABLES:
        raise InputError(f"{path} holds {document.get('benchmark')!r}, expected one of {', '.join(TABLES)}")
    return document


if __name__ == "__main__":
    run_script(main)
