"""``chub gbcs use-cases``: the catalogue, and what the command of one use case is made of."""

from __future__ import annotations

import json
from dataclasses import asdict, fields

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from firmware_emu.console.commands.gbcs_options import console, json_option
from firmware_emu.console.commands.gbcs_values import Key, keys_of
from firmware_emu.extras import Choice
from firmware_emu.gbcs.use_cases import UseCase, UseCaseKind, by_name, catalogue

_COLUMNS = ("code", "name", "title", "kind", "category", "protection", "payload_kind")
_YES_NO = {True: "yes", False: "no"}


@click.command("use-cases")
@click.argument("name", required=False)
@click.option("--kind", type=Choice([kind.value for kind in UseCaseKind]), help="Only these.")
@click.option("--target", metavar="DEVICE", help="Only those for a type of device, as ESME.")
@json_option
def use_cases(name: str | None, kind: str | None, target: str | None, as_json: bool) -> None:
    """The catalogue of use cases, or with NAME one of them and the KEYs that `chub gbcs build` takes for it."""
    if name is not None:
        _one(by_name(name), as_json)
        return
    chosen = [
        use_case
        for use_case in catalogue().values()
        if (kind is None or use_case.kind.value == kind) and (target is None or target.upper() in use_case.targets)
    ]
    if as_json:
        click.echo(json.dumps([_row(use_case) for use_case in chosen], indent=1))
        return
    table = Table("code", "name", "title", "kind", "category", "protection", "payload", "targets", "service references")
    for use_case in chosen:
        row = _row(use_case)
        lists = (" ".join(use_case.targets), " ".join(use_case.service_references))
        table.add_row(*(str(row[column] or "") for column in _COLUMNS), *lists)
    console().print(table)


def _row(use_case: UseCase) -> dict[str, str | bool | list[str] | None]:
    """The fields of a row, without the lists of what its messages carry."""
    row: dict[str, str | bool | list[str] | None] = {}
    for part in fields(use_case):
        value = getattr(use_case, part.name)
        if part.name == "code":
            row["code"] = None if value is None else f"{value:04x}"
        elif part.name == "alert_codes":
            row["alert_codes"] = [f"{code:04x}" for code in value]
        elif part.name in ("kind", "protection"):
            row[part.name] = value.value
        elif not part.name.endswith(("_lists", "gbz_answers")):
            row[part.name] = list(value) if isinstance(value, tuple) else value
    return row


def _one(use_case: UseCase, as_json: bool) -> None:
    variants = [*(found.variant for found in use_case.access_lists), *(found.variant for found in use_case.gbz_lists)]
    keys = {variant: keys_of(use_case, variant) for variant in variants} or {"": keys_of(use_case, None)}
    if as_json:
        listed = {variant: [asdict(key) for key in found] for variant, found in keys.items()}
        click.echo(json.dumps({**_row(use_case), "build": listed}, indent=1))
        return
    out = console()
    for name, value in _row(use_case).items():
        shown = " ".join(value) if isinstance(value, list) else _YES_NO[value] if isinstance(value, bool) else value
        if shown not in (None, ""):
            out.print(f"{name.replace('_', ' '):20} {shown}", highlight=False, markup=False, soft_wrap=True)
    for variant, found in keys.items():
        _print_keys(out, variant if len(keys) > 1 else "", found)


def _print_keys(out: Console, variant: str, keys: tuple[Key, ...]) -> None:
    if not keys:
        return
    table = Table("KEY", "takes", "fixed by the use case", "what", title=f"variant {variant}" if variant else None, title_justify="left")
    for key in keys:
        table.add_row(*(escape(text) for text in (key.name, key.takes, key.fixed, key.what)))
    out.print(table)
