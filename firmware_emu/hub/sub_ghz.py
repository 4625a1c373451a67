"""The sub-GHz side of a dual-band hub as its Commands see it: configuration, channel, channel log, scan (DBCH01 to DBCH09).

The radio itself is :mod:`firmware_emu.hub.second_band`'s. The fields "curfew", "quieter threshold", poor communications and local noise are
kept and steer nothing: what they mean is in no source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum
from functools import partial

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
from firmware_emu.ids import Eui64
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
SCAN_STARTED, CHANNEL_CHANGED = 0x8F27, 0x8F26
_SCAN_NOW = 0
_CHOSEN = "hub/sub_ghz_channel"
_PAGE_SHIFT, _CHANNELS = 27, 0x07FFFFFF
_FACTORY_CHANNEL = bytes.fromhex("e0000001")
"""Page 28, channel 0: chosen here. A hub scans for a better one when it is asked to, or misses its gas meter."""
_LOG_DEPTH = 100
_SUSPEND_STATUS, _SUSPEND = 0x00, 0x00
_ROW = TypeDescription(0x02, (TypeDescription(0x06), TypeDescription(0x12), TypeDescription(0x09)))


class ScanTrigger(IntEnum):
    """Why a scan began; in schema order (reference gbcs-spec-notes 10.6, numbers inferred)."""

    REMOTE_COMMAND = 0
    METER_REQUEST = 1
    METER_CURFEW = 2
    METER_MISSING = 3
    FAILURES = 4
    RETRIES = 5
    OTHER_REQUEST = 6
    FORMATION = 7


class ScanOutcome(IntEnum):
    """Answer to a request for a scan; in schema order (reference gbcs-spec-notes 10.6, numbers inferred)."""

    ACCEPTED = 0
    HAND_HELD = 1
    DUTY_CYCLE = 2
    JOINING = 3
    METER_FIRMWARE = 4
    SCANS_TODAY = 5
    COMMANDS_TODAY = 6
    SCANS_THIS_WEEK = 7


class DutyState(IntEnum):
    """Duty cycle states, rising (reference chts 11)."""

    NORMAL = 0
    LIMITED = 1
    CRITICAL = 2
    REGULATED = 3


def _accepted(trigger: ScanTrigger) -> ScanOutcome:
    """A hub without the radio has nothing to scan with, and finds its channel good."""
    return ScanOutcome.ACCEPTED


class SubGhz:
    """The objects of a dual-band hub, put into ``model``. What the radio's owner sets: ``scan`` is asked for a scan, ``pending`` is the
    channel that the hub is about to go to, ``channel_read`` hears that somebody read it, ``suspended_min`` is for how long a Device keeps
    quiet."""

    def __init__(self, device: GbcsDevice, model: ObjectModel) -> None:
        self._device = device
        self._model = model
        self._log = _ChannelLog(device.store)
        self.scan: Callable[[ScanTrigger], ScanOutcome] = _accepted
        self.pending: Callable[[], tuple[int, int] | None] = lambda: None
        self.channel_read: Callable[[], None] = lambda: None
        self.suspended_min: Callable[[Eui64], int] = lambda device: 0
        model.load("firmware_emu.hub", "sub_ghz_objects.csv")
        model.writers[_CONFIGURATION] = self._configured
        model.writers[_SCAN] = self._scan
        model.readers[_CHANNEL] = lambda: BitString(self.channel_octets, 32)
        model.readers[_LOG] = lambda: _rows(self._log.entries())
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
        trigger = ScanTrigger.REMOTE_COMMAND
        outcome = self.scan(trigger)
        if outcome is ScanOutcome.ACCEPTED:
            self._log.add(LogEntry(int(self._device.now()), SCAN_STARTED, self.channel_octets + bytes([trigger])))
        self._device.raise_alert(
            SCAN_ASSESSED, (Structure((OctetString(bytes([outcome])), OctetString(bytes([trigger])))),), message_code=SCAN_ALERT
        )
        return AccessResult.SUCCESS

    # --- for the radio's owner

    @property
    def channel(self) -> tuple[int, int]:
        """Page and number of the channel in use; before the first move the one that it left the factory with."""
        octets = self.channel_octets
        mask = int.from_bytes(octets, "big")
        return mask >> _PAGE_SHIFT, (mask & _CHANNELS).bit_length() - 1

    @property
    def channel_octets(self) -> bytes:
        """The same as its bit-string of 32: page in the upper 5 bits, one bit for the channel."""
        return self._device.store.get(_CHOSEN) or _FACTORY_CHANNEL

    def moved(self, channel: tuple[int, int], trigger: ScanTrigger) -> None:
        """The hub is on another channel."""
        self._device.store.put(_CHOSEN, channel_mask(*channel).to_bytes(4, "big"))
        self._log.add(LogEntry(int(self._device.now()), CHANNEL_CHANGED, self.channel_octets + bytes([trigger])))

    def searched(self, trigger: ScanTrigger) -> None:
        """A scan that nobody's Command asked for begins."""
        self._log.add(LogEntry(int(self._device.now()), SCAN_STARTED, self.channel_octets + bytes([trigger])))

    @property
    def masks(self) -> tuple[int, ...]:
        """Channels that may be used, a mask for each page; pages without one are left out."""
        found = (mask_of(self._model, place) for place in range(4))
        return tuple(mask for mask in found if mask & _CHANNELS)

    @property
    def thresholds(self) -> tuple[int, int]:
        """Normal-limited and limited-critical threshold in hundredths of a percent."""
        return self._number(4), self._number(5)

    @property
    def changes_a_week(self) -> int:
        """Channel changes that are allowed in a week."""
        return self._number(6)

    @property
    def noisier_db(self) -> int:
        """The present channel must be noisier by so much for a move; that the field is in dB is this hub's reading of it."""
        return self._number(9)

    def _number(self, place: int) -> int:
        configured = self._model.read(_CONFIGURATION)
        value = configured.elements[place] if isinstance(configured, Structure) else None
        return value.value if isinstance(value, LongUnsigned | Unsigned) else 0

    def _select(self, selector: int, selection: Data) -> AccessResult | Data:
        limits = time_range(selection) if selector == RANGE_SELECTOR else None
        match limits:
            case (DoubleLongUnsigned(value=start), DoubleLongUnsigned(value=end)):
                return _rows(entry for entry in self._log.entries() if start <= entry.time <= end)
        return AccessResult.SCOPE_OF_ACCESS_VIOLATED


def _rows(entries: Iterable[LogEntry]) -> CompactArray:
    """Entries of the channel log as they are read."""
    found = (Structure((DoubleLongUnsigned(entry.time), LongUnsigned(entry.code), OctetString(entry.other))) for entry in entries)
    return CompactArray(_ROW, tuple(found))


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


def channel_mask(page: int, number: int) -> int:
    """A channel as a mask of 32 bits."""
    return page << _PAGE_SHIFT | 1 << number


def mask_of(model: ObjectModel, place: int) -> int:
    """The configured channel mask of page 28 + ``place``."""
    configured = model.read(_CONFIGURATION)
    pages = configured.elements[place] if isinstance(configured, Structure) else None
    return int.from_bytes(pages.octets, "big") if isinstance(pages, BitString) else 0


def serve_sub_ghz(zcl: ZclPort, endpoint: int, objects: SubGhz, model: ObjectModel) -> None:
    """The Sub-GHz cluster: channel masks of pages 28 to 31 as configured (DBCH04), the channel that the hub is about to go to, and for how
    long the client that asks is suspended."""

    def change() -> int:
        channel = objects.pending()
        if channel is None:
            return 0
        objects.channel_read()
        return channel_mask(*channel)

    def asked(incoming: Incoming) -> Answer:
        if incoming.frame.command != _SUSPEND_STATUS:
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        return Reply(_SUSPEND, SUB_GHZ.to_client[_SUSPEND].encode({"minutes": objects.suspended_min(incoming.partner)}))

    zcl.serve(
        endpoint,
        SUB_GHZ.id,
        asked,
        attributes=Attributes(SUB_GHZ, {0: change, **{place + 1: partial(mask_of, model, place) for place in range(4)}}),
    )


def _in_range(value: Data) -> bool:
    """The thresholds' ranges (DUIS schema, reference chts 11): normal-limited 0.5 to 2.0 %, limited-critical over 1.5 and under
    2.5 %, channel changes 1 to 7 a week. In units of 0.01 %."""
    match value:
        case Structure(elements=(_, _, _, _, LongUnsigned(value=normal), LongUnsigned(value=limited), Unsigned(value=changes), *_)):
            return 50 <= normal <= 200 and 150 < limited < 250 and 1 <= changes <= 7
    return False
