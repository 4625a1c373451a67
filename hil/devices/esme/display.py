"""Publications of an electricity meter to the consumer's Devices beside its metering: price, messages, calendar, supplier, events.

The clusters are those that the device table of Smart Energy wants of an energy service interface (reference zigbee-han 2; SMETS 5.5.1).
Joined Devices alone are answered. Not modelled: block and billing periods of the Price cluster, and pushes: displays ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from firmware_emu.device import zcl_event_log
from firmware_emu.device.event_log import LogName
from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.axdr import Array, Data, LongUnsigned, OctetString, Structure, Unsigned
from firmware_emu.han.attributes import Attributes
from firmware_emu.han.zcl_port import Answer, Handler, Incoming, Reply
from firmware_emu.zse.clusters.calendar import CALENDAR
from firmware_emu.zse.clusters.device_management import DEVICE_MANAGEMENT
from firmware_emu.zse.clusters.events import EVENTS
from firmware_emu.zse.clusters.messaging import MESSAGING
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.declare import Cluster, FieldValue
from firmware_emu.zse.zcl import ZclStatus
from hil.devices.esme.consumer import ConsumerView
from hil.devices.esme.part import EsmePart
from hil.devices.metering.tariff import BLOCKS, NO_THRESHOLD, TOU_RATES, Tariff

CLUSTERS = (PRICE, MESSAGING, CALENDAR, DEVICE_MANAGEMENT, EVENTS)
_KWH, _POUNDS, _TRAILING = 0, 826, 0x50
"""Unit of measure, currency, and five decimals of a pound: thousandths of a penny (RTDS GCS14 writes the same of gas)."""
_TARIFF_ID = 1
_BLOCK_SCRIPTS = range(101, 109)
_BLOCK_SCHEME, _BY_TIER = 0x10, 0x01
_TIERS_SHOWN = range(1, 16)
"""Tiers that have price attributes."""
_UNTIL_CHANGED = 0xFFFF
_LONGEST_TEXT = 0xFF
_FIRST_BLOCK_PRICE = (0xA1, 0xB1, 0xC1, 0xD1)
_LOGS = {zcl_event_log.EVENT_LOG: LogName.EVENT, zcl_event_log.SECURITY_LOG: LogName.SECURITY}
_PARTS = {0x01: "first_day", 0x02: "first_week"}
Publication = dict[str, FieldValue]


class DisplaySide:
    """The publications of one meter."""

    def __init__(self, esme: EsmePart, consumer: ConsumerView) -> None:
        self._esme = esme
        self._consumer = consumer
        self._handlers: Mapping[int, Callable[[int, bytes], Answer]] = {
            PRICE.id: self._price,
            MESSAGING.id: self._message,
            CALENDAR.id: self._calendar,
            DEVICE_MANAGEMENT.id: self._management,
            EVENTS.id: self._events,
        }

    def handler(self, cluster: Cluster) -> Handler:
        """It answers the commands of a cluster."""
        answer = self._handlers[cluster.id]

        def handle(incoming: Incoming) -> Answer:
            self._esme.update()
            try:
                return answer(incoming.frame.command, incoming.frame.payload)
            except DecodeError:
                return ZclStatus.MALFORMED_COMMAND

        return handle

    def attributes(self, cluster: Cluster) -> Attributes:
        """Attributes of a cluster, live."""
        if cluster is PRICE:
            return Attributes(
                PRICE,
                {
                    "commodity_type": 0,
                    "standing_charge": lambda: _whole(self._tariff.standing_charge),
                    "unit_of_measure": _KWH,
                    "currency": _POUNDS,
                    "price_trailing_digits": _TRAILING,
                    **{0x0400 + 0x10 * tier: self._price_of(tier) for tier in _TIERS_SHOWN},
                },
            )
        if cluster is DEVICE_MANAGEMENT:
            return Attributes(
                DEVICE_MANAGEMENT,
                {
                    "provider_name": lambda: self._text(9000, "0-0:96.13.0"),
                    "provider_contact": lambda: self._text(9000, "0-0:96.13.1"),
                    "change_of_tenancy_update": lambda: self._consumer.restricted_before,
                    "low_medium_threshold": lambda: self._consumer.thresholds[0],
                    "medium_high_threshold": lambda: self._consumer.thresholds[1],
                },
            )
        if cluster is CALENDAR:
            return Attributes(CALENDAR, {f"auxiliary_switch_{number}_label": self._label_of(number) for number in range(1, 6)})
        return Attributes(cluster, {})

    # --- the model

    @property
    def _tariff(self) -> Tariff:
        return self._esme.metering.settings.tariff

    def _text(self, class_id: int, obis: str) -> bytes:
        value = self._esme.read(class_id, obis, 2)
        return value.octets.rstrip(b"\0 ")[:_LONGEST_TEXT] if isinstance(value, OctetString) else b""

    def _label_of(self, number: int) -> Callable[[], bytes]:
        def label() -> bytes:
            value = getattr(self._esme.read(1, f"0-0:94.44.0.1{number}", 2), "text", "")
            return str(value).strip().encode("ascii", "replace")

        return label

    def _price_of(self, tier: int) -> Callable[[], int]:
        return lambda: _whole(self._esme.metering.rates.price(self._tariff, tier))

    # --- price

    def _price(self, command: int, payload: bytes) -> Answer:
        if command not in PRICE.to_server:
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        PRICE.to_server[command].decode(payload)
        found = {0x00: self._current_price, 0x06: self._information, 0x07: self._matrix, 0x08: self._thresholds}.get(command)
        if found is None:
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        fields, published = found(), {0x00: 0x00, 0x06: 0x04, 0x07: 0x05, 0x08: 0x06}[command]
        return Reply(published, PRICE.to_client[published].encode(fields))

    @property
    def _script(self) -> int:
        return self._tariff.table.at(int(self._esme.now()))[0]

    def _current_price(self) -> Publication:
        now, script = int(self._esme.now()), self._script
        ends = self._tariff.table.at(now)[1]
        tier = script if script <= TOU_RATES else 0
        return {
            "provider": 0,
            "rate_label": b"",
            "event": now,
            "current_time": now,
            "unit": _KWH,
            "currency": _POUNDS,
            "trailing_digit_and_tier": _TRAILING | min(tier, 0x0F),
            "tiers_and_register_tier": 0,
            "start": now,
            "duration": min(-(-(ends - now) // 60), _UNTIL_CHANGED - 1),
            "price": _whole(self._esme.metering.rates.price(self._tariff, script)),
        }

    def _information(self) -> Publication:
        in_blocks = self._script in _BLOCK_SCRIPTS
        tariff = self._tariff
        return {
            "provider": 0,
            "event": 0,
            "tariff": _TARIFF_ID,
            "start": 0,
            "type_and_scheme": _BLOCK_SCHEME if in_blocks else 0,
            "label": b"",
            "price_tiers": 0 if in_blocks else max((index for index in tariff.prices if index <= TOU_RATES), default=0),
            "block_thresholds": len(self._limits) if in_blocks else 0,
            "unit": _KWH,
            "currency": _POUNDS,
            "trailing_digit": _TRAILING,
            "standing_charge": _whole(tariff.standing_charge),
            "tier_block_mode": 0,
            "multiplier": 1,
            "divisor": 1000,
        }

    def _matrix(self) -> Publication:
        in_blocks = self._script in _BLOCK_SCRIPTS
        prices = self._tariff.prices
        rows = (
            [(block, prices.get(index)) for block, index in enumerate(_FIRST_BLOCK_PRICE)]
            if in_blocks
            else [(tier, prices.get(tier)) for tier in range(1, TOU_RATES + 1)]
        )
        told = tuple({"tier_block": place, "price": _whole(price)} for place, price in rows if price is not None)
        return _part_of_tariff() | {"sub_payload": 0 if in_blocks else _BY_TIER, "prices": told}

    @property
    def _limits(self) -> list[int]:
        """Thresholds between blocks that can be reached."""
        return [limit for limit in self._tariff.thresholds[0][: BLOCKS - 1] if limit != NO_THRESHOLD]

    def _thresholds(self) -> Publication:
        limits = self._limits
        group: Publication = {"count": len(limits), "thresholds": tuple({"threshold": limit} for limit in limits)}
        return _part_of_tariff() | {"control": 0, "tiers": (group,)}

    # --- messages, supplier, events

    def _message(self, command: int, payload: bytes) -> Answer:
        if command != 0x00:
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        text = self._text(1, "0-2:96.13.1")
        if not text:
            return ZclStatus.NOT_FOUND
        shown = text.decode("ascii", "replace")[:_LONGEST_TEXT]
        fields: Publication = {"message": 1, "control": 0, "start": 0, "duration_minutes": _UNTIL_CHANGED, "text": shown}
        return Reply(0x00, MESSAGING.to_client[0x00].encode(fields))

    def _management(self, command: int, payload: bytes) -> Answer:
        cin = self._text(1, "0-3:96.13.1")
        if command != 0x05:
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        if not cin:
            return ZclStatus.NOT_FOUND
        fields: Publication = {"event": 0, "implementation": 0, "provider": 0, "cin": cin}
        return Reply(0x06, DEVICE_MANAGEMENT.to_client[0x06].encode(fields))

    def _events(self, command: int, payload: bytes) -> Answer:
        if command != 0x00:
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        name = _LOGS.get(zcl_event_log.asked_log(payload))
        if name is None:
            return ZclStatus.NOT_FOUND
        found = zcl_event_log.answer(payload, self._esme.gbcs.logs[name].entries(), self._consumer.restricted_before)
        return found if isinstance(found, ZclStatus) else Reply(found[0].command, found[0].payload)

    # --- calendar

    def _calendar(self, command: int, payload: bytes) -> Answer:
        """The switching table of the tariff in ZigBee's parts: a part asked for by its number is the first one from it on."""
        declared = CALENDAR.to_server.get(command)
        parts = {0x00: self._whole_calendar, 0x01: self._days, 0x02: self._weeks, 0x03: self._seasons, 0x04: self._special_days}
        if declared is None or command not in parts:
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        asked = declared.decode(payload)
        first = asked.get(_PARTS.get(command, ""), 0)
        found = [one for number, one in parts[command]() if isinstance(first, int) and number >= first]
        return Reply(command, CALENDAR.to_client[command].encode(found[0])) if found else ZclStatus.NOT_FOUND

    def _table(self, attribute: int) -> tuple[Data, ...]:
        value = self._esme.read(20, "0-0:13.0.0", attribute)
        return tuple(one for one in value.elements if isinstance(one, Structure)) if isinstance(value, Array) else ()

    def _whole_calendar(self) -> list[tuple[int, Publication]]:
        seasons, weeks, days = (len(self._table(attribute)) for attribute in (3, 4, 5))
        fields = _issued() | {"start": 0, "calendar_type": 0, "time_reference": 0, "name": b"", "seasons": seasons, "weeks": weeks}
        return [(0, fields | {"days": days})]

    def _days(self) -> list[tuple[int, Publication]]:
        found = []
        for one in self._table(5):
            match one:
                case Structure(elements=(Unsigned(value=number), Array(elements=actions))):
                    entries = tuple(_action(action) for action in actions if isinstance(action, Structure))
                    fields = _issued() | {"day": number, "total": len(entries), "command_index": 0, "command_count": 1}
                    found.append((number, fields | {"calendar_type": 0, "entries": entries}))
        return sorted(found, key=lambda one: one[0])

    def _weeks(self) -> list[tuple[int, Publication]]:
        found = []
        for one in self._table(4):
            match one:
                case Structure(elements=(OctetString(octets=name), *days)) if len(days) == 7:
                    number = name[0] if name else 0
                    told = tuple({"day": day.value} for day in days if isinstance(day, Unsigned))
                    found.append((number, _issued() | {"week": number, "days": told}))
        return sorted(found, key=lambda one: one[0])

    def _seasons(self) -> list[tuple[int, Publication]]:
        told: list[Publication] = []
        for one in self._table(3):
            match one:
                case Structure(elements=(OctetString(), OctetString(octets=start), OctetString(octets=week))) if len(start) == 12:
                    told.append({"date": _date(start), "week": week[0] if week else 0})
        return [(0, _issued() | {"command_index": 0, "command_count": 1, "seasons": tuple(told)})] if told else []

    def _special_days(self) -> list[tuple[int, Publication]]:
        value = self._esme.read(11, "0-0:11.0.0", 2)
        told: list[Publication] = []
        for one in value.elements if isinstance(value, Array) else ():
            match one:
                case Structure(elements=(LongUnsigned(), OctetString(octets=when), Unsigned(value=day))) if any(when):
                    told.append({"date": _date(when), "day": day})
        fields = _issued() | {"start": 0, "calendar_type": 0, "total": len(told), "command_index": 0, "command_count": 1}
        return [(0, fields | {"days": tuple(told)})] if told else []


def _whole(amount: Fraction) -> int:
    """Whole thousandths of a penny, never below nothing."""
    return max(0, int(amount))


def _issued() -> Publication:
    return {"provider": 0, "event": 0, "calendar": _TARIFF_ID}


def _part_of_tariff() -> Publication:
    return {"provider": 0, "event": 0, "start": 0, "tariff": _TARIFF_ID, "command_index": 0, "command_count": 1}


def _action(action: Structure) -> dict[str, FieldValue]:
    match action:
        case Structure(elements=(OctetString(octets=at), _, LongUnsigned(value=script))) if len(at) == 4:
            return {"minute": at[0] * 60 + at[1], "value": script & 0xFF}
    return {"minute": 0, "value": 0}


def _date(octets: bytes) -> bytes:
    """A COSEM date as a ZCL one: year less 1900, month, day, weekday; FF is any."""
    year = int.from_bytes(octets[:2], "big")
    return bytes((0xFF if year == 0xFFFF else max(0, min(year - 1900, 0xFE)), *octets[2:5]))
