"""Commands of ``chub dcc`` as clients of the DCC that runs on their store: over a local socket beside its lock (mode 0600).

There ``{"args": [...], "columns": N}``, back ``{"out" | "err": text}`` as it is written, at last ``{"exit": code}``; one object a line. The
DCC runs the command in its own process, on a thread; the client ends it by going away.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import os
import shutil
import socket
import struct
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import click

from firmware_emu.cli import exit_code
from firmware_emu.errors import NotAvailable
from firmware_emu.ownership import local_port, own_places, places
from firmware_emu.supervised import supervised
from hil.bench.far_end import VISIT, Visit
from hil.dcc.base.store import database_url

_LINE = 1 << 20
_PATH_LONGEST = 100
"""A local socket's path has room for 107 octets."""
Told = Callable[[str], None]
_OUT: ContextVar[Told | None] = ContextVar("out", default=None)
_ERR: ContextVar[Told | None] = ContextVar("err", default=None)
OWN = ("up", "serve", "down")
"""Commands that run in a process of their own, whoever has the store (``down`` asks for the end and waits for it)."""


def socket_of(store: Path) -> Path:
    """The socket of the DCC that runs on ``store``; of several on one database, of one."""
    if (url := database_url(store)) is not None:
        return places() / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.socket"
    beside = Path(os.path.abspath(store)).with_name(store.name + ".socket")
    if len(str(beside)) <= _PATH_LONGEST:
        return beside
    name = hashlib.sha256(str(beside).encode()).hexdigest()[:16]
    return places() / f"{name}.socket"


# The client


class DccGroup(click.Group):
    """Hands a command to the DCC that runs on its ``--store``; without one the command runs here."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Raises Exit with the command's exit code where the DCC has run it."""
        store = _option(args, "--store")
        asks = not ctx.resilient_parsing and VISIT.get() is None and not {*OWN, "-h", "--help"} & {*args}
        if asks and store is not None:
            code = ask(Path(store), self._absolute(ctx, args))
            if code is not None:
                ctx.exit(code)
        return super().parse_args(ctx, args)

    def _absolute(self, ctx: click.Context, args: Sequence[str]) -> list[str]:
        """The arguments with paths that hold whatever the folder is in which they are read."""
        command: click.Command | None = self
        paths: set[str] = set()
        for word in args:
            if isinstance(command, click.Group) and (inner := command.get_command(ctx, word)) is not None:
                command = inner
                paths |= {name for one in command.params if isinstance(one.type, click.Path) for name in one.opts}
        absolute = []
        for before, word in zip(["", *args], args, strict=False):
            name, equals, value = word.partition("=")
            if database_url(Path(word)) is not None:
                absolute.append(word)
            elif before in paths or (not word.startswith("-") and os.sep not in word[:1] and Path(word).exists()):
                absolute.append(os.path.abspath(word))
            elif equals and name in paths:
                absolute.append(f"{name}={os.path.abspath(value)}")
            else:
                absolute.append(word)
        return absolute


def _option(args: Sequence[str], name: str) -> str | None:
    for word, following in zip(args, [*args[1:], None], strict=True):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None


def ask(store: Path, args: Sequence[str]) -> int | None:
    """Let the DCC on ``store`` run a command, and write what it writes; its exit code, None where no DCC runs. Raises NotAvailable where
    it went away meanwhile."""
    with socket.socket(socket.AF_UNIX) as link:
        try:
            link.connect(str(socket_of(store)))
        except OSError:
            return None
        if _user_at(link) not in {0, os.getuid(), _user_of(store)}:  # a command may hold the password of a database
            raise NotAvailable(f"the DCC on {store}", f"the socket {socket_of(store)} is another user's: remove it")
        columns = shutil.get_terminal_size().columns
        link.sendall(json.dumps({"args": list(args), "columns": columns}).encode() + b"\n")
        with link.makefile("rb") as lines:
            for line in lines:
                told = json.loads(line)
                if "exit" in told:
                    return int(told["exit"])
                click.echo(told.get("out", told.get("err", "")), err="err" in told, nl=False)
    raise NotAvailable(f"the DCC on {store}", "it ended while this command ran: look at it with `chub dcc status`, then try again")


def _user_at(link: socket.socket) -> int:
    """The user at the other end of a local socket, as the kernel knows it."""
    _process, user, _group = struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return int(user)


def _user_of(store: Path) -> int:
    """The user whose a store's file is; who asks, where there is none."""
    try:
        return os.getuid() if database_url(store) is not None else store.stat().st_uid
    except OSError:
        return os.getuid()


# The DCC


class _Shared(io.TextIOBase):
    """A standard stream of which each visit has its own."""

    encoding = "utf-8"

    def __init__(self, real: TextIO, own: ContextVar[Told | None]) -> None:
        self._real = real
        self._own = own

    def write(self, text: object) -> int:
        if not isinstance(text, str):
            raise TypeError("expected text")  # so asks click what kind of stream this is
        told = self._own.get()
        if told is None:
            return self._real.write(text)
        told(text)
        return len(text)

    def flush(self) -> None:
        if self._own.get() is None:
            self._real.flush()

    def isatty(self) -> bool:
        return self._own.get() is None and self._real.isatty()

    def fileno(self) -> int:
        if self._own.get() is not None:
            raise OSError("no file: a visitor reads it")
        return self._real.fileno()


@contextlib.contextmanager
def _shared_streams() -> Iterator[None]:
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Shared(out, _OUT), _Shared(err, _ERR)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err


@contextlib.asynccontextmanager
async def visited(store: Path, visit: Visit, commands: click.Command) -> AsyncIterator[None]:
    """While in the context, commands come over the socket of ``store``. Raises NotAvailable where none can be made."""
    path = socket_of(store)
    if path.parent == places():
        own_places("the DCC's socket")
    if path.is_socket():
        if database_url(store) is not None and _answers(path):  # another process with the same database is visited
            yield
            return
        path.unlink()  # of a DCC that was killed
    threads = ThreadPoolExecutor(thread_name_prefix="visitor")
    try:
        port = local_port(path)
    except OSError as wrong:
        raise NotAvailable(f"a socket at {path}", f"{wrong.strerror}; name a store in another place") from wrong
    server = await asyncio.start_unix_server(
        lambda reader, writer: _serve(reader, writer, visit, commands, threads), sock=port, limit=_LINE
    )
    with _shared_streams():
        try:
            yield
        finally:
            server.close()
            threads.shutdown(wait=False, cancel_futures=True)
            path.unlink(missing_ok=True)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as link:
        try:
            link.connect(str(path))
        except OSError:
            return False
    return True


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, visit: Visit, commands: click.Command, threads: ThreadPoolExecutor
) -> None:
    loop = asyncio.get_running_loop()
    visit = replace(visit)

    def say(name: str, content: str | int) -> None:
        if not writer.is_closing():
            writer.write(json.dumps({name: content}).encode() + b"\n")

    def out(text: str) -> None:
        loop.call_soon_threadsafe(say, "out", text)

    def err(text: str) -> None:
        loop.call_soon_threadsafe(say, "err", text)

    def run(args: list[str]) -> int:
        VISIT.set(visit)
        _OUT.set(out)
        _ERR.set(err)
        return exit_code(lambda: _called(commands, args))

    try:
        asked = json.loads(await reader.readline())
        args = [str(word) for word in asked["args"]]
    except (ValueError, KeyError, TypeError, ConnectionError):
        writer.close()  # no command of ours
        return
    work = asyncio.wrap_future(threads.submit(copy_context().run, run, args))  # the loop's own threads hold a clock that hurries
    gone = supervised(_until_gone(reader, visit), "the watch of a visitor")
    try:
        code = await work
        await visit.end.dcc.store.durable()
        say("exit", code)
    finally:
        gone.cancel()
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()


async def _until_gone(reader: asyncio.StreamReader, visit: Visit) -> None:
    """A client that goes away gives its command up."""
    with contextlib.suppress(ConnectionError):
        await reader.read(1)
    visit.leave()


def _called(commands: click.Command, args: list[str]) -> object:
    try:
        return commands.main(args, prog_name="chub dcc", standalone_mode=False)
    except SystemExit as leaving:
        return leaving.code
    except asyncio.CancelledError:
        return 130
