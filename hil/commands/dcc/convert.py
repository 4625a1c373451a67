"""``chub dcc convert``: a DUIS document as JSON in the simplified form, and back."""

from __future__ import annotations

import json
from typing import BinaryIO

import click

from hil.dcc.duis.simplified import document_of, simplified
from hil.dcc.service.settings import service_settings

__all__ = ["convert"]


@click.command("convert")
@click.argument("document", type=click.File("rb"))
@click.option("--schema-version", help="schemaVersion of the XML  [default: that of the DCC's answers]")
def convert(document: BinaryIO, schema_version: str | None) -> None:
    """Turn a DUIS request or Response (a file, or - for what comes in) into the published parser's simplified JSON, or that into XML.

    JSON has no signature: a request that comes of it has none, and `chub dcc send` takes and signs either. Posted to the web service as
    application/json it is answered in JSON.
    """
    octets = document.read()
    try:
        content = json.loads(octets)
    except ValueError:
        click.echo(json.dumps(simplified(octets), indent=2))
        return
    click.echo(document_of(content, schema_version or service_settings().schema_version).decode())
