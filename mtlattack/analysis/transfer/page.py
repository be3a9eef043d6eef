"""A transfer as one HTML file that needs no other."""

import base64
from collections.abc import Mapping
from importlib import resources

from mtlattack.analysis.record import Interval
from mtlattack.analysis.tables import compact_interval, compact_number
from mtlattack.analysis.transfer.labels import heading, labels
from mtlattack.analysis.transfer.record import LEVEL, TransferRecord
from mtlattack.analysis.transfer.tables import LOG_RATIO, LOST, NAMES, SHARE, Quantity, below, headlines, strongest
from mtlattack.html import FRAME, templates_of


def to_html(record: TransferRecord, pictures: Mapping[str, str]) -> str:
    """The page; `pictures` are SVG by what they show."""
    environment = templates_of("mtlattack.analysis.transfer")
    environment.filters["number"] = _number
    environment.filters["interval"] = _interval
    style = (resources.files("mtlattack.analysis.transfer") / "templates" / "page.css").read_text(encoding="utf-8")
    return environment.get_template("page.html").render(
        record=record,
        heading=heading(record),
        headlines=headlines(record),
        quantities=[SHARE, LOST, LOG_RATIO],
        pictures={name: base64.b64encode(svg.encode()).decode() for name, svg in pictures.items()},
        labels=lambda names: list(zip(names, labels(record, names), strict=True)),
        below=below,
        strongest=strongest,
        names=NAMES,
        level=LEVEL,
        style=style + FRAME.read_text(encoding="utf-8"),
    )


def _interval(number: Interval, quantity: Quantity) -> str:
    return compact_interval(number, percent=quantity.percent)


def _number(number: Interval, quantity: Quantity) -> str:
    return compact_number(number.value, quantity.percent)
