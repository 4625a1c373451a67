"""``chub dcc refusals``: the list of everything the gateway and the DCC refuse, generated from the declarations that refuse it."""

from __future__ import annotations

import json

import click

from hil.commands.dcc.options import show
from hil.dcc.base.refusals import RefusalEntry, catalogue


@click.command("refusals")
@click.argument("words", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def refusals(words: tuple[str, ...], as_json: bool) -> None:
    """List every refusal: code, check, rule, what it says and what to do next. WORDS narrow it down (a check, a code, a word)."""
    found = [entry for entry in catalogue().values() if all(_speaks_of(entry, word) for word in words)]
    if as_json:
        click.echo(json.dumps([entry.as_json() for entry in found], indent=2))
        return
    rows = [(entry, entry.fill(entry.example)) for entry in found]
    told = [
        {
            "name": entry.name,
            "code": entry.code or "-",
            "check": f"{entry.hop}: {entry.check}",
            "what was read (example)": shown.value,
            "rule": shown.rule,
            "next": shown.next_step,
        }
        for entry, shown in rows
    ]
    show(told, "Refusals", as_json=False)
    number = f"{len(found)} refusal{'s' * (len(found) != 1)}"
    click.echo(f"{number}; code '-': the codes are published, their meanings are not (reference response-codes.csv)")


def _speaks_of(entry: RefusalEntry, word: str) -> bool:
    text = " ".join((entry.name, entry.code or "", entry.hop, entry.check, entry.rule, entry.value, entry.next_step))
    return word.lower() in text.lower()
