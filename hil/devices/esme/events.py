"""Which events of an electricity meter are told to whom: the settings that ECS25 writes, and what an event does under them.

Reference smets 8: bit n of a setting, counted from the last bit, is code 80nn (network operator) or 81nn (supplier). A command carries a
mask and actions, 256 bits each. Critical codes (8Fxx) cannot be configured.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.device.event_log import LogEntry, LogName, configurable_events, route
from firmware_emu.device.object_model import Key, ObjectModel
from firmware_emu.device.top_up import DUPLICATE
from firmware_emu.errors import KeystoreError, ProtectionError
from firmware_emu.gbcs.axdr import BitString, Data
from firmware_emu.gbcs.dlms import AccessResult, parse_obis
from hil.devices.esme.metering import event_codes
from hil.devices.esme.part import EsmePart

_BITS = 256
_GROUPS = {0x80: "0-33:97.98", 0x81: "0-30:97.98"}
"""High octet of a code to the objects of its party (reference smets 11, 5.7.4.1 and 5.7.4.51)."""
_WAN, _HAN, _ALARM, _LOG = 15, 16, 17, 18
_SETTING_OF = {11: _WAN, 12: _HAN, 13: _ALARM, 14: _LOG}
"""Value group E of what is written to that of the setting it changes."""
_CONFIGURABLE = (0x80, 0x81)
_NETWORK_OPERATOR_CODES = 0x80
"""High octet of the codes that go to the power event log and the network operator (reference smets 8)."""


def _setting(group: str, place: int) -> Key:
    return 1, parse_obis(f"{group}.{place}"), 2


class EventSettings:
    """Raises the events of one meter as it was configured."""

    def __init__(self, esme: EsmePart, model: ObjectModel) -> None:
        self._esme = esme
        self._model = model
        for high, group in _GROUPS.items():
            for written, place in _SETTING_OF.items():
                self._declare(group, written, place)
            self._log_by_default(high, group)
        esme.gbcs.logs_event = self.logs

    def logs(self, code: int) -> bool:
        """True for an event that goes into its log: one that can be configured as it was, 8F51 as the meter's maker has it."""
        if code == DUPLICATE:
            return self._esme.maker.tells_repeated_token
        return code >> 8 not in _CONFIGURABLE or self._is_set(code, _LOG)

    def _declare(self, group: str, written: int, place: int) -> None:
        setting = _setting(group, place)
        if setting not in self._model.attributes:
            return

        def write(value: Data) -> AccessResult:
            if not isinstance(value, BitString) or value.size != 2 * _BITS:
                return AccessResult.TYPE_UNMATCHED
            mask, actions = int(value.bits[:_BITS], 2), int(value.bits[_BITS:], 2)
            before = self._value(setting)
            self._model.write(setting, _string(before & ~mask | actions & mask))
            return AccessResult.SUCCESS

        self._model.writers[_setting(group, written)] = write

    def _log_by_default(self, high: int, group: str) -> None:
        """Events are logged until that is switched off; alerts are off until configured (reference gbcs-spec-notes 16, ECS25 defaults)."""
        setting = _setting(group, _LOG)
        self._model.attributes[setting] = replace(self._model.attributes[setting], initial=_all_of(high))

    def _value(self, setting: Key) -> int:
        value = self._model.read(setting)
        return int(value.bits or "0", 2) if isinstance(value, BitString) else 0

    def _is_set(self, code: int, place: int) -> bool:
        setting = _setting(_GROUPS[code >> 8], place)
        return setting in self._model.attributes and bool(self._value(setting) >> (code & 0xFF) & 1)

    def tell(self, code: int, other: bytes = b"", entry: LogEntry | None = None) -> None:
        """One event: its log entry, its alert, the notice to HAN Devices and the audible alarm, each if it is to be given.

        ``entry`` goes to the auxiliary log instead of the code itself: that log's entries are switch, action and outcome.
        """
        esme, gbcs = self._esme, self._esme.gbcs
        if code >> 8 not in _CONFIGURABLE:
            gbcs.raise_alert(code, other=other)
            return
        power = code >> 8 == _NETWORK_OPERATOR_CODES
        if self.logs(code):
            if power:
                gbcs.logs[LogName.POWER].add(LogEntry(int(gbcs.now()), code, other))
            elif entry is not None:
                gbcs.logs[LogName.ALCS].add(entry)
            else:
                gbcs.log(code, other)
        for place, what in ((_HAN, "told on the HAN"), (_ALARM, "alarm")):
            if self._is_set(code, place):
                esme.trace.emit("device", esme.name, what, code=f"{code:04x}")
        if self._is_set(code, _WAN) and route(code, esme.device_type).alert is not None:
            try:
                esme.send(gbcs.alert(code, party=RemotePartyRole.NETWORK_OPERATOR if power else None))
            except (KeystoreError, ProtectionError) as problem:
                esme.trace.emit("device", esme.name, "alert not sent", code=f"{code:04x}", reason=str(problem))


@cache
def _all_of(high: int) -> BitString:
    """Every event whose code has that first octet."""
    codes = {code for code in (*configurable_events(), *event_codes().values()) if code >> 8 == high}
    return _string(sum(1 << (code & 0xFF) for code in codes))


def _string(value: int) -> BitString:
    return BitString(value.to_bytes(_BITS // 8, "big"), _BITS)
