"""``chub guide``: the guides, each by its name."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.markdown import Markdown

from firmware_emu.console.commands import guides
from firmware_emu.errors import one_of


@click.command()
@click.argument("name", required=False)
@click.option("--save", type=click.Path(path_type=Path, exists=True, file_okay=False), help="write the guide's file into a folder")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def guide(name: str | None, save: Path | None, as_json: bool) -> None:
    """Show the guide NAME; without it, the list of guides. Where the output is no terminal, the guide is Markdown as it is written.

    With --save the guide's own file goes into a folder: a notebook, to be opened in Jupyter.
    """
    found = guides.guides()
    if name is None:
        if save is not None:
            raise click.BadParameter("expected the name of a guide before it: chub guide NAME --save FOLDER", param_hint="--save")
        if as_json:
            click.echo(json.dumps({one.name: one.title for one in found.values()}))
            return
        width = max(map(len, found))
        for one in found.values():
            click.echo(f"{one.name:{width}}  {one.title}")
        return
    if name not in found:
        raise click.BadParameter(f"read {name!r}, expected {one_of(name, found)}", param_hint="NAME")
    text = found[name].text
    if save is not None:
        target = save / found[name].file.name
        if target.exists():
            raise click.BadParameter(f"{target} is there already: name another folder, or move it away", param_hint="--save")
        target.write_bytes(found[name].file.read_bytes())
        click.echo(json.dumps({"name": name, "file": str(target)}) if as_json else f"saved {target}")
    elif as_json:
        click.echo(json.dumps({"name": name, "title": found[name].title, "text": text}))
    elif sys.stdout.isatty():
        Console().print(Markdown(guides.with_commands(text, found), code_theme="ansi_dark"))
    else:
        click.echo(text, nl=False)
