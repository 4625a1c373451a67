"""``parse-correlate``: the command.

Exit codes: 0 nothing differs, or the message was read; 1 something differs (with ``--strict`` also where something is not checked), or
the package is not the one that was released; 2 it could not be done, with one line that says why.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .correlate import Correlation, Known, correlate
from .correlate.comparison import CHF, ESME, GPF, GSME, HCALCS, PPMID, TYPE_2
from .errors import ParseCorrelateError
from .keys import AGREEMENT, KeyFolder
from .message.envelope import Entity, read_message
from .parse import parse, to_mmc
from .release import verify_self

_TYPES = {"GSME": GSME, "ESME": ESME, "CHF": CHF, "GPF": GPF, "HCALCS": HCALCS, "PPMID": PPMID, "TYPE2": TYPE_2}


class InputError(ParseCorrelateError):
    """An argument or file that cannot be used."""


def octets_of(file: Path) -> bytes:
    """A message in a file: its octets in hexadecimal. Raises InputError."""
    try:
        return bytes.fromhex("".join(file.read_text(encoding="ascii").split()))
    except (OSError, ValueError) as trouble:
        raise InputError(f"{file}: expected a message as hexadecimal digits ({trouble})") from trouble


def moment_of(text: str) -> datetime:
    """A time; without a zone it is UTC. Raises InputError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"--created: read {text!r}, expected a time as 2015-01-01T00:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def device_of(text: str) -> tuple[Entity, int]:
    """``EUI=TYPE``. Raises InputError."""
    eui, _, kind = text.partition("=")
    try:
        return Entity.parse(eui), _TYPES[kind.upper()]
    except (ValueError, KeyError):
        raise InputError(f"--device: read {text!r}, expected EUI=TYPE with TYPE one of {', '.join(_TYPES)}") from None


def pre_command_of(octets: bytes) -> bytes:
    """The pre-command in a message: a command is its pre-command, signed and MACed. Octets that are no message come back as they are."""
    try:
        return read_message(octets).pre_command
    except ParseCorrelateError:
        return octets


def verdict_json(verdict: Correlation) -> str:
    """A verdict for programs."""
    fields: dict[str, object] = {"verdict": verdict.verdict, "match": verdict.match}
    fields["differences"] = [{"field": one.field, "requested": one.requested, "stated": one.stated} for one in verdict.differences]
    fields["not_checked"] = [{"field": one.field, "stated": one.stated, "missing": one.missing} for one in verdict.not_checked]
    return json.dumps(fields, indent=2)


def _correlate(given: argparse.Namespace) -> int:
    keys = None if given.keys is None else KeyFolder.load(given.keys)
    types = dict(device_of(text) for text in given.device)
    try:
        originator = None if given.originator is None else Entity.parse(given.originator)
    except ValueError as trouble:
        raise InputError(f"--originator: {trouble}") from None
    known = Known(
        created=None if given.created is None else moment_of(given.created),
        originator=originator,
        device_type_of=types.get,
        certificates_of=lambda entity: [] if keys is None else keys.certificates_der(entity, AGREEMENT),
        created_within=timedelta(seconds=given.created_within),
        elements=given.elements,
    )
    try:
        request = given.request.read_bytes()
    except OSError as trouble:
        raise InputError(f"{given.request}: expected a service request ({trouble})") from trouble
    verdict = correlate(request, pre_command_of(octets_of(given.precommand)), known=known)
    print(verdict_json(verdict) if given.json else verdict.as_text())
    return int(not verdict.match or (given.strict and bool(verdict.not_checked)))


def _parse(given: argparse.Namespace) -> int:
    parsed = parse(octets_of(given.file), KeyFolder.load(given.keys))
    if given.mmc:
        print(to_mmc(parsed, given.service).decode())
    else:
        print(json.dumps(parsed.as_json(), indent=2) if given.json else parsed.as_text())
    return 0


def _arguments() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser("parse-correlate", description="Parse and Correlate of a user of the DCC.")
    top.add_argument("--verify-self", action="store_true", help="Check this installation against the list of its release.")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    one = commands.add_parser("correlate", help="Check that a pre-command says what a service request asks.")
    one.add_argument("request", type=Path, metavar="REQUEST", help="The service request (XML), the octets that were signed.")
    one.add_argument("precommand", type=Path, metavar="PRECOMMAND", help="The pre-command, or a command made of it (hexadecimal).")
    one.add_argument("--created", metavar="TIME", help="The creation time that a gas command must carry (ISO 8601).")
    one.add_argument("--created-within", type=float, default=0.0, metavar="SECONDS", help="How far it may be off.")
    one.add_argument("--keys", type=Path, metavar="DIR", help="Folder of certificates to hold those of Devices against.")
    one.add_argument("--device", action="append", default=[], metavar="EUI=TYPE", help="Type of a Device; may be repeated.")
    one.add_argument("--elements", type=int, choices=(1, 2), help="Measuring elements of the electricity meter.")
    one.add_argument("--originator", metavar="EUI", help="The change-of-supplier party that commands a 6.23.")
    one.add_argument("--strict", action="store_true", help="Exit code 1 also where something could not be checked.")
    one.add_argument("--json", action="store_true", help="Machine-readable output.")
    one.set_defaults(run=_correlate)
    two = commands.add_parser("parse", help="Read a response, alert or command.")
    two.add_argument("file", type=Path, metavar="FILE", help="The message (hexadecimal).")
    two.add_argument("--keys", type=Path, required=True, metavar="DIR", help="Folder of certificates and private keys (PEM or DER).")
    two.add_argument("--mmc", action="store_true", help="MMC XML instead of the readable form.")
    two.add_argument("--service", metavar="VARIANT", help="Service reference variant of the request, where several share a message code.")
    two.add_argument("--json", action="store_true", help="Machine-readable output.")
    two.set_defaults(run=_parse)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code comes back."""
    top = _arguments()
    given = top.parse_args(arguments)
    try:
        if given.verify_self:
            found = verify_self()
            print(found.text)
            return int(not found.good)
        if given.command is None:
            top.print_help()
            return 2
        return int(given.run(given))
    except ParseCorrelateError as trouble:
        print(f"parse-correlate: {trouble}", file=sys.stderr)
        return 2
