"""``chub dcc``: transform, check it against reference messages, and the far end's own commands."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.errors import IdentifierError
from firmware_emu.ids import Eui64
from hil.commands.dcc.visiting import DccGroup
from hil.dcc.duis import read_request, validate
from hil.dcc.transform import TransformError, use_cases_of
from hil.dcc.transform import transform as to_message
from hil.dcc.transform.check import Checker, ReferenceDevice, TransformReport, reference_devices
from hil.dcc.transform.check import run as check_pairs
from hil.dcc.transform.context import DeviceProfile, Edition

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group(cls=DccGroup)
def dcc() -> None:
    """The far end: service requests, GBCS messages, users and the DCC."""


def _device(text: str) -> tuple[Eui64, ReferenceDevice]:
    """``EUI=TYPE[,3phase][,twin][,legacy][,user=EUI]``."""
    eui, _, facts = text.partition("=")
    kind, *more = facts.split(",")
    try:
        device_type = DeviceType[kind.upper()]
        identity = Eui64.parse(eui)
        parties = tuple(Eui64.parse(word.removeprefix("user=")) for word in more if word.startswith("user="))
    except (KeyError, IdentifierError):
        kinds = ", ".join(device.name for device in DeviceType)
        raise click.BadParameter(f"read {text!r}, expected EUI=TYPE with TYPE one of {kinds}") from None
    unknown = [word for word in more if word not in ("3phase", "twin", "legacy") and not word.startswith("user=")]
    if unknown:
        raise click.BadParameter(f"read {unknown[0]!r} in {text!r}, expected 3phase, twin, legacy or user=EUI")
    profile = DeviceProfile(
        3 if "3phase" in more else 1, 2 if "twin" in more else 1, Edition.LEGACY if "legacy" in more else Edition.CURRENT
    )
    return identity, ReferenceDevice(device_type, profile, parties)


def _devices(told: tuple[str, ...]) -> dict[Eui64, ReferenceDevice]:
    return {**reference_devices(), **dict(_device(text) for text in told)}


_device_option = click.option(
    "--device", "told", multiple=True, metavar="EUI=TYPE[,3phase][,twin][,legacy][,user=EUI]", help="Facts about a Device."
)
_keys_option = click.option("--keys", type=click.Path(exists=True, path_type=Path), required=True, help="Keystore folder or file.")
_json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


@dcc.command()
@click.argument("request_file", type=_FILE)
@click.option("--counter", type=int, help="Originator counter instead of the one in RequestID.")
@click.option("--acb-counter", type=int, help="Counter of the DCC party, where it originates the command.")
@click.option("--created", help="Creation time (ISO 8601) written into GBZ commands; now by default.")
@click.option("--schema", type=click.Path(exists=True, path_type=Path), help="DUIS.xsd or its folder: validate the request first.")
@_keys_option
@_device_option
@_json_option
def transform(
    request_file: Path,
    counter: int | None,
    acb_counter: int | None,
    created: str | None,
    schema: Path | None,
    keys: Path,
    told: tuple[str, ...],
    as_json: bool,
) -> None:
    """Turn a service request into its GBCS pre-command or command (hexadecimal)."""
    request = read_request(request_file.read_bytes())
    if schema is not None:
        validate(request, schema)
    if not use_cases_of(request.service_reference_variant):
        raise TransformError(request.service_reference_variant, "is for the DCC, no GBCS message")
    if counter is not None:
        request = replace(request, request_id=replace(request.request_id, counter=counter))
    checker = Checker(Keystore.load(keys), _devices(told), names=False)
    context = replace(checker.context(request, acb_counter or 0), acb_counter=acb_counter, created=_moment(created))
    message = to_message(request, context)
    if as_json:
        header = message.header
        result = {
            "kind": "pre-command" if message.signature is None else "command without MAC",
            "message_code": f"{message.message_code:04x}",
            "originator": str(header.originator),
            "recipient": str(header.recipient),
            "counter": header.counter,
            "message": message.encode().hex(),
        }
        click.echo(json.dumps(result, indent=2))
    else:
        click.echo(message.encode().hex())


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"read {text!r}, expected a time as 2015-01-01T00:00:00Z", param_hint="--created") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@dcc.command("transform-check")
@click.argument("templates", type=_FOLDER)
@click.argument("messages", type=_FOLDER)
@_keys_option
@_device_option
@click.option("--names/--no-names", default=True, help="Take from file names what requests cannot say: phases, elements, GBCS version.")
@_json_option
def transform_check(templates: Path, messages: Path, keys: Path, told: tuple[str, ...], names: bool, as_json: bool) -> None:
    """Transform every request of a folder and compare with the reference messages of the same stem; exit code 1 while a difference has no
    proven reason."""
    report = check_pairs(templates, messages, Keystore.load(keys), _devices(told), names)
    if as_json:
        click.echo(json.dumps(asdict(report) | {"unexplained": [asdict(one) for one in report.unexplained]}, indent=2))
    else:
        _print_report(report)
    if report.unsupported or report.unexplained:
        raise SystemExit(1)


def _print_report(report: TransformReport) -> None:
    same = report.identical + report.identical_but_signature
    click.echo(f"{report.pairs} pairs: {report.identical} identical, {report.identical_but_signature} up to the signature, ", nl=False)
    click.echo(f"{len(report.differ)} differ ({len(report.unexplained)} unexplained), ", nl=False)
    click.echo(f"{len(report.unsupported)} unsupported; {same} the same,")
    click.echo(f"of them {report.same_by_name} with facts of the Device that only the file name states.")
    for difference in report.differ:
        click.echo(f"  {difference.message} at {difference.offset}, {difference.field}:")
        click.echo(f"    expected {difference.expected}, got {difference.got}: {difference.reason}")
    for problem in report.unsupported:
        click.echo(f"  {problem['message']}: {problem['problem']}")


_COMMANDS = tuple(
    f"hil.commands.dcc.{name}"
    for name in (
        "parse_correlate",
        "lie",
        "inventory",
        "charges",
        "coverage",
        "registration",
        "forecast",
        "incidents",
        "measures",
        "maintenance",
        "thresholds",
        "products",
        "security",
        "serve",
        "up",
        "census",
        "convert",
        "services",
    )
)


def _attach_service_commands() -> None:
    """Add the far end's own commands, which are other modules', where those modules are installed."""
    for name in _COMMANDS:
        if find_spec(name) is None:
            continue
        module = import_module(name)
        for command in (getattr(module, exported) for exported in module.__all__):
            if isinstance(command, click.Command) and command.name and command.name not in dcc.commands:
                dcc.add_command(command)


_attach_service_commands()
