"""``chub cite``: the document behind a short citation."""

from __future__ import annotations

import json

import click

from firmware_emu.console.citations import Citation, CitedDocument, Note, cited_in, files_of_the_packages, references


@click.command()
@click.argument("citation", nargs=-1)
@click.option("--places", is_flag=True, help="list the lines of the installed packages that cite the same source")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of lines")
def cite(citation: tuple[str, ...], places: bool, as_json: bool) -> None:
    """Show the document that a citation names, as GBCS 6.2.4, RTDS ECS02 or reference gbcs-messages 7.2.

    Without CITATION: every short name, with its document.
    """
    known = references()
    if not citation:
        _list_all(as_json)
        return
    found = known.resolve(" ".join(citation))
    cited = []
    if places and found.target is not None:
        cited = [f"{file}:{line}: {one.text}" for file, line, one in cited_in(files_of_the_packages(), found.target)]
    if as_json:
        click.echo(json.dumps({**found.as_dict(), **({"places": cited} if places else {})}, indent=2))
        return
    _show(found)
    for place in cited:
        click.echo(place)


def _show(found: Citation) -> None:
    match found.target:
        case CitedDocument() as source:
            _show_source(source, found.clause)
        case Note() as note:
            click.echo(f"{note.name}: {note.title} (a note, not part of the distribution)")
            part = note.part(found.clause) if found.clause else None
            if part:
                click.echo(f"  part       {found.clause} ({part[1]})")
            else:
                for number, subject in note.parts.items():
                    click.echo(f"  part {number:5} {subject}")
            click.echo("made from")
            for source in note.sources:
                _show_source(source, "")
        case None:
            pass


def _show_source(source: CitedDocument, clause: str) -> None:
    click.echo(f"{source.name}: {source.document}")
    if clause:
        click.echo(f"  cited      {clause}")
    click.echo(f"  edition    {source.edition}\n  to be had  {source.where}\n  good for   {source.good_for}")


def _list_all(as_json: bool) -> None:
    known = references()
    if as_json:
        rows = {name: source.document for name, source in known.sources.items()}
        rows |= {f"reference {name}": note.title for name, note in known.notes.items()}
        click.echo(json.dumps(rows, indent=2))
        return
    for name, source in known.sources.items():
        click.echo(f"{name:30} {source.document}")
    for name, note in known.notes.items():
        click.echo(f"{'reference ' + name:30} {note.title}")
