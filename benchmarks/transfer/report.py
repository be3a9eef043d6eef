"""Results of transfers beside this script: records, pictures, and the tables of the README.

python benchmarks/transfer/report.py transfers/rooms-models … --readme benchmarks/transfer/README.md
"""

from pathlib import Path
from typing import Annotated

import typer

from mtlattack.analysis.transfer import read_transfer
from mtlattack.analysis.transfer.heatmaps import draw
from mtlattack.analysis.transfer.tables import to_markdown
from mtlattack.cli.script import run_script
from mtlattack.files import write_section, write_whole


def main(
    transfers: Annotated[list[Path], typer.Argument(help="Folders of finished transfers; their names are kept.")],
    readme: Annotated[Path, typer.Option(help="Has a section for each of them.")],
) -> None:
    """Write `<name>.json`, `<name>/transfer-*.png` and `.svg`, and the section `<name>` of the README."""
    for folder in transfers:
        record = read_transfer(folder).record()
        write_whole(readme.parent / f"{folder.name}.json", record.model_dump_json(indent=1) + "\n")
        draw(record, readme.parent / folder.name)
        write_section(readme, folder.name, "report.py", to_markdown(record))


if __name__ == "__main__":
    run_script(main)
