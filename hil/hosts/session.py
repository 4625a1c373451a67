"""The virtual side of one session of a foreign host: two dongles of one firmware on one air, and a meter that joins when it may."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from firmware_emu.clock import Clock
from firmware_emu.crypto.aes_mmo import install_code_link_key
from firmware_emu.crypto.pki import DEFAULT_DEVICES, make_pki
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device import joins
from firmware_emu.errors import CommsHubError
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.trace import Trace
from hil.devices.esme.esme import Esme
from hil.radio.air.air import Air
from hil.radio.dongles import virtual_dongle
from hil.radio.nodes.node import StackNode
from hil.radio.personality import Personality
from hil.radio.port.dongle_server import DongleServer

FIRST, SECOND = Eui64.parse("00db1234567890f0"), Eui64.parse("00db1234567890f1")
CODE = InstallCode.parse("83FED3407A939723A5C639B26916D505")
ESME = next(device for device, kind in DEFAULT_DEVICES.items() if kind is DeviceType.ESME)
CHANNEL, NEXT_CHANNEL = 20, 25
STUCK_S = 25.0
"""Idle seconds (:class:`Patience`) after which a verb of a host has got stuck: hosts wait 15 s at most on purpose."""
_LOOK_S = 1.0
_AGAIN_S = 1.0
"""Between two tries of the meter to join."""


@dataclass(frozen=True, slots=True)
class HostOutcome:
    """End of one verb: ``ok`` None where the host has no such function. ``starved_s``: see :class:`Patience`."""

    verb: str
    ok: bool | None
    said: str
    starved_s: float = 0.0


class Rig:
    """Two dongles and a meter on an air of their own; ``first`` and ``second`` are what a host opens.

    ``log``: file that takes the host's own debug log, None where nobody asked for it. ``refused``: why the meter's last try to join
    came to nothing.
    """

    def __init__(self, firmware: Personality, transport: str, clock: Clock, log: Path | None = None) -> None:
        self._clock, self._transport, self.log = clock, transport, log
        self.refused = ""
        self.air = Air(clock, 1)
        self.dongles: list[DongleServer] = [
            virtual_dongle(firmware.family, self.air, eui64, firmware.version, None, clock, firmware=firmware) for eui64 in (FIRST, SECOND)
        ]
        self._folder = tempfile.TemporaryDirectory(prefix="chub-certify-")
        self.folder = Path(self._folder.name)

    async def __aenter__(self) -> Rig:
        self.first, self.second = [await self._serve(dongle) for dongle in self.dongles]
        keystore = make_pki(self.folder / "keys", devices={ESME: DeviceType.ESME})
        self.esme = Esme(ESME, CODE, keystore, StackNode(self.air, ESME), self._clock, Trace(self._clock.now), {})
        await self.esme.start()
        joins.add(self.esme.gbcs, FIRST, DeviceType.TYPE_2.value, 2)
        self.esme.log_may_have_changed()
        return self

    async def _serve(self, dongle: DongleServer) -> str:
        if self._transport == "pty":
            return str(await dongle.serve_pty())
        return f"socket://127.0.0.1:{await dongle.serve_tcp()}"

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.esme.stop()
        for dongle in self.dongles:
            await dongle.close()
        self._folder.cleanup()

    def options(self, **more: object) -> str:
        """Options of a driver, as JSON."""
        told: dict[str, object] = {
            "path": self.first,
            "second": self.second,
            "device": ":".join(f"{octet:02x}" for octet in ESME.octets),
            "code": CODE.with_crc.hex(),
            "channel": CHANNEL,
            "next_channel": NEXT_CHANNEL,
            "folder": str(self.folder),
            "log": None if self.log is None else str(self.log),
        }
        return json.dumps({**told, **more})

    async def join(self, link_key: bytes) -> None:
        """Let the meter join, again and again as a Device does, until it is in."""
        while True:
            try:
                await self.esme.node.join(link_key)
                return
            except CommsHubError as problem:
                self.refused = str(problem)
            await asyncio.sleep(_AGAIN_S)


class Patience:
    """Time of a host and of this process, who serves it: ``idle_s`` in which both had nothing to do, ``starved_s`` in line for a processor.

    A slow or busy machine uses up nobody's patience: time in which either works, or waits for a processor, does not count as idle. Time
    in line does count against what a host says of time-outs of its own, since they go by the wall clock. Where the system does not tell
    (``/proc/PID/schedstat``), all time is idle.
    """

    def __init__(self, process: int) -> None:
        self._process = process
        self._seen = (time.monotonic(), _used(process), _used(os.getpid()))
        self.idle_s = self.starved_s = 0.0

    def look(self) -> float:
        """Idle seconds since the last :meth:`moved`; to be called often."""
        now = (time.monotonic(), _used(self._process), _used(os.getpid()))
        (then, host, own), self._seen = self._seen, now
        ran, stood = (max(0.0, new - old) + mine - before for new, old, mine, before in zip(now[1], host, now[2], own, strict=True))
        self.starved_s += stood
        self.idle_s += max(0.0, now[0] - then - ran - stood)
        return self.idle_s

    def moved(self) -> float:
        """Something came of it: patience begins anew. Returns the seconds in line that it took."""
        took, self.idle_s, self.starved_s = self.starved_s, 0.0, 0.0
        return took


def _used(process: int) -> tuple[float, float]:
    """Seconds that a process and those it started have run, and have stood in line for a processor."""
    ran = stood = 0.0
    with contextlib.suppress(OSError):  # it has ended, or this system does not tell
        for thread in os.listdir(f"/proc/{process}/task"):
            with contextlib.suppress(OSError):
                running, waiting, _ = Path(f"/proc/{process}/task/{thread}/schedstat").read_text().split()
                ran, stood = ran + int(running) / 1e9, stood + int(waiting) / 1e9
                for child in Path(f"/proc/{process}/task/{thread}/children").read_text().split() if process != os.getpid() else ():
                    childs = _used(int(child))
                    ran, stood = ran + childs[0], stood + childs[1]
    return ran, stood


@contextlib.asynccontextmanager
async def process(command: Sequence[str], errors: BinaryIO | int = asyncio.subprocess.PIPE) -> AsyncIterator[asyncio.subprocess.Process]:
    """A host's process, ended when it is left; ``errors`` takes its stderr."""
    started = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=errors,
        limit=1 << 22,
    )
    try:
        yield started
    finally:
        _kill(started)
        await started.wait()


def _kill(host: asyncio.subprocess.Process) -> None:
    """End it, unless it has ended. Its own ``kill`` asks for the exit code first, which asyncio then looks for in vain."""
    if host.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(host.pid, signal.SIGKILL)


async def drive(rig: Rig, command: Sequence[str]) -> list[HostOutcome]:
    """Run a driver that tells its verbs line by line; what it asks for is done meanwhile. A verb that is stuck is told to end."""
    told: list[HostOutcome] = []
    async with process(command) as host:
        assert host.stdin is not None
        assert host.stdout is not None
        assert host.stderr is not None
        log = asyncio.ensure_future(host.stderr.read())
        asked: list[asyncio.Task[None]] = []
        patience, warned = Patience(host.pid), False
        line = asyncio.ensure_future(host.stdout.readline())
        while True:
            await asyncio.wait((line,), timeout=_LOOK_S)
            if patience.look() > STUCK_S and not line.done():
                if warned:
                    told.append(HostOutcome("stop", False, f"nothing moved for {2 * STUCK_S:g} s in which it had nothing to do"))
                    line.cancel()
                    break
                patience.idle_s = 0.0
                warned = True
                with contextlib.suppress(ConnectionError):
                    host.stdin.write(b"enough\n")
            if not line.done():
                continue
            if not (text := line.result()):
                break
            line = asyncio.ensure_future(host.stdout.readline())
            if not text.startswith(b"{"):
                continue
            starved_s = patience.moved()
            said = json.loads(text)
            if said.get("ask") == "join":
                asked.append(asyncio.ensure_future(rig.join(install_code_link_key(CODE))))
            elif "verb" in said:
                warned = False
                why = f"; the meter: {rig.refused}" if said["verb"] == "join" and not said["ok"] and rig.refused else ""
                told.append(HostOutcome(said["verb"], said["ok"], said["said"] + why, starved_s))
        for one in asked:
            one.cancel()
        _kill(host)
        lines = (await log).decode(errors="replace").strip().splitlines()
    if not told:
        told.append(HostOutcome("start", False, lines[-1] if lines else "it said nothing"))
    return told


@dataclass(frozen=True, slots=True)
class Ended:
    """End of a host's command: exit code, 124 where it got stuck; all that it said; and see :class:`Patience`."""

    code: int
    said: str
    starved_s: float = 0.0


async def once(command: Sequence[str], log: Path | None = None, enough: str | None = None) -> Ended:
    """Run a command of a host to its end, or until its stderr has the pattern ``enough``; ``log`` takes what it writes there."""
    with tempfile.TemporaryFile("w+b") if log is None else log.open("a+b") as errors:
        file = errors.fileno()
        began = os.fstat(file).st_size

        def written() -> str:  # not by its position, which is that of the host too
            return os.pread(file, os.fstat(file).st_size - began, began).decode(errors="replace")

        async with process(command, errors) as host:
            patience = Patience(host.pid)
            ended = asyncio.ensure_future(host.communicate())
            while not ended.done():
                await asyncio.wait((ended,), timeout=_LOOK_S)
                if ended.done():
                    break
                if patience.look() > STUCK_S:
                    ended.cancel()
                    return Ended(124, f"nothing moved for {STUCK_S:g} s in which it had nothing to do", patience.starved_s)
                if enough is not None and re.search(enough, written()):
                    _kill(host)
            out, _ = ended.result()
        return Ended(host.returncode or 0, out.decode(errors="replace") + written(), patience.starved_s)
