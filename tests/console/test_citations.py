"""Every citation of the project resolves, and a user gets the document behind one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.cli import chub
from firmware_emu.console.citations import CitedDocument, Note, references
from firmware_emu.errors import NotAvailable

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("firmware_emu", "ichis", "hil", "board_configs", "tests")
FILES = [
    file
    for folder in FOLDERS
    for file in sorted((ROOT / folder).rglob("*"))
    if file.suffix in (".py", ".toml", ".csv", ".md") and file.name not in ("references.toml", "test_citations.py")
]


def test_every_citation_of_code_tables_boards_and_tests_resolves() -> None:
    cited = [(file.relative_to(ROOT), one) for file in FILES for one in references().find(file.read_text(encoding="utf-8"))]
    assert [f"{file}: {one.text!r}: {one.trouble}" for file, one in cited if one.trouble] == []
    assert len(cited) > 500


def test_every_source_and_every_note_is_cited() -> None:
    text = "\n".join(file.read_text(encoding="utf-8") for file in FILES)
    behind_notes = {source.name for note in references().notes.values() for source in note.sources}
    assert [name for name in (*references().sources, *references().notes) if name not in text and name not in behind_notes] == []


@pytest.mark.parametrize(
    ("written", "kind", "name", "clause"),
    [
        ("GBCS 6.2.4", CitedDocument, "GBCS", "6.2.4"),
        ("RTDS ECS02", CitedDocument, "RTDS", "ECS02"),
        ("SP 800-38D", CitedDocument, "SP", "800-38D"),
        ("reference gbcs-messages 7.2", Note, "gbcs-messages", "7.2"),
        ("reference gbcs-messages 7A", Note, "gbcs-messages", "7A"),
        ("gbcs-messages", Note, "gbcs-messages", ""),
        ("DUIS", CitedDocument, "DUIS", ""),
    ],
)
def test_a_citation_is_read_as_it_is_written(written: str, kind: type[object], name: str, clause: str) -> None:
    found = references().resolve(written)
    assert isinstance(found.target, kind)
    assert (getattr(found.target, "name"), found.clause) == (name, clause)  # noqa: B009


@pytest.mark.parametrize("written", ["GBCX 6.2.4", "reference gbcs-message 7", "reference gbcs-messages 99", "nothing"])
def test_a_citation_of_nothing_is_refused_with_the_names_there_are(written: str) -> None:
    with pytest.raises(NotAvailable, match="gbcs-messages"):
        references().resolve(written)


def test_a_user_gets_document_edition_and_place() -> None:
    shown = CliRunner().invoke(chub, ["cite", "GBCS", "6.2.4"])
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith("GBCS: Great Britain Companion Specification\n  cited      6.2.4\n")
    told = json.loads(CliRunner().invoke(chub, ["cite", "reference gbcs-messages 7.2", "--places", "--json"]).output)
    assert (told["part"], told["sources"][0]["name"]) == ("alerts: layouts and content by use case", "RTDS")
    assert any("alerts.py" in place for place in told["places"])
    assert "Great Britain Companion Specification" in CliRunner().invoke(chub, ["cite"]).output
