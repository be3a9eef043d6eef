"""HTML that we write: how templates are filled, and the frame that a table wider than the screen scrolls in."""

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

# A style sheet: where a `.scroll` frame holds more than it shows, a shadow lies at that edge and a line says so. The
# page that includes it names its colours --surface and --muted.
FRAME = Path(__file__).with_name("frame.css")

__all__ = ["FRAME", "templates_of"]


def templates_of(package: str) -> Environment:
    """The templates in a package's folder `templates`: text is escaped, and a value that is missing is an error."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
