"""``chub pki``: make, extend, show, check and lint the keys and certificates of a bench."""

from __future__ import annotations

import json
import ssl
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography import x509
from rich.console import Console
from rich.table import Table

from firmware_emu.clock import iso_text
from firmware_emu.crypto import inspection, tls_credentials
from firmware_emu.crypto.certificate_profile import CertificateProfile, Finding, refusals
from firmware_emu.crypto.certificate_profile import lint as lint_certificate
from firmware_emu.crypto.certificates import key_id_of
from firmware_emu.crypto.implicit_profile import ZSE, lint_implicit
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import DEFAULT_DEVICES, DEFAULT_ORGANISATIONS, add_devices, make_pki
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.errors import IdentifierError, KeystoreError, one_of
from firmware_emu.extras import Choice
from firmware_emu.ids import Eui64

_FOLDER = click.Path(path_type=Path)
_DEVICE_TYPES = ", ".join(kind.name for kind in DeviceType)
_DEVICE_HELP = f"A Device; repeat. TYPE: {_DEVICE_TYPES}."


class _DeviceParameter(click.ParamType[tuple[Eui64, DeviceType]]):
    name = "EUI:TYPE"

    def convert(
        self, value: str | tuple[Eui64, DeviceType], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Eui64, DeviceType]:
        if isinstance(value, tuple):
            return value
        eui, _, kind = value.rpartition(":")
        try:
            return Eui64.parse(eui), DeviceType[kind.upper().replace("-", "_")]
        except IdentifierError as wrong:
            self.fail(f"{value!r}: {wrong}", param, ctx)
        except KeyError:
            self.fail(f"{value!r}: {kind!r} is not a device type: expected {_DEVICE_TYPES}, as in 00db1234567890a0:ESME", param, ctx)


class _OrganisationParameter(click.ParamType[tuple[str, tuple[RemotePartyRole, Eui64]]]):
    name = "NAME:ROLE:EUI"

    def convert(
        self, value: str | tuple[str, tuple[RemotePartyRole, Eui64]], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[RemotePartyRole, Eui64]]:
        if isinstance(value, tuple):
            return value
        name, _, rest = value.partition(":")
        role, _, eui = rest.partition(":")
        try:
            return name, (RemotePartyRole[role.upper().replace("-", "_")], Eui64.parse(eui))
        except IdentifierError as wrong:
            self.fail(f"{value!r}: {wrong}", param, ctx)
        except KeyError:
            known = one_of(role, [known.name for known in RemotePartyRole])
            self.fail(f"{value!r}: {role!r} is not a role, as in supplier:SUPPLIER:90b3d51f30010000: expected {known}", param, ctx)


@click.group()
def pki() -> None:
    """Keys and certificates of a bench: a folder of PEM files."""


@pki.command()
@click.argument("directory", type=_FOLDER, metavar="DIR")
@click.option("--device", "devices", type=_DeviceParameter(), multiple=True, help=_DEVICE_HELP)
@click.option(
    "--organisation",
    "organisations",
    type=_OrganisationParameter(),
    multiple=True,
    help="An organisation instead of the default ones; repeat.",
)
@click.option("--force", is_flag=True, help="Replace the keys and certificates that DIR holds.")
def make(
    directory: Path,
    devices: Sequence[tuple[Eui64, DeviceType]],
    organisations: Sequence[tuple[str, tuple[RemotePartyRole, Eui64]]],
    force: bool,
) -> None:
    """Make a test PKI in DIR.

    Authorities, organisations and Devices (those of the Reference Test Data Set where none is named), credentials for key establishment,
    and TLS for the SM WAN link. Files can be read by their owner only.
    """
    chosen = _unrepeated(devices) or DEFAULT_DEVICES
    parties = dict(organisations) or DEFAULT_ORGANISATIONS
    if organisations and len(parties) != len(organisations):
        raise click.UsageError("--organisation: a name occurs twice; each needs its own")
    store = make_pki(directory, organisations=parties, devices=chosen, force=force)
    click.echo(f"{directory}: {len(parties)} organisations, {len(chosen)} devices, {len(store.authorities())} authorities")


@pki.command()
@click.argument("directory", type=_FOLDER, metavar="DIR")
@click.option("--device", "devices", type=_DeviceParameter(), multiple=True, required=True, help=_DEVICE_HELP)
def add(directory: Path, devices: Sequence[tuple[Eui64, DeviceType]]) -> None:
    """Issue certificates to more Devices in DIR, a folder made by `chub pki make`."""
    chosen = _unrepeated(devices)
    add_devices(directory, chosen)
    click.echo(f"{directory}: added {', '.join(f'{kind.name} {entity}' for entity, kind in chosen.items())}")


def _unrepeated(devices: Sequence[tuple[Eui64, DeviceType]]) -> Mapping[Eui64, DeviceType]:
    chosen = dict(devices)
    if len(chosen) != len(devices):
        raise click.UsageError("--device: an EUI-64 occurs twice; each Device has its own")
    return chosen


@pki.command()
@click.argument("directory", type=_FOLDER, metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(directory: Path, as_json: bool) -> None:
    """Show the content of a keystore (folder, or JSON of DCC Boxed), never its secrets."""
    store = _held(directory)
    found = inspection.parties(store)
    hubs = [str(hub) for hub in tls_credentials.hubs_of(directory)]
    if as_json:
        click.echo(json.dumps(_as_tree(store, found, hubs), indent=1))
        return
    table = Table("EUI-64", "role", "pair", "private key", "valid until", "key identifier", "CBKE")
    for cert in store.authorities():
        held = "held" if store.has_authority_key(cert) else "-"
        table.add_row(_common_name(cert), inspection.role_words(cert), "sign", held, _until(cert), key_id_of(cert).hex(), "")
    for party in found:
        cbke = "held" if party.key_establishment else "-"
        first = (str(party.entity), party.role)
        if not party.pairs:
            table.add_row(*first, "-", "-", "-", "-", cbke)
        for number, pair in enumerate(party.pairs):
            lead = first if number == 0 else ("", "")
            end, key_id = ("-", "-") if pair.certificate is None else (_until(pair.certificate), key_id_of(pair.certificate).hex())
            table.add_row(*lead, pair.kind, "held" if pair.private_key_held else "-", end, key_id, cbke if number == 0 else "")
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    if hubs:
        click.echo(f"SM WAN TLS: server, hubs {', '.join(hubs)}")
    for warning in store.warnings:
        click.echo(f"warning: {warning}")


def _held(directory: Path) -> Keystore:
    """A keystore with something in it. Raises KeystoreError."""
    store = Keystore.load(directory)
    if not store.entities() and not store.authorities():
        expected = "expected a folder of PEM files or a JSON file; make one with `chub pki make`"
        raise KeystoreError(str(directory), f"holds no key and no certificate: {expected}")
    return store


def _common_name(cert: x509.Certificate) -> str:
    names = cert.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else "-"


def _until(cert: x509.Certificate) -> str:
    return f"{cert.not_valid_after_utc:%Y-%m-%d}"


def _as_tree(store: Keystore, found: Sequence[inspection.PartySummary], hubs: Sequence[str]) -> dict[str, object]:
    return {
        "authorities": [
            {
                "name": _common_name(cert),
                "role": inspection.role_words(cert),
                "private_key": store.has_authority_key(cert),
                "valid_until": iso_text(cert.not_valid_after_utc),
                "key_identifier": key_id_of(cert).hex(),
            }
            for cert in store.authorities()
        ],
        "parties": [
            {
                "eui64": str(party.entity),
                "role": party.role,
                "key_establishment": party.key_establishment,
                "pairs": [
                    {
                        "kind": pair.kind,
                        "private_key": pair.private_key_held,
                        "valid_until": None if pair.certificate is None else iso_text(pair.certificate.not_valid_after_utc),
                        "key_identifier": None if pair.certificate is None else key_id_of(pair.certificate).hex(),
                    }
                    for pair in party.pairs
                ],
            }
            for party in found
        ],
        "tls_hubs": list(hubs),
        "warnings": store.warnings,
    }


@pki.command()
@click.argument("directory", type=_FOLDER, metavar="DIR")
@click.option("--at", type=click.DateTime(["%Y-%m-%d"]), help="The day certificates must be valid on (UTC). Default: today.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check(context: click.Context, directory: Path, at: datetime | None, as_json: bool) -> None:
    """Check certificates, paths, dates, key pairs and file permissions. Exit code 1 where something does not hold."""
    day = datetime.now(UTC) if at is None else at.replace(tzinfo=UTC)
    store = _held(directory)
    findings = inspection.check(directory, store, day)
    if as_json:
        found = [{"what": finding.what, "problem": finding.problem} for finding in findings]
        click.echo(json.dumps({"at": iso_text(day), "good": not findings, "findings": found}, indent=1))
    else:
        for finding in findings:
            click.echo(f"{finding.what}: {finding.problem}")
        click.echo(f"{directory}: {len(findings)} findings" if findings else f"{directory}: all {len(store.entities())} parties hold")
    if findings:
        context.exit(1)


@pki.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE...")
@click.option(
    "--profile",
    type=Choice([*(one.value for one in CertificateProfile), ZSE]),
    required=True,
    help="Profile that the certificates follow.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def lint(context: click.Context, files: tuple[Path, ...], profile: str, as_json: bool) -> None:
    """Hold certificates (PEM, DER; zse: octets or hexadecimal) against their profile, rule by rule. Exit code 1 where one is refused."""
    judged = {
        str(path): lint_implicit(path.read_bytes()) if profile == ZSE else _lint_file(path, CertificateProfile(profile)) for path in files
    }
    if as_json:
        shown = [
            {
                "file": name,
                "refused": bool(refusals(found)),
                "findings": [_as_json(one) for one in found],
            }
            for name, found in judged.items()
        ]
        click.echo(json.dumps(shown, indent=1))
    else:
        for name, found in judged.items():
            verdict = "refused" if refusals(found) else "passes with findings" if found else "passes"
            click.echo("\n  ".join((f"{name}: {verdict}", *map(str, found))))
    if any(refusals(found) for found in judged.values()):
        context.exit(1)


def _as_json(one: Finding) -> dict[str, str]:
    return {"rule": one.rule, "severity": one.severity.value, "problem": one.problem, "clause": one.clause}


def _lint_file(path: Path, profile: CertificateProfile) -> tuple[Finding, ...]:
    octets = path.read_bytes()
    if b"-----BEGIN CERTIFICATE-----" in octets:
        try:
            octets = ssl.PEM_cert_to_DER_cert(octets.decode("ascii").strip())
        except ValueError as wrong:
            raise KeystoreError(str(path), f"is not PEM ({wrong}): expected one certificate") from wrong
    return lint_certificate(octets, profile)
