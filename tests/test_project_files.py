"""What stands at the root for those who come by: the changes, how to cite, the forms of GitHub."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from mtlattack.leaderboard.ledger import Status
from mtlattack.version import __version__

ROOT = Path(__file__).parents[1]
FORMS = ROOT / ".github" / "ISSUE_TEMPLATE"
# What GitHub knows of each element of a form, and which attributes it must have.
ELEMENTS = {
    "input": ({"label", "description", "placeholder", "value"}, {"label"}),
    "textarea": ({"label", "description", "placeholder", "value", "render"}, {"label"}),
    "dropdown": ({"label", "description", "multiple", "options", "default"}, {"label", "options"}),
    "checkboxes": ({"label", "description", "options"}, {"label", "options"}),
}


def read_yaml(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def test_the_changes_know_the_version_and_link_to_what_is_there() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    titles = re.findall(r"^## (.*)$", text, re.M)
    assert titles[0] == "Unreleased" and titles[1].startswith(f"{__version__} – ")
    dates = [re.search(r"\d{4}-\d\d-\d\d$", title) for title in titles[1:]]
    assert all(dates)
    for target in re.findall(r"\]\(([^)#]+)\)", text + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target


def test_the_citation_is_of_this_version_and_well_formed() -> None:
    """What `cffconvert --validate` asks for (format 1.2.0), of the fields that are there."""
    citation = read_yaml(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation) <= {
        "cff-version", "message", "title", "type", "authors", "version", "date-released", "license", "keywords",
        "references",
    }  # fmt: skip
    assert citation["cff-version"] == "1.2.0" and citation["type"] == "software" and citation["license"] == "MIT"
    assert citation["version"] == __version__
    assert f"{__version__} – {citation['date-released']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for work in (citation, *citation["references"]):
        for author in work["authors"]:
            assert set(author) in ({"name"}, {"given-names", "family-names"})
    (reference,) = citation["references"]
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert reference["title"] in readme and reference["identifiers"][0]["value"].removeprefix("arXiv:") in readme


@pytest.mark.parametrize("name", ["fault.yml", "row.yml"])
def test_forms_are_what_github_takes(name: str) -> None:
    form = read_yaml(FORMS / name)
    assert {"name", "description", "body"} <= set(form) <= {"name", "description", "body", "title", "labels"}
    ids = [each["id"] for each in form["body"]]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"[A-Za-z0-9_-]+", each) for each in ids)
    for each in form["body"]:
        allowed, needed = ELEMENTS[each["type"]]
        assert set(each) <= {"type", "id", "attributes", "validations"}
        assert needed <= set(each["attributes"]) <= allowed
        assert set(each.get("validations", {})) <= {"required"}
    assert {path.name for path in FORMS.iterdir()} == {"config.yml", "fault.yml", "row.yml"}


def test_the_form_of_rows_offers_what_may_become_of_one() -> None:
    (asked,) = [each for each in read_yaml(FORMS / "row.yml")["body"] if each["id"] == "what"]
    offered = re.findall(r"\((\S+)\)$", "\n".join(asked["attributes"]["options"]), re.M)
    assert {*offered, "self-reported"} == set(get_args(Status))
