"""The sub-GHz side of a dual-band hub as its Commands see it: configuration, channel, channel log, scan (DBCH01 to DBCH09).

Does not model a sub-GHz radio: a scan finds the channel in use good and keeps it, and duty cycle stays normal.
"""

from __future__ import annotations

from functools import partial
from importlib import resources

from firmware_emu.device.event_log import LogEntry
from firmware_emu.device.object_model import ObjectModel, time_range
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.device.store import Store
from firmware_emu.gbcs.axdr import (
    BitString,
    CompactArray,
    Data,
    DoubleLongUnsigned,
    LongUnsigned,
    OctetString,
    Structure,
    TypeDescription,
    Unsigned,
)
from firmware_emu.gbcs.dlms import RANGE_SELECTOR, AccessResult, parse_obis
from firmware_emu.han.attributes import Attributes
from firmware_emu.han.zcl_port import Answer, Incoming, Reply, ZclPort
from firmware_emu.zse.clusters.sub_ghz import SUB_GHZ
from firmware_emu.zse.zcl import ZclStatus

_CONFIGURATION = (1, parse_obis("0-0:94.44.10.0"), 2)
_SCAN = (1, parse_obis("0-0:94.44.10.1"), 2)
_CHANNEL = (1, parse_obis("0-0:94.44.10.2"), 2)
_LOG = (7, parse_obis("0-0:94.44.10.3"), 2)
CONFIGURATION_CHANGED, CONFIGURATION_ALERT = 0x8F2A, 0x0113
"""DBCH09."""
SCAN_ASSESSED, SCAN_ALERT = 0x8F28, 0x0112
"""DBCH08."""
SCAN_STARTED = 0x8F27
_SCAN_NOW = 0
_OUTCOME_ACCEPTED, _TRIGGER_REMOTE = b"\x00", b"\x00"
_LOG_DEPTH = 100
_SUSPEND_STATUS, _SUSPEND = 0x00, 0x00
_ROW = TypeDescription(0x02, (TypeDescription(0x06), TypeDescription(0x12), TypeDescription(0x09)))


class SubGhz:
    """The objects of a dual-band hub, put into ``model``."""

    def __init__(self, device: GbcsDevice, model: ObjectModel) -> None:
        self._device = device
        self._model = model
        self._log = _ChannelLog(device.store)
        text = resources.files("firmware_emu.hub").joinpath("sub_ghz_objects.csv").read_text(encoding="utf-8")
        model.load(text, "sub_ghz_objects.csv")
        model.writers[_CONFIGURATION] = self._configured
        model.writers[_SCAN] = self._scan
        model.readers[_LOG] = lambda: self._entries(0, 0xFFFFFFFF)
        model.selections[_LOG] = self._select

    def _configured(self, value: Data) -> AccessResult:
        """DBCH04: take the configuration and tell of it."""
        if not _in_range(value):
            return AccessResult.OTHER_REASON
        self._device.raise_alert(CONFIGURATION_CHANGED, (value,), message_code=CONFIGURATION_ALERT)
        return AccessResult.SUCCESS

    def _scan(self, value: Data) -> AccessResult:
        """DBCH05: a scan by remote command."""
        if not isinstance(value, Unsigned) or value.value != _SCAN_NOW:
            return AccessResult.OTHER_REASON
        channel = self._model.read(_CHANNEL)
        if isinstance(channel, BitString):
            self._log.add(LogEntry(int(self._device.now()), SCAN_STARTED, channel.octets + _TRIGGER_REMOTE))
        self._device.raise_alert(
            SCAN_ASSESSED, (Structure((OctetString(_OUTCOME_ACCEPTED), OctetString(_TRIGGER_REMOTE))),), message_code=SCAN_ALERT
        )
        return AccessResult.SUCCESS

    def _select(self, selector: int, selection: Data) -> AccessResult | Data:
        limits = time_range(selection) if selector == RANGE_SELECTOR else None
        match limits:
            case (DoubleLongUnsigned(value=start), DoubleLongUnsigned(value=end)):
                return self._entries(start, end)
        return AccessResult.SCOPE_OF_ACCESS_VIOLATED

    def _entries(self, start: int, end: int) -> CompactArray:
        rows = tuple(
            Structure(
                (
                    DoubleLongUnsigned(entry.time),
                    LongUnsigned(entry.code),
                    OctetString(entry.other),
                )
            )
            for entry in self._log.entries()
            if start <= entry.time <= end
        )
        return CompactArray(_ROW, rows)


class _ChannelLog:
    """Up to 100 entries: time, code, channel (4 octets) and trigger (reference chts 11)."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, entry: LogEntry) -> None:
        keys = self._store.keys("hub/channel_log/")
        number = int(keys[-1].rpartition("/")[2]) + 1 if keys else 0
        if len(keys) >= _LOG_DEPTH:
            self._store.delete(keys[0])
        octets = entry.time.to_bytes(4, "big") + entry.code.to_bytes(2, "big") + entry.other
        self._store.put(f"hub/channel_log/{number:08d}", octets)

    def entries(self) -> list[LogEntry]:
        found = [self._store.get(key) or b"" for key in self._store.keys("hub/channel_log/")]
        return [LogEntry(int.from_bytes(one[:4], "big"), int.from_bytes(one[4:6], "big"), one[6:]) for one in found]


def serve_sub_ghz(zcl: ZclPort, endpoint: int, model: ObjectModel) -> None:
    """The Sub-GHz cluster: channel masks of pages 28 to 31 as configured (DBCH04), no change of channel under way, nothing suspended."""

    def mask(place: int) -> int:
        configured = model.read(_CONFIGURATION)
        pages = configured.elements[place] if isinstance(configured, Structure) else None
        return int.from_bytes(pages.octets, "big") if isinstance(pages, BitString) else 0

    def asked(incoming: Incoming) -> Answer:
        if incoming.frame.command != _SUSPEND_STATUS:
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        return Reply(_SUSPEND, SUB_GHZ.to_client[_SUSPEND].encode({"minutes": 0}))

    zcl.serve(
        endpoint,
        SUB_GHZ.id,
        asked,
        attributes=Attributes(SUB_GHZ, {0: 0, 1: partial(mask, 0), 2: partial(mask, 1), 3: partial(mask, 2), 4: partial(mask, 3)}),
    )


def _in_range(value: Data) -> bool:
    """The thresholds' ranges (DUIS schema, reference chts 11): normal-limited 0.5 to 2.0 %, limited-critical over 1.5 and under
    2.5 %, channel changes 1 to 7 a week. In units of 0.01 %."""
    match value:
        case Structure(elements=(_, _, _, _, LongUnsigned(value=normal), LongUnsigned(value=limited), Unsigned(value=changes), *_)):
            return 50 <= normal <= 200 and 150 < limited < 250 and 1 <= changes <= 7
    return False
