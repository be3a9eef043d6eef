"""The published schema: what lies beside the rows is what the program says, and other programs can read it."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from leaderboard_toys import card_of, row_of
from pydantic import ValidationError

from mtlattack.cli.leaderboard.schema import print_schema
from mtlattack.evidence import Evidence
from mtlattack.leaderboard.rows.identity import row_document
from mtlattack.leaderboard.rows.json_schema import row_json_schema
from mtlattack.leaderboard.rows.schema import Link, Row

PUBLISHED = Path(__file__).parents[2] / "leaderboard" / "row.schema.json"
# What a pattern may hold of escapes to mean the same in pydantic's regular expressions and, with or without its flag u,
# in ECMAScript's.
ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|[\[\]\\^$.|?*+(){}/])")


def patterns(schema: Any) -> Iterator[str]:
    """Every regular expression of a schema."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        yield from schema.get("patternProperties", {})
        for value in schema.values():
            yield from patterns(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from patterns(value)


def test_what_is_published_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    print_schema()
    assert PUBLISHED.read_text(encoding="utf-8") == capsys.readouterr().out, (
        "mtlattack leaderboard schema > leaderboard/row.schema.json"
    )


def test_it_is_the_schema_of_a_row() -> None:
    schema = row_json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema" and "$id" not in schema
    assert schema["title"] == "mtlattack leaderboard row, version 2" and schema["description"]
    made = Row.model_json_schema()
    assert {k: v for k, v in schema.items() if k not in ("$schema", "title")} == {
        k: v for k, v in made.items() if k != "title"
    }
    assert schema["additionalProperties"] is False and set(schema["required"]) <= set(schema["properties"])


def test_a_row_has_the_fields_of_the_schema(tiny_evidence: Evidence) -> None:
    schema, document = row_json_schema(), row_document(row_of(tiny_evidence)[0])
    assert set(document) == set(schema["properties"])
    assert set(document["model"]) == set(schema["$defs"]["ModelCard"]["properties"])


def test_patterns_are_those_of_ecmascript_too() -> None:
    found = set(patterns(row_json_schema()))
    assert len(found) >= 4
    for pattern in found:
        assert "\\" not in ESCAPE.sub("", pattern), pattern
        assert "(?" not in pattern and pattern.startswith("^") and pattern.endswith("$")


@pytest.mark.skipif(shutil.which("node") is None, reason="no node")
def test_node_reads_the_patterns_as_pydantic_does(tiny_evidence: Evidence) -> None:
    link = str(Link.__metadata__[0].metadata[1].pattern)
    assert link in set(patterns(row_json_schema()))
    texts = [*HOSTILE_LINKS, *LINKS]
    script = (
        "const [all, link, texts] = JSON.parse(process.argv[1]);"
        "for (const p of all) new RegExp(p, 'u'), new RegExp(p);"
        "console.log(JSON.stringify(texts.map(t => new RegExp(link, 'u').test(t))))"
    )
    given = json.dumps([sorted(set(patterns(row_json_schema()))), link, texts])
    ran = subprocess.run(["node", "-e", script, given], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(ran.stdout) == [False] * len(HOSTILE_LINKS) + [True] * len(LINKS)


LINKS = [
    "https://example.org",
    "https://example.org/",
    "https://example.org:8443/a/b_c-d.e~f?q=1&r=%20#(x)",
    "https://arxiv.org/abs/2305.12066",
]
HOSTILE_LINKS = [
    "javascript:alert(1)",
    "http://example.org/",
    "https://example.org/a b",
    'https://example.org/"onclick="',
    "https://example.org/'",
    "https://example.org/<script>",
    "https://example.org/\u202egpj.exe",
    "https://example.org/\x00",
    "https://example.org/\n",
    "https://user@example.org/",
    "https://ex\u0430mple.org/",
    "https://example.org:\u0661/",
    " https://example.org/",
    "data:text/html,x",
    "//example.org/",
]


def test_links_lead_where_they_seem_to(tiny_evidence: Evidence) -> None:
    for link in LINKS:
        assert card_of(tiny_evidence, paper=link).paper == link
    for link in HOSTILE_LINKS:
        with pytest.raises(ValidationError):
            card_of(tiny_evidence, paper=link)
