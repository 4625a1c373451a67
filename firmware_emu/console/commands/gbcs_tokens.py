"""``chub gbcs utrn``: prepayment tokens made, read and checked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import click

from firmware_emu.console.commands.gbcs_options import CounterParameter, EuiParameter, json_option, keys_option
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import CellUsage
from firmware_emu.errors import ProtectionError
from firmware_emu.extras import Choice
from firmware_emu.gbcs import utrn
from firmware_emu.ids import Eui64


@dataclass(frozen=True, slots=True)
class _TopUp:
    """Between whom a token holds, and for which counter."""

    supplier: Eui64
    meter: Eui64
    counter: int
    keystore: Keystore

    def secret(self) -> bytes:
        """Z of the supplier's prepayment key agreement key and the meter's."""
        return self.keystore.shared_secret(self.supplier, self.meter, CellUsage.PREPAYMENT_TOP_UP)

    def make(self, value: int, unit: utrn.ValueClass) -> str:
        return utrn.make_utrn(self.secret(), supplier=self.supplier, meter=self.meter, counter=self.counter, value=value, value_class=unit)

    def problem(self, token: str) -> str:
        """Why the meter would refuse the token, empty where it would not."""
        try:
            utrn.check_utrn(token, self.secret(), supplier=self.supplier, meter=self.meter, counter=self.counter)
        except ProtectionError as error:
            return error.reason
        return ""


@click.command("utrn")
@click.argument("token", required=False)
@click.option("--supplier", type=EuiParameter(), help="The supplier.")
@click.option("--meter", type=EuiParameter(), help="The ESME or GSME.")
@click.option("--counter", type=CounterParameter(), help="Counter of the top-up command: a multiple of 2^32, as 0x300000000.")
@click.option("--value", type=click.IntRange(0, utrn.MAX_VALUE), help="The amount of a token to make.")
@click.option("--unit", type=Choice(["pounds", "pence"]), default="pounds", show_default=True, help="Unit of that amount.")
@keys_option(required=False)
@json_option
@click.pass_context
def prepayment_token(
    context: click.Context,
    token: str | None,
    supplier: Eui64 | None,
    meter: Eui64 | None,
    counter: int | None,
    value: int | None,
    unit: str,
    keys: Path | None,
    as_json: bool,
) -> None:
    """Make a prepayment token of 20 digits, or read one.

    To make: --supplier, --meter, --counter, --value and --keys. To read: TOKEN; with --supplier, --meter, --counter and --keys it is
    checked as the meter would check it, exit code 1 where it is not authentic.
    """
    top_up = None
    if keys is not None and supplier is not None and meter is not None and counter is not None:
        top_up = _TopUp(supplier, meter, counter, Keystore.load(keys))
    problem = None
    if token is not None:
        token = "".join(token.replace("-", " ").split())
        read = utrn.read_utrn(token)
        problem = None if top_up is None else top_up.problem(token)
    elif top_up is None or value is None:
        raise click.UsageError("to make a token: --supplier, --meter, --counter, --value and --keys; to read one: its 20 digits")
    else:
        token = top_up.make(value, utrn.ValueClass[unit.upper()])
        read = utrn.read_utrn(token)
    if as_json:
        told = {"utrn": token, "pence": read.pence, "value": read.value, "value_class": read.value_class, "counter_bits": read.counter_bits}
        click.echo(json.dumps(told if problem is None else {**told, "authentic": not problem, "problem": problem}, indent=1))
    else:
        verdict = "" if problem is None else f", not authentic: {problem}" if problem else ", authentic"
        click.echo(f"{token}  ({read.pence // 100}.{read.pence % 100:02d} pounds, counter bits {read.counter_bits}{verdict})")
    if problem:
        context.exit(1)
