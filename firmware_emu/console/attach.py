"""A running hub's own console over a local socket (mode 0600): one JSON object a line, there and back.

To the hub: ``{"id": 1, "say" | "look" | "offers" | "hint" | "state" | "board" | "records": text, "width": columns}``,
``{"interrupt": 1}``. ``look`` says what only looks, and leaves no line in the session; ``records`` asks for those behind a number. From it:
``{"id": 1, ...}`` with the answer or ``error``, and ``{"record": line}`` for each record that is watched.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import socket
import tempfile
import threading
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console, RenderableType
from rich.text import Text

from firmware_emu.board import told
from firmware_emu.console.core import Core
from firmware_emu.console.declare import WordError
from firmware_emu.console.offers import Offer, hint, offers
from firmware_emu.console.records import line, quiet
from firmware_emu.console.result import Result, columns
from firmware_emu.console.words import read_line
from firmware_emu.errors import CommsHubError, NotAvailable
from firmware_emu.ownership import Owner, local_port
from firmware_emu.supervised import supervised
from firmware_emu.trace import Record

_LINE = 1 << 20
_GONE = "the hub is gone: `exit`, then attach again when it runs"
_WORDS = ("say", "look", "offers", "hint", "state", "board", "records")
_WIDEST = 1000
"""Columns of the widest console that an answer is drawn for (own limit)."""
_UNREAD = 1 << 20
"""Octets that wait for a console that does not read; beyond them records are dropped and counted (own limit)."""
_AT_A_TIME = 1000
"""Records of one answer (own limit): whoever asks, asks again."""
_VISITS = 20
"""Consoles attached at a time (own limit)."""
_PATH_LONGEST = 100
"""A local socket's path has room for 107 octets."""


@contextlib.asynccontextmanager
async def console_socket(core: Core, path: Path) -> AsyncIterator[Path]:
    """While in the context, consoles can attach at ``path``. Raises NotAvailable where it cannot be made."""
    if len(str(path)) > _PATH_LONGEST:
        raise NotAvailable(f"a socket at {path}", f"its path is longer than {_PATH_LONGEST} characters: name a shorter one")
    owner = Owner.of_file(path, f"the console's socket {path}")  # before what may be another hub's is removed
    _remove(path)
    attached: list[int] = []
    try:
        port = local_port(path)
    except OSError as wrong:
        owner.release()
        raise NotAvailable(f"a socket at {path}", f"{wrong.strerror}; name another place") from wrong
    server = await asyncio.start_unix_server(lambda reader, writer: _visit(core, reader, writer, attached), sock=port, limit=_LINE)
    try:
        yield path
    finally:
        server.close()
        _remove(path)
        owner.release()


def _remove(path: Path) -> None:
    """A socket that a killed hub left behind; anything else stays and is told when the place is taken."""
    if path.is_socket():
        path.unlink()


def socket_in(folder: Path) -> Path:
    """A socket's path in ``folder``, or, where that is too long for one, in a new folder of the system's for short-lived files."""
    path = folder / "console.sock"
    return path if len(str(path)) <= _PATH_LONGEST else Path(tempfile.mkdtemp(prefix="chub-")) / "console.sock"


async def _visit(core: Core, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, attached: list[int]) -> None:
    if len(attached) >= _VISITS:
        writer.write(json.dumps({"id": None, "error": f"{_VISITS} consoles are attached already", "word": False}).encode() + b"\n")
        writer.close()
        return
    attached.append(1)
    try:
        await _Visit(core, writer).run(reader)
    finally:
        attached.pop()


class _Visit:
    """One attached console."""

    def __init__(self, core: Core, writer: asyncio.StreamWriter) -> None:
        self._core = core
        self._writer = writer
        self._filter: Callable[[Record], bool] | None = quiet
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._dropped = 0

    async def run(self, reader: asyncio.StreamReader) -> None:
        leave = self._core.trace.subscribe(self._watched)
        try:
            while octets := await reader.readline():
                asked = json.loads(octets)
                if not isinstance(asked, dict):
                    raise ValueError("no object")
                if not all(isinstance(asked.get(word, ""), str) for word in _WORDS):
                    self._send({"id": int(asked["id"]), "error": f"expected text as {', '.join(_WORDS)}", "word": False})
                    continue
                if "interrupt" in asked:
                    if (task := self._tasks.get(int(asked["interrupt"]))) is not None:
                        task.cancel()
                    continue
                number, width = int(asked["id"]), min(max(int(asked.get("width", 100)), 1), _WIDEST)
                task = self._tasks[number] = supervised(
                    self._answer(number, asked, width), "the answer to an attached console", self._core.trace
                )
                task.add_done_callback(lambda _, number=number: self._tasks.pop(number, None))  # type: ignore[misc]
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError, ConnectionError):
            pass  # no console of ours: it is left alone
        finally:
            leave()
            for task in tuple(self._tasks.values()):
                task.cancel()
            self._writer.close()

    def _watched(self, record: Record) -> None:
        if self._filter is not None and self._filter(record) and not self._writer.is_closing():
            self._send({"record": _ansi(line(record), 200)})

    def _send(self, what: dict[str, object]) -> None:
        if self._writer.transport.get_write_buffer_size() > _UNREAD:
            if "record" in what:
                self._dropped += 1
                return
            self._writer.transport.abort()  # it asks and does not read the answers: the hub does not keep them for it
            return
        if self._dropped and "record" in what:
            dropped, self._dropped = self._dropped, 0
            self._send({"record": f"{dropped} records were not sent: this console did not read"})
        self._writer.write(json.dumps(what, default=str).encode() + b"\n")

    async def _answer(self, number: int, asked: dict[str, str], width: int) -> None:
        core = self._core
        try:
            if "say" in asked:
                results = []
                for call in core.parse(asked["say"]):
                    done = await core.perform(call)
                    if call.verb.section == "trace watch":  # what this console watches is its own; nobody stands before the hub
                        self._filter, core.watching = core.watching, None
                    results.append({"ok": done.ok, "text": _ansi(done, width), "json": done.as_json()})
                    if not done.ok:
                        break
                self._send({"id": number, "results": results})
            elif "look" in asked:
                seen = [(await core.look(call)).as_json() for call in core.parse(asked["look"])]
                self._send({"id": number, "results": seen})
            elif "records" in asked:
                behind = int(asked["records"]) if asked["records"].isdecimal() else 0
                first = bisect_right(core.records, behind, key=lambda record: record.number)
                self._send({"id": number, "records": [record.as_json() for record in core.records[first : first + _AT_A_TIME]]})
            elif "board" in asked:
                self._send({"id": number, "board": told(core.board)})
            elif "offers" in asked:
                self._send({"id": number, "offers": [(offer.word, offer.meaning) for offer in offers(core, asked["offers"])]})
            elif "hint" in asked:
                self._send({"id": number, "text": hint(core, asked["hint"])})
            else:
                self._send({"id": number, "text": core.state(), "name": core.board.name})
        except CommsHubError as trouble:
            self._send({"id": number, "error": str(trouble), "word": isinstance(trouble, WordError)})
        except asyncio.CancelledError:
            self._send({"id": number, "error": "interrupted; the hub goes on", "word": False})


def _ansi(what: object, width: int) -> str:
    console = Console(width=width, force_terminal=True, color_system="standard", highlight=False)
    with console.capture() as capture:
        console.print(what)
    return capture.get().rstrip("\n")


class Told(Result):
    """A result as the hub drew it and told it; ``raw`` is what it told."""

    __slots__ = ()

    def __rich__(self) -> RenderableType:
        assert self.picture is not None
        return self.picture

    def as_json(self) -> dict[str, object]:
        assert isinstance(self.raw, dict)
        return self.raw


class AttachedTalk:
    """A hub that runs elsewhere, behind its socket. A thread reads what comes."""

    def __init__(self, path: Path) -> None:
        """Raises NotAvailable where no hub listens."""
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(str(path))
        except OSError as wrong:
            self._socket.close()
            raise NotAvailable(f"a hub at {path}", f"{wrong.strerror}; start one with `chub run home` or `chub hub run`") from wrong
        self._answers: dict[int, queue.Queue[dict[str, object]]] = {}
        self._number = 0
        self._show: Callable[[Text], None] = lambda _: None
        self._over = False
        self._closed = False
        threading.Thread(target=self._read, name="attached", daemon=True).start()
        self.name = f"{self._ask({'state': ''})['name']}@{path.name}"

    def close(self) -> None:
        """Leave; the hub goes on."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def check(self, line: str) -> None:
        """As words; the bench at the other end knows its nouns."""
        read_line(line)

    def say(self, line: str) -> Iterator[Result]:
        answer = self._ask({"say": line, "width": columns()})
        results = answer["results"]
        assert isinstance(results, list)
        for one in results:
            seen = one["json"]
            yield Told(seen["said"], seen.get("values", {}), ok=one["ok"], picture=Text.from_ansi(one["text"]), raw=seen)

    def look(self, line: str) -> list[dict[str, object]]:
        """Results of what only looks, as plain values; nothing of it stays in the session. Raises WordError, CommsHubError."""
        results = self._ask({"look": line})["results"]
        assert isinstance(results, list)
        return results

    def records(self, behind: int) -> list[str]:
        """The next records behind a number, a line of JSON each. Raises CommsHubError where the hub is gone."""
        records = self._ask({"records": str(behind)})["records"]
        assert isinstance(records, list)
        return records

    def board(self) -> dict[str, object]:
        """The board as plain values. Raises CommsHubError where the hub is gone."""
        board = self._ask({"board": ""})["board"]
        assert isinstance(board, dict)
        return board

    def offers(self, line: str, more: Sequence[Offer]) -> list[Offer]:
        try:
            listed = self._ask({"offers": line})["offers"]
        except CommsHubError:  # nothing to offer; what is said next tells why
            return []
        assert isinstance(listed, list)
        own = [] if " " in line else [offer for offer in more if offer.word.startswith(line)]
        return [Offer(word, meaning) for word, meaning in listed] + own

    def hint(self, line: str) -> str:
        try:
            return str(self._ask({"hint": line})["text"]) if line.strip() else ""
        except CommsHubError as wrong:
            return str(wrong)

    def state(self) -> str:
        try:
            return str(self._ask({"state": ""})["text"])
        except CommsHubError as wrong:
            return str(wrong)

    def watch(self, show: Callable[[Text], None]) -> None:
        self._show = show

    def _ask(self, what: dict[str, object]) -> dict[str, object]:
        self._number += 1
        number = self._number
        answers = self._answers[number] = queue.Queue()
        try:
            self._send({"id": number, **what})
            try:
                answer = answers.get()
            except KeyboardInterrupt:
                self._send({"interrupt": number})
                answer = answers.get()
        finally:
            del self._answers[number]
        if "error" in answer:
            raise (WordError if answer.get("word") else CommsHubError)(str(answer["error"]))
        return answer

    def _send(self, what: dict[str, object]) -> None:
        if self._over:
            raise CommsHubError(_GONE)
        try:
            self._socket.sendall(json.dumps(what).encode() + b"\n")
        except OSError as wrong:
            raise CommsHubError(_GONE) from wrong

    def _read(self) -> None:
        with contextlib.suppress(OSError), self._socket.makefile("rb") as lines:
            for octets in lines:
                heard = json.loads(octets)
                if "record" in heard:
                    self._show(Text.from_ansi(heard["record"]))
                elif (waiting := self._answers.get(heard["id"])) is not None:
                    waiting.put(heard)
        self._over = True
        for waiting in tuple(self._answers.values()):
            waiting.put({"error": _GONE})
        if not self._closed:
            self._show(Text(_GONE, "bold red"))
