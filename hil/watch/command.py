"""``chub watch``: a bench on a page on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
from pathlib import Path

import click

from firmware_emu.errors import NotAvailable
from hil.ssi.server import PageServer
from hil.watch.app import watch_app
from hil.watch.sources import SOCKET, TRACE, WatchedBench, find


@click.command()
@click.argument("place", required=False, type=click.Path(path_type=Path), metavar="[PLACE]")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="port on 127.0.0.1; without it one that is free")
@click.option("--for", "seconds", type=click.FloatRange(min=0), help="end after so many seconds, instead of at Ctrl-C")
def watch(place: Path | None, port: int, seconds: float | None) -> None:
    """Watch a bench in a browser: map of the HAN, ladder, supply, registers, faults to add and lift.

    PLACE is a run's folder, the --state folder or the console's socket of `chub run home` and `chub hub run`; without it the newest run in
    the folder of runs, which is that of a `chub console` that is open. The page's address holds a key: who has it may add faults.
    """
    bench = find(place or _newest())
    try:
        asyncio.run(_serve(bench, port, seconds))
    finally:
        bench.close()


def _newest() -> Path:
    """The newest run's folder. Raises NotAvailable where there is none."""
    base = Path(os.environ.get("CHUB_RUNS", "runs"))
    found = [path for path in base.glob("*") if (path / TRACE).exists() or (path / SOCKET).exists()]
    if not found:
        raise NotAvailable(
            f"a run in {base}", "name the folder of a run, or open a bench first: `chub console`, `chub run home --state DIR`"
        )
    return max(found, key=lambda path: (path.stat().st_mtime, path.name))


async def _serve(bench: WatchedBench, port: int, seconds: float | None) -> None:
    key = secrets.token_urlsafe(16)
    server = PageServer(watch_app(bench, key), "127.0.0.1", port)
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    url = await server.start()
    try:
        click.echo(f"watching {bench.name} at {url}/{key}/", err=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), seconds)
    finally:
        await server.close()
