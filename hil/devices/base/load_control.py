"""Load control on the HAN: an electricity meter tells a HAN connected switch (HCALCS) what to do, by events of the DRLC cluster.

An HCALCS follows the auxiliary switch that the meter's settings name it for (SMETS 5.7.5.38). One that no setting names takes the lowest
free switch when it is joined, and keeps it: that is this bench's own choice.
An event says the level as its duty cycle and lasts until the next; the switch answers with its status and shows it in Energy Management.
Not modelled: randomisation, opting out (ManageEvent).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device import joins
from firmware_emu.errors import RadioError
from firmware_emu.han.attributes import Attributes
from firmware_emu.han.zcl_port import Answer, Incoming, Reply
from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters.drlc import DRLC
from firmware_emu.zse.clusters.energy_management import ENERGY_MANAGEMENT
from firmware_emu.zse.declare import FieldValue
from firmware_emu.zse.zcl import ZclStatus
from hil.devices.base.part import DevicePart

_EVENT, _REPORT, _SCHEDULED = 0x00, 0x00, 0x01
_STARTED = 0x02
"""Event status: event started (tshark's table of the cluster)."""
_SIMPLE_LOAD = 1 << 7
"""Device class: simple miscellaneous (on or off) loads."""
_ALL_GROUPS, _UNTIL_FURTHER_NOTICE, _LEVEL_LESS, _NO_OFFSET, _NO_SET_POINT, _NO_SIGNATURE = 0, 0xFFFF, 1, 0xFF, -0x8000, 0
_NO_LOAD_ADJUSTMENT = -0x80
_LOAD_STATE, _CURRENT_EVENT, _CURRENT_STATUS = 0x0000, 0x0001, 0x0002
_CLOSED, _FULL = 1, 100


class SwitchLevel(Protocol):
    """One auxiliary switch of a meter, in percent."""

    level: int

    @property
    def closed(self) -> bool:
        """True if it lets current through."""
        ...


class Switches(Protocol):
    """The auxiliary switches of a meter."""

    @property
    def switches(self) -> Mapping[int, SwitchLevel]:
        """The switches by number."""
        ...

    def number_of(self, device: Eui64) -> int | None:
        """The switch that an HCALCS is set to follow, None if none."""
        ...

    def not_followed(self, number: int, level: int, event: int, reason: str) -> None:
        """Whatever was to follow switch ``number`` to ``level`` did not."""
        ...


class Leader(DevicePart, Protocol):
    """A meter with auxiliary switches that others follow."""

    powered: bool

    @property
    def controls(self) -> Switches:
        """Its auxiliary switches."""
        ...


class Follower(DevicePart, Protocol):
    """A Device with one switch that follows a meter's."""

    closed: bool

    def move(self, *, closed: bool) -> None:
        """Close or open the switch, unless it is stuck."""
        ...


class LoadController:
    """The meter's side: one event a switch, told when the switch moves and when an HCALCS asks."""

    def __init__(self, esme: Leader) -> None:
        self._esme = esme
        self.reported: dict[Eui64, tuple[int, int]] = {}
        """Last report of each HCALCS: event status and duty cycle."""

    def followers(self) -> list[Eui64]:
        """Every HCALCS of the meter's log."""
        return [entry.device_id for entry in joins.entries(self._esme.gbcs) if entry.device_type == DeviceType.HCALCS]

    def serve(self, device: Eui64) -> Callable[[], None]:
        """Answer an HCALCS of the log; returns what ends it."""
        endpoint = self._esme.zcl.endpoint_for(DRLC.id, server=True)
        return self._esme.zcl.serve(endpoint, DRLC.id, self._asked, partner=device)

    def _asked(self, incoming: Incoming) -> Answer:
        if incoming.frame.command == _SCHEDULED:
            number = self._number(incoming.partner)
            return ZclStatus.NOT_FOUND if number is None else Reply(_EVENT, self._event(number))
        if incoming.frame.command != _REPORT:
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        fields = DRLC.to_server[_REPORT].decode(incoming.frame.payload)
        status, level = fields["status"], fields["duty_cycle"]
        if isinstance(status, int) and isinstance(level, int):
            self.reported[incoming.partner] = (status, level)
        self._esme.trace.emit("han", self._esme.name, "load control", target=str(incoming.partner), status=str(status), level=str(level))
        return ZclStatus.SUCCESS

    def _number(self, device: Eui64) -> int | None:
        return self._esme.controls.number_of(device) if device in self.followers() else None

    def _event(self, number: int, event: int | None = None) -> bytes:
        esme = self._esme
        values: dict[str, FieldValue] = {
            "event": int(esme.now()) if event is None else event,
            "device_class": _SIMPLE_LOAD,
            "group": _ALL_GROUPS,
            "start": 0,
            "duration_minutes": _UNTIL_FURTHER_NOTICE,
            "criticality": _LEVEL_LESS,
            "cooling_offset": _NO_OFFSET,
            "heating_offset": _NO_OFFSET,
            "cooling_set_point": _NO_SET_POINT,
            "heating_set_point": _NO_SET_POINT,
            "average_load": _NO_LOAD_ADJUSTMENT,
            "duty_cycle": esme.controls.switches[number].level,
            "control": 0,
        }
        return DRLC.to_client[_EVENT].encode(values)

    def moved(self, number: int, level: int) -> None:
        """Switch ``number`` of the meter moved: its follower is told, and alert 811A raised if it does not follow."""
        for device in self.followers():
            if self._esme.powered and self._number(device) == number:
                self._esme.spawn(self._lead(number, level, device))

    async def _lead(self, number: int, level: int, device: Eui64) -> None:
        event = int(self._esme.now())
        try:
            closed = await self._tell(device, event)
        except RadioError as problem:
            self._esme.controls.not_followed(number, level, event, str(problem))
            return
        wanted = self._esme.controls.switches[number].closed
        if closed is not None and closed != wanted:
            reason = f"{device} shows its switch {'closed' if closed else 'open'}: expected {'closed' if wanted else 'open'}"
            self._esme.controls.not_followed(number, level, event, reason)

    async def tell(self, device: Eui64) -> None:
        """Send the event of its switch to one HCALCS, and look whether it has taken it. Raises RadioError."""
        await self._tell(device, int(self._esme.now()))

    async def _tell(self, device: Eui64, event: int) -> bool | None:
        """True if the HCALCS then shows itself closed, None if it follows none."""
        number, zcl = self._number(device), self._esme.zcl
        if number is None:
            return None
        endpoint = await zcl.find_endpoint(device, DRLC.id, server=False)
        await zcl.command(device, endpoint, DRLC.id, _EVENT, self._event(number, event), to_server=False)
        state = await zcl.read_attributes(device, endpoint, ENERGY_MANAGEMENT.id, (_LOAD_STATE, _CURRENT_EVENT, _CURRENT_STATUS))
        self._esme.trace.emit("han", self._esme.name, "load state", target=str(device), state=str(state.get(_LOAD_STATE)))
        return state.get(_LOAD_STATE) == _CLOSED


class LoadSwitchClient:
    """The switch's side: takes the events of the meters it is joined with."""

    def __init__(self, hcalcs: Follower) -> None:
        self._hcalcs = hcalcs
        self._event = 0
        self._endpoint = 0

    def serve(self) -> None:
        """Take events, and show the state."""
        zcl = self._hcalcs.zcl
        self._endpoint = zcl.endpoint_for(DRLC.id, server=False)
        zcl.serve(self._endpoint, DRLC.id, self._told, server=False)
        zcl.serve(
            self._endpoint,
            ENERGY_MANAGEMENT.id,
            None,
            attributes=Attributes(
                ENERGY_MANAGEMENT,
                {
                    _LOAD_STATE: lambda: _CLOSED if self._hcalcs.closed else 0,
                    _CURRENT_EVENT: lambda: self._event,
                    _CURRENT_STATUS: lambda: _STARTED if self._event else 0,
                },
            ),
        )

    def _told(self, incoming: Incoming) -> Answer:
        if incoming.frame.command != _EVENT:
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        if incoming.partner not in self._meters():
            return ZclStatus.NOT_AUTHORIZED
        self._take(incoming.frame.payload)
        self._hcalcs.zcl.notify(
            incoming.partner, incoming.partner_endpoint, DRLC.id, _REPORT, self._report(), source_endpoint=self._endpoint
        )
        return ZclStatus.SUCCESS

    def _meters(self) -> set[Eui64]:
        return {entry.device_id for entry in joins.entries(self._hcalcs.gbcs) if entry.device_type == DeviceType.ESME}

    def _take(self, payload: bytes) -> None:
        fields = DRLC.to_client[_EVENT].decode(payload)
        event, level = fields["event"], fields["duty_cycle"]
        if isinstance(event, int) and isinstance(level, int):
            self._event = event
            self._hcalcs.move(closed=level > 0)

    def _report(self) -> bytes:
        values: dict[str, FieldValue] = {
            "event": self._event,
            "status": _STARTED,
            "status_time": int(self._hcalcs.now()),
            "criticality": _LEVEL_LESS,
            "cooling_set_point": _NO_SET_POINT,
            "heating_set_point": _NO_SET_POINT,
            "average_load": _NO_LOAD_ADJUSTMENT,
            "duty_cycle": _FULL if self._hcalcs.closed else 0,
            "control": 0,
            "signature_type": _NO_SIGNATURE,
        }
        return DRLC.to_server[_REPORT].encode(values)

    async def ask(self) -> None:
        """After a return of power: what was told meanwhile. A meter that does not answer tells with its next move."""
        payload = DRLC.to_server[_SCHEDULED].encode({"start": 0, "count": 1})
        for meter in self._meters():
            try:
                endpoint = await self._hcalcs.zcl.find_endpoint(meter, DRLC.id)
                answer = await self._hcalcs.zcl.request(meter, endpoint, DRLC.id, _SCHEDULED, payload)
            except RadioError as problem:
                self._hcalcs.trace.emit("han", self._hcalcs.name, "not told", target=str(meter), reason=str(problem))
                continue
            if answer.default_response is None:
                self._take(answer.payload)
