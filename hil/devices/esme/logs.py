"""The logs of an electricity meter as compact arrays of class 7: whole, or those entries in a time range (RTDS ECS20 to ECS23, ECS35)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from firmware_emu.device.event_log import LogEntry, LogName
from firmware_emu.device.object_model import Key, ObjectModel, time_range, zero_of
from firmware_emu.gbcs.axdr import Array, CompactArray, Data, DoubleLong, DoubleLongUnsigned, LongUnsigned, Null, OctetString, Structure
from firmware_emu.gbcs.axdr import Enum as DlmsEnum
from firmware_emu.gbcs.dlms import AccessResult, parse_obis
from hil.devices.esme.controls import Controls
from hil.devices.esme.metering import PHASE_OBIS
from hil.devices.esme.model import seconds
from hil.devices.esme.part import EsmePart
from hil.devices.metering.billing import Snapshot
from hil.devices.metering.registers import Periods, RecordRing

Row = tuple[int, tuple[Data, ...]]
"""Time of a log entry (seconds since 2000) and its columns."""

_WITHOUT_ZONE = 9
_ENDS_OF_TIME = {bytes(_WITHOUT_ZONE): 0.0, b"\xff" * _WITHOUT_ZONE: float(0xFFFFFFFF)}
"""Start of Time and End of Time: the oldest and the newest entry, whatever the last three octets (GBCS 9.1.6, reference gbcs-text 2)."""
BILLING, BILLING_BALANCES, CHANGES, DAILY = "0-0:98.1.0", "0-0:98.1.1", "0-0:98.1.2", "0-0:98.1.9"
_BLOCK_TABLES = "01000806" * 4
_DESCRIPTIONS = {
    (BILLING, 1): "02070606" + "01003006" + _BLOCK_TABLES,
    (BILLING, 2): "0209060606" + "01003006" + "01000406" + _BLOCK_TABLES,
    (DAILY, 1): "02070606" + "01003006" + _BLOCK_TABLES,
    (DAILY, 2): "0209060606" + "01003006" + "01000406" + _BLOCK_TABLES,
    (CHANGES, 1): "020d0606" + "01003006" + _BLOCK_TABLES + "05" * 6,
    (CHANGES, 2): "020f060606" + "01003006" + "01000406" + _BLOCK_TABLES + "05" * 6,
    ("0-0:99.1.0", 2): "0203060606",
}
"""Type descriptions that depend on the number of elements (RTDS ECS20b, ECS20c, ECS21a)."""


def install(esme: EsmePart, model: ObjectModel, controls: Controls) -> None:
    """Put the logs of ``esme`` behind the buffers of its profiles."""
    for (obis, elements), description in _DESCRIPTIONS.items():
        if elements == esme.variant.elements:
            key = (7, parse_obis(obis), 2)
            declared = zero_of(f"compact-array(type description {description})")
            model.attributes[key] = replace(model.attributes[key], initial=declared)
    sources = _sources(esme, controls)
    for key in tuple(model.attributes):
        if key[0] == 7 and key[2] == 2:
            _profile(esme, model, key, sources.get("{}-{}:{}.{}.{}".format(*key[1][:5]), lambda: ()))
    for obis, name in (("0-0:99.98.0", LogName.EVENT), ("0-17:99.98.2", LogName.ALCS)):
        model.methods[7, parse_obis(obis), 1] = _clear(esme, name)


def _sources(esme: EsmePart, controls: Controls) -> dict[str, Callable[[], Iterable[Row]]]:
    def events(name: LogName, columns: Callable[[LogEntry], tuple[Data, ...]]) -> Callable[[], Iterable[Row]]:
        return lambda: ((entry.time, columns(entry)) for entry in esme.gbcs.logs[name].entries())

    def periods(*logs: Periods) -> Callable[[], Iterable[Row]]:
        def rows() -> Iterator[Row]:
            for entries in zip(*logs, strict=True):
                yield entries[0].end, tuple(DoubleLongUnsigned(entry.amount) for entry in entries)

        return rows

    def records(ring: RecordRing, kind: Callable[[int], Data]) -> Callable[[], Iterable[Row]]:
        return lambda: ((record[0], tuple(map(kind, record[1:]))) for record in ring)

    registers, logs = esme.registers, esme.metering.logs
    twin = esme.variant.elements > 1
    imports = (registers.active_import.profile, registers.secondary_import.profile)
    sources: dict[str, Callable[[], Iterable[Row]]] = {
        "0-0:99.98.0": events(LogName.EVENT, lambda entry: (LongUnsigned(entry.code), OctetString(entry.other))),
        "0-0:99.98.1": events(LogName.SECURITY, lambda entry: (LongUnsigned(entry.code),)),
        "0-0:99.98.4": events(LogName.POWER, lambda entry: (LongUnsigned(entry.code), DoubleLongUnsigned(0))),
        "0-17:99.98.2": events(LogName.ALCS, _auxiliary),
        "0-0:99.1.0": (lambda: _primary(esme)) if twin else periods(imports[0]),
        "0-0:99.1.1": periods(registers.active_export.profile, registers.reactive_export.profile),
        "0-0:99.1.2": periods(registers.reactive_import.profile),
        "0-0:99.1.3": periods(registers.active_import.days),
        "0-0:98.1.10": periods(registers.active_export.snapshots),
        "0-0:98.1.4": records(logs.debt_payments, DoubleLongUnsigned),
        "0-0:98.1.5": records(logs.credits, DoubleLongUnsigned),
        "0-0:98.1.8": records(logs.prepayment_daily, DoubleLong),
        "0-0:99.98.20": records(controls.boosts, DoubleLongUnsigned),
        BILLING_BALANCES: records(logs.billing_balances, DoubleLong),
        BILLING: lambda: _snapshots(logs.billing, twin),
        DAILY: lambda: _snapshots(logs.daily, twin),
        CHANGES: lambda: _changes(logs.changes, twin),
    }
    for group, phase in zip(PHASE_OBIS, esme.metering.phases, strict=False):
        sources[f"1-0:{group}.24.0"] = records(phase.log, DoubleLongUnsigned)
    return sources


def _auxiliary(entry: LogEntry) -> tuple[Data, ...]:
    return LongUnsigned(entry.code), DlmsEnum(entry.other[0]), DoubleLongUnsigned(int.from_bytes(entry.other[1:5], "big"))


def _primary(esme: EsmePart) -> Iterator[Row]:
    """Half hours of a twin element meter: the primary element and the secondary one."""
    registers = esme.registers
    for total, secondary in zip(registers.active_import.profile, registers.secondary_import.profile, strict=True):
        yield total.end, (DoubleLongUnsigned(total.amount - secondary.amount), DoubleLongUnsigned(secondary.amount))


def columns(snapshot: Snapshot, twin: bool) -> tuple[Data, ...]:
    """A register snapshot: totals, rates, blocks by block number; a twin element meter adds those of its second element."""

    def table(values: Iterable[int]) -> Array:
        return Array(tuple(map(DoubleLongUnsigned, values)))

    totals = (DoubleLongUnsigned(snapshot.total), *((DoubleLongUnsigned(snapshot.secondary_total),) if twin else ()))
    tables = (table(snapshot.tou), *((table(snapshot.secondary),) if twin else ()), *map(table, snapshot.blocks))
    return (*totals, *tables)


def newest_billing_entry(esme: EsmePart, model: ObjectModel) -> Data:
    """The newest entry of the billing log as the log itself would hold it alone (RTDS ECS68)."""
    declared = model.attributes[7, parse_obis(BILLING), 2].initial
    rows = list(_snapshots(esme.metering.logs.billing, esme.variant.elements > 1))[-1:]
    if not isinstance(declared, CompactArray):
        return declared
    return CompactArray(declared.description, tuple(Structure((DoubleLongUnsigned(time), *values)) for time, values in rows))


def _snapshots(ring: RecordRing, twin: bool) -> Iterator[Row]:
    for record in ring:
        yield record[0], columns(Snapshot.of(record), twin)


def _changes(ring: RecordRing, twin: bool) -> Iterator[Row]:
    for record in ring:
        yield record[0], (*columns(Snapshot.of(record[:-6]), twin), *map(DoubleLong, record[-6:]))


def _clear(esme: EsmePart, name: LogName) -> Callable[[Data], AccessResult | Data]:
    def run(parameter: Data) -> AccessResult | Data:
        esme.gbcs.logs[name].clear()
        esme.gbcs.log(0x8F52)
        return Null()

    return run


def _profile(esme: EsmePart, model: ObjectModel, key: Key, rows: Callable[[], Iterable[Row]]) -> None:
    """Make the buffer of a profile a compact array of ``rows`` (whole, or those in a time range)."""
    declared = model.attributes[key].initial
    description = declared.description if isinstance(declared, CompactArray) else None

    def packed(first: float, last: float) -> Data:
        if description is None:
            return declared
        esme.update()
        found = (Structure((DoubleLongUnsigned(time), *values)) for time, values in rows() if first <= time <= last)
        return CompactArray(description, tuple(found))

    def select(selector: int, selection: Data) -> AccessResult | Data:
        limits = time_range(selection)
        if limits is None:
            return AccessResult.TYPE_UNMATCHED
        first, last = (_limit(limit) for limit in limits)
        if first is None or last is None:
            return AccessResult.TYPE_UNMATCHED
        return packed(first, last)

    model.readers[key] = lambda: packed(0, 0xFFFFFFFF)
    model.selections[key] = select


def _limit(value: Data) -> float | None:
    if isinstance(value, DoubleLongUnsigned):
        return value.value
    if not isinstance(value, OctetString):
        return None
    return _ENDS_OF_TIME.get(value.octets[:_WITHOUT_ZONE], seconds(value.octets))
