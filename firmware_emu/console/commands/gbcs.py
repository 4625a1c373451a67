"""``chub gbcs``: messages explained, checked, built, signed, MACed; prepayment tokens; the catalogue of use cases."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from firmware_emu.console import tree_table
from firmware_emu.console.commands import gbcs_input, gbcs_literals, gbcs_values, gbcs_verify
from firmware_emu.console.commands.gbcs_catalogue import use_cases
from firmware_emu.console.commands.gbcs_options import (
    CounterParameter,
    EuiParameter,
    brief_option,
    console,
    form_option,
    json_option,
    keys_option,
)
from firmware_emu.console.commands.gbcs_tokens import prepayment_token
from firmware_emu.console.result import columns
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import DecodeError, IdentifierError
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.build import build_command
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.explain import explain as explain_message
from firmware_emu.gbcs.explain import title
from firmware_emu.gbcs.explain_fault import explain_to_fault
from firmware_emu.gbcs.tree import Tree
from firmware_emu.gbcs.use_cases import UseCaseKind, by_name
from firmware_emu.gbcs.verify import MessageVerdict, ProtectionState, check, mac_secret
from firmware_emu.ids import CraFlag, Eui64


@click.group()
def gbcs() -> None:
    """GBCS messages, octet by octet.

    A MESSAGE is hexadecimal, base64, the name of a file holding either or the octets themselves, or - for standard input.
    """


@gbcs.command()
@click.argument("message", metavar="HEX|FILE|-")
@keys_option(required=False)
@brief_option
@json_option
@click.pass_context
def explain(context: click.Context, message: str, keys: Path | None, is_brief: bool, as_json: bool) -> None:
    """Every field of a message: offset, octets, name, meaning, clause.

    With --keys the MAC and signature are checked and ciphertexts opened; exit code 1 where one does not hold, with the input (key pair,
    counter, direction, additional data) that would have made it hold, if one does.
    """
    octets = gbcs_input.read_one(message)
    keystore = None if keys is None else Keystore.load(keys)
    try:
        tree = explain_message(octets, keystore)
    except DecodeError as wrong:
        tree = explain_to_fault(octets, wrong, keystore)
        _show(tree, as_json, is_brief, {"fault": str(wrong)})
        raise
    verdict = None if keystore is None else check(octets, keystore)
    _show(tree, as_json, is_brief, {} if verdict is None else _outcome(verdict))
    if verdict is None:
        return
    if ProtectionState.INVALID in (verdict.mac.state, verdict.signature.state) or any(
        gbcs_verify.is_broken(part) for part in verdict.encrypted
    ):
        context.exit(1)


def _show(tree: Tree, as_json: bool, is_brief: bool, outcome: Mapping[str, object]) -> None:
    if as_json:
        click.echo(json.dumps({**tree.as_json(), **outcome}, indent=1))
    elif is_brief:
        click.echo(tree_table.brief(tree))
    else:
        tree_table.show(Console(width=columns(80)), tree)


def _outcome(verdict: MessageVerdict) -> dict[str, object]:
    checks = (("mac", verdict.mac), ("signature", verdict.signature))
    parts = (
        {
            "field": part.field,
            "offset": part.offset,
            "reader": str(part.reader),
            "opened": part.plaintext is not None,
            "problem": part.problem,
        }
        for part in verdict.encrypted
    )
    told: dict[str, object] = {name: {"state": one.state.value, "reason": one.reason, "would_hold": one.would_hold} for name, one in checks}
    return {**told, "encrypted": list(parts)}


@gbcs.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@keys_option(required=True)
@json_option
@click.pass_context
def verify(context: click.Context, paths: tuple[str, ...], keys: Path, as_json: bool) -> None:
    """Check every message of files and folders: reading, encoding again, MAC, signature, decryption.

    In folders, files ending in .hex, .bin, .b64, .base64, .gbcs, .txt or nothing are read. Exit code 1 where something does not hold.
    """
    keystore = Keystore.load(keys)
    names = gbcs_input.files_in(paths)
    progress = Console(stderr=True)
    tally = gbcs_verify.VerifyTally()
    for name in track(names, "checking", console=progress, disable=not progress.is_terminal or len(names) < 2, transient=True):
        for found in gbcs_input.read_files([name]):
            tally.add(found, keystore)
    if as_json:
        click.echo(json.dumps(tally.as_json(), indent=1))
    else:
        tally.print(console())
    if not tally.good:
        context.exit(1)


@gbcs.command()
@click.option("--use-case", "name", required=True, metavar="NAME", help="As ECS17b; `chub gbcs use-cases` lists them.")
@click.option(
    "--originator",
    type=EuiParameter(),
    required=True,
    help="Sender: the user, or the broker for a user the device does not know.",
)
@click.option("--target", type=EuiParameter(), required=True, help="The device.")
@click.option("--counter", type=CounterParameter(), required=True, help="The originator counter.")
@click.option("--variant", help="Form of the use case, where it has several.")
@click.option("--from", "start", metavar="TIME", help="Start of the period to read, as 2026-01-01T00:00:00Z.")
@click.option("--to", "end", metavar="TIME", help="End of that period.")
@click.option("--supplementary-party", type=EuiParameter(), help="The user the device does not know.")
@click.option("--supplementary-counter", type=CounterParameter(), help="That user's counter.")
@click.option("--supplementary-certificate", metavar="PEM", help="That user's key agreement certificate, for an encrypted answer.")
@click.argument("values", nargs=-1, metavar="[KEY=VALUE]...")
@form_option
@json_option
def build(
    name: str,
    originator: Eui64,
    target: Eui64,
    counter: int,
    variant: str | None,
    start: str | None,
    end: str | None,
    supplementary_party: Eui64 | None,
    supplementary_counter: int | None,
    supplementary_certificate: str | None,
    values: tuple[str, ...],
    form: str,
    as_json: bool,
) -> None:
    """Build the command of a use case: a pre-command where it is to be signed, else a message without its MAC.

    `chub gbcs use-cases NAME` lists the KEYs. A VALUE is a number, true or false, hexadecimal octets, text, a time (as
    2026-01-01T00:00:00Z, now, never), JSON for structures, or @FILE. The usual way on:

    chub gbcs build ... | chub gbcs sign - --keys DIR | chub gbcs mac - --keys DIR
    """
    use_case = by_name(name)
    if use_case.code is None or use_case.kind is not UseCaseKind.COMMAND:
        raise IdentifierError("a use case with commands", name, "one that `chub gbcs use-cases --kind command` lists")
    certificate = None if supplementary_certificate is None else gbcs_literals.certificate(supplementary_certificate)
    other = OtherInformation(use_case.code, supplementary_party, supplementary_counter, None, certificate)
    header = GroupingHeader(CraFlag.COMMAND, counter, originator, target, other)
    if (start is None) is not (end is None):
        raise click.UsageError("--from and --to go together")
    period = None if start is None or end is None else (gbcs_literals.moment(start), gbcs_literals.moment(end))
    given = gbcs_values.parse(use_case, variant, values)
    message = build_command(
        use_case, header, variant=variant, data=given.data, components=given.components, value=given.value, period=period
    )
    _print(message, form, as_json)


@gbcs.command()
@click.argument("message", default=gbcs_input.STANDARD_INPUT, metavar="[MESSAGE]")
@keys_option(required=True)
@form_option
@json_option
def sign(message: str, keys: Path, form: str, as_json: bool) -> None:
    """Sign a pre-command, or any message, with its originator's key. A MAC it had is dropped, since it no longer holds."""
    read = Message.decode(gbcs_input.read_one(message))
    key = Keystore.load(keys).private_key(read.header.originator, KeyUsage.DIGITAL_SIGNATURE)
    _print(protect.with_signature(read, key), form, as_json)


@gbcs.command()
@click.argument("message", default=gbcs_input.STANDARD_INPUT, metavar="[MESSAGE]")
@keys_option(required=True)
@form_option
@json_option
def mac(message: str, keys: Path, form: str, as_json: bool) -> None:
    """Put the MAC on a message: for a command that of the access control broker, else that of its two parties."""
    read = Message.decode(gbcs_input.read_one(message))
    if read.signature is None:
        raise click.UsageError(f"{title(read)}: a pre-command carries no MAC; sign it first (chub gbcs sign)")
    _print(protect.with_mac(read, mac_secret(read.header, Keystore.load(keys))), form, as_json)


def _stage(message: Message) -> str:
    if message.signature is None:
        return "pre-command"
    return f"{'signed' if message.signature else 'unsigned'}, {'without MAC' if message.mac is None else 'with MAC'}"


def _print(message: Message, form: str, as_json: bool) -> None:
    octets = message.encode()
    if as_json:
        told = {"title": title(message), "protection": _stage(message), "length": len(octets), "message": octets.hex()}
        click.echo(json.dumps(told, indent=1))
    elif form == "binary":
        click.echo(octets, nl=False)
    else:
        click.echo(octets.hex() if form == "hex" else base64.b64encode(octets).decode("ascii"))


gbcs.add_command(prepayment_token)
gbcs.add_command(use_cases)
