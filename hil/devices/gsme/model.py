"""The ZCL model of a gas meter: attributes, writes, snapshots, samples, logs.

``gsme_attributes.csv`` is the factory state of this bench's meter, profile values all; ``gsme_writes.csv`` says what commands write.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib import resources
from typing import Protocol

from firmware_emu.device import firmware
from firmware_emu.device.event_log import LogName, configurable_events
from firmware_emu.device.gbz_server import Command, LiveAttribute, ZclAnswer, ZclModel
from firmware_emu.device.zcl_event_log import EVENT_LOG, SECURITY_LOG, asked_log
from firmware_emu.device.zcl_event_log import answer as log_answer
from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.gbz import Component
from firmware_emu.zse import clusters
from firmware_emu.zse.clusters.calendar import CALENDAR
from firmware_emu.zse.clusters.device_management import DEVICE_MANAGEMENT
from firmware_emu.zse.clusters.events import EVENTS
from firmware_emu.zse.clusters.messaging import MESSAGING
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.declare import FieldValue, number
from firmware_emu.zse.zcl import AttributeRecord, DataType, Value, ZclStatus, encode_value, read_value
from firmware_emu.zse.zcl import ZclReader as ZclReader
from hil.devices.gsme import future as gsme_future
from hil.devices.gsme.credit import Charged, Credit
from hil.devices.gsme.hardware import Hardware
from hil.devices.gsme.logs import CHANGE_OF_MODE, CHANGE_OF_SUPPLIER, CHANGE_OF_TARIFF, GasLogs
from hil.devices.gsme.metering import Valve
from hil.devices.gsme.network import NETWORK_SAMPLE, NetworkLog
from hil.devices.gsme.published import Published
from hil.devices.gsme.tariff import GAS_BLOCKS, GAS_TIERS, in_blocks
from hil.devices.metering.billing import balances
from hil.devices.metering.registers import HALF_HOUR_S

Result = ZclStatus | Sequence[ZclAnswer]
_PROFILE_SAMPLE = 0
_CHANGES = {
    (PRICE.id, 0x04): CHANGE_OF_TARIFF,
    (PREPAYMENT.id, 0x06): CHANGE_OF_MODE,
    (DEVICE_MANAGEMENT.id, 0x01): CHANGE_OF_SUPPLIER,
}
"""Settings that take a snapshot, and its cause."""
_PRICE_MATRIX, _BLOCK_THRESHOLDS = 0x05, 0x06
_BY_TIER = 0x01
"""Sub-payload bit of a price matrix by time of use (reference gbcs-messages 7A)."""
_BALANCES = (0x0005, 0x0002, 0x0001, 0x0231, 0x0211, 0x0221)
"""Attributes of accumulated debt, emergency credit, balance, payment debt, time debts 1 and 2: the order of :func:`.balances`."""
LOGS = {EVENT_LOG: LogName.EVENT, SECURITY_LOG: LogName.SECURITY}
"""Log ids that a gas meter answers for."""
_CLEARED = 0x8F52


class Modelled(Charged, Protocol):
    """A gas meter behind its attributes."""

    hardware: Hardware

    @property
    def valve(self) -> Valve:
        """State of the valve."""
        ...

    def move_valve(self, state: int) -> bool:
        """Move the valve as a Command asks; False if it is stuck."""
        ...


class GsmeModel:
    """Attributes with their ZCL types, kept in the meter's store; live ones are functions."""

    def __init__(self, gsme: Modelled) -> None:
        self.zcl = ZclModel()
        self._gsme = gsme
        self.published = Published(gsme.store, gsme.gbcs.prefix)
        self.logs = GasLogs(gsme, self.published)
        self.network = NetworkLog(gsme.store, gsme.gbcs.prefix)
        self.credit = Credit(gsme, self, self.logs)
        self._initial: dict[tuple[int, int], tuple[DataType, Value]] = {}
        self.mirrored: dict[int, list[int]] = {}
        self._measured: dict[tuple[int, int], Callable[[], Value]] = {}
        self._load()
        self._measure()
        self._writes = _read_writes()
        self._commands()

    # --- attributes

    def _load(self) -> None:
        for row in _rows("attributes.csv"):
            cluster, attribute = int(row["cluster"], 16), int(row["attribute"], 16)
            declared = clusters.BY_ID.get(cluster)
            kind = None if declared is None else declared.attribute(attribute)
            if kind is None:
                raise DecodeError(0, "attributes.csv", f"cluster {cluster:04x} declares no attribute {attribute:04x}")
            self._initial[cluster, attribute] = (kind.type, _value(row["value"], kind.type))
            self.zcl.attributes[cluster, attribute] = LiveAttribute(kind.type, self._stored(cluster, attribute))
            if row["mirrored"]:
                self.mirrored.setdefault(cluster, []).append(attribute)

    def _stored(self, cluster: int, attribute: int) -> Callable[[], Value]:
        return lambda: self.get(cluster, attribute)

    def get(self, cluster: int, attribute: int) -> Value:
        """The value of an attribute: measured, or as it was set, or as it left the factory."""
        measured = self._measured.get((cluster, attribute))
        if measured is not None:
            return measured()
        kind, initial = self._initial[cluster, attribute]
        octets = self._gsme.store.get(self._name(cluster, attribute))
        return initial if octets is None else read_value(ZclReader(octets), kind, "stored attribute")

    def number(self, cluster: int, attribute: int) -> int:
        """:meth:`get` of a numeric attribute."""
        value = self.get(cluster, attribute)
        return value if isinstance(value, int) else 0

    def set(self, cluster: int, attribute: int, value: Value) -> None:
        """Store an attribute. Raises ValueError for a value its type cannot hold."""
        kind, _ = self._initial[cluster, attribute]
        self._gsme.store.put(self._name(cluster, attribute), encode_value(kind, value))
        self._gsme.metering.settings_changed()

    def _name(self, cluster: int, attribute: int) -> str:
        return f"{self._gsme.gbcs.prefix}attribute/{cluster:04x}/{attribute:04x}"

    def records(self, cluster: int) -> list[AttributeRecord]:
        """The mirrored attributes of a cluster as they stand."""
        found = []
        for attribute in self.mirrored.get(cluster, ()):
            live = self.zcl.attributes[cluster, attribute]
            found.append(AttributeRecord(attribute, live.type, live.read()))
        return found

    def _measure(self) -> None:
        gsme = self._gsme

        def counted(read: Callable[[], int]) -> Callable[[], Value]:
            def now() -> int:
                gsme.update()
                return read()

            return now

        def money(place: int) -> Callable[[], Value]:
            return counted(lambda: balances(gsme.metering.account)[place])

        self._measured = {
            (METERING.id, 0x0000): counted(lambda: gsme.metering.register.total),
            (METERING.id, 0x0007): lambda: int(gsme.now()),
            (METERING.id, 0x0014): counted(lambda: int(gsme.valve)),
            (METERING.id, 0x0205): lambda: gsme.hardware.battery_days,
            (METERING.id, 0x0206): lambda: firmware.running_version(gsme.gbcs),
            (METERING.id, 0x0A00): counted(lambda: max(0, int(gsme.metering.bill))),
            (METERING.id, 0x0A01): lambda: int(gsme.now()),
            **{(METERING.id, 0x0100 + 2 * tier): counted(partial(_place, gsme.metering.tiers, tier)) for tier in range(GAS_TIERS)},
            **{(METERING.id, 0x0700 + block): counted(partial(_place, gsme.metering.blocks, block)) for block in range(GAS_BLOCKS)},
            **{(PREPAYMENT.id, attribute): money(place) for place, attribute in enumerate(_BALANCES)},
        }

    # --- commands

    def _commands(self) -> None:
        commands = self.zcl.commands
        for cluster, identifiers in (
            (PRICE, (1, 2, 3, 4, 5, 6, 9)),
            (CALENDAR, (0, 1, 2, 3, 4)),
            (DEVICE_MANAGEMENT, (0, 1, 2, 3, 6)),
            (MESSAGING, (0,)),
        ):
            for command in identifiers:
                commands[cluster.id, command, True] = self._publish
        for command in (0x0D, 0x0E):
            commands[METERING.id, command, False] = self._publish
        for command in (0x03, 0x09, 0x0B, 0x0C):
            commands[PREPAYMENT.id, command, False] = self._publish
        more: dict[tuple[int, int, bool], Command] = {
            (PREPAYMENT.id, 0x06, False): self._payment_mode,
            (PREPAYMENT.id, 0x07, False): self.logs.prepay_snapshot,
            (PREPAYMENT.id, 0x08, False): self.logs.top_up_log,
            (PREPAYMENT.id, 0x0A, False): self.logs.debt_log,
            (METERING.id, 0x06, False): self.logs.snapshot,
            (METERING.id, 0x07, False): self._start_sampling,
            (METERING.id, 0x08, False): self._samples,
            (METERING.id, 0x0B, False): self._change_supply,
            (DEVICE_MANAGEMENT.id, 0x04, True): self._set_event_configuration,
            (DEVICE_MANAGEMENT.id, 0x05, True): self._event_configuration,
            (EVENTS.id, 0x00, False): self._event_log,
            (EVENTS.id, 0x01, False): self._clear_log,
            (PRICE.id, 0x00, False): self._current_price,
            (PRICE.id, 0x0B, False): lambda part: self.published.read(PRICE.id, 0x09),
        }
        commands.update(more)
        commands.update(self.credit.commands())
        for command in (1, 2, 3, 4):
            commands[CALENDAR.id, command, False] = self._read_calendar

    def _publish(self, part: Component) -> Result:
        """A setting, now or at its time."""
        message = self._gsme.message
        if message is not None and gsme_future.defer(self._gsme, part, message):
            return ZclStatus.SUCCESS
        return self.apply(part)

    def apply(self, part: Component) -> ZclStatus:
        """A setting: its fields go to the attributes they set, the whole payload to where reads of it find it. Raises DecodeError."""
        declared = clusters.BY_ID.get(part.cluster)
        command = None if declared is None else declared.command(part.command, to_client=part.from_server)
        if command is None:
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        fields = command.decode(part.payload)
        self._gsme.update()
        for field, cluster, attribute, unchanged in self._writes.get((part.cluster, part.command, part.from_server), ()):
            value = fields.get(field)
            if value is not None and not isinstance(value, tuple) and value != unchanged:
                try:
                    self.set(cluster, attribute, value)
                except ValueError:
                    return ZclStatus.INVALID_VALUE
        self._price(part, fields)
        self.published.keep(part, fields)
        self._gsme.metering.settings_changed()
        self._gsme.metering.look()
        cause = _CHANGES.get((part.cluster, part.command))
        if cause is not None:
            self.logs.changed(cause)
        return ZclStatus.SUCCESS

    def _price(self, part: Component, fields: dict[str, FieldValue]) -> None:
        """Prices and thresholds go to one attribute each: rates from 1, blocks from 0 (RTDS GCS01a)."""
        if (part.cluster, part.command) == (PRICE.id, _PRICE_MATRIX):
            prices = fields["prices"]
            for one in map(dict, prices if isinstance(prices, tuple) else ()):
                place = number(one, "tier_block")
                attribute = 0x0400 + (0x10 * place if number(fields, "sub_payload") & _BY_TIER else place)
                if (PRICE.id, attribute) in self._initial:
                    self.set(PRICE.id, attribute, number(one, "price"))
        elif (part.cluster, part.command) == (PRICE.id, _BLOCK_THRESHOLDS):
            tiers = fields["tiers"]
            thresholds = [one for tier in (tiers if isinstance(tiers, tuple) else ()) for one in _sub(dict(tier))]
            for place in range(GAS_BLOCKS - 1):
                self.set(PRICE.id, 0x0100 + place, thresholds[place] if place < len(thresholds) else 0)

    def _read_calendar(self, part: Component) -> Result:
        asked = CALENDAR.to_server[part.command].decode(part.payload)
        return self.published.read_calendar(part.command, number(asked, "calendar"))

    def _current_price(self, part: Component) -> Result:
        """The price of the rate or block in use now; no end is told."""
        gsme = self._gsme
        gsme.update()
        now, blocks = int(gsme.now()), in_blocks(self)
        tier = 0 if blocks else gsme.metering.script()
        price = self.number(PRICE.id, 0x0400 + gsme.metering.block() if blocks else 0x0400 + 0x10 * tier)
        return [
            ZclAnswer(
                0x00,
                PRICE.to_client[0x00].encode(
                    {
                        "provider": 0,
                        "rate_label": b"",
                        "event": now,
                        "current_time": now,
                        "unit": self.number(PRICE.id, 0x0615),
                        "currency": self.number(PRICE.id, 0x0616),
                        "trailing_digit_and_tier": self.number(PRICE.id, 0x0617) & 0xF0 | tier,
                        "tiers_and_register_tier": 0,
                        "start": now,
                        "duration": 0xFFFF,
                        "price": price,
                    }
                ),
            )
        ]

    def _start_sampling(self, part: Component) -> Result:
        """GCS31: the network data log begins anew."""
        fields = METERING.to_server[0x07].decode(part.payload)
        self._gsme.update()
        now = int(self._gsme.now())
        if number(fields, "start") <= now:
            fields["start"] = now
        self.published.keep(replace(part, payload=METERING.to_server[0x07].encode(fields)), {})
        metering = self._gsme.metering
        metering.settings_changed()
        if metering.settings.network is not None and metering.settings.network.start == now:
            self.network.note(metering.settings.network, now, metering.register.total)
        return [ZclAnswer(0x0D, NETWORK_SAMPLE.to_bytes(2, "little"))]

    def _payment_mode(self, part: Component) -> Result:
        status = self._publish(part)
        if status is not ZclStatus.SUCCESS:
            return status
        fields: dict[str, FieldValue] = {
            "friendly_credit": 0,
            "friendly_credit_calendar": 0,
            "emergency_limit": self.number(PREPAYMENT.id, 0x0010),
            "emergency_threshold": self.number(PREPAYMENT.id, 0x0011),
        }
        return [ZclAnswer(0x02, PREPAYMENT.to_client[0x02].encode(fields))]

    def _change_supply(self, part: Component) -> Result:
        """GCS32 and GCS39: close or arm the valve. There is no remote enable for gas (reference smets 4)."""
        fields = METERING.to_server[0x0B].decode(part.payload)
        state = fields["status"]
        if not isinstance(state, int) or state not in (0, 1):
            return ZclStatus.INVALID_FIELD
        if not self._gsme.move_valve(state):
            return ZclStatus.HARDWARE_FAILURE
        answer = {name: fields[name] for name in ("provider", "event", "implementation", "status")}
        return [ZclAnswer(0x0C, METERING.to_client[0x0C].encode(answer))]

    def _samples(self, part: Component) -> Result:
        fields = METERING.to_server[0x08].decode(part.payload)
        self._gsme.update()
        if number(fields, "sample") == NETWORK_SAMPLE:
            return self.network.read(self._gsme.metering.settings.network, number(fields, "count"), number(fields, "sample_type"))
        if number(fields, "sample") != _PROFILE_SAMPLE:
            return ZclStatus.NOT_FOUND
        count = number(fields, "count")
        found = [one for one in self._gsme.metering.register.profile if one.end - HALF_HOUR_S >= number(fields, "earliest")][
            : count or None
        ]
        if not found:
            return ZclStatus.NOT_FOUND
        return [
            ZclAnswer(
                0x07,
                METERING.to_client[0x07].encode(
                    {
                        "sample": _PROFILE_SAMPLE,
                        "start": found[0].end - HALF_HOUR_S,
                        "sample_type": number(fields, "sample_type"),
                        "interval": HALF_HOUR_S,
                        "count": len(found),
                        "samples": tuple({"value": one.amount} for one in found),
                    }
                ),
            )
        ]

    def _set_event_configuration(self, part: Component) -> Result:
        """GCS20: one configuration for a list of events."""
        fields = DEVICE_MANAGEMENT.to_client[0x04].decode(part.payload)
        events = fields["events"]
        for event in events if isinstance(events, tuple) else ():
            self._gsme.store.put(self._event_name(number(dict(event), "event")), bytes((number(fields, "configuration"),)))
        return ZclStatus.SUCCESS

    def _event_configuration(self, part: Component) -> Result:
        """GCS20r: the configuration of one event, or of every 0x81 event for group 81FF (reference gbcs-spec-notes 16)."""
        asked = number(DEVICE_MANAGEMENT.to_client[0x05].decode(part.payload), "event")
        codes = [code for code in configurable_events() if code >> 8 == asked >> 8] if asked & 0xFF == 0xFF else [asked]
        octets = b"".join(code.to_bytes(2, "little") + (self._gsme.store.get(self._event_name(code)) or bytes(1)) for code in codes)
        return [ZclAnswer(0x04, b"\x00\x01" + octets)]

    def event_configuration(self, code: int) -> int | None:
        """Configuration that GCS20 gave an event, None if none."""
        octets = self._gsme.store.get(self._event_name(code))
        return None if octets is None else octets[0]

    def _event_name(self, code: int) -> str:
        return f"{self._gsme.gbcs.prefix}event/{code:04x}"

    def _event_log(self, part: Component) -> Result:
        name = LOGS.get(asked_log(part.payload))
        return ZclStatus.NOT_FOUND if name is None else log_answer(part.payload, self._gsme.gbcs.logs[name].entries())

    def _clear_log(self, part: Component) -> Result:
        """Only the general log can be cleared, which the security log then says (reference gbcs-spec-notes 16)."""
        asked = number(EVENTS.to_server[0x01].decode(part.payload), "log")
        if asked != EVENT_LOG:
            return [ZclAnswer(0x02, bytes(1))]
        self._gsme.gbcs.logs[LogName.EVENT].clear()
        self._gsme.gbcs.log(_CLEARED)
        return [ZclAnswer(0x02, bytes((1 << EVENT_LOG,)))]


def mirrored_attributes() -> list[tuple[int, int]]:
    """Cluster and attribute of all that a gas meter publishes at its proxy."""
    return [(int(row["cluster"], 16), int(row["attribute"], 16)) for row in _rows("attributes.csv") if row["mirrored"]]


def _rows(name: str) -> list[dict[str, str]]:
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _read_writes() -> dict[tuple[int, int, bool], list[tuple[str, int, int, int | None]]]:
    """Fields that go to attributes, by command: field, cluster, attribute, and the value that leaves the attribute as it is."""
    found: dict[tuple[int, int, bool], list[tuple[str, int, int, int | None]]] = {}
    for row in _rows("writes.csv"):
        key = (int(row["cluster"], 16), int(row["command"], 16), bool(row["from_server"]))
        unchanged = int(row["unchanged"]) if row["unchanged"] else None
        found.setdefault(key, []).append((row["field"], int(row["attribute_cluster"], 16), int(row["attribute"], 16), unchanged))
    return found


def _value(text: str, kind: DataType) -> Value:
    """``x01ff`` octets, a number, or text; octets and text by the attribute's type."""
    if text.startswith("x"):
        return bytes.fromhex(text[1:])
    if kind.name == "string":
        return text
    return int(text)


def _place(read: Callable[[], Sequence[int]], place: int) -> int:
    return read()[place]


def _sub(tier: dict[str, FieldValue]) -> list[int]:
    thresholds = tier["thresholds"]
    return [number(dict(one), "threshold") for one in (thresholds if isinstance(thresholds, tuple) else ())]
