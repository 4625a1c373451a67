"""Writing then reading gives the value back for everything that can be set, and events go where they were configured to."""

from __future__ import annotations

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.device.event_log import LogName
from firmware_emu.device.object_model import Key, zero_of
from firmware_emu.gbcs.axdr import Array, BitString, Boolean, Data, Number, OctetString, Structure, Utf8String, VisibleString
from firmware_emu.gbcs.dlms import AccessResult, DataNotification, parse_obis
from firmware_emu.gbcs.envelope import Message
from hil.devices.esme.variant import POLYPHASE, SECOND_ELEMENT_OBJECTS, TWIN_ELEMENT
from tests.devices.meter_bench import Bench, at_once, limit, put
from tests.devices.settings_table import rows

_AN_HOUR_BEFORE = bytes.fromhex("07ea0601ff0b1e00008000ff")
_DATE_TIME = bytes.fromhex("07ea0601ff0c1e00008000ff")


def settable() -> list[tuple[int, str, int, str]]:
    """Every attribute with write access and each type it takes, but activation times, which are read as what they activate."""
    found = []
    for row in rows("objects.csv"):
        activation = {20: 10, 111: 13, 113: 7, 9000: 6}.get(int(row["class"])) == int(row["attribute"])
        if "w" in row["access"] and not activation:
            found += [(int(row["class"]), row["obis"], int(row["attribute"]), kind) for kind in row["type"].split("|")]
    return found


def another(value: Data, seed: int = 1) -> Data:
    """A value of the same type that is not the zero of it."""
    if isinstance(value, Number):
        return type(value)(seed)
    if isinstance(value, Array | Structure):
        return type(value)(tuple(another(item, seed + place) for place, item in enumerate(value.elements)))
    if isinstance(value, Boolean):
        return Boolean(True)
    if isinstance(value, OctetString):
        return OctetString(_DATE_TIME if len(value.octets) == 12 else bytes((seed % 12 + 1,)) * len(value.octets))
    if isinstance(value, BitString):
        return BitString.of("10" * (value.size // 2) + "1" * (value.size % 2))
    if isinstance(value, VisibleString | Utf8String):
        return type(value)("A setting of its own"[: len(value.text)])
    raise AssertionError(value)


def active_place(key: Key) -> tuple[Key, Key] | None:
    """Place where a passive attribute is read once it is active, and the activation."""
    class_id, obis, attribute = key
    own = {20: (10, {7: 3, 8: 4, 9: 5}), 113: (7, {6: 5}), 9000: (6, {4: 2})}.get(class_id)
    for row in rows("activations.csv"):
        if (int(row["from_class"]), parse_obis(row["from_obis"]), int(row["from_attribute"])) == key:
            at = (int(row["class"]), parse_obis(row["obis"]), 13 if row["class"] == "111" else 6)
            return (int(row["to_class"]), parse_obis(row["to_obis"]), int(row["to_attribute"])), at
    if own is not None and attribute in own[1]:
        return (class_id, obis, own[1][attribute]), (class_id, obis, own[0])
    return None


@pytest.mark.parametrize(("class_id", "obis", "attribute", "kind"), settable(), ids=lambda value: str(value)[:40])
def test_what_is_written_is_read_back(device_pki: Keystore, class_id: int, obis: str, attribute: int, kind: str) -> None:
    second = obis.removesuffix(".255") in SECOND_ELEMENT_OBJECTS
    bench = Bench(device_pki, variant=TWIN_ELEMENT if second else POLYPHASE)
    value = another(zero_of(kind))
    if obis.startswith("0-0:94.44.1") and obis[-2:] in (".2", ".4") and isinstance(value, OctetString):  # a period ends after it begins
        bench.do(0x0019, [put(class_id, f"{obis[:-1]}{int(obis[-1]) - 1}", attribute, OctetString(_AN_HOUR_BEFORE))])
    assert bench.do(0x0019, [put(class_id, obis, attribute, value)]) == [AccessResult.SUCCESS]
    key = (class_id, parse_obis(obis), attribute)
    assert bench.esme.model.read(key) == value
    place = active_place(key)
    if place is None:
        return
    target, at = place
    text = "{}-{}:{}.{}.{}.{}".format(*at[1])
    if at in bench.esme.model.attributes:
        assert bench.do(0x0019, [put(at[0], text, at[2], at_once())]) == [AccessResult.SUCCESS]
        active = bench.esme.model.read(target)
        if target[0] == 21 and isinstance(active, Array):
            wanted = value.elements if isinstance(value, Array) else (value,)
            assert active.elements[: len(wanted)] == wanted
        else:
            assert active == value
    else:  # the debts' rates: ECS07 activates them by a method
        assert (class_id, key[1], 2) in bench.esme.model.methods


def test_a_written_setting_survives_a_power_cut(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    bench.do(0x0019, [put(1, "0-3:96.13.1", 2, OctetString(b"1234")), put(1, "0-2:96.13.1", 2, OctetString(b"A message"))])
    bench.build()
    assert bench.esme.read(1, "0-3:96.13.1", 2) == OctetString(b"1234")
    assert bench.esme.read(1, "0-2:96.13.1", 2) == OctetString(b"A message")


def test_a_value_of_another_type_is_refused_and_leaves_what_was(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    before = bench.esme.read(71, "0-0:17.0.1", 4)
    assert bench.do(0x0045, [put(71, "0-0:17.0.1", 4, Boolean(True))]) == [AccessResult.TYPE_UNMATCHED]
    assert bench.esme.read(71, "0-0:17.0.1", 4) == before


def switches(*codes: int, on: bool) -> BitString:
    """A mask and actions for these codes alone."""
    mask = sum(1 << (code & 0xFF) for code in codes)
    return BitString((mask << 256 | (mask if on else 0)).to_bytes(64, "big"), 512)


def alerts(bench: Bench) -> list[int]:
    """Codes of the alerts that wait to be sent, taken out."""
    codes = []
    while (waiting := bench.esme.outbox.first()) is not None:
        bench.esme.outbox.done(waiting[0])
        body = DataNotification.decode(Message.decode(waiting[1]).payload).body
        codes.append(body[0].value)  # type: ignore[index, attr-defined]
    return codes


def test_a_configurable_alert_is_sent_only_once_it_is_switched_on(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    bench.esme.events.tell(0x81AB)
    assert alerts(bench) == []
    assert bench.do(0x00AC, [put(1, "0-30:97.98.11", 2, switches(0x81AB, 0x810D, on=True))]) == [AccessResult.SUCCESS]
    bench.esme.events.tell(0x81AB)
    bench.esme.events.tell(0x81AA)
    assert alerts(bench) == [0x81AB]
    bench.do(0x00AC, [put(1, "0-30:97.98.11", 2, switches(0x81AB, on=False))])
    bench.esme.events.tell(0x81AB)
    bench.esme.events.tell(0x810D)
    assert alerts(bench) == [0x810D]
    setting = bench.read(1, "0-30:97.98.15")
    assert isinstance(setting, BitString)
    assert int(setting.bits, 2) == 1 << 0x0D


def test_an_event_is_logged_until_that_is_switched_off(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    bench.esme.events.tell(0x81AB)
    bench.do(0x00AC, [put(1, "0-30:97.98.14", 2, switches(0x81AB, on=False))])
    bench.esme.events.tell(0x81AB)
    assert bench.esme.log_codes(LogName.EVENT) == [0x81AB]


def test_the_network_operator_s_settings_are_its_own(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    bench.do(0x00AE, [put(1, "0-33:97.98.11", 2, switches(0x8002, on=True))])
    bench.esme.events.tell(0x8002)
    bench.esme.events.tell(0x8102)
    assert alerts(bench) == [0x8002]


def test_a_critical_alert_cannot_be_switched_off(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    bench.do(0x00AC, [put(1, "0-30:97.98.11", 2, switches(*range(0x8100, 0x8200), on=False))])
    bench.esme.events.tell(0x8F0F)
    assert alerts(bench) == [0x8F0F]


def test_logs_keep_their_hundred_newest_entries(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    for number in range(130):
        bench.clock.moved += 1
        bench.esme.events.tell(0x81AB if number % 2 else 0x81AA)
    log = bench.read(7, "0-0:99.98.0")
    assert len(log.elements) == 100  # type: ignore[attr-defined]


def test_a_command_that_changes_nothing_wakes_nobody_and_one_that_does_wakes_who_waits_for_the_next_moment(device_pki: Keystore) -> None:
    meter = (bench := Bench(device_pki)).esme
    for code, items, wakes in ((0x0027, [], False), (0x0043, limit(6900, 300, 30, disables=True), True)):
        meter._stirred.clear()
        bench.do(code, items)
        assert meter._stirred.is_set() is wakes
