"""A search for what nobody thought of: a grammar of changes at the edges of the layers, a seed, and invariants as judge.

Each trial takes an honest thing (a signed request, a certificate with its path, a Command with its MAC), makes a few changes drawn from the
seed, and hands it to the layer that must not be fooled. What breaks an invariant is shrunk to the fewest changes that still do. The layers
are asked without a radio or a process around them, so a trial costs about a millisecond; kills, clocks and media are not in this search.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final, Protocol

from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.crypto.certificate_profile import Profile, lint, refusals
from firmware_emu.crypto.certificates import check_path, parse_certificate
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import DEFAULT_DEVICES, make_pki
from firmware_emu.crypto.roles import DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.device.credentials import Credentials
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.device.profile import permissions
from firmware_emu.device.standard import STANDARD
from firmware_emu.device.store import MemoryStore
from firmware_emu.errors import CommsHubError, NotAvailable, fault_named
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.use_cases import UseCase
from firmware_emu.ids import CraFlag, Eui64
from firmware_emu.trace import Trace
from hil.dcc.duis import new_request, read_request, sign_request, verify_request, write_request
from hil.dcc.duis.document import Content

MOST_CHANGES: Final = 4
STRANGER: Final = Eui64.parse("02bad00000000001")


@dataclass(frozen=True, slots=True)
class Change:
    """One change: its kind, a place from 0 to 1, and a number."""

    kind: str
    place: float
    number: int


@dataclass(frozen=True, slots=True)
class Find:
    """A broken invariant, with the fewest changes that break it."""

    layer: str
    seed: str
    broken: str
    changes: tuple[Change, ...]

    def as_test(self) -> str:
        """A test of the find, ready for ``tests/attacks``."""
        name = re.sub(r"[^a-z0-9]+", "_", f"{self.layer}_{self.seed}".lower())
        made = ", ".join(map(repr, self.changes))
        return f"def test_siege_{name}(siege: Siege) -> None:\n    assert siege.layers[{self.layer!r}].judge(({made},)) is None\n"


class Layer(Protocol):
    """The besieged part."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of changes that can be made to it."""
        ...

    def judge(self, changes: Sequence[Change]) -> str | None:
        """The invariant that breaks when ``changes`` are made to the honest thing, None where all hold."""
        ...


def _bytes_changed(octets: bytes, change: Change) -> bytes:
    at = int(change.place * len(octets))
    match change.kind:
        case "set":
            return octets[:at] + bytes([change.number & 0xFF]) + octets[at + 1 :]
        case "flip":
            return octets[:at] + bytes([octets[at] ^ 1 << (change.number & 7)]) + octets[at + 1 :] if at < len(octets) else octets
        case "drop":
            return octets[:at] + octets[at + 1 + change.number % 4 :]
        case "put":
            return octets[:at] + bytes([change.number & 0xFF]) + octets[at:]
        case _:
            return octets


class Requests:
    """Signed requests: whatever is changed, what verifies says what was signed."""

    _INSERTS: Final = (b"<!---->", b"<!--9-->", b"<?x y?>", b"<![CDATA[9]]>", b"&#57;", b"9", b" ", b"<sr:X/>", b"\n")
    kinds = ("insert", "value", "drop", "repeat", "attribute")

    def __init__(self, keystore: Keystore, user: Eui64, hub: Eui64, meter: Eui64) -> None:
        body: dict[str, Content] = {
            "DeviceID": meter,
            "RequestType": "Add",
            "AddDeviceToCHFWhitelist": {"JoinTimePeriod": 600, "InstallCode": bytes(16)},
        }
        self._certificate = keystore.certificate(user, KeyUsage.DIGITAL_SIGNATURE)
        key = keystore.private_key(user, KeyUsage.DIGITAL_SIGNATURE)
        self._octets = write_request(sign_request(new_request("8.11", user, hub, 1001, body), key, self._certificate))
        self._proven = self._said(self._octets)

    def _said(self, octets: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
        request = verify_request(read_request(octets), self._certificate).value
        values = tuple((str(one.tag), one.text or "") for one in request.body.iter() if isinstance(one.tag, str) and not len(one))
        return str(request.request_id), values

    def judge(self, changes: Sequence[Change]) -> str | None:
        octets = self._octets
        for change in changes:
            octets = self._changed(octets, change)
        try:
            said = self._said(octets)
        except CommsHubError:
            return None
        return None if said == self._proven else f"a changed request verifies and says {said}"[:300]

    def _changed(self, octets: bytes, change: Change) -> bytes:
        at = int(change.place * len(octets))
        if change.kind == "insert":
            inserts = self._INSERTS
            return octets[:at] + inserts[change.number % len(inserts)] + octets[at:]
        if change.kind == "value":  # inside a value, where a comment splits it
            values = [found.start() + 2 for found in re.finditer(rb">[^<>\s]{2,}</", octets)]
            at = values[change.number % len(values)] if values else at
            return octets[:at] + self._INSERTS[int(change.place * len(self._INSERTS))] + octets[at:]
        elements = list(re.finditer(rb"<(sr:\w+)>[^<]*</\1>", octets))
        if not elements:
            return octets
        found = elements[change.number % len(elements)]
        if change.kind == "drop":
            return octets[: found.start()] + octets[found.end() :]
        if change.kind == "repeat":
            return octets[: found.end()] + found[0] + octets[found.end() :]
        return octets.replace(b'URI=""', (b'URI="#x"', b"", b'Id="x" URI=""')[change.number % 3], 1)


class Certificates:
    """A certificate with a sound path: changed, it has none, and nothing is raised but what is declared."""

    kinds = ("set", "flip", "drop", "put")

    def __init__(self, keystore: Keystore, user: Eui64) -> None:
        self._octets = keystore.certificate(user, KeyUsage.DIGITAL_SIGNATURE).public_bytes(Encoding.DER)
        self._path = [keystore.authority(RemotePartyRole.ISSUING_AUTHORITY)]
        self._root = keystore.authority(RemotePartyRole.ROOT)

    def judge(self, changes: Sequence[Change]) -> str | None:
        octets = self._octets
        for change in changes:
            octets = _bytes_changed(octets, change)
        if octets == self._octets or refusals(lint.__wrapped__(octets, Profile.ORGANISATION)):
            return None
        try:
            check_path(parse_certificate(octets), self._path, datetime(2026, 1, 1, tzinfo=UTC), anchors=(self._root,))
        except CommsHubError:
            return None
        return f"a changed certificate has a sound path: {octets.hex()[:120]}"


class _Recorder:
    """An executor that remembers what it was given."""

    def __init__(self) -> None:
        self.executed: list[Message] = []

    def execute(self, use_case: UseCase, message: Message) -> bytes:
        self.executed.append(message)
        return b"\x05\x00"


@dataclass
class Commands:
    """Commands whose MAC holds: a Device executes what the table of rights grants to who sent it, each counter once."""

    keystore: Keystore
    meter: Eui64
    parties: dict[RemotePartyRole, Eui64]
    kinds: tuple[str, ...] = ("code", "originator", "another", "counter", "date", "again", "octet")
    _senders: list[Eui64] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._senders = [*self.parties.values(), STRANGER]

    def judge(self, changes: Sequence[Change]) -> str | None:
        store, recorder = MemoryStore(), _Recorder()
        credentials = Credentials.from_keystore(store, self.keystore, self.meter, DeviceType.ESME, self.parties)
        trace = Trace(lambda: 0.0)
        device = GbcsDevice(self.meter, DeviceType.ESME, credentials, store, lambda: 820_454_400.0, trace, STANDARD, recorder)
        header = GroupingHeader(CraFlag.COMMAND, 1000, self.parties[RemotePartyRole.SUPPLIER], self.meter, OtherInformation(0x0052))
        times, octet = 1, None
        codes = sorted(permissions(DeviceType.ESME))
        for change in changes:
            code = header.other.message_code
            match change.kind:
                case "code":
                    header = replace(header, other=replace(header.other, message_code=codes[change.number % len(codes)]))
                case "originator":
                    header = replace(header, originator=self._senders[change.number % len(self._senders)])
                case "another":
                    other = OtherInformation(code, STRANGER, change.number, change.number if change.place > 0.8 else None)
                    header = replace(header, other=other)
                    if change.number % 2 == 0:  # as the broker speaks for a party that the Device does not know
                        header = replace(header, originator=self.parties[RemotePartyRole.ACCESS_CONTROL_BROKER])
                case "counter":
                    header = replace(header, counter=(change.number << int(change.place * 48)) & (1 << 64) - 1)
                case "date":
                    header = replace(header, date_time=bytes.fromhex("07ea010105000000ff800000"))
                case "again":
                    times += 1
                case _:
                    octet = change
        z = self.keystore.shared_secret(self.parties[RemotePartyRole.ACCESS_CONTROL_BROKER], self.meter)
        octets = protect.with_mac(Message(header, b"", b""), z).encode()
        if octet is not None:
            octets = _bytes_changed(octets, replace(octet, kind="flip"))
        for _ in range(times):
            device.receive(octets)
        return self._broken(credentials, recorder.executed)

    def _broken(self, credentials: Credentials, executed: list[Message]) -> str | None:
        counters = [message.header.counter for message in executed]
        if len(set(counters)) != len(counters):
            return f"counter {counters[0]} was executed twice"
        for message in executed:
            header = message.header
            roles, another = credentials.roles_of(header.originator), header.other.supplementary_party is not None
            rights = permissions(DeviceType.ESME).get(header.message_code, ())
            if not any(right.role in roles and right.for_another is another and not right.signature for right in rights):
                return f"{header.message_code:04x} of {header.originator} was executed without a right to it"
            if header.date_time:
                return f"{header.message_code:04x} with a date-time in its header was executed"
        return None


class Siege:
    """The layers around one set of keys, made for the search."""

    def __init__(self, folder: Path) -> None:
        keystore = make_pki(folder / "keys", devices=DEFAULT_DEVICES)
        found = {role: keystore.find(role) for role in RemotePartyRole if role is not RemotePartyRole.ISSUING_AUTHORITY}
        parties: dict[RemotePartyRole, Eui64] = {role: euis[0] for role, euis in found.items() if euis and role is not RemotePartyRole.ROOT}
        by_kind = {kind: eui for eui, kind in list(DEFAULT_DEVICES.items())[::-1]}
        user, meter, hub = parties[RemotePartyRole.SUPPLIER], by_kind[DeviceType.ESME], by_kind[DeviceType.CHF]
        self.layers: dict[str, Layer] = {
            "requests": Requests(keystore, user, hub, meter),
            "certificates": Certificates(keystore, user),
            "commands": Commands(keystore, meter, parties),
        }

    def trial(self, layer: str, seed: str) -> Find | None:
        """One trial; an exception that is not declared breaks an invariant too."""
        random, besieged = Random(f"{layer}/{seed}"), self.layers[layer]
        drawn = [
            Change(random.choice(besieged.kinds), random.random(), random.randrange(1 << 16))
            for _ in range(random.randint(1, MOST_CHANGES))
        ]
        broken = _judged(besieged, drawn)
        if broken is None:
            return None
        for change in list(drawn):
            fewer = [one for one in drawn if one is not change]
            if fewer and (still := _judged(besieged, fewer)) is not None:
                drawn, broken = fewer, still
        return Find(layer, seed, broken, tuple(drawn))

    def run(self, layers: Sequence[str], seed: int, over: Callable[[int], bool]) -> Iterator[tuple[int, Find | None]]:
        """Trials, one layer after the other, until ``over(trials)``. Raises NotAvailable for a layer that is none."""
        for layer in layers:
            if layer not in self.layers:
                raise NotAvailable(f"the layer {layer!r}", f"name one of {', '.join(self.layers)}")
        count = 0
        while not over(count):
            layer = layers[count % len(layers)]
            yield count + 1, self.trial(layer, f"{seed}/{count}")
            count += 1


def _judged(layer: Layer, changes: Sequence[Change]) -> str | None:
    try:
        return layer.judge(changes)
    except Exception as crash:  # whatever it is, it was not to get out: that is the find
        return f"an exception got out: {fault_named(crash)}"
