"""The lived-in state of a Device (``history.toml``): what weeks in a home leave in its registers, logs and lists."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import TypeAlias

from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import CellUsage, DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.device import joins
from firmware_emu.device.event_log import LogEntry, LogName
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.errors import BoardError, NotAvailable
from firmware_emu.gbcs.axdr import Data, decode_data
from firmware_emu.gbcs.dlms import AccessRequest, AccessResponse, AccessResult, Choice, Specification, invoke_id, parse_obis
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.gbz import Component
from firmware_emu.gbcs.use_cases import by_code
from firmware_emu.gbcs.utrn import make_utrn
from firmware_emu.hub.device_log import DeviceLog, RegisteredType
from firmware_emu.hub.device_log import ListedDevice as Member
from firmware_emu.hub.gas_store import GasStore
from firmware_emu.hub.mirror import MIRRORED
from firmware_emu.ids import CraFlag, Eui64
from firmware_emu.zse import clusters
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.declare import FieldValue
from firmware_emu.zse.zcl import ZclStatus
from hil.devices import Esme, Gsme
from hil.devices.base.gbcs_device import GbcsHanDevice
from hil.devices.metering.registers import DAY_S, HALF_HOUR_S

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

FORMER = Eui64.parse("00db1234567890ff")
"""A display that the home had once: the bench's own identity."""
_FIRST_TOKEN = 512
_METHOD_C = {DeviceType.GSME, DeviceType.PPMID}
_LOGS = {"event": LogName.EVENT, "security": LogName.SECURITY, "power": LogName.POWER, "alcs": LogName.ALCS}


@dataclass(frozen=True, slots=True)
class PastDeed:
    """Something the Device was told: ``at_s`` after the start of its life, a HAN command (to a GSME), the items of an access request under
    a message code (to an ESME), a top-up in pounds, or minutes of boost."""

    at_s: int
    cluster: int = 0
    command: str = ""
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    top_up: int = 0
    code: int = 0
    items: tuple[tuple[Specification, Data], ...] = ()
    boost: int = 0


@dataclass(frozen=True, slots=True)
class Life:
    """One table of the file: days of running; log entries as code, age in seconds and other information; deeds in order."""

    days: int
    logs: Mapping[LogName, tuple[tuple[int, int, bytes], ...]]
    deeds: tuple[PastDeed, ...]


NONE = Life(0, {}, ())
"""Of a Device that comes from the factory."""


@cache
def _lives() -> dict[DeviceType, Life]:
    name = "history.toml"
    tables = tomllib.loads(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))
    found = {}
    for kind, table in tables.items():
        try:
            logs = {_LOGS[log]: tuple(map(_entry, table[log])) for log in table if log in _LOGS}
            found[DeviceType[kind]] = Life(int(table["days"]), logs, tuple(map(_deed, table.get("deeds", ()))))
        except (KeyError, ValueError, TypeError) as problem:
            raise BoardError(name, kind, str(problem)) from problem
    return found


def _entry(row: Json) -> tuple[int, int, bytes]:
    match row:
        case [str(code), int(age), *other]:
            return int(code, 16), age, bytes.fromhex(str(other[0])) if other else b""
    raise TypeError(f"{row!r} is not code, age and other information of a log entry")


def _deed(row: Mapping[str, Json]) -> PastDeed:
    at, cluster, command, fields, pounds = (row.get(name) for name in ("day", "cluster", "command", "fields", "top_up"))
    if not isinstance(at, int | float):
        raise TypeError(f"a deed without its day: {row}")
    given = _fields(fields) if isinstance(fields, dict) else {}
    items = row.get("items")
    return PastDeed(
        int(at * DAY_S),
        _number(cluster),
        str(command or ""),
        given,
        _number(pounds),
        _number(row.get("code")),
        tuple(map(_item, items)) if isinstance(items, list) else (),
        _number(row.get("boost")),
    )


def _number(value: Json) -> int:
    return value if isinstance(value, int) else 0


def _item(row: Json) -> tuple[Specification, Data]:
    match row:
        case [str(choice), int(class_id), str(obis), int(attribute), str(data)]:
            return Specification(Choice[choice], class_id, parse_obis(obis), attribute), decode_data(bytes.fromhex(data))
    raise TypeError(f"{row!r} is not choice, class, object, attribute or method, and A-XDR data in hex")


def _fields(row: Mapping[str, Json]) -> dict[str, FieldValue]:
    return {name: _value(value) for name, value in row.items()}


def _value(value: Json) -> FieldValue:
    if isinstance(value, str):
        return bytes.fromhex(value[1:]) if value.startswith("x") else value.encode("ascii")
    if isinstance(value, list):
        return tuple(_fields(one) for one in value if isinstance(one, dict))
    if isinstance(value, int):
        return value
    raise TypeError(f"{value!r} is no value of a field")


def life_of(device_type: DeviceType) -> Life:
    """The life of a type of Device. Raises NotAvailable."""
    life = _lives().get(device_type)
    if life is None:
        raise NotAvailable(f"the life of a {device_type.name}", "history.toml has no table of that name")
    return life


async def live(
    device: GbcsHanDevice,
    keystore: Keystore,
    clock: Clock,
    life: Life,
    each_half_hour: Callable[[], None] | None = None,
) -> None:
    """Let the days of a life pass: deeds at their time, and ``each_half_hour`` if something happens then. Raises BoardError for a deed
    that the Device refuses."""
    began = clock.now()
    end = life.days * DAY_S
    stops = {deed.at_s for deed in life.deeds if deed.at_s < end} | {end}
    if each_half_hour is not None:
        stops |= set(range(HALF_HOUR_S, end + 1, HALF_HOUR_S))
    for number, stop in enumerate(sorted(stops)):
        await clock.go(began + stop - clock.now())
        if isinstance(device, Esme | Gsme):
            device.update()
        for deed in life.deeds:
            if deed.at_s == stop:
                _do(device, keystore, deed, number + 1)
        if each_half_hour is not None and stop % HALF_HOUR_S == 0:
            each_half_hour()


def _do(device: GbcsHanDevice, keystore: Keystore, deed: PastDeed, number: int) -> None:
    if isinstance(device, Esme):
        _do_to_esme(device, keystore, deed, number)
        return
    if not isinstance(device, Gsme):
        raise BoardError("history.toml", device.device_type.name, "only an ESME and a GSME have deeds")
    part = _top_up(device, keystore, deed, number) if deed.top_up else _component(deed)
    run = device.model.zcl.commands.get((part.cluster, part.command, part.from_server))
    result = ZclStatus.UNSUP_CLUSTER_COMMAND if run is None else run(part)
    if isinstance(result, ZclStatus) and result is not ZclStatus.SUCCESS:
        raise BoardError("history.toml", f"{deed.command} on day {deed.at_s // DAY_S}", f"the Device answers {result.name}")


def _do_to_esme(esme: Esme, keystore: Keystore, deed: PastDeed, number: int) -> None:
    if deed.top_up:
        done = esme.enter_token(_token(esme, keystore, deed, number))
    elif deed.boost:
        done = esme.controls.boost(deed.boost)
    else:
        other = OtherInformation(deed.code)
        header = GroupingHeader(CraFlag.COMMAND, number, esme.parties[RemotePartyRole.SUPPLIER], esme.eui64, other)
        request = AccessRequest(invoke_id(number), tuple(item for item, _ in deed.items), tuple(data for _, data in deed.items))
        answer = AccessResponse.decode(esme.execute(by_code(deed.code), Message(header, request.encode())))
        done = all(result.code is AccessResult.SUCCESS for result in answer.results)
    if not done:
        raise BoardError("history.toml", f"ESME, day {deed.at_s // DAY_S}", f"the Device refuses {deed}")


def _component(deed: PastDeed) -> Component:
    cluster = clusters.BY_ID.get(deed.cluster)
    if cluster is None:
        raise BoardError("history.toml", f"cluster {deed.cluster:04x}", "is not known")
    from_server = any(command.name == deed.command for command in cluster.to_client.values())
    command = cluster.command_named(deed.command)
    return Component(cluster.id, 0x09 if from_server else 0x01, 0, command.id, command.encode(dict(deed.fields)))


def _top_up(device: GbcsHanDevice, keystore: Keystore, deed: PastDeed, number: int) -> Component:
    payload = PREPAYMENT.to_server[0x04].encode({"originating_device": 0, "code": _token(device, keystore, deed, number).encode("ascii")})
    return Component(PREPAYMENT.id, 0x01, 0, 0x04, payload)


def _token(device: GbcsHanDevice, keystore: Keystore, deed: PastDeed, number: int) -> str:
    """A token of the supplier, as one types it in; each with a counter of its own, far above those of reference commands."""
    supplier = device.parties[RemotePartyRole.SUPPLIER]
    secret = keystore.shared_secret(supplier, device.eui64, CellUsage.PREPAYMENT_TOP_UP)
    return make_utrn(secret, supplier=supplier, meter=device.eui64, counter=_FIRST_TOKEN + number << 32, value=deed.top_up)


def remember(device: GbcsDevice, keystore: Keystore, life: Life, home: Mapping[Eui64, DeviceType]) -> None:
    """Log entries by their age, and the Devices that this one is joined with: a gas meter and a PPMID by method C."""
    now = int(device.now())
    for log, rows in life.logs.items():
        for code, seconds, information in rows:
            device.logs[log].add(LogEntry(now - seconds, code, information))
    for other, kind in home.items():
        pair = {kind, device.device_type}
        certificate = keystore.certificate(other, KeyUsage.KEY_AGREEMENT).public_bytes(Encoding.DER) if pair == _METHOD_C else None
        joins.add(device, other, kind.value, 3 if certificate else 2 if DeviceType.GPF in pair else 0, certificate)


def admit(log: DeviceLog, home: Mapping[Eui64, DeviceType]) -> None:
    """The Devices of the home in a hub's log, and one that has left it in the historic log."""
    log.add(Member(FORMER, RegisteredType.IHD))
    log.remove(FORMER)
    for eui64, kind in home.items():
        if kind.name in RegisteredType.__members__:
            log.add(Member(eui64, RegisteredType[kind.name]))


def meter_of(home: Mapping[Eui64, DeviceType]) -> Eui64:
    """The gas meter of a home. Raises NotAvailable."""
    for eui64, kind in home.items():
        if kind is DeviceType.GSME:
            return eui64
    raise NotAvailable("a gas meter", "a GPF mirrors one: the home has none")


def push(gsme: Gsme, gas: GasStore, now: int) -> None:
    """One push of the meter into its mirror."""
    for cluster in MIRRORED:
        gas.report(cluster.id, gsme.model.records(cluster.id), now)
