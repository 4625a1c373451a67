"""An electricity meter without a radio, whose clock goes where the test wants it, and settings written as its Commands write them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from firmware_emu.clock import EPOCH, Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.device.event_log import LogEntry
from firmware_emu.device.store import MemoryStore, Store
from firmware_emu.gbcs import cosem_time
from firmware_emu.gbcs.axdr import (
    Array,
    BitString,
    Boolean,
    Data,
    DoubleLongUnsigned,
    Integer,
    Long,
    LongUnsigned,
    OctetString,
    Structure,
    Unsigned,
)
from firmware_emu.gbcs.dlms import (
    AccessRequest,
    AccessResponse,
    AccessResult,
    Choice,
    Specification,
    invoke_id,
    parse_obis,
)
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.use_cases import by_code
from firmware_emu.ids import CraFlag, Eui64, InstallCode
from firmware_emu.trace import Record, Trace
from hil.devices import Esme
from hil.devices.esme.variant import SINGLE_ELEMENT, EsmeVariant
from hil.devices.metering.maker import ORDINARY, Maker
from hil.devices.metering.registers import LoadProfile
from tests.devices.hub_in_memory import MemoryHan

ESME = Eui64.parse("00db1234567890a0")
SUPPLIER = Eui64.parse("90b3d51f30010000")
PARTIES = {
    RemotePartyRole.RECOVERY: Eui64.parse("90b3d51f30000001"),
    RemotePartyRole.ACCESS_CONTROL_BROKER: Eui64.parse("90b3d51f30000002"),
    RemotePartyRole.TRANSITIONAL_COS: Eui64.parse("90b3d51f30000004"),
    RemotePartyRole.SUPPLIER: SUPPLIER,
    RemotePartyRole.NETWORK_OPERATOR: Eui64.parse("90b3d51f30020000"),
}
Item = tuple[Choice, int, str, int, Data]
NO_THRESHOLD = 0xFFFFFFFF


class Hand(Clock):
    """A clock that is set by hand."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start=start, warp=True)
        self.moved = 0.0

    def now(self) -> float:
        return super().now() + self.moved


@dataclass
class Bench:
    """One meter. ``told`` collects the codes of events as the meter notices them."""

    keystore: Keystore
    start: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    load: LoadProfile = field(default=lambda half_hour: 3600)
    secondary: LoadProfile | None = None
    variant: EsmeVariant = SINGLE_ELEMENT
    maker: Maker = ORDINARY
    store: Store = field(default_factory=MemoryStore)
    counter: int = 1

    def __post_init__(self) -> None:
        self.clock = Hand(self.start)
        self.records: list[Record] = []
        self.told: list[int] = []
        self.build()

    def build(self) -> None:
        """The meter, anew on the same store."""
        trace = Trace(self.clock.now)
        trace.subscribe(self.records.append)
        self.esme = Esme(
            ESME,
            InstallCode(bytes(16)),
            self.keystore,
            MemoryHan(ESME).node(ESME),
            self.clock,
            trace,
            PARTIES,
            store=self.store,
            load=self.load,
            secondary=self.secondary,
            variant=self.variant,
            maker=self.maker,
        )
        tell = self.esme.events.tell

        def note(code: int, other: bytes = b"", entry: LogEntry | None = None) -> None:
            self.told.append(code)
            tell(code, other, entry)

        self.esme.events.tell = note  # type: ignore[method-assign]

    @property
    def now(self) -> int:
        return int(self.clock.now())

    def go(self, seconds: int, step: int | None = None) -> None:
        """Let time pass; the meter looks at its clock every ``step`` seconds, or at the end."""
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            self.clock.moved += min(step or seconds, end - self.clock.now())
            for message in self.esme.gbcs.run_due():
                self.esme.send(message)
            self.esme.update()

    def do(self, code: int, items: Iterable[Item]) -> list[AccessResult]:
        """One Command as the meter's executor gets it: its results."""
        return [result.code for result in self.ask(code, items).results]

    def ask(self, code: int, items: Iterable[Item]) -> AccessResponse:
        """One Command as the meter's executor gets it: its response."""
        listed = list(items)
        self.counter += 1
        specifications = tuple(Specification(choice, number, parse_obis(obis), attribute) for choice, number, obis, attribute, _ in listed)
        payload = AccessRequest(invoke_id(1), specifications, tuple(data for *_, data in listed)).encode()
        message = Message(GroupingHeader(CraFlag.COMMAND, self.counter, SUPPLIER, ESME, OtherInformation(code)), payload)
        return AccessResponse.decode(self.esme.execute(by_code(code), message))

    def read(self, class_id: int, obis: str, attribute: int = 2) -> Data:
        """Result of a read."""
        self.esme.update()
        return self.esme.read(class_id, obis, attribute)


def put(class_id: int, obis: str, attribute: int, data: Data) -> Item:
    return Choice.SET, class_id, obis, attribute, data


def run(class_id: int, obis: str, method: int, data: Data) -> Item:
    return Choice.ACTION, class_id, obis, method, data


def octets(seconds: int) -> OctetString:
    return OctetString(cosem_time.encode_date_time(EPOCH + timedelta(seconds=seconds)))


def at_once() -> OctetString:
    return OctetString(cosem_time.NOW)


def charge(prices: dict[int, int], commodity: int = 3, scale: int = -5) -> Data:
    """A unit charge; index 0 alone is a charge without index."""
    entries = tuple(Structure((OctetString(bytes((index,)) if index else b""), Long(price))) for index, price in prices.items())
    unit = Structure((LongUnsigned(3), OctetString(bytes(6)), Integer(2)))
    return Structure((Structure((Integer(commodity), Integer(scale))), unit, Array(entries)))


def day(number: int, switches: dict[int, int]) -> Data:
    """A day profile: hour to script."""
    scripts = OctetString(parse_obis("0-0:10.0.100"))
    entries = tuple(Structure((OctetString(bytes((hour, 0, 0, 0))), scripts, LongUnsigned(script))) for hour, script in switches.items())
    return Structure((Unsigned(number), Array(entries)))


def week(number: int, days: tuple[int, ...]) -> Data:
    return Structure((OctetString(bytes((number,))), *(Unsigned(one) for one in days)))


def season(name: str, date: str, week_number: int) -> Data:
    when = bytes.fromhex(date) + bytes.fromhex("000000008000ff")
    return Structure((OctetString(name.encode()), OctetString(when), OctetString(bytes((week_number,)))))


def special(number: int, date: str, day_number: int) -> Data:
    return Structure((LongUnsigned(number), OctetString(bytes.fromhex(date)), Unsigned(day_number)))


def entry(number: int, scripts: str, selector: int, hour: int, weekdays: str = "1111111", special: str = "0000") -> Data:
    """A schedule entry without dates."""
    return Structure(
        (
            LongUnsigned(number),
            Boolean(True),
            OctetString(parse_obis(scripts)),
            LongUnsigned(selector),
            OctetString(bytes((hour, 0, 0, 0))),
            LongUnsigned(0xFFFF),
            BitString.of(weekdays),
            BitString.of(special),
            OctetString(b"\xff" * 5),
            OctetString(b"\xff" * 5),
        )
    )


def tariff(
    days: list[Data],
    weeks: list[Data],
    seasons: list[Data],
    prices: dict[int, int],
    *,
    specials: list[Data] | None = None,
    thresholds: dict[int, list[int]] | None = None,
    standing: int = 0,
    when: OctetString | None = None,
    scale: int = -5,
) -> list[Item]:
    """ECS01a, item by item as RTDS has it."""
    activation = when or at_once()
    items = [
        put(20, "0-0:13.0.0", 7, Array(tuple(seasons))),
        put(20, "0-0:13.0.0", 8, Array(tuple(weeks))),
        put(20, "0-0:13.0.0", 9, Array(tuple(days))),
        put(11, "0-1:11.0.0", 2, Array(tuple(specials or ()))),
    ]
    for number in range(1, 9):
        limits = (thresholds or {}).get(number, [NO_THRESHOLD])
        items.append(put(21, f"0-0:16.1.{10 + number}", 2, Array(tuple(DoubleLongUnsigned(limit) for limit in limits))))
    return [
        *items,
        put(9000, "0-0:94.44.2.0", 4, Boolean(True)),
        put(113, "0-0:19.20.4", 6, charge({0: standing}, 0)),
        put(113, "0-0:19.20.0", 6, charge(prices, scale=scale)),
        put(20, "0-0:13.0.0", 10, activation),
        put(9000, "0-0:94.44.128.29", 6, activation),
        put(9000, "0-0:94.44.2.0", 6, activation),
        put(113, "0-0:19.20.4", 7, activation),
        put(113, "0-0:19.20.0", 7, activation),
        put(9000, "0-0:63.1.1", 6, activation),
    ]


def flat(price: int, standing: int = 0) -> list[Item]:
    """A tariff of one rate."""
    return tariff([day(1, {0: 1})], [week(1, (1,) * 7)], [season("all", "07d00101ff", 1)], {1: price}, standing=standing)


def limit(watts: int, period: int, restoration: int, *, disables: bool) -> list[Item]:
    values = (
        ("94.44.0.3", Boolean(disables)),
        ("94.44.128.7", DoubleLongUnsigned(watts)),
        ("94.44.128.6", DoubleLongUnsigned(period)),
        ("94.44.128.8", DoubleLongUnsigned(restoration)),
    )
    items = [put(9000, f"0-0:{obis}", 4, value) for obis, value in values]
    return [*items, *(put(9000, f"0-0:{obis}", 6, at_once()) for obis, _ in values)]
