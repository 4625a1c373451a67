"""``chub dcc lie``: a DCC that gives out wrong pre-commands, and scores whoever is to sign them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.gbcs.explain import fields_of
from hil.attacks.lying_dcc import (
    Lie,
    Score,
    bench_user,
    confront,
    lie_in_bit,
    lies_in_fields,
    program,
    random_lies,
)
from hil.attacks.lying_service import LyingService
from hil.commands.dcc.options import json_option
from hil.dcc.duis import ServiceRequest, read_request
from hil.dcc.transform import transform
from hil.dcc.transform.check import CREATED, Checker, reference_devices
from hil.ssi.server import PageServer

__all__ = ["Liar", "lie"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class Liar:
    """Makes the lies that the options ask for."""

    def __init__(self, keystore: Keystore, field: str | None, bit: int | None, count: int, seed: int) -> None:
        self._checker = Checker(keystore, reference_devices(), names=False)
        self._field, self._bit, self._count = field, bit, count
        self._chooser = random.Random(seed)

    def truth(self, request: ServiceRequest) -> bytes:
        context = self._checker.context(request, request.request_id.counter)
        return transform(request, replace(context, created=CREATED)).encode()

    def lies(self, request: ServiceRequest) -> list[Lie]:
        """The truth first, then every lie."""
        true = self.truth(request)
        if self._field is not None:
            return [Lie(true), *lies_in_fields(true, self._field)]
        if self._bit is not None:
            return [Lie(true), lie_in_bit(true, self._bit)]
        return [Lie(true), *random_lies(true, self._count, self._chooser)]

    def turn(self, request: ServiceRequest, number: int) -> Lie:
        """The truth and lies by turns."""
        given = self.lies(request)
        return given[0] if number % 2 == 0 else given[1 + number // 2 % (len(given) - 1)]


@click.command("lie")
@click.argument("request_files", nargs=-1, type=_FILE)
@click.option("--keys", type=click.Path(exists=True, path_type=Path), required=True, help="Keystore folder or file.")
@click.option("--field", help="Be wrong in every field whose name holds this; 'list' shows the names.")
@click.option("--flip", "bit", type=int, metavar="N", help="Flip bit N.")
@click.option("--random", "at_random", is_flag=True, help="Flip bits at random.")
@click.option("--count", type=click.IntRange(min=1), default=10, show_default=True, help="Random lies a request.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the random ones.")
@click.option(
    "--adapter", metavar="COMMAND", help="A program to score, with {request} and {precommand} for files; exit code 0 signs, 1 notices."
)
@click.option("--serve", type=int, metavar="PORT", help="Score a client of the transform service on this loopback port; Ctrl-C ends it.")
@json_option
def lie(
    request_files: tuple[Path, ...],
    keys: Path,
    field: str | None,
    bit: int | None,
    at_random: bool,
    count: int,
    seed: int,
    adapter: str | None,
    serve: int | None,
    as_json: bool,
) -> None:
    """Give out pre-commands for REQUEST_FILES that are wrong in one chosen thing, and score who is to sign them.

    It is noticed, signed anyway, or the other end crashes. Without --adapter and --serve the user of this bench is scored. Exit code 1
    where a lie was signed or the truth refused."""
    if sum((field is not None, bit is not None, at_random)) != 1:
        raise click.UsageError("choose one of --field, --flip and --random")
    if not request_files and serve is None:
        raise click.UsageError("name request files, or --serve PORT and let a client send its own")
    keystore = Keystore.load(keys)
    liar = Liar(keystore, field, bit, count, seed)
    cases = [(file.name, read_request(file.read_bytes())) for file in request_files]
    if field == "list":
        for name, request in cases:
            click.echo("\n".join(f"{name}: {path} (octet {offset}, {size})" for path, offset, size in fields_of(liar.truth(request))))
        return
    if serve is not None:
        score = asyncio.run(_serve(liar, serve))
    else:
        end = bench_user(keystore, CREATED) if adapter is None else program(adapter)
        given = [(name, request, liar.lies(request)) for name, request in cases]
        with Progress(console=Console(stderr=True), transient=True) as shown:
            task = shown.add_task("pre-commands", total=sum(len(lies) for _, _, lies in given))
            score = confront(given, end, lambda: shown.advance(task))
    _print(score, as_json)
    if not score.clean:
        raise SystemExit(1)


async def _serve(liar: Liar, port: int) -> Score:
    service = LyingService(liar.turn)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    server = PageServer(service.app(), "127.0.0.1", port)
    async with contextlib.AsyncExitStack() as held:
        await server.start()
        held.push_async_callback(server.close)
        click.echo(f"{server.url}/api/v1/serviceT lies by turns; Ctrl-C ends and scores", err=True)
        await stop.wait()
    return service.score()


def _print(score: Score, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(score.as_json(), indent=2))
        return
    click.echo(", ".join(f"{count} {name}" for name, count in score.reactions.most_common()) or "nobody asked")
    for row in score.told:
        click.echo(f"  {row['request']}: {row['lie']}: {row['reaction']} {row['detail']}".rstrip())
