"""The client of the hub's Over-the-Air cluster: fetches the image that waits for its Device, has it checked, and tells how that ended.

A file goes block by block to the Device's store, so that a transfer goes on where it was broken off by sleep, a power cut or a hub that
was away. The whole file is given to :func:`firmware_emu.device.firmware.receive_image`, which keeps it as the pending image and raises
8F72, or discards it and raises 8F1C. Nothing is run here: that takes the Command CS06 (reference zigbee-han 9, gbcs-spec-notes 11); a PPMID
runs what it has verified by itself.

A mains Device follows (:meth:`OtaClient.follow`): it asks at its join, each day, and when the hub notifies it. A sleepy one asks when
the mirror's flag for new firmware says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from dataclasses import dataclass
from enum import Enum

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device import firmware
from firmware_emu.errors import DecodeError, RadioError
from firmware_emu.han.zcl_port import Answer, Incoming
from firmware_emu.zse.clusters.ota import OTA, WAIT_FOR_DATA
from firmware_emu.zse.declare import FieldValue, number
from firmware_emu.zse.zcl import ZclStatus
from hil.devices.base.part import DevicePart

MANUFACTURER = 0x10D4
HARDWARE = 1
"""Manufacturer code and hardware version of every Device of this bench; the image type is its Device type. The bench's own figures."""
BLOCK = 44
"""Octets asked for at a time: a block response then fits one APS frame of 61 octets. The bench's own figure."""
QUERY_PERIOD_S = 86_400.0
RETRY_S = 600.0
"""Period at which a mains Device asks for an image, and after which it asks again when a transfer broke off. The bench's own figures."""
_KEPT = 4096
"""Octets in a piece of the store. The bench's own figure."""
_STATE = struct.Struct(">III")
"""Version, size of the file, octets kept."""
_END = struct.Struct(">IB")
_NOTIFY, _QUERY, _BLOCK, _END_REQUEST = 0x00, 0x01, 0x03, 0x06
_HARDWARE_PRESENT = 0x01


class Fetched(Enum):
    """Result of one try."""

    NOTHING = "no image waits"
    PART = "the rest waits for another try"
    KEPT = "the image is verified and pending"
    DISCARDED = "the image did not verify"


@dataclass(slots=True)
class _Transfer:
    """A file on its way: ``fresh`` are octets that are not in the store yet."""

    version: int
    size: int
    kept: int
    fresh: bytearray

    @property
    def offset(self) -> int:
        return self.kept + len(self.fresh)


class OtaClient:
    """The OTA client of one Device, on the endpoint that lists the cluster among its clients."""

    def __init__(self, device: DevicePart) -> None:
        self._device = device
        self._prefix = device.gbcs.prefix + "ota/"
        self._wanted = asyncio.Event()
        self._turn = asyncio.Lock()

    # --- when

    def serve(self) -> None:
        """Take the hub's notifications."""
        device = self._device
        device.zcl.serve(device.zcl.endpoint_for(OTA.id, server=False), OTA.id, self._notified, server=False)

    def _notified(self, incoming: Incoming) -> Answer:
        if incoming.partner != self._device.coordinator or incoming.frame.command != _NOTIFY:
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        self._wanted.set()
        return ZclStatus.SUCCESS

    async def follow(self) -> None:
        """Ask now, each day and whenever the hub notifies, for as long as the Device has power."""
        while True:
            pause = QUERY_PERIOD_S
            self._wanted.clear()
            try:
                await self.fetch()
            except (RadioError, DecodeError) as problem:
                self._device.trace.emit("device", self._device.name, "image not fetched", reason=str(problem))
                pause = RETRY_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wanted.wait()

    @property
    def under_way(self) -> bool:
        """True if part of a file, or the end of a transfer that the hub does not know of, is in the store."""
        store = self._device.store
        return any(store.get(self._prefix + name) is not None for name in ("state", "end"))

    # --- one try

    async def fetch(self, blocks: int | None = None) -> Fetched:
        """Ask for an image and take at most ``blocks`` blocks of it (None: all). Raises RadioError, or DecodeError for a foreign answer."""
        async with self._turn:
            device = self._device
            if device.coordinator is None:
                raise RadioError("not joined", "NOT_JOINED")
            server = (await device.node.match_descriptors(device.coordinator, OTA.id, server=True) or (None,))[0]
            if server is None:
                return Fetched.NOTHING
            if device.store.get(self._prefix + "end") is not None:
                await self._tell_end(server)
            transfer = await self._query(server)
            if transfer is None:
                return Fetched.NOTHING
            try:
                whole = await self._take(server, transfer, blocks)
            finally:
                self._keep(transfer)
            if whole is None:
                self._forget()
                return Fetched.NOTHING
            return await self._complete(server, transfer) if whole else Fetched.PART

    async def _query(self, server: int) -> _Transfer | None:
        """The file that waits, as far as it is here already; None if none waits."""
        answer = await self._ask(
            server, _QUERY, {"field_control": _HARDWARE_PRESENT, "file_version": self._running(), "hardware_version": HARDWARE}
        )
        if answer.get("status") != 0:
            self._forget()
            return None
        version, size = number(answer, "file_version"), number(answer, "image_size")
        if not size:
            raise DecodeError(0, "image size", "read 0, expected a file")
        state = self._device.store.get(self._prefix + "state")
        kept = 0
        if state is not None:
            held_version, held_size, kept = _STATE.unpack(state)
            if (held_version, held_size) != (version, size):
                self._forget()
                kept = 0
        device = self._device
        device.trace.emit("device", device.name, "image offered", version=f"{version:08x}", octets=size, kept=kept)
        return _Transfer(version, size, kept, bytearray())

    async def _take(self, server: int, transfer: _Transfer, blocks: int | None) -> bool | None:
        """Fetch blocks: True when the file is whole, False when there are more; None if the hub gave up."""
        while transfer.offset < transfer.size:
            if blocks is not None:
                if not blocks:
                    return False
                blocks -= 1
            answer = await self._ask(
                server,
                _BLOCK,
                {
                    "field_control": 0,
                    "file_version": transfer.version,
                    "file_offset": transfer.offset,
                    "maximum_data_size": min(BLOCK, transfer.size - transfer.offset),
                },
            )
            if answer["status"] == ZclStatus.WAIT_FOR_DATA:
                await self._device.clock.sleep(max(1, number(answer, "request_time") - number(answer, "current_time")))
                continue
            if answer["status"] != 0:
                reason = f"block at {transfer.offset}: ZCL status 0x{number(answer, 'status'):02X}"
                self._device.trace.emit("device", self._device.name, "image not fetched", reason=reason)
                return None
            data = answer.get("data")
            if not isinstance(data, bytes) or not 0 < len(data) <= transfer.size - transfer.offset:
                raise DecodeError(0, "image block", f"expected 1 to {transfer.size - transfer.offset} octets")
            if answer["file_offset"] != transfer.offset or answer["file_version"] != transfer.version:
                raise DecodeError(0, "image block", f"expected octets from {transfer.offset} of version {transfer.version:08x}")
            transfer.fresh += data
            if len(transfer.fresh) >= _KEPT:
                self._keep(transfer)
        return True

    async def _complete(self, server: int, transfer: _Transfer) -> Fetched:
        """Have the whole file checked, and tell the hub."""
        store, gbcs = self._device.store, self._device.gbcs
        octets = b"".join(store.get(key) or b"" for key in store.keys(self._prefix + "piece/"))
        good = firmware.receive_image(gbcs, octets)
        status = ZclStatus.SUCCESS if good else ZclStatus.INVALID_IMAGE
        with store.transaction():
            self._forget()
            store.put(self._prefix + "end", _END.pack(transfer.version, status))
        await self._tell_end(server)
        return Fetched.KEPT if good else Fetched.DISCARDED

    async def _tell_end(self, server: int) -> None:
        """The outcome of the last transfer; the answer's upgrade time means nothing here, since only CS06 activates."""
        version, status = _END.unpack(self._device.store.get(self._prefix + "end") or bytes(_END.size))
        await self._ask(server, _END_REQUEST, {"status": status, "file_version": version})
        self._device.store.delete(self._prefix + "end")
        self._device.trace.emit("device", self._device.name, "image transfer ended", version=f"{version:08x}", status=f"0x{status:02X}")

    # --- the store

    def _keep(self, transfer: _Transfer) -> None:
        if not transfer.fresh:
            return
        store = self._device.store
        with store.transaction():
            store.put(f"{self._prefix}piece/{transfer.kept:08d}", bytes(transfer.fresh))
            transfer.kept = transfer.offset
            transfer.fresh.clear()
            store.put(self._prefix + "state", _STATE.pack(transfer.version, transfer.size, transfer.kept))

    def _forget(self) -> None:
        store = self._device.store
        for key in (self._prefix + "state", *store.keys(self._prefix + "piece/")):
            store.delete(key)

    # --- the air

    def _running(self) -> int:
        return int.from_bytes(firmware.running_version(self._device.gbcs), "big")

    async def _ask(self, server: int, command: int, fields: dict[str, FieldValue]) -> dict[str, FieldValue]:
        """One request and the fields of its answer; a default response gives its status alone."""
        device = self._device
        if device.coordinator is None:
            raise RadioError("not joined", "NOT_JOINED")
        manufacturer, image_type = image_identity(device.device_type)
        payload = OTA.to_server[command].encode({"manufacturer": manufacturer, "image_type": image_type, **fields})
        answer = await device.zcl.request(device.coordinator, server, OTA.id, command, payload)
        if answer.default_response is not None:
            return {"status": answer.default_response.status}
        if command == _BLOCK and answer.payload[:1] == bytes((ZclStatus.WAIT_FOR_DATA,)):
            return WAIT_FOR_DATA.decode(answer.payload)
        return OTA.to_client[answer.command].decode(answer.payload)


def image_identity(device_type: DeviceType) -> tuple[int, int]:
    """Manufacturer code and image type that the header of a file for such a Device must name."""
    return MANUFACTURER, device_type.value
