"""``chub dcc correlate`` and ``chub dcc parse``: a user's own software on files (the package :mod:`hil.parse_correlate`)."""

from __future__ import annotations

import json
from pathlib import Path

import click

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import CommsHubError
from firmware_emu.ids import Eui64
from hil.commands.dcc.incidents import log_of
from hil.commands.dcc.options import json_option, opened
from hil.dcc.parties.users import HeldKeys
from hil.parse_correlate import Correlation, Known, ParseCorrelateError, to_mmc
from hil.parse_correlate import correlate as correlate_request
from hil.parse_correlate import parse as parse_message
from hil.parse_correlate.command import device_of, moment_of, octets_of, pre_command_of, verdict_json
from hil.parse_correlate.request import read_request

__all__ = ["correlate", "parse"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_CATEGORY = 3


class Unreadable(CommsHubError):
    """A file that parse or correlate cannot read."""


@click.command()
@click.argument("request_file", type=_FILE)
@click.argument("message_file", type=_FILE)
@click.option("--created", help="The creation time (ISO 8601) that a gas command must carry.")
@click.option("--keys", type=click.Path(exists=True, path_type=Path), help="Keystore to hold certificates of Devices against.")
@click.option("--device", "told", multiple=True, metavar="EUI=TYPE", help="Type of a Device.")
@click.option("--elements", type=click.IntRange(1, 2), help="Measuring elements of the electricity meter.")
@click.option("--strict", is_flag=True, help="Exit code 1 also where something could not be checked.")
@click.option(
    "--incident",
    "store_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A DCC's store: raise an incident there, as the sender of the request, where something differs.",
)
@json_option
def correlate(
    request_file: Path,
    message_file: Path,
    created: str | None,
    keys: Path | None,
    told: tuple[str, ...],
    elements: int | None,
    strict: bool,
    store_path: Path | None,
    as_json: bool,
) -> None:
    """Check that a pre-command (hexadecimal, or a message built on it) says what a service request asks."""
    try:
        request = request_file.read_bytes()
        known = Known(
            created=None if created is None else moment_of(created),
            device_type_of=dict(device_of(text) for text in told).get,
            certificates_of=HeldKeys(Keystore() if keys is None else Keystore.load(keys)).agreement_certificates,
            elements=elements,
        )
        verdict = correlate_request(request, pre_command_of(octets_of(message_file)), known=known)
        click.echo(verdict_json(verdict) if as_json else verdict.as_text())
        if not verdict.match and store_path is not None:
            asked = read_request(request)
            number = raise_about(store_path, Eui64(asked.originator.octets), asked.variant, verdict)
            click.echo(f"incident {number} raised", err=as_json)
    except ParseCorrelateError as trouble:
        raise Unreadable(str(trouble)) from trouble
    if not verdict.match or (strict and verdict.not_checked):
        raise SystemExit(1)


def raise_about(store_path: Path, user: Eui64, variant: str, verdict: Correlation) -> int:
    """Raise an incident about a pre-command that differs, in the area that is the DCC's own [165]; its number."""
    with opened(store_path) as store:
        summary = f"pre-command of a {variant} differs from the request: " + "; ".join(map(str, verdict.differences))
        return log_of(store).raise_incident(user, summary[:1000], area="parse and correlate", category=_CATEGORY).number


@click.command()
@click.argument("message_file", type=_FILE)
@click.option("--keys", type=click.Path(exists=True, path_type=Path), required=True, help="Keystore folder or file.")
@click.option("--mmc", is_flag=True, help="MMC XML instead of the readable form.")
@json_option
def parse(message_file: Path, keys: Path, mmc: bool, as_json: bool) -> None:
    """Read a response, alert or command (hexadecimal): names, values, decrypted parts."""
    try:
        parsed = parse_message(octets_of(message_file), HeldKeys(Keystore.load(keys)))
        text = to_mmc(parsed).decode() if mmc else json.dumps(parsed.as_json(), indent=2) if as_json else parsed.as_text()
    except ParseCorrelateError as trouble:
        raise Unreadable(str(trouble)) from trouble
    click.echo(text)
