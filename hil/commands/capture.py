"""``chub capture``: the HAN of a run as pcapng, into Wireshark while it happens."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click

from firmware_emu.clock import Clock
from firmware_emu.errors import NotAvailable
from firmware_emu.han.capture import KEY_FILE_NAME, KeyFile

CAPTURE_NAME = "han.pcapng"
_LOOK_S = 0.1
_CHUNK = 1 << 16
_FIRST = b"\n\r\r\n"
"""Type of the Section Header Block, with which a pcapng file begins."""


@click.command("capture")
@click.argument("source", type=click.Path(path_type=Path), required=False)
@click.option(
    "--to",
    "target",
    default="-",
    show_default=True,
    metavar="FIFO",
    help="A FIFO (made where there is none), a file, or - for standard output.",
)
@click.option("--follow/--no-follow", default=True, show_default=True, help="Go on as the run does, until it or the reader ends.")
@click.option("--keys", type=click.Path(path_type=Path, file_okay=False), help="Copy the run's exported keys into Wireshark's folder DIR.")
def capture(source: Path | None, target: str, follow: bool, keys: Path | None) -> None:
    """Pass the capture of a run on: ``chub capture | wireshark -k -i -``.

    SOURCE is a run's folder or a pcapng file, as `chub ncp --capture` writes it; without it, the newest folder of ./runs.
    """
    file = _file_of(source)
    if keys is not None:
        _copy_keys(file.with_name(KEY_FILE_NAME), keys)
    with _opened(target) as out, contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        Clock().run(_pass_on(file, out, follow))


def _file_of(source: Path | None) -> Path:
    """Raises NotAvailable."""
    if source is None:
        runs = sorted((one.parent for one in Path(os.environ.get("CHUB_RUNS", "runs")).glob(f"*/{CAPTURE_NAME}")), key=lambda one: one.name)
        if not runs:
            raise NotAvailable(f"a {CAPTURE_NAME} under ./runs", "start `chub run demo`, or name a run's folder")
        source = runs[-1]
    file = source / CAPTURE_NAME if source.is_dir() else source
    if not file.is_file():
        raise NotAvailable(f"the capture {file}", "name a run's folder, or the file of `chub ncp --capture`")
    with file.open("rb") as captured:
        if captured.read(len(_FIRST)) not in (b"", _FIRST):
            raise NotAvailable(f"the capture {file}", "it is no pcapng file: name a run's folder, or the file of `chub ncp --capture`")
    return file


def _copy_keys(exported: Path, folder: Path) -> None:
    """Raises NotAvailable where the run has exported none."""
    if not exported.is_file():
        raise NotAvailable(f"the keys of this run ({exported})", "export them: run without --no-keys, or `chub ncp --keys FILE`")
    folder.mkdir(parents=True, exist_ok=True)
    copy = KeyFile(folder)
    for line in exported.read_text("ascii").splitlines():
        key, _, label = (part.strip('"') for part in line.split(","))
        copy.add(bytes.fromhex(key.replace(":", "")), label)


@contextlib.contextmanager
def _opened(target: str) -> Iterator[IO[bytes]]:
    """The end to write to; a FIFO waits for its reader."""
    if target == "-":
        yield sys.stdout.buffer
        return
    path = Path(target)
    made = not path.exists()
    if made and not path.suffix:
        os.mkfifo(path, 0o600)
    with path.open("wb", buffering=0) as out:
        try:
            yield out
        finally:
            if made and stat.S_ISFIFO(path.stat().st_mode):
                path.unlink()


async def _pass_on(file: Path, out: IO[bytes], follow: bool) -> None:
    with file.open("rb") as captured:
        while True:
            octets = captured.read(_CHUNK)
            if octets:
                out.write(octets)
                out.flush()
            elif follow:
                await asyncio.sleep(_LOOK_S)
            else:
                return
