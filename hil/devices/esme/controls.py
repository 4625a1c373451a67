"""Auxiliary load control of an electricity meter: five switches or controllers, their calendar, timed overrides, limits and boost.

Reference smets 7. A calendar entry or command names a switch n by a script: 256 n + 1 and 256 n + 2 close and open it, 256 n + 11h and
256 n + 12h do so for a number of minutes, 256 n + 20h goes back to the calendar; a controller's script carries direction and level.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from firmware_emu.clock import EPOCH
from firmware_emu.device.event_log import LogEntry, LogName
from firmware_emu.gbcs import cosem_time
from firmware_emu.gbcs.axdr import Boolean, Data, LongUnsigned, Null, OctetString, Unsigned
from firmware_emu.gbcs.dlms import AccessResult, parse_obis
from firmware_emu.ids import Eui64
from hil.devices.esme.part import EsmePart
from hil.devices.metering.registers import RecordRing
from hil.devices.metering.tariff import SwitchSchedule, randomised_offset

SWITCHES = range(1, 6)
BOOST_DEPTH = 25
"""Entries of the boost function event log (SMETS 5.26.3.1, reference smets 2)."""
BOOST_MINUTES = 60
"""Longest boost in total (reference smets 7, E470)."""
LIMIT_PROCESSED, LIMIT_ENDED = 0x8F86, 0x8F87
_LIMIT_PROCESSED_CODE, _LIMIT_ENDED_CODE = 0x0121, 0x0122
LONGEST_PERIOD_S = 86_400
"""A period of a controller ends after it begins and at most 24 h later (SMETS 5.29.1.1, reference gbcs-text 7)."""
_CLOSE, _CLOSE_FOR, _OPEN_FOR, _TO_CALENDAR = 0x01, 0x11, 0x12, 0x20
_DIRECTIONS, _LEVEL, _FULL = 0x3000, 0x7F, 100
_SUCCESS, _FAILURE = 1, 2
"""Outcomes of an entry of the auxiliary event log (RTDS ECS35f writes 0 to 2)."""
CONTROL_FAILED = 0x811A
"""Failure in changing or maintaining the state of a HAN connected or other auxiliary switch (event table, AC3)."""


EUI_SIZE = 8
_IN_THE_METER = OctetString(bytes(EUI_SIZE))
"""Identity of a switch in the meter (an ALCS); none has no octets, a controller (APC) FF, an HCALCS its EUI (SMETS 5.7.5.38)."""


def _identity_key(number: int) -> tuple[int, bytes, int]:
    return 1, parse_obis(f"0-0:94.44.0.2{number}"), 2


@dataclass
class Switch:
    """One switch or controller: level in percent (a switch has 0 or 100), and the overrides in force until their ends."""

    level: int = 0
    forced: int | None = None
    forced_from: int = 0
    forced_until: int = 0
    cap: int | None = None
    cap_from: int = 0
    cap_until: int = 0
    cap_direction: int = 1

    @property
    def closed(self) -> bool:
        """True if it lets current through."""
        return self.level > 0


class Controls:
    """The switches of one meter, in its store. ``moved`` is called with a switch that has moved and its level."""

    def __init__(self, esme: EsmePart, moved: Callable[[int, int], None]) -> None:
        self._esme = esme
        self._key = esme.gbcs.prefix + "controls"
        self._moved = moved
        self._schedule: SwitchSchedule | None = None
        self.boosts = RecordRing(esme.store, esme.gbcs.prefix + "boosts", "II", BOOST_DEPTH)
        self._boost_until = 0
        self._known = b""
        self.switches = {number: Switch() for number in SWITCHES}
        self.recall()

    def recall(self) -> None:
        """Take up what the store holds, if that is not what was put there last."""
        octets = self._esme.store.get(self._key)
        if octets is not None and octets != self._known:
            state = json.loads(octets)
            self._known = octets
            self._boost_until = state["boost_until"]
            self.switches = {number: Switch(**state[str(number)]) for number in SWITCHES}

    def _save(self) -> None:
        state: dict[str, object] = {str(number): asdict(switch) for number, switch in self.switches.items()}
        state["boost_until"] = self._boost_until
        self._known = json.dumps(state).encode()
        self._esme.store.put(self._key, self._known)

    @property
    def stored(self) -> bytes:
        """State that the store holds."""
        return self._known

    def forget(self) -> None:
        """As :meth:`.Metering.forget`."""
        self._known = b""

    def settings_changed(self) -> None:
        """Something in the model was written."""
        self._schedule = None

    # --- time

    def update(self, now: int) -> None:
        """Bring every switch to where it has to be at ``now``."""
        self.recall()
        moved = False
        for number, switch in self.switches.items():
            if switch.cap is not None and now >= switch.cap_until:
                switch.cap = None
                moved = True
                self._limit_ended(number, switch, self._wanted(number, switch, now))
            level = self._wanted(number, switch, now)
            if level != switch.level:
                switch.level = level
                moved = True
                self._log(now, number, level)
                self._moved(number, level)
        if moved:
            self._save()

    def next_moment(self, now: int) -> int | None:
        """When a switch may have to move next."""
        moments = [
            moment
            for switch in self.switches.values()
            for moment in (
                switch.forced_from,
                switch.forced_until,
                switch.cap_from,
                switch.cap_until,
            )
        ]
        moments.append(self._boost_until)
        offset = self._offset()
        scheduled = self._calendar().next(now - offset)
        if scheduled is not None:
            scheduled += offset
        return min((moment for moment in (*moments, scheduled) if moment is not None and moment > now), default=None)

    def _offset(self) -> int:
        """Seconds by which the calendar's switches come late."""
        return randomised_offset(self._esme) if self._esme.maker.offset_auxiliary else 0

    def _calendar(self) -> SwitchSchedule:
        if self._schedule is None:
            read = self._esme.read
            self._schedule = SwitchSchedule(read(10, "0-0:12.0.2", 2), read(11, "0-0:11.0.3", 2))
        return self._schedule

    def _wanted(self, number: int, switch: Switch, now: int) -> int:
        level = self._calendar_level(number, now)
        if now < self._boost_until and self._may_boost(number):
            level = _FULL
        if switch.forced is not None and switch.forced_from <= now < switch.forced_until:
            level = switch.forced
        if switch.cap is not None and switch.cap_from <= now < switch.cap_until:
            level = min(level, switch.cap)
        return level

    def _calendar_level(self, number: int, now: int) -> int:
        own = [one.selector for one in self._calendar().switches if (one.selector & ~_DIRECTIONS) >> 8 == number]
        selector = self._calendar().last(now - self._offset(), own) if own else None
        if selector is None:
            return 0
        if selector & _DIRECTIONS:
            return selector & _LEVEL
        return _FULL if selector & 0xFF == _CLOSE else 0

    def _log(self, now: int, number: int, level: int) -> None:
        self._esme.gbcs.logs[LogName.ALCS].add(_entry(now, number, level, _SUCCESS))
        self._esme.trace.emit("device", self._esme.name, "auxiliary switch", number=number, level=level)

    def not_followed(self, number: int, level: int, event: int, reason: str) -> None:
        """Record that switch ``number`` was not followed to ``level``: log entry with the DRLC ``event`` that told it, and alert 811A."""
        self._esme.trace.emit("device", self._esme.name, "auxiliary switch not followed", number=number, level=level, reason=reason)
        self._esme.tell(CONTROL_FAILED, entry=_entry(int(self._esme.now()), number, level, _FAILURE, event))

    # --- what is behind a switch

    def number_of(self, device: Eui64) -> int | None:
        """The switch that an HCALCS is set to follow, None if none."""
        identity = OctetString(device.octets)
        return next((number for number in SWITCHES if self._identity(number) == identity), None)

    def _identity(self, number: int) -> Data:
        return self._esme.model.read(_identity_key(number))

    def followed_by(self, devices: list[Eui64]) -> None:
        """These HCALCSs are joined: one that no switch names takes the lowest that is nobody's; who has left is named no more."""
        joined = {OctetString(device.octets) for device in devices}
        for number in SWITCHES:
            identity = self._identity(number)
            if isinstance(identity, OctetString) and len(identity.octets) == EUI_SIZE and any(identity.octets) and identity not in joined:
                self._esme.model.write(_identity_key(number), _IN_THE_METER)
        for device in devices:
            free = [number for number in SWITCHES if self._identity(number) == _IN_THE_METER]
            if self.number_of(device) is None and free:
                self._esme.model.write(_identity_key(free[0]), OctetString(device.octets))

    # --- commands

    def execute(self, parameter: Data) -> AccessResult | Data:
        """Script table 0-0:10.0.103 (ECS47): override a switch or a controller, or let it follow the calendar again."""
        if not isinstance(parameter, LongUnsigned):
            return AccessResult.TYPE_UNMATCHED
        selector, now = parameter.value, int(self._esme.now())
        number = (selector & ~_DIRECTIONS) >> 8
        switch = self.switches.get(number)
        if switch is None:
            return AccessResult.OBJECT_UNAVAILABLE
        if selector & _DIRECTIONS:
            span = self._span(number, 1)
            if span is None:
                return AccessResult.OTHER_REASON
            switch.forced, (switch.forced_from, switch.forced_until) = selector & _LEVEL, span
        else:
            action = selector & 0xFF
            if action == _TO_CALENDAR:
                switch.forced = None
            elif action in (_CLOSE_FOR, _OPEN_FOR):
                closing = action == _CLOSE_FOR
                minutes = self._esme.read(1, f"0-0:94.44.{116 + number}.{1 if closing else 2}", 2)
                if not isinstance(minutes, LongUnsigned):
                    return AccessResult.OTHER_REASON
                switch.forced, switch.forced_from = (_FULL if closing else 0), now
                switch.forced_until = now + 60 * minutes.value
            else:
                return AccessResult.OTHER_REASON
        self._save()
        self.update(now)
        return Null()

    def limit(self, parameter: Data) -> AccessResult | Data:
        """Script table 0-0:10.0.107 (ECS47e): cap a controller for a time; alert 8F86 tells that the command was processed."""
        if not isinstance(parameter, LongUnsigned):
            return AccessResult.TYPE_UNMATCHED
        number = (parameter.value & ~_DIRECTIONS) >> 8
        switch, span = self.switches.get(number), self._span(number, 3)
        if switch is None or span is None:
            return AccessResult.OBJECT_UNAVAILABLE if switch is None else AccessResult.OTHER_REASON
        now = int(self._esme.now())
        if switch.cap is not None:  # the one before is cancelled
            self._limit_ended(number, switch, self._wanted(number, switch, now))
        switch.cap, (switch.cap_from, switch.cap_until) = parameter.value & _LEVEL, span
        switch.cap_direction = (parameter.value & _DIRECTIONS) >> 12
        start, end = (self._esme.read(1, f"0-0:94.44.{116 + number}.{place}", 2) for place in (3, 4))
        self._esme.gbcs.raise_alert(
            LIMIT_PROCESSED,
            (Unsigned(switch.cap_direction << 4 | number), end, start, Unsigned(switch.cap)),
            message_code=_LIMIT_PROCESSED_CODE,
        )
        self._save()
        self.update(now)  # the end of a period that is over is told after it
        return Null()

    def _limit_ended(self, number: int, switch: Switch, level: int) -> None:
        """Alert 8F87: direction and number of the controller, and the level that it has from now on."""
        what = Unsigned(switch.cap_direction << 4 | number)
        self._esme.gbcs.raise_alert(LIMIT_ENDED, (what, Unsigned(level)), message_code=_LIMIT_ENDED_CODE)

    def check_period(self, number: int, first: int) -> Callable[[Data], AccessResult]:
        """A writer of the end of a period, which is not taken where it does not fit the start before it."""

        def write(value: Data) -> AccessResult:
            key = 1, parse_obis(f"0-0:94.44.{116 + number}.{first + 1}"), 2
            end = _moment(value)
            start = _moment(self._esme.read(1, f"0-0:94.44.{116 + number}.{first}", 2))
            if end is not None and (start is None or not start < end <= start + LONGEST_PERIOD_S):
                return AccessResult.OTHER_REASON
            self._esme.model.write(key, value)
            return AccessResult.SUCCESS

        return write

    def _span(self, number: int, first: int) -> tuple[int, int] | None:
        if number not in SWITCHES:
            return None
        start, end = (_moment(self._esme.read(1, f"0-0:94.44.{116 + number}.{place}", 2)) for place in (first, first + 1))
        return None if start is None or end is None else (start, end)

    # --- boost

    def _may_boost(self, number: int) -> bool:
        return self._esme.read(1, f"0-0:94.44.6.{number}", 2) == Boolean(True)

    def boost(self, minutes: int) -> bool:
        """The boost button: close the switches it controls; False if boost is not available, too long, or all are closed already."""
        now = int(self._esme.now())
        numbers = [number for number in SWITCHES if self._may_boost(number)]
        if self._esme.read(1, "0-0:94.44.7", 2) != Boolean(True) or not numbers or not 0 < minutes <= BOOST_MINUTES:
            return False
        if all(self.switches[number].closed for number in numbers):
            return False
        self._boost_until = now + 60 * minutes
        self.boosts.append(now, self._boost_until)
        self._save()
        self.update(now)
        return True

    def level(self, number: int) -> int:
        """Level of a switch in percent now."""
        self.update(int(self._esme.now()))
        return self.switches[number].level


def _moment(value: Data) -> int | None:
    """Seconds since 2000 of a date-time, None where it is no single moment."""
    at = cosem_time.decode_date_time(value.octets) if isinstance(value, OctetString) and len(value.octets) == 12 else None
    return None if at is None else int((at - EPOCH).total_seconds())


def _entry(now: int, number: int, level: int, outcome: int, event: int = 0) -> LogEntry:
    """On or off in the auxiliary log: 11h or 12h beside the switch's number, as in RTDS ECS35f."""
    return LogEntry(now, number << 8 | (_CLOSE_FOR if level else _OPEN_FOR), bytes((outcome,)) + event.to_bytes(4, "big"))
