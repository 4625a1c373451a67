"""Firmware distribution (11.1, and 11.4 for a PPMID): one image to many Devices through their hubs, with progress kept over restarts.

The image goes to each hub in pieces, a few under way at a time, so that Commands pass between them; a piece is taken back into account
only when the hub has acknowledged it, so an interrupted transfer goes on where it stopped. Then the Device fetches it (the hub's CCS08
alert tells how that ended) and checks its signature (alert 8F72 or 8F1C). Nothing runs before 11.3; a Device that does not activate
keeps the version it has. A PPMID activates by itself and tells (CS09, reference gbcs-spec-notes 11). It can check the access control
broker's signature alone (pipeline profile ``image_signature``), so the DCC checks the supplier's on an image for it and puts the
broker's in its place (choice).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from firmware_emu.crypto import primitives
from firmware_emu.crypto.certificates import public_key_of
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.device.firmware import OtaImage
from firmware_emu.errors import CommsHubError, NotAvailable, WanError, fault_named
from firmware_emu.gbcs.envelope import SIGNATURE_LENGTH
from firmware_emu.hub.ota import DISCARDED, FAILURE, HARDWARE_MISMATCH, SUCCESS, ImagePiece
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised, tell_fault
from hil.dcc.answers.alerts import DeviceAlerted, FirmwareActivated, FirmwareTransferred
from hil.dcc.base.refusals import OwnServiceRefused
from hil.dcc.base.services import schedule
from hil.dcc.base.store import Bus, DccStore, Row, outliving
from hil.dcc.duis.request import Node
from hil.dcc.gateway.arrival import Arrival, GatewayContext
from hil.dcc.inventory.inventory import COMMISSIONED, METERS, Device, mpxns_of

QUEUED, SENDING, AT_HUB, TRANSFERRED, VERIFIED, FAILED = "queued", "sending", "at hub", "transferred", "verified", "failed"
OPEN = (QUEUED, SENDING)
_ORDER = (QUEUED, SENDING, AT_HUB, TRANSFERRED, VERIFIED, FAILED)
"""A target goes this way alone: the Device's receipt may come before the hub's, and that before the last acknowledgement."""
RECEIPTS = {"8F72": (VERIFIED, None), "8F1C": (FAILED, "the Device does not accept the image's signature and discarded it (8F1C)")}
_ENDS = {
    DISCARDED: "the hub discarded the image: it is for another Device, or another one waits there",
    HARDWARE_MISMATCH: "the image is for another hardware version",
    FAILURE: "the Device did not complete the transfer",
}
_RETRY_S = 60.0
"""Period at which a hub that has no link yet is asked again. The bench's own figure."""


@dataclass(frozen=True, slots=True)
class Target:
    """One Device of a campaign. ``at_hub`` of ``total`` octets have been acknowledged by its hub."""

    request: str
    device: Eui64
    chf: Eui64
    state: str
    at_hub: int
    total: int
    reason: str | None
    changed: float

    def as_json(self) -> dict[str, object]:
        return {
            "request": self.request,
            "device": str(self.device),
            "chf": str(self.chf),
            "state": self.state,
            "at_hub": self.at_hub,
            "total": self.total,
            "reason": self.reason,
            "changed": self.changed,
        }


class ImagesToHubs(Protocol):
    """Carrier of pieces of images to the hubs."""

    def post_image(self, chf: Eui64, piece: bytes) -> int:
        """Store a piece for the hub; the frame's sequence. Raises WanError."""
        ...

    async def drained(self, chf: Eui64) -> None:
        """Return when the hub has acknowledged everything posted to it. Raises WanError."""
        ...


@dataclass
class FirmwareDistribution:
    """All campaigns, in the DCC's store."""

    context: GatewayContext
    bus: Bus
    head_end: ImagesToHubs
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _under_way: set[tuple[str, Eui64]] = field(default_factory=set)
    _hubs: dict[Eui64, asyncio.Lock] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bus.on(FirmwareTransferred, self._transferred)
        self.bus.on(FirmwareActivated, self._activated)
        self.bus.on(DeviceAlerted, self._alerted)

    # 11.1, 11.4

    def distribute(self, arrival: Arrival) -> Mapping[str, object]:
        """Take a campaign on. What some Devices of the list cannot have is told in the lists of DUIS 5.4. Raises OwnServiceRefused."""
        body, request = Node(arrival.request.body), str(arrival.request.request_id)
        data, named = body.base64("FirmwareImage"), body.text("FirmwareVersion").strip().upper()
        countersigned = arrival.service.reference == "11.4"
        unsigned = OtaImage.with_room_to_sign(data) if countersigned else data
        try:
            image = OtaImage.decode(unsigned)
        except CommsHubError as error:
            raise OwnServiceRefused("firmware-image", problem=error) from error
        held = f"{image.version:08X}"
        if held != named:
            raise OwnServiceRefused("firmware-version", named=named, held=held)
        if countersigned:
            data = self._countersigned(arrival, image, unsigned, signed=unsigned is data)
        listed = dict.fromkeys(Eui64.parse(word) for word in body.text("DeviceIDList").split(","))
        good, bad = [], dict[Eui64, tuple[str, str]]()
        for eui in listed:
            device = self.context.inventory.device(eui)
            why = self._unfit(arrival, device, eui, named)
            if why is None and device is not None:
                self._same_hash(device, named, image.hash.hex())
                good.append(device)
            elif why is not None:
                bad[eui] = why
        if not good:
            problems = [problem for _, problem in bad.values()]
            raise OwnServiceRefused("firmware-no-device", problems="; ".join(problems), first=problems[0])
        now = self.context.clock.now()
        self.context.store.insert(
            "firmware_campaigns",
            request=request,
            user=str(arrival.sender),
            version=named,
            hash=image.hash.hex(),
            image=data,
            received=now,
            deadline=now + self.context.profile.firmware_target_s,
        )
        for device in good:
            self.context.store.insert(
                "firmware_targets",
                request=request,
                device=str(device.eui),
                chf=str(self.context.inventory.hub_of(device.eui)),
                state=QUEUED,
                total=len(data),
                changed=now,
            )
            self._start(request, device.eui)
        lists: dict[str, list[str]] = {}
        for eui, (name, problem) in bad.items():
            lists.setdefault(name, []).append(eui.duis)
            self.context.trace.emit("dcc", "firmware", "refused", target=str(eui), message=request, reason=problem)
        return {"DeviceIDList": [device.eui.duis for device in good], **lists}

    def _countersigned(self, arrival: Arrival, image: OtaImage, data: bytes, *, signed: bool) -> bytes:
        """The file with the access control broker's signature, in place of the sender's where it is ``signed``, which must hold. Raises
        OwnServiceRefused."""
        try:
            key = self.context.keystore.private_key(self.context.broker, KeyUsage.DIGITAL_SIGNATURE)
            if not signed:
                return data[:-SIGNATURE_LENGTH] + primitives.sign(key, image.image)
            certificate = self.context.keystore.certificate(arrival.sender, KeyUsage.DIGITAL_SIGNATURE)
            primitives.verify(public_key_of(certificate), image.signature, image.image)
            return data[:-SIGNATURE_LENGTH] + primitives.sign(key, image.image)
        except CommsHubError as error:
            raise OwnServiceRefused("firmware-image", problem=error) from error

    def _unfit(self, arrival: Arrival, device: Device | None, eui: Eui64, version: str) -> tuple[str, str] | None:
        """The list of DUIS 5.4 that the Device belongs on, and why; None if it can have the image."""
        if device is None:
            return "InvalidDeviceIDList", f"{eui} is not in the inventory"
        service = schedule()[arrival.service.variant]
        kinds = service.device_types or ({"PPMID"} if service.reference == "11.4" else {kind.name for kind in METERS})
        if device.type.name not in kinds:
            return "InvalidDeviceIDList", f"{eui} is a {device.type.name}, {service.variant} is for {' and '.join(sorted(kinds))}"
        mpxns = mpxns_of(self.context.inventory, device)
        if not self.context.registration.is_supplier_of(arrival.sender, mpxns, self.context.clock.now()):
            return "InvalidDeviceIDList", f"{arrival.sender} is no registered supplier of {eui}"
        if device.status != COMMISSIONED or self.context.inventory.hub_of(eui) is None:
            return "NotCommissionedDeviceIDList", f"{eui} is {device.status}"
        if self.context.inventory.certified(device.type, device.manufacturer, device.model, version) != "Active":
            model = f"{device.type.name} {device.manufacturer} {device.model}"
            return "NotApplicableFirmwareDeviceIDList", f"firmware {version} is not Active for {model} on the certified products list"
        if self.context.store.row("SELECT 1 FROM firmware_targets WHERE device = ? AND state IN (?, ?)", (str(eui), *OPEN)) is not None:
            return "OtherRequestInProgressList", f"another image is under way to {eui}"
        return None

    def _same_hash(self, device: Device, version: str, held: str) -> None:
        listed = self.context.inventory.certified_hash(device.type, device.manufacturer, device.model, version)
        if listed is not None and listed != held:
            raise OwnServiceRefused("firmware-hash", model=f"{device.manufacturer} {device.model} {version}", held=held, listed=listed)

    # Reading

    def targets(self, request: str | None = None) -> tuple[Target, ...]:
        """Every Device of one campaign, or of all."""
        return tuple(one for one in targets_in(self.context.store) if request in (None, one.request))

    # Out to the hubs

    def resume(self) -> None:
        """After a restart: go on with what was under way."""
        for row in self.context.store.rows("SELECT request, device FROM firmware_targets WHERE state IN (?, ?)", OPEN):
            self._start(row["request"], Eui64.parse(row["device"]))

    def _start(self, request: str, device: Eui64) -> None:
        if not self.context.store.leads:
            self.context.store.tell("firmware")
            return
        if (request, device) in self._under_way:
            return
        self._under_way.add((request, device))
        task = supervised(
            outliving(lambda: self._distribute(request, device), f"the firmware of {device}", self.context.clock, self.context.trace),
            f"the firmware of {device}",
            self.context.trace,
            area="dcc",
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self._under_way.discard((request, device)))

    async def _distribute(self, request: str, device: Eui64) -> None:
        campaign = self.context.store.row("SELECT * FROM firmware_campaigns WHERE request = ?", (request,))
        row = self._row(request, device)
        assert campaign is not None
        chf = Eui64.parse(row["chf"])
        try:
            async with asyncio.timeout(max(0.0, campaign["deadline"] - self.context.clock.now())):
                async with self._hubs.setdefault(chf, asyncio.Lock()):
                    await self._to_hub(request, device, chf, bytes(campaign["image"]))
        except TimeoutError:
            row = self._row(request, device)
            days = self.context.profile.firmware_target_s / 86400
            self._set(request, device, FAILED, f"hub {chf} had {row['at_hub']} of {row['total']} octets after {days:g} days")
        except NotAvailable:
            raise  # the store itself
        except Exception as fault:  # at this Device's image: set aside, or it would come again at each start
            tell_fault(f"the firmware of {device} was set aside", fault, self.context.trace, "dcc", None)
            self._set(request, device, FAILED, f"set aside: {fault_named(fault)}")

    async def _to_hub(self, request: str, device: Eui64, chf: Eui64, image: bytes) -> None:
        row, step = self._row(request, device), int(self.context.profile.firmware_piece_octets)
        posted = int(row["posted"])
        self._set(request, device, SENDING)
        while True:
            try:
                await self.head_end.drained(chf)
            except WanError:
                await self.context.clock.sleep(_RETRY_S)
                continue
            self._note(request, device, "at_hub", posted)
            if posted >= len(image):
                break
            with self.context.store.transaction():
                for offset in self._window(posted, len(image), step):
                    piece = ImagePiece(device, len(image), offset, image[offset : offset + step])
                    self.head_end.post_image(chf, piece.encode())
                    posted = offset + len(piece.data)
                self._note(request, device, "posted", posted)
        self._set(request, device, AT_HUB)

    def _window(self, posted: int, total: int, step: int) -> Iterator[int]:
        yield from range(posted, min(total, posted + step * int(self.context.profile.firmware_window)), step)

    def _note(self, request: str, device: Eui64, column: str, octets: int) -> None:
        self.context.store.execute(
            f"UPDATE firmware_targets SET {column} = ?, changed = ? WHERE request = ? AND device = ?",
            (octets, self.context.clock.now(), request, str(device)),
        )
        if column == "at_hub":
            self.context.trace.emit("dcc", "firmware", "progress", target=str(device), message=request, octets=octets)

    # Reports of hub and Device

    def _transferred(self, told: FirmwareTransferred) -> None:
        """CCS08 of a hub: how the transfer to a Device ended."""
        alert = told.alert
        request = self._whole_at_hub(alert.device_id)
        if request is not None:
            done = alert.outcome == SUCCESS
            self._set(request, alert.device_id, TRANSFERRED if done else FAILED, None if done else _ENDS.get(alert.outcome))

    def _alerted(self, told: DeviceAlerted) -> None:
        """A Device's alert: one about the image that was distributed to it is noted."""
        request = self._whole_at_hub(told.device) if told.code in RECEIPTS else None
        if request is not None:
            self._set(request, told.device, *RECEIPTS[told.code])

    def _activated(self, told: FirmwareActivated) -> None:
        """CS09: a PPMID runs the image it was given, or does not."""
        device, alert = told.device, told.alert
        request, version = self._whole_at_hub(device), alert.firmware_version.hex().upper()
        if alert.outcome == SUCCESS:
            self.context.inventory.describe(device, firmware=version, request=request)
        if request is not None:
            done = alert.outcome == SUCCESS
            self._set(request, device, VERIFIED if done else FAILED, None if done else f"the Device still runs {version} (8F8B)")

    def _whole_at_hub(self, device: Eui64) -> str | None:
        """The campaign whose last piece has gone to the Device's hub, and that has no end yet."""
        row = self.context.store.row(
            "SELECT request FROM firmware_targets WHERE device = ? AND posted = total AND state NOT IN (?, ?) ORDER BY rowid DESC LIMIT 1",
            (str(device), VERIFIED, FAILED),
        )
        return None if row is None else str(row["request"])

    def _row(self, request: str, device: Eui64) -> Row:
        row = self.context.store.row("SELECT * FROM firmware_targets WHERE request = ? AND device = ?", (request, str(device)))
        assert row is not None
        return row

    def _set(self, request: str, device: Eui64, state: str, reason: str | None = None) -> None:
        with self.context.store.transaction():
            if _ORDER.index(state) <= _ORDER.index(self._row(request, device)["state"]):
                return
            self.context.store.execute(
                "UPDATE firmware_targets SET state = ?, reason = ?, changed = ? WHERE request = ? AND device = ?",
                (state, reason, self.context.clock.now(), request, str(device)),
            )
        self.context.trace.emit(
            "dcc", "firmware", "refused" if state == FAILED else state, target=str(device), message=request, reason=reason
        )

    async def close(self) -> None:
        """Stop distributing; the campaigns stay in the store."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task


def targets_in(store: DccStore) -> tuple[Target, ...]:
    """Every Device of every campaign, oldest first."""
    return tuple(map(_target, store.rows("SELECT * FROM firmware_targets ORDER BY rowid")))


def _target(row: Row) -> Target:
    return Target(
        row["request"],
        Eui64.parse(row["device"]),
        Eui64.parse(row["chf"]),
        row["state"],
        row["at_hub"],
        row["total"],
        row["reason"],
        row["changed"],
    )
