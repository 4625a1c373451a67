"""The virtual side of one session of a foreign host: two dongles of one firmware on one air, and a meter that joins when it may."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

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
LIMIT_S = 900.0
"""One session; the verbs have limits of their own."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """End of one verb: ``ok`` None where the host has no such function."""

    verb: str
    ok: bool | None
    said: str


class Rig:
    """Two dongles and a meter on an air of their own; ``first`` and ``second`` are what a host opens."""

    def __init__(self, firmware: Personality, transport: str, clock: Clock) -> None:
        self._clock, self._transport = clock, transport
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
        }
        return json.dumps({**told, **more})

    async def join(self) -> None:
        """Let the meter join; a refusal is told by what the host then does not see."""
        with contextlib.suppress(CommsHubError, TimeoutError):
            await self.esme.node.join(install_code_link_key(CODE))


@contextlib.asynccontextmanager
async def process(command: Sequence[str], environment: Mapping[str, str] | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
    """A host's process, ended when it is left."""
    started = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=1 << 22, env=environment
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


async def drive(rig: Rig, command: Sequence[str], environment: Mapping[str, str] | None = None) -> list[Outcome]:
    """Run a driver that tells its verbs line by line; what it asks for is done meanwhile."""
    told: list[Outcome] = []
    async with process(command, environment) as host:
        assert host.stdout is not None
        assert host.stderr is not None
        log = asyncio.ensure_future(host.stderr.read())
        asked: list[asyncio.Task[None]] = []
        try:
            async with asyncio.timeout(LIMIT_S):
                while line := await host.stdout.readline():
                    if not line.startswith(b"{"):
                        continue
                    said = json.loads(line)
                    if said.get("ask") == "join":
                        asked.append(asyncio.ensure_future(rig.join()))
                    elif "verb" in said:
                        told.append(Outcome(said["verb"], said["ok"], said["said"]))
        except TimeoutError:
            told.append(Outcome("stop", False, f"the session did not end within {LIMIT_S:g} s"))
        for one in asked:
            one.cancel()
        if host.returncode is None:
            host.kill()
        text = (await log).decode(errors="replace").strip().splitlines()
    if not told:
        told.append(Outcome("start", False, text[-1] if text else "it said nothing"))
    return told


async def once(command: Sequence[str], limit_s: float = 120.0) -> tuple[int, str]:
    """Run a command of a host to its end: exit code and what it said."""

    def run() -> tuple[int, str]:
        try:
            done = subprocess.run(list(command), capture_output=True, text=True, errors="replace", timeout=limit_s, check=False)
        except subprocess.TimeoutExpired:
            return 124, f"it did not end within {limit_s:g} s"
        return done.returncode, done.stdout + done.stderr

    return await asyncio.to_thread(run)
