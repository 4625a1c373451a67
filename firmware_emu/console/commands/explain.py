"""``chub explain``: one box to paste anything into."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from firmware_emu.console import tree_table
from firmware_emu.console.commands.gbcs_options import brief_option, json_option, keys_option
from firmware_emu.console.commands.pasted import Form, Pasted, Piece, explain_piece, forms, oracles, take_apart
from firmware_emu.console.layers import LayerKnowledge, layers
from firmware_emu.console.result import columns
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import CommsHubError, DecodeError, NotAvailable, one_of
from firmware_emu.gbcs.tree import Tree
from firmware_emu.zse import clusters

_FIRST = 20
"""Pieces that are shown where nobody says how many."""


@click.command()
@click.argument("anything", nargs=-1, metavar="[ANYTHING]...")
@click.option(
    "--as", "layer", metavar="LAYER", help="Read the octets as this layer: ash, ezsp, mt, mac, nwk, aps, zcl, gbcs, dlms, der, xml ..."
)
@click.option("--cluster", metavar="CLUSTER", help="The cluster of a ZCL frame, as Price or 0700.")
@keys_option(required=False)
@click.option("--han-key", "han_keys", multiple=True, metavar="HEX", help="A key of the HAN, 16 octets; may be repeated.")
@click.option("--ezsp", "version", type=int, default=13, show_default=True, help="The EZSP version of EZSP frames.")
@click.option("--only", metavar="NUMBER", type=click.IntRange(min=1), help="Only this piece, in full.")
@click.option("--all", "everything", is_flag=True, help=f"Every piece of a capture or log, not the first {_FIRST}.")
@click.option("--oracle", is_flag=True, help="Let tshark, gbcs-parser and openssl read it too, and show where they disagree.")
@brief_option
@json_option
@click.pass_context
def explain(
    context: click.Context,
    anything: tuple[str, ...],
    layer: str | None,
    cluster: str | None,
    keys: Path | None,
    han_keys: tuple[str, ...],
    version: int,
    only: int | None,
    everything: bool,
    oracle: bool,
    is_brief: bool,
    as_json: bool,
) -> None:
    """Explain anything: hex, base64, a hex dump, log lines, a capture, DUIS, GBCS, EZSP, MT, a certificate; it finds what it is.

    ANYTHING is the words themselves, a file, or - (or nothing) for standard input. Exit code 1 where a second reader disagrees, 2 where it
    cannot be read.
    """
    pasted = _pasted(anything)
    form, pieces = take_apart(pasted)
    names = [one.name for one in layers()]
    if layer is not None and layer not in names:
        raise click.BadParameter(f"read {layer!r}, expected {one_of(layer, names)}", param_hint="--as")
    found_keys = [_key(text) for text in han_keys] + list(form.keys(pasted) if form.keys is not None else ())
    known = LayerKnowledge(None if keys is None else Keystore.load(keys), tuple(found_keys), version, _cluster(cluster))
    pieces = pieces if layer is None else [replace(piece, layer=layer) for piece in pieces]
    if only is not None:
        if only > len(pieces):
            raise click.BadParameter(f"read {only}, expected 1 to {len(pieces)}", param_hint="--only")
        shown: Sequence[Piece] = pieces[only - 1 : only]
    else:
        shown = pieces if everything else pieces[:_FIRST]
    told = [_read(piece, known, oracle) for piece in shown]
    if as_json:
        click.echo(json.dumps({"form": form.name, "pieces": len(pieces), "read": [one.as_json() for one in told]}, indent=1))
    else:
        _show(form, told, len(pieces), is_brief or len(shown) > 1)
    if len(told) == 1 and told[0].fault:
        raise DecodeError(0, told[0].piece.where, told[0].fault)
    if any(lines for one in told for lines in one.judged.values()):
        context.exit(1)


class _Read:
    """A piece that was read, or the reason why not; what each second reader says of it."""

    def __init__(self, piece: Piece) -> None:
        self.piece = piece
        self.layer = ""
        self.others: tuple[str, ...] = ()
        self.tree: Tree | None = None
        self.fault = ""
        self.judged: dict[str, Sequence[str]] = {}
        self.absent: list[str] = []

    def as_json(self) -> dict[str, object]:
        told: dict[str, object] = {"where": self.piece.where}
        if self.piece.words:
            told["said"] = self.piece.words
        if self.tree is not None:
            told |= {"layer": self.layer, "could_be": list(self.others), **self.tree.as_json()}
        if self.fault:
            told["fault"] = self.fault
        if self.judged or self.absent:
            told["oracles"] = {name: list(lines) for name, lines in self.judged.items()}
            told["oracles_absent"] = self.absent
        return told


def _read(piece: Piece, known: LayerKnowledge, oracle: bool) -> _Read:
    done = _Read(piece)
    if piece.words:
        return done
    try:
        found = explain_piece(piece, known)
    except DecodeError as wrong:
        done.fault = str(wrong)
        return done
    done.layer, done.others, done.tree = found.layer.name, found.others, found.tree
    done.fault = "" if found.fault is None else str(found.fault)
    for one in oracles() if oracle else ():
        if found.layer.name in one.layers:
            try:
                done.judged[one.name] = one.judge(piece, found, known)
            except NotAvailable as missing:
                done.absent.append(str(missing))
    return done


def _show(form: Form, told: Sequence[_Read], count: int, is_brief: bool) -> None:
    console = Console(width=columns(80), highlight=False)
    for one in told:
        if one.piece.words:
            console.print(f"{one.piece.where}  {one.piece.words}", markup=False)
            continue
        place = f"{one.piece.where}: " if len(told) > 1 else ""
        if one.tree is None:
            if len(told) > 1:
                console.print(f"{place}{one.fault}", markup=False)
            continue
        if is_brief:
            console.print(f"{place}{one.layer}: {tree_table.brief(one.tree)}", markup=False)
        else:
            also = f"; could also be {', '.join(one.others)} (--as {one.others[0]})" if one.others else ""
            console.print(f"{form.about}; read as {one.layer}{also}", markup=False)
            tree_table.show(console, one.tree)
        for name, lines in one.judged.items():
            console.print(
                f"{place}{name} {'agrees' if not lines else 'disagrees:'}", *(f"  {line}" for line in lines), sep="\n", markup=False
            )
        for missing in one.absent:
            console.print(f"{place}{missing}", markup=False)
    if count > len(told) and len(told) > 1:
        console.print(
            f"{form.about}: {count} pieces, the first {len(told)} shown; --all shows all, --only NUMBER one in full", markup=False
        )


def _pasted(words: Sequence[str]) -> Pasted:
    """Raises UsageError."""
    if not words or tuple(words) == ("-",):
        if not words and sys.stdin.isatty():
            click.echo("paste, then Ctrl-D:", err=True)
        return Pasted(sys.stdin.buffer.read())
    if len(words) == 1 and os.path.isdir(words[0]):
        raise click.UsageError(f"{words[0]} is a folder: name a file in it")
    if len(words) == 1 and os.path.isfile(words[0]):  # False too for a text that is too long to be a name
        return Pasted(Path(words[0]).read_bytes(), Path(words[0]))
    pasted = Pasted(" ".join(words).encode())
    if len(words) == 1 and ("/" in words[0] or "." in words[0]) and " " not in words[0] and not words[0].lstrip().startswith("<"):
        try:
            take_apart(pasted)
        except DecodeError:
            raise click.UsageError(f"{words[0]} is no file that is there, and nothing that can be explained") from None
    return pasted


def _key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        key = b""
    if len(key) != 16:
        raise click.BadParameter("expected 16 octets in hex", param_hint="--han-key")  # what was read may be a key
    return key


def _cluster(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        named = clusters.named(text)
        return named if named is not None else int(text, 16)
    except (CommsHubError, ValueError, KeyError):
        raise click.BadParameter(f"read {text!r}, expected a cluster as Price or 0700", param_hint="--cluster") from None


__all__ = ["explain", "forms"]
