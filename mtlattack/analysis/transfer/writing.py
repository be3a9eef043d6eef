"""The results of a transfer as files beside its evidence."""

from pathlib import Path

from mtlattack.analysis.transfer.heatmaps import draw
from mtlattack.analysis.transfer.page import to_html
from mtlattack.analysis.transfer.record import TransferRecord
from mtlattack.analysis.transfer.tables import to_csv
from mtlattack.files import write_whole

RECORD, TABLE, PAGE = "transfer.json", "transfer.csv", "transfer.html"


def write_results(record: TransferRecord, folder: Path) -> list[Path]:
    """Write JSON, CSV, heat maps and the page; the files that were written. InputError where they cannot be."""
    pictures = draw(record, folder)
    write_whole(folder / RECORD, record.model_dump_json(indent=1) + "\n")
    write_whole(folder / TABLE, to_csv(record))
    drawn = {path.stem.removeprefix("transfer-"): path.read_text("utf-8") for path in pictures if path.suffix == ".svg"}
    write_whole(folder / PAGE, to_html(record, drawn))
    return [folder / RECORD, folder / TABLE, folder / PAGE, *pictures]
