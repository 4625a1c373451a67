"""The CHF as a GBCS Device: the object model behind CCS01..CCS07, ECS26i, ECS26n, ECS35c, ECS35d, ECS52 and DBCH01..DBCH05.

Commands change the Device Log in the store, inside the transaction that the pipeline opens; what follows on the radio
(joining, leaving, a new network) is read from the store by :mod:`firmware_emu.hub.commissioning` afterwards, so that a power
cut between the two loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from firmware_emu.crypto.aes_mmo import install_code_link_key
from firmware_emu.device import firmware
from firmware_emu.device.alerting import date_time
from firmware_emu.device.event_log import LogEntry as Event
from firmware_emu.device.event_log import LogName
from firmware_emu.device.object_model import DlmsServer, Key, ObjectModel, time_range
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.gbcs.axdr import (
    Array,
    BitString,
    Boolean,
    CompactArray,
    Data,
    DoubleLongUnsigned,
    Enum,
    Integer,
    LongUnsigned,
    OctetString,
    Structure,
    TypeDescription,
    Unsigned,
)
from firmware_emu.gbcs.dlms import RANGE_SELECTOR, AccessResult, parse_obis
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.use_cases import UseCase
from firmware_emu.hub.device_log import DeviceLog, ListedDevice, ListedState, RegisteredType
from firmware_emu.hub.profile import HanVariant, HubConfig
from firmware_emu.hub.sub_ghz import SubGhz
from firmware_emu.ids import Eui64, InstallCode

LOG_CHANGED = 0x8F12
LOG_BACKUP_ALERT = 0x0018
"""CS14 (reference chts 2)."""
NETWORK = "hub/network/extended_pan_id"
"""Extended PAN ID that the HAN has or is to have, once CCS03 has given another than the GPF's entity id."""
REMOVALS = "hub/removals/"
"""Devices taken out of the log that have not been told to leave yet."""

_LOG = parse_obis("0-0:30.3.0.255")
_HISTORIC = parse_obis("0-0:30.3.1.255")
_INSTALL_CODE_KEY = 1
"""Key type in register_device (reference chts-notes 3)."""
_AUTHORISED, _REPORTING, _SWAPPED, _SMART_ENERGY = 0x80, 0x40, 0x10, 0x08
"""Status bits of an active device; C8 in the RTDS, names recalled from DLMS class 104."""
_EVENT_ROW = TypeDescription(0x02, (TypeDescription(0x06), TypeDescription(0x12), TypeDescription(0x09)))
_SECURITY_ROW = TypeDescription(0x02, (TypeDescription(0x06), TypeDescription(0x12)))


class ChfExecutor:
    """Executor of the CHF's own Commands. ``changed`` is called when the radio has something to catch up with."""

    def __init__(self, device: GbcsDevice, log: DeviceLog, config: HubConfig, changed: Callable[[], None]) -> None:
        self._device = device
        self._log = log
        self._config = config
        self._changed = changed
        self._registering: Eui64 | None = None
        self._join_time_s = 0
        self.sub_ghz: SubGhz | None = None
        """Of a dual-band hub."""
        self.model = self._model()
        self._server = DlmsServer(device, self.model)
        log.on_change = self.back_up

    def execute(self, use_case: UseCase, message: Message) -> bytes:
        """Run the access list of ``message``."""
        self._registering = None
        self._join_time_s = 0
        return self._server.execute(message)

    @property
    def extended_pan_id(self) -> Eui64:
        """Of the HAN: the GPF's entity id (GBCS v1 text, reference chts 1) unless a log was restored."""
        stored = self._device.store.get(NETWORK)
        return self._config.gpf if stored is None else Eui64(stored)

    def back_up(self) -> None:
        """CS14: the whole log to the ACB, on every change of its members or of a link key's hash."""
        self._device.raise_alert(LOG_CHANGED, (self._backup(self._log.entries()),), message_code=LOG_BACKUP_ALERT)

    # --- object model

    def _model(self) -> ObjectModel:
        model = ObjectModel(self._device.store, self._device.prefix)
        model.load("firmware_emu.hub", "chf_objects.csv")
        config, device = self._config, self._device
        model.classes.setdefault(_HISTORIC, set()).add(104)
        model.methods.update(
            {
                (104, _LOG, 1): self._register,
                (104, _LOG, 2): self._unregister,
                (104, _LOG, 4): lambda _: self._backup(self._log.entries()),
                (104, _LOG, 5): self._restore,
                (104, _HISTORIC, 4): lambda _: self._backup(self._log.historic()),
            }
        )
        model.writers.update({(104, _LOG, 2): self._enable_joining, (104, _LOG, 3): self._set_join_time})
        constants: dict[Key, Data] = {
            (104, _LOG, 1): OctetString(_LOG),
            (104, _HISTORIC, 1): OctetString(_HISTORIC),
            (1, parse_obis("0-0:96.1.1.255"), 2): OctetString(config.chf.octets),
            (1, parse_obis("0-0:96.1.4.255"), 2): OctetString(config.model),
            (1, parse_obis("0-0:96.1.6.255"), 2): OctetString(config.manufacturer),
        }
        model.readers.update({key: lambda value=value: value for key, value in constants.items()})  # type: ignore[misc]
        firmware.set_running_version(device, config.firmware_version)
        model.readers[1, parse_obis("0-0:0.2.1.255"), 2] = lambda: OctetString(firmware.running_version(device))
        model.readers[104, _LOG, 4] = lambda: Array(tuple(map(_active_device, self._log.entries())))
        model.readers[8, parse_obis("0-0:1.0.0.255"), 2] = lambda: date_time(device.now())
        for obis, name, row in (("0-0:99.98.0.255", LogName.EVENT, _EVENT_ROW), ("0-0:99.98.1.255", LogName.SECURITY, _SECURITY_ROW)):
            key = (7, parse_obis(obis), 2)
            model.readers[key] = lambda name=name, row=row: self._events(name, row, 0, 0xFFFFFFFF)  # type: ignore[misc]
            model.selections[key] = lambda selector, selection, name=name, row=row: self._select(  # type: ignore[misc]
                name, row, selector, selection
            )
        if config.variant is HanVariant.DUAL_BAND:
            self.sub_ghz = SubGhz(device, model)
        return model

    def _register(self, parameter: Data) -> AccessResult:
        """CCS01. A Device that is in the log already keeps its keys; its window opens again (reference chts 2)."""
        match parameter:
            case Structure(elements=(OctetString(octets=eui), Enum(value=key_type), OctetString(octets=key), Enum(value=kind))) if (
                len(eui) == 8
                and len(key) == 16
                and key_type == _INSTALL_CODE_KEY
                and kind in RegisteredType._value2member_map_
                and kind != RegisteredType.HAND_HELD
            ):
                device = Eui64(eui)
            case _:
                return AccessResult.TYPE_UNMATCHED
        if device in (self._config.chf, self._config.gpf):
            return AccessResult.OTHER_REASON
        if not self._log.add(ListedDevice(device, RegisteredType(kind), install_code_link_key(InstallCode(key)))):
            return AccessResult.OTHER_REASON
        self._device.store.delete(REMOVALS + str(device))
        self._registering = device
        return AccessResult.SUCCESS

    def _set_join_time(self, value: Data) -> AccessResult:
        if not isinstance(value, LongUnsigned) or not 1 <= value.value <= self._config.profile.join_time_longest_s:
            return AccessResult.OTHER_REASON
        self._join_time_s = value.value
        return AccessResult.SUCCESS

    def _enable_joining(self, value: Data) -> AccessResult:
        if not isinstance(value, Boolean):
            return AccessResult.TYPE_UNMATCHED
        now = int(self._device.now())
        if not value.value:
            for entry in self._log.entries():
                self._log.update(entry.device, lambda one: replace(one, window_s=0))
        elif self._registering is None or not self._join_time_s:
            return AccessResult.OTHER_REASON
        else:
            seconds = self._join_time_s
            self._log.update(self._registering, lambda one: replace(one, window_opened=now, window_s=seconds))
        self._changed()
        return AccessResult.SUCCESS

    def _unregister(self, parameter: Data) -> AccessResult:
        """CCS02: to the historic log with its key, then out."""
        if not isinstance(parameter, OctetString) or len(parameter.octets) != 8:
            return AccessResult.TYPE_UNMATCHED
        device = Eui64(parameter.octets)
        if not self._log.remove(device):
            return AccessResult.OTHER_REASON
        self._device.store.put(REMOVALS + str(device), b"")
        self._changed()
        return AccessResult.SUCCESS

    def _restore(self, parameter: Data) -> AccessResult:
        """CCS03: the log of another hub and the Extended PAN ID of its network.

        The hash is the key that a Device uses with the new trust centre, as in a ZigBee trust centre swap-out (engineering
        knowledge; the GBCS text is not stored), until it has established one of its own. Devices may join afresh with it for the longest
        join time; by rejoining they come back whenever they find the hub.
        """
        match parameter:
            case Structure(elements=(OctetString(octets=pan), Array(elements=rows))) if len(pan) == 8:
                restored = [self._restored(row) for row in rows]
            case _:
                return AccessResult.TYPE_UNMATCHED
        entries = [entry for entry in restored if entry is not None]
        if len(entries) != len(restored):
            return AccessResult.TYPE_UNMATCHED
        self._device.store.put(NETWORK, pan)
        if not self._log.replace_all(entries):
            return AccessResult.OTHER_REASON
        self._changed()
        return AccessResult.SUCCESS

    def _restored(self, row: Data) -> ListedDevice | None:
        match row:
            case Structure(elements=(OctetString(octets=eui), OctetString(octets=key_hash))) if len(eui) == 8 and len(key_hash) in (0, 16):
                return ListedDevice(
                    Eui64(eui),
                    RegisteredType.UNKNOWN,
                    key_hash,
                    b"",
                    key_hash,
                    ListedState.LISTED,
                    window_opened=int(self._device.now()),
                    window_s=self._config.profile.join_time_longest_s if key_hash else 0,
                )
        return None

    def _backup(self, entries: tuple[ListedDevice, ...]) -> Structure:
        rows = (Structure((OctetString(entry.device.octets), OctetString(entry.key_hash))) for entry in entries)
        return Structure((date_time(self._device.now()), OctetString(self.extended_pan_id.octets), Array(tuple(rows))))

    # --- logs

    def _select(self, name: LogName, row: TypeDescription, selector: int, selection: Data) -> AccessResult | Data:
        limits = time_range(selection) if selector == RANGE_SELECTOR else None
        match limits:
            case (DoubleLongUnsigned(value=start), DoubleLongUnsigned(value=end)):
                return self._events(name, row, start, end)
        return AccessResult.SCOPE_OF_ACCESS_VIOLATED

    def _events(self, name: LogName, row: TypeDescription, start: int, end: int) -> CompactArray:
        entries = self._device.logs[name].entries(start, end)
        return CompactArray(row, tuple(_event(entry, len(row.elements)) for entry in entries))


def _event(entry: Event, columns: int) -> Structure:
    other = entry.other[1:] if entry.other and entry.other[0] == len(entry.other) - 1 else entry.other
    row: tuple[Data, ...] = (DoubleLongUnsigned(entry.time), LongUnsigned(entry.code), OctetString(other))
    return Structure(row[:columns])


def _active_device(entry: ListedDevice) -> Structure:
    """One element of attribute 4: 14 fields (reference gbcs-messages 9). Radio figures are as last measured, 0 where never."""
    status = _AUTHORISED
    if entry.membership is ListedState.ESTABLISHED:
        status |= _REPORTING | _SMART_ENERGY
    if entry.registered_type is RegisteredType.UNKNOWN:
        status |= _SWAPPED
    last = date_time(entry.last_communication)
    return Structure(
        (
            OctetString(entry.device.octets),
            BitString(bytes([status]), 8),
            *map(Integer, entry.rssi),
            *map(Unsigned, entry.lqi),
            last,
            Unsigned(1),
            Unsigned(0),
            Unsigned(0),
            Unsigned(0),
            Unsigned(0),
        )
    )
