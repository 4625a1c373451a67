"""Citations: the short names of sources in code, tables and boards, found in a text and resolved by ``firmware_emu/references.toml``.

Three forms are citations: ``reference NAME PART`` for a note ("reference gbcs-messages 7.2"), ``sec2-rules PART`` for the note that is
named alone, and ``NAME CLAUSE`` for a document ("GBCS 6.2.4", "RTDS ECS02", "SP 800-38D").
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from firmware_emu.errors import NotAvailable, nearest, one_of

PACKAGES = ("firmware_emu", "ichis", "hil")
SUFFIXES = (".py", ".toml", ".csv", ".md")
_NUMBER = r"\d+[A-Z]?(?:\.\d+)*"
_NOTE = re.compile(
    rf"\b(?:reference\s+(?P<note>[a-z][a-z0-9]*(?:-[a-z0-9]+)*)(?:\.csv)?|(?P<alone>sec2-rules))(?:\s+(?:section\s+)?(?P<part>{_NUMBER}))?"
)
_CLAUSE = r"(?P<clause>\d[\w.-]*|[A-Z]{2,4}\d+[a-z]?)"


@dataclass(frozen=True, slots=True)
class CitedDocument:
    """A document that others publish."""

    name: str
    document: str
    edition: str
    where: str
    good_for: str


@dataclass(frozen=True, slots=True)
class Note:
    """Facts that were collected from sources. ``parts`` says what each part is about; a table has none."""

    name: str
    title: str
    sources: tuple[CitedDocument, ...]
    parts: Mapping[str, str]

    def part(self, number: str) -> tuple[str, str] | None:
        """The part that ``number`` lies in ("7" for "7.2") and its subject; None where the note has no such part."""
        for known in sorted(self.parts, key=len, reverse=True):
            if number == known or number.startswith(known + "."):
                return known, self.parts[known]
        return None


@dataclass(frozen=True, slots=True)
class References:
    """Every source and note, by short name."""

    sources: Mapping[str, CitedDocument]
    notes: Mapping[str, Note]

    def resolve(self, citation: str) -> Citation:
        """The citation that ``citation`` is.

        Raises :class:`NotAvailable` when it names no source, no note or no part of the note.
        """
        for found in self.find(citation if " " in citation else f"{citation} "):
            if found.trouble:
                raise NotAvailable(
                    f"{citation!r}: {found.trouble}", f"chub cite lists the names: {', '.join((*self.sources, *self.notes))}"
                )
            return found
        name = citation.removeprefix("reference ").strip()
        if name in self.notes:
            return Citation(citation, self.notes[name])
        if name in self.sources:
            return Citation(citation, self.sources[name])
        names = (*self.sources, *self.notes)
        raise NotAvailable(
            f"{citation!r} names no source",
            f"a citation is like 'GBCS 6.2.4' or 'reference gbcs-messages 7'; names: {', '.join(names)}{nearest(name, names)}",
        )

    def find(self, text: str) -> Iterator[Citation]:
        """Every citation in ``text``, in its order within each form."""
        for match in _NOTE.finditer(text):
            name, part = match["note"] or match["alone"], match["part"] or ""
            note = self.notes.get(name)
            if note is None:
                if part or "-" in name:
                    yield Citation(match[0], None, trouble=f"there is no note {name!r}")
            elif part and note.part(part) is None:
                yield Citation(match[0], note, trouble=f"{name} has no part {part}: expected {one_of(part, note.parts)}")
            else:
                yield Citation(match[0], note, part)
        for match in self._documents().finditer(text):
            yield Citation(match[0], self.sources[match["name"]], match["clause"])

    def _documents(self) -> re.Pattern[str]:
        names = "|".join(re.escape(name) for name in sorted(self.sources, key=len, reverse=True))
        return re.compile(rf"\b(?P<name>{names})[ -]{_CLAUSE}")


@dataclass(frozen=True, slots=True)
class Citation:
    """One citation as it is written. ``trouble`` says why it cannot be resolved."""

    text: str
    target: CitedDocument | Note | None
    clause: str = ""
    trouble: str = ""

    def as_dict(self) -> dict[str, object]:
        """For ``--json``."""
        told: dict[str, object] = {"citation": self.text, "clause": self.clause}
        match self.target:
            case Note() as note:
                subject = note.part(self.clause) if self.clause else None
                told |= {"note": note.name, "title": note.title, "part": subject[1] if subject else ""}
                told["sources"] = [
                    {"name": one.name, "document": one.document, "edition": one.edition, "where": one.where} for one in note.sources
                ]
            case CitedDocument() as source:
                told |= {
                    "source": source.name,
                    "document": source.document,
                    "edition": source.edition,
                    "where": source.where,
                    "good_for": source.good_for,
                }
            case None:
                pass
        return told


@cache
def references() -> References:
    """The content of ``references.toml``."""
    table = tomllib.loads(resources.files("firmware_emu").joinpath("references.toml").read_text(encoding="utf-8"))
    sources = {name: CitedDocument(name, **row) for name, row in table["source"].items()}
    notes = {
        name: Note(name, row["title"], tuple(sources[one] for one in row["sources"]), row.get("parts", {}))
        for name, row in table["note"].items()
    }
    return References(sources, notes)


def cited_in(files: Iterator[Path], target: CitedDocument | Note) -> Iterator[tuple[Path, int, Citation]]:
    """Places that cite ``target``: file, line from 1, citation."""
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            for citation in references().find(line):
                if citation.target is target:
                    yield file, number, citation


def files_of_the_packages() -> Iterator[Path]:
    """Code, tables and guides of the packages that are installed, without this table itself."""
    for package in PACKAGES:
        try:
            folder = Path(str(resources.files(package)))
        except ModuleNotFoundError:
            continue
        for file in sorted(folder.rglob("*")):
            if file.suffix in SUFFIXES and file.name != "references.toml":
                yield file
