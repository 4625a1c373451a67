"""A ``board_configs`` file -> :class:`Board`, checked, with file and key named in every error.

One board a file, TOML, every identifier a string; :mod:`firmware_emu.board_files` finds and reads it. ``chub board schema`` prints the
JSON Schema for editors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic.fields import FieldInfo

from firmware_emu import extensions
from firmware_emu.board_files import board_folders as board_folders  # this name and the next are of the public API
from firmware_emu.board_files import board_names as board_names
from firmware_emu.board_files import read_board
from firmware_emu.errors import BoardError, in_toml, one_of
from firmware_emu.ids import Eui64, InstallCode, Mpxn


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f'{in_toml(value)} is not text: write it in quotes, as "00-DB-12-34-56-78-90-A0"')
    return value


def _identifier(parse: Callable[[str], object]) -> BeforeValidator:
    return BeforeValidator(lambda value: value if not isinstance(value, str | int | float | bool) else parse(_text(value)))


_EUI_SCHEMA = WithJsonSchema(
    {"type": "string", "description": "an EUI-64 in hexadecimal, with or without separators, or a label's QR text"}
)
_CODE_SCHEMA = WithJsonSchema({"type": "string", "description": "an install code with or without its CRC, or a label's QR text"})
_MPXN_SCHEMA = WithJsonSchema({"type": "string", "pattern": r"^(\d{13}|\d{6,10})$"})

Eui = Annotated[Eui64, _identifier(Eui64.parse), _EUI_SCHEMA]
Code = Annotated[InstallCode, _identifier(InstallCode.parse), _CODE_SCHEMA]
Point = Annotated[Mpxn, _identifier(Mpxn), _MPXN_SCHEMA]


def _installed(group: str) -> AfterValidator:
    def known(name: str) -> str:
        if name not in extensions.names(group):
            raise ValueError(f"expected {one_of(name, extensions.names(group))}")
        return name

    return AfterValidator(known)


def _one_of(group: str) -> FieldInfo:
    """The schema lists what is installed when it is asked for."""
    return Field(json_schema_extra=lambda schema: schema.update(enum=list(extensions.names(group))))  # type: ignore[no-any-return]


DeviceKind = Annotated[str, _installed(extensions.DEVICE), _one_of(extensions.DEVICE)]
RadioKind = Annotated[str, _installed(extensions.RADIO), _one_of(extensions.RADIO)]


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    @field_validator("*", mode="before")
    @classmethod
    def _of_its_kind(cls, value: object, info: ValidationInfo) -> object:
        """A number is written without quotes, and neither true nor false is one."""
        wanted = cls.model_fields[info.field_name or ""].annotation
        if wanted in (int, float) and isinstance(value, str | bool):
            raise ValueError(f"expected a {'whole ' if wanted is int else ''}number, written without quotes")
        return value


class ClockTable(_Table):
    """Passage of bench time. ``auto`` is warp where every part is virtual, wall where one is real."""

    mode: Literal["auto", "warp", "wall"] = "auto"
    start: Annotated[datetime, AfterValidator(_utc)] | None = None
    speed: float = Field(default=1.0, gt=0, description="bench seconds per real second; wall mode only")


class HubTable(_Table):
    """The hub's two Devices and its HAN."""

    chf: Eui
    gpf: Eui
    channel: int = Field(default=20, ge=11, le=26, description="2.4 GHz channel of the HAN")
    han_variant: Literal["2.4 GHz", "2.4 GHz and sub-GHz"] = "2.4 GHz and sub-GHz"
    gbcs: Literal["2.0", "4.x"] = Field(default="4.x", description="version of GBCS that the hub keeps to: which messages the GPF taps")
    room: str | None = Field(default=None, description="where the hub stands, a room of [rooms]")
    hold_up_ms: int = Field(default=500, ge=0, description="how long the hub stays up without supply: profile-supplied")
    outage_threshold_s: int = Field(default=180, ge=1, description="an outage of at least this long is a long one (alert 0x8F36)")


BENCH_AIR, OUTSIDE_AIR = "bench", "outside"
"""Names of the simulated air of this bench, and of the one beyond every port whose row names no other."""
OPEN_AIR = "socket:"
"""Before the address of the open air's socket, in place of a Device's port; ``socket://`` is a dongle's port on TCP."""


def on_open_air(node: str) -> bool:
    """True for a Device that joins the simulated air through its socket: ``socket:HOST:PORT``."""
    return node.startswith(OPEN_AIR) and not node.startswith(f"{OPEN_AIR}//")


FIRST_CBKE = 13
"""EZSP version from which the hub reads a key back that its dongle has established."""


class RadioTable(_Table):
    """The coordinator's dongle. ``path`` is a serial device, ``socket://host:port``, or ``virtual`` for the virtual dongle."""

    kind: RadioKind = "ezsp"
    path: str = "virtual"
    air: str | None = Field(
        default=None, description="the air that a dongle on a port is on; 'outside' if not named. Only radios on one air hear each other"
    )
    baudrate: int = Field(default=115200, ge=57600, le=460800)
    flow_control: Literal["none", "hardware", "software"] = "none"
    ezsp_version: int = Field(default=13, ge=7, le=19, description="what the virtual dongle says it speaks")
    cbke: bool = Field(
        default=False, description="the virtual dongle establishes keys: its firmware has the library, and the hub's certificate and key"
    )
    custody: Literal["refuse", "take-over", "restore"] = Field(
        default="refuse",
        description="a dongle that holds another network: refuse it, take it over, or restore the hub's own network into it "
        "(in both cases a backup of what it holds is saved first)",
    )


class AirTable(_Table):
    """The simulated air between the radios."""

    open: str | None = Field(
        default=None, description="HOST:PORT of a socket by which programs of third parties join as nodes; port 0: any"
    )
    timing: bool = Field(default=False, description="frames take their time, radios listen before they send, and what overlaps collides")


class WanTable(_Table):
    """The SM WAN. ``tcp`` uses mutual TLS with the test PKI."""

    kind: Literal["memory", "tcp"] = "memory"
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535, description="0: any free port")
    variant: Literal["cellular", "dual mode"] | None = Field(
        default=None,
        description="SM WAN variant of the hub, in memory: single mode cellular, or dual mode cellular and mesh; none: no radio network",
    )
    signal: bool = Field(default=True, description="the cellular network reaches the hub (with variant)")
    neighbour: bool = Field(default=False, description="a dual mode hub with power and a strong signal is nearby (with variant)")


class InstrumentTable(_Table):
    """Language of one instrument of a jig, where its identity does not tell."""

    dialect: str | None = Field(default=None, description="family of `chub ichis instruments`; by its answer to *IDN? if not given")
    channel: int | None = Field(default=None, description="output of the supply; the dialect's first if not given")
    baud: int = 9600
    timeout_s: float = Field(default=2.0, gt=0)
    file: str | None = Field(default=None, description="TOML file of this very instrument: serial, calibrated, due, accuracy")


class StandInTable(_Table):
    """Stand-ins of instruments between the models of a simulated jig and whoever uses it, each by a model's name."""

    supply: str | None = None
    probes: str | None = None
    load: str | None = None
    relay: str | None = None
    latency_ms: float = Field(default=5.0, ge=0)
    faults: tuple[str, ...] = Field(default=(), description="sentences such as: off ignored; probe 3s late at 12th")


class StandardTable(_Table):
    """Standards wired to the multimeter's scanner to prove it: a known voltage to Common, a known resistor."""

    volts_contact: int | None = None
    volts: float = 0.0
    ohms_contacts: tuple[int, int] | None = None
    ohms: float = 0.0


class JigTable(_Table):
    """The instruments that power the hub and drive the ICHIS lines."""

    kind: Literal["simulated", "instruments"] = "simulated"
    profile: str = "ichis_default"
    supply: str | None = Field(default=None, description="VISA resource of the supply: ASRL/dev/ttyUSB0::INSTR, TCPIP::host::5025::SOCKET")
    instrument: dict[Literal["supply", "probes", "load", "mains", "mating"], InstrumentTable] = Field(
        default={}, description="dialect, channel, baud, time-out and calibration file of an instrument"
    )
    standard: StandardTable = StandardTable()
    stand_in: StandInTable | None = None
    unit: str = Field(default="good", description="the modelled unit under test, of `chub ichis units`")
    decision_rule: Literal["simple", "guard", "nonbinary"] = Field(
        default="guard",
        description="simple acceptance, guard band of w = r U with indeterminate between, or pass and fail marked conditional there",
    )
    guard_factor: float = Field(default=1.0, gt=0, description="r of the guard band w = r U")
    probes: str | None = Field(default=None, description="VISA resource of a multimeter with scanner, channel = pin; none: a model")
    lines: str | None = Field(default=None, description="pyserial URL of the cable with the modem lines; none: a model")
    hub_end: str | None = Field(default=None, description="host:port of the socket that `chub ichis serve` has; none: a real hub")
    data: str | None = Field(default=None, description="pyserial URL of the serial pair on pins 7 and 8; none: a model")
    data_inverts: bool = Field(default=True, description="the cable of the serial pair turns the levels of a common UART round")
    load: str | None = Field(default=None, description="VISA resource of the electronic load that plays the hub on a host's port")
    mating: str = Field(
        default="manual", description="what puts the hub into its socket and takes it out: manual, or a VISA resource with OUTPut"
    )
    mains: str = Field(default="manual", description="what switches the mains of a host under test: manual, or a VISA resource with OUTPut")


class ReportTable(_Table):
    """Statements that a report must make of a run and no instrument tells (ISO/IEC 17025:2017 7.8): the unit, who tested it, where."""

    unit: str = Field(default="", description="type of the unit under test, as on its label")
    serial: str = Field(default="", description="its serial number")
    firmware: str = Field(default="", description="its firmware, as its maker tells it")
    photograph: str = Field(default="", description="path of a photograph of the unit: the report shows it")
    operator: str = ""
    station: str = ""
    site: str = ""
    environment: str = Field(default="", description="temperature and humidity, with where they were read")
    attachments: tuple[str, ...] = Field(default=(), description="paths of files: the report names each, and shows pictures")
    deviations: tuple[str, ...] = Field(default=(), description="from the method, each a sentence")


class ServiceTable(_Table):
    """Rules that the DCC holds service requests to, and the beginning of its store. Published test material keeps few of these rules."""

    signatures: bool = Field(default=True, description="a request is signed by its sender")
    certificate_paths: bool = Field(default=True, description="a sender's certificate is in date and leads to a known authority")
    request_ids_once: bool = Field(default=True, description="a RequestID is used once; else a request may come again")
    in_service: bool = Field(default=False, description="the Devices are Commissioned where the DCC's store begins")
    response_wait_s: float | None = Field(
        default=None, gt=0, description="time that a Response is waited for (E21); else the DCC's own 300"
    )
    edition: Literal["DUIS 5.4", "2013"] = Field(
        default="DUIS 5.4", description="schedule that roles, on-demand and future dated services are taken from: DUIS 5.4, or 2013's"
    )


class ListedTable(_Table):
    """A Device that the DCC's inventory lists beside those of the home."""

    type: Literal["GSME", "ESME", "CHF", "GPF", "HCALCS", "PPMID", "TYPE_2"]
    eui: Eui


class CoverageTable(_Table):
    """SM WAN coverage of a postcode, in the words of DUIS (12.1)."""

    postcode: str
    region: str
    technology: str
    likelihood: Literal["High", "Medium", "Low"]


class PartiesTable(_Table):
    """The organisations, by EUI-64; one may stand in several places. Those left out are not there."""

    supplier: Eui
    gas_supplier: Eui
    other_supplier: Eui
    network_operator: Eui
    access_control_broker: Eui
    wan_provider: Eui
    cos_party: Eui
    recovery: Eui
    other_user: Eui
    export_supplier: Eui | None = None
    gas_transporter: Eui | None = None
    load_controller: Eui | None = None
    registered_supplier_agent: Eui | None = None


class DeviceTable(_Table):
    """A Device of the home: what is on its label and in the supplier's books."""

    name: str
    type: DeviceKind
    eui: Eui
    install_code: Code
    manufacturer: str = Field(default="0001", pattern="^[0-9A-Fa-f]{4}$")
    model: str = Field(default="00000001", pattern="^[0-9A-Fa-f]{8}$")
    firmware: str = Field(default="00000100", pattern="^[0-9A-Fa-f]{8}$")
    mpxn: Point | None = None
    secondary_mpan: Point | None = None
    export_mpan: Point | None = None
    node: str = Field(
        default="air",
        description="its radio: air (simulated), virtual-dongle (a second EZSP dongle on that air), a port, or socket:HOST:PORT, where "
        "a third party's Device joins the simulated air",
    )
    air: str | None = Field(default=None, description="the air that a dongle on a port is on; 'outside' if not named")
    sleepy: bool = Field(
        default=False, description="true: its radio sleeps and polls its parent every few seconds; a gas meter's sleeps in any case"
    )
    room: str | None = Field(default=None, description="where it stands, a room of [rooms]")
    band: Literal["2.4 GHz", "sub-GHz"] = Field(
        default="2.4 GHz", description="the band of its radio; below 1 GHz it needs a hub whose dongle has both, and goes further"
    )
    variant: str | None = Field(default=None, description="one of the variants of its type, as an ESME's elements and phases")
    maker: str | None = Field(default=None, description="habits of a maker's meter, one of the profiles of its type")
    gbcs: Literal["2.0", "4.x"] = Field(default="4.x", description="version of GBCS that it keeps to: which Commands it has")
    store: Literal["memory", "file"] = Field(
        default="memory", description="where it keeps what a power cut must not take: in this process, or in a file of the run's folder"
    )

    @field_validator("maker", mode="after")
    @classmethod
    def _of_a_maker(cls, maker: str | None, info: ValidationInfo) -> str | None:
        if maker is not None and "type" in info.data:
            known: tuple[str, ...] = getattr(extensions.load(extensions.DEVICE, info.data["type"]), "makers", ())
            if maker not in known:
                raise ValueError(
                    f"expected {one_of(maker, known)}" if known else f"a Device of type {info.data['type']} has no makers' profiles"
                )
        return maker

    @field_validator("variant", mode="after")
    @classmethod
    def _of_its_type(cls, variant: str | None, info: ValidationInfo) -> str | None:
        if variant is not None and "type" in info.data:
            known: tuple[str, ...] = getattr(extensions.load(extensions.DEVICE, info.data["type"]), "variants", ())
            if variant not in known:
                raise ValueError(f"expected {one_of(variant, known)}" if known else f"a Device of type {info.data['type']} has no variants")
        return variant


class Board(_Table):
    """Everything that a bench is made of."""

    name: str
    description: str = ""
    extends: str | None = None
    provides: tuple[str, ...] = Field(default=(), description="parts that tests may need: radio, jig, wan, meters")
    seed: int = 1
    clock: ClockTable = ClockTable()
    hub: HubTable
    radio: RadioTable = RadioTable()
    air: AirTable = AirTable()
    rooms: dict[str, dict[str, int]] = Field(
        default={}, description="dBm at which a radio in one room is heard in another, either way; pairs not named are out of range"
    )
    wan: WanTable = WanTable()
    jig: JigTable = JigTable()
    report: ReportTable = ReportTable()
    parties: PartiesTable
    service: ServiceTable = ServiceTable()
    device: tuple[DeviceTable, ...] = ()
    listed: tuple[ListedTable, ...] = ()
    coverage: tuple[CoverageTable, ...] = ()
    day: str | None = Field(default=None, description="loads and faults of the meters: a day of hil/bench/days by name, or a path")
    pki: str | None = Field(default=None, description="folder of keys and certificates; none: a test PKI is generated outside the checkout")

    @property
    def warp(self) -> bool:
        """True if bench time may jump: asked for, or every part is virtual."""
        if self.clock.mode == "auto":
            return self.radio.path == "virtual" and self.wan.kind == "memory" and self.jig.kind == "simulated"
        return self.clock.mode == "warp"

    @property
    def real_parts(self) -> tuple[str, ...]:
        """Parts that are not of the bench itself, each with its place; none where all is virtual."""
        own = ("air", "virtual-dongle")
        return (
            *(() if self.radio.path == "virtual" else (f"radio at {self.radio.path}",)),
            *(f"{row.name} at {row.node}" for row in self.device if row.node not in own),
            *(() if self.jig.kind == "simulated" else (f"jig of kind {self.jig.kind}",)),
            *(() if self.wan.kind == "memory" else (f"WAN by {self.wan.kind}",)),
        )

    @property
    def hub_air(self) -> str | None:
        """The air that the hub's radio is on; None for a recording, which hears nobody."""
        if self.radio.path.startswith("replay:"):
            return None
        return self.radio.air or (BENCH_AIR if self.radio.path == "virtual" else OUTSIDE_AIR)

    def air_of(self, row: DeviceTable) -> str:
        """The air that a Device's radio is on."""
        simulated = row.node in ("air", "virtual-dongle") or on_open_air(row.node)
        return row.air or (BENCH_AIR if simulated else OUTSIDE_AIR)

    def impossible(self) -> Iterator[tuple[str, str]]:
        """Everything in which the board contradicts itself: the key, and one sentence."""
        taken = {
            **{eui: f"the {role.replace('_', ' ')}" for role, eui in self.parties if eui is not None},
            self.hub.gpf: "the GPF",
            self.hub.chf: "the CHF",
        }
        if self.hub.chf == self.hub.gpf:
            yield "hub.gpf", f"CHF and GPF have one EUI-64, {self.hub.gpf}: each is a Device of its own"
        names: set[str] = set()
        nouns = set(extensions.names(extensions.NOUN)) - {"devices"}
        for number, row in enumerate(self.device):
            key = f"device.{number}"
            if row.eui in taken:
                yield f"{key}.eui", f"{row.name} has the EUI-64 of {taken[row.eui]}, {row.eui}: no two are alike"
            if row.name in names:
                yield f"{key}.name", f"two Devices are named {row.name!r}: the prompt could not tell them apart"
            if row.name in nouns:
                yield f"{key}.name", f"{row.name!r} is a noun of the prompt ({', '.join(sorted(nouns))}): name the Device otherwise"
            taken.setdefault(row.eui, row.name)
            names.add(row.name)
        if self.radio.cbke and (self.radio.path, self.radio.kind) != ("virtual", "ezsp"):
            yield "radio.cbke", "is for the virtual dongle with EZSP: give a dongle of a port its certificate by its own tool"
        elif self.radio.cbke and self.radio.ezsp_version < FIRST_CBKE:
            yield "radio.cbke", f"the hub needs EZSP {FIRST_CBKE} or newer for it: read ezsp_version = {self.radio.ezsp_version}"
        if self.wan.variant is not None and self.wan.kind != "memory":
            yield "wan.variant", f"is of the SM WAN in memory: a WAN of kind {self.wan.kind} reaches what its host reaches"
        if self.clock.mode == "warp" and (real := self._real_ends()):
            yield "clock.mode", f"time cannot jump for {', '.join(real)}: take wall (or auto) where a part is real"

    def _real_ends(self) -> list[str]:
        """Parts that live in real time, by what the board says of them."""
        virtual = self.radio.path == "virtual" or self.radio.path.startswith("replay:")
        parts = {
            f"the dongle at {self.radio.path}": not virtual,
            f"a WAN of kind {self.wan.kind}": self.wan.kind != "memory",
            f"a jig of kind {self.jig.kind}": self.jig.kind != "simulated" and self.jig.hub_end is None,
            **{f"{row.name} at {row.node}": row.node not in ("air", "virtual-dongle") and not on_open_air(row.node) for row in self.device},
        }
        return [part for part, real in parts.items() if real]

    def check_airs(self) -> None:
        """Raises BoardError where the hub and a Device cannot hear each other."""
        deaf = [row for row in self.device if self.air_of(row) != self.hub_air]
        if self.hub_air is None or not deaf:
            return
        names = ", ".join(row.name for row in deaf)
        airs = " and ".join(sorted({repr(self.air_of(row)) for row in deaf}))
        raise BoardError(
            self.name,
            "device",
            f"{names} and the hub cannot hear each other: the hub's radio ({self.radio.path}) is on the air {self.hub_air!r}, theirs on "
            f'{airs}: give each a dongle (node = "/dev/..."), say which air a port is on (air = "..."), leave them out (device = []), or '
            'take the virtual dongle (radio.path = "virtual")',
        )

    def open_addresses(self) -> set[tuple[str, int]]:
        """The addresses at which the open air is served: by ``air.open``, and by each Device of a third party. Raises BoardError."""
        wanted = {"air.open": self.air.open} if self.air.open is not None else {}
        wanted |= {f"device.{row.name}.node": row.node.removeprefix(OPEN_AIR) for row in self.device if on_open_air(row.node)}
        found = set()
        for key, text in wanted.items():
            host, _, port = text.rpartition(":")
            if not host or not port.isdecimal() or int(port) > 65535:
                raise BoardError(self.name, key, f"{text!r} is no address: expected HOST:PORT, as 127.0.0.1:9000")
            found.add((host, int(port)))
        return found

    def find(self, name: str) -> DeviceTable:
        """The Device of that name. Raises BoardError."""
        for device in self.device:
            if device.name == name:
                return device
        raise BoardError(
            self.name, "device", f"no Device is named {name!r}: expected {one_of(name, [device.name for device in self.device])}"
        )


def told(board: Board) -> dict[str, object]:
    """The board as plain values for JSON, EUI-64s as text; install codes are secrets and stay out."""
    plain = board.model_dump(exclude={"device": {"__all__": {"install_code"}}})
    return {name: _plain(value) for name, value in plain.items()}


def _plain(value: object) -> object:
    """An identifier of 8 octets, which the model takes apart, as its text again."""
    if isinstance(value, dict):
        octets = value.get("octets")
        if len(value) == 1 and isinstance(octets, bytes):
            return octets.hex()
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value


def load_board(name: str = "simulated", settings: tuple[str, ...] = ()) -> Board:
    """The board of that name or path, with ``settings`` (``radio.path=/dev/ttyUSB0``) laid over it.

    Raises BoardError: file not there, not TOML, unknown key, value that is not what the key expects, a board that cannot be.
    """
    path, table = read_board(name, settings)
    try:
        board = Board.model_validate(table)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            problem = "no such key" + _expected(first["loc"][-1], _keys(first["loc"]))
        elif first["type"] == "missing":
            problem = "missing: a board needs it" + _expected("", _keys((*first["loc"][:-1], "")))
        elif first["type"] == "literal_error":
            problem = f"read {in_toml(first['input'])}" + _expected(first["input"], _choices(first["loc"]))
        else:
            problem = first["msg"].removeprefix("Value error, ")
            if not key.endswith("install_code"):  # a secret: never shown
                problem += f" (read: {in_toml(first['input'])})"
        raise BoardError(str(path), key, problem) from wrong
    for key, problem in board.impossible():
        raise BoardError(str(path), key, problem)
    return board


def _expected(word: object, known: Sequence[object]) -> str:
    return f": expected {one_of(word, known)}" if known else ""


def _choices(location: tuple[int | str, ...]) -> tuple[object, ...]:
    """The words that a key takes which takes few."""
    owner = _table(location)
    return () if owner is None or location[-1] not in owner.model_fields else get_args(owner.model_fields[str(location[-1])].annotation)


def _keys(location: tuple[int | str, ...]) -> list[str]:
    """The keys of the table that ``location`` is in."""
    owner = _table(location)
    return [] if owner is None else sorted(owner.model_fields)


def _table(location: tuple[int | str, ...]) -> type[BaseModel] | None:
    model: type[BaseModel] = Board
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        inner = getattr(annotation, "__args__", (annotation,))[0]
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return None
        model = inner
    return model


def board_schema() -> str:
    """JSON Schema of a board file, for editors."""
    return json.dumps(Board.model_json_schema(), indent=2)
