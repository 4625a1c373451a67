"""First light of a dongle that somebody has just plugged in: the contract of the radio seam on it, step by step, with measured values.

The dongle is the hub's; a second one, where there is one, plays a Device. Everything that a step does is undone by the next formation;
what the dongle held before is saved first. Afterwards the demo's journey runs on the same dongles.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TypeVar

from firmware_emu.clock import Clock
from firmware_emu.crypto.aes_mmo import install_code_link_key
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import NotAvailable, RadioError
from firmware_emu.han.base import ApsFrame, HanEvent, HanEventKind, NetworkSettings, SimpleDescriptor
from firmware_emu.han.zigpy_radio import ZigpyRadio
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.trace import Trace
from firmware_emu.zse.key_establishment import Established, EstablishmentEvent, EstablishmentSession, Role, Send, event_of
from hil.inventory.dongle_board import DongleVerdict
from hil.inventory.learn import learn
from hil.journeys.steps import Steps, expect
from hil.radio.nodes.joiner import EzspNode

T = TypeVar("T")
HUB_ENDPOINT, NODE_ENDPOINT = 3, 7
METERING, KEYS = 0x0702, 0x0800
LENGTHS = (1, 61, 82, 83, 300, 1250)
"""Octets of messages that pass both ways: in one frame, at its limit, and in fragments up to the longest of GBCS."""
EVENT_S = 30.0
NOBODY = Eui64.parse("02000000000000fe")
WRONG_CODE = InstallCode.parse("F1F2F3F4F5F6F7F8F9FAFBFCFDFEFFF0")


class FirstLight:
    """The steps on one dongle. ``port`` and ``judged``: it, as it was asked; ``node``: a second one, opened by the steps."""

    def __init__(
        self, port: str, judged: DongleVerdict, clock: Clock, trace: Trace, folder: Path, steps: Steps, *, channel: int, take_over: bool
    ) -> None:
        self.port, self.judged = port, judged
        self.clock, self.trace, self.folder, self.steps = clock, trace, folder, steps
        self._channel, self._take_over = channel, take_over
        self._events: asyncio.Queue[HanEvent] = asyncio.Queue()
        self._at_hub: asyncio.Queue[tuple[Eui64, ApsFrame]] = asyncio.Queue()
        self._at_node: asyncio.Queue[tuple[Eui64, ApsFrame]] = asyncio.Queue()
        self.radio = self._new_radio()

    def _new_radio(self) -> ZigpyRadio:
        radio = ZigpyRadio(
            self.port,
            baudrate=self.judged.baudrate or 115200,
            clock=self.clock,
            trace=self.trace,
            kind=self.judged.family,
            backups=self.folder / "backups",
        )
        radio.add_endpoint(SimpleDescriptor(HUB_ENDPOINT, 0x0500, (METERING, KEYS), (METERING,)))
        radio.receiver = lambda device, frame: self._at_hub.put_nowait((device, frame))
        return radio

    async def run(self, keystore: Keystore, us: Eui64, node: EzspNode | None, code: InstallCode | None) -> None:
        """All steps. ``us``: an identity of ``keystore``; ``code``: the install code of the second dongle's Device. Raises StepFailed."""
        try:
            await self._alone(keystore, us)
            if node is not None and code is not None:
                await self._with(node, install_code_link_key(code))
        finally:
            await self.radio.stop()
            if node is not None:
                await node.stop()

    async def _alone(self, keystore: Keystore, us: Eui64) -> None:
        step = self.steps.step
        async with step("the personality is learned") as values:
            text = await learn(self.port, self.judged.family, self.judged.baudrate or 115200, self.clock, self.clock.datetime())
            (self.folder / "personality.toml").write_text(text, encoding="utf-8")
            values["file"], values["values that differ"] = "personality.toml", text.count("asked of the dongle") - 1
        async with step("the dongle opens and holds nobody's network") as values:
            await self.radio.start(self._events.put_nowait)
            values["EUI-64"] = str(self.radio.eui64)
            held = await self.radio.held()
            values["held"] = "nothing" if held.network is None else f"{held.network.extended_pan_id} on channel {held.network.channel}"
            if held.network is not None:
                saved = await self.radio.save_backup() if held.coordinator else None
                values["backup"] = "none, it has joined another's network" if saved is None else saved.name
                await self.radio.silence()
                expect(self._take_over, f"it holds the network {values['held']}, which was saved: give --take-over to overwrite it")
        async with step("a network is formed with the extended PAN and channel asked for") as values:
            formed = await self.radio.form(NetworkSettings(self.radio.eui64, channel=self._channel))
            values["channel"], values["PAN"] = formed.channel, f"{formed.pan_id or 0:04x}"
            expect(formed.extended_pan_id == self.radio.eui64, f"the extended PAN id is {formed.extended_pan_id}")
            expect(formed.channel == self._channel, f"the channel is {formed.channel}, asked for {self._channel}")
        async with step("a message to nobody is an error that names the Device") as values:
            try:
                await self.radio.send(NOBODY, ApsFrame(METERING, b"", HUB_ENDPOINT, 1))
            except RadioError as refused:
                values["told"] = str(refused)
            expect(str(NOBODY) in str(values.get("told", "")), "nothing was told, or not of which Device")
        async with step("joining is opened for one Device, and closed"):
            await self.radio.permit(NOBODY, secrets.token_bytes(16), 60)
            await self.radio.forbid()
        async with step("the network outlives a restart of the program") as values:
            await self.radio.stop()
            self.radio = self._new_radio()
            await self.radio.start(self._events.put_nowait)
            again = await self.radio.resume()
            expect(again is not None, "the dongle remembers no network")
            assert again is not None
            expect((again.pan_id, again.channel) == (formed.pan_id, formed.channel), f"it came back as {again}")
            expect(again.network_key == formed.network_key, "its network key is another one")
            values["frame counter"] = again.frame_counter
        async with step("key establishment on the host") as values:
            values["ms, both sides"] = round(self._establish(keystore, us), 1)

    def _establish(self, keystore: Keystore, us: Eui64) -> float:
        """Suite 2, both sides on this machine, as the hub does it for a dongle without; real milliseconds."""
        began = time.monotonic()
        credentials = keystore.cbke(us)
        sides = EstablishmentSession(Role.INITIATOR, us, us, credentials), EstablishmentSession(Role.RESPONDER, us, us, credentials)
        actions, turn = sides[0].handle(EstablishmentEvent.START), 1
        keys: list[Established] = []
        while any(isinstance(action, Send) for action in actions):
            message = next(action for action in actions if isinstance(action, Send))
            keys += [action for action in actions if isinstance(action, Established)]
            actions, turn = sides[turn].handle(event_of(message.command), message.payload), 1 - turn
        keys += [action for action in actions if isinstance(action, Established)]
        expect(len(keys) == 2 and keys[0] == keys[1], "the two sides did not agree on a key")
        return (time.monotonic() - began) * 1000

    async def _with(self, node: EzspNode, link_key: bytes) -> None:
        step = self.steps.step
        node.add_endpoint(SimpleDescriptor(NODE_ENDPOINT, 0x0500, (METERING,), (METERING, KEYS)))
        node.receiver = lambda device, frame: self._at_node.put_nowait((device, frame))
        node.on_lost = self.steps.break_off
        async with step("the second dongle opens") as values:
            await node.start()
            values["EUI-64"] = str(node.eui64)
        async with step("a Device with a wrong install code does not join") as values:
            await self.radio.permit(node.eui64, link_key, 250)
            try:
                await node.join(install_code_link_key(WRONG_CODE))
            except RadioError as refused:
                values["the Device sees"] = str(refused)
            expect(not node.joined, "it was let in")
        async with step("with the right one it joins, and the hub is told"):
            await self.radio.permit(node.eui64, link_key, 250)
            centre = await node.join(link_key, extended_pan_id=self.radio.eui64)
            expect(centre == self.radio.eui64, f"its trust centre is {centre}")
            expect(await self._joined() == node.eui64, "the hub was told of another Device")
        async with step("endpoints are found by cluster"):
            found = await self.radio.match_descriptors(node.eui64, METERING, server=True)
            expect(found == (NODE_ENDPOINT,), f"endpoints {found}, expected {NODE_ENDPOINT}")
        key = secrets.token_bytes(16)
        await self.radio.import_link_key(node.eui64, key)
        await node.import_link_key(self.radio.eui64, key)
        for secured in (False, True):
            async with step(f"messages of every length pass both ways{' under the link key' if secured else ''}") as values:
                values["octets"] = ", ".join(str(length) for length in LENGTHS)
                for length in LENGTHS:
                    await self._pass(node, bytes(n % 251 for n in range(length)), secured=secured)
        async with step("the Device leaves"):
            await node.leave()
            expect(not node.joined, "it is on the network still")

    async def _joined(self) -> Eui64:
        while True:
            event = await self._within("the hub's word that a Device joined", self._events.get)
            if event.kind in (HanEventKind.JOINED, HanEventKind.REJOINED):
                return event.device

    async def _pass(self, node: EzspNode, payload: bytes, *, secured: bool) -> None:
        await self.radio.send(node.eui64, ApsFrame(METERING, payload, HUB_ENDPOINT, NODE_ENDPOINT, secured=secured))
        _, at_node = await self._within(f"a message of {len(payload)} octets at the Device", self._at_node.get)
        await node.send(self.radio.eui64, ApsFrame(METERING, payload, NODE_ENDPOINT, HUB_ENDPOINT, secured=secured))
        _, at_hub = await self._within(f"a message of {len(payload)} octets at the hub", self._at_hub.get)
        for arrived, where in ((at_node, "the Device"), (at_hub, "the hub")):
            expect(arrived.payload == payload, f"{len(payload)} octets came as {len(arrived.payload)} others at {where}")
            expect(arrived.secured is secured, f"at {where} it came {'under' if arrived.secured else 'without'} a link key")

    @staticmethod
    async def _within(what: str, get: Callable[[], Coroutine[None, None, T]]) -> T:
        """Wait for what ``get`` gives. Raises NotAvailable naming ``what`` after :data:`EVENT_S`."""
        try:
            async with asyncio.timeout(EVENT_S):
                return await get()
        except TimeoutError:
            raise NotAvailable(what, f"it did not come within {EVENT_S:g} s") from None
