"""The judges of the siege: each invariant that breaks is told in its own sentence, and what holds is told as nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.credentials import Credentials
from firmware_emu.device.store import MemoryStore
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.ids import CraFlag, Eui64
from hil.attacks.siege.certificates import _Field, wrong_with
from hil.attacks.siege.commands import STRANGER, Commands
from hil.attacks.siege.search import Find, Mutation, changes_of, shrunk
from hil.attacks.siege.siege import Siege

METER, BROKER = Eui64.parse("90b3d51f30010000"), Eui64.parse("90b3d51f30000002")
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Z1")])
USES = dict.fromkeys(
    (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ),
    False,
)


def certificate(*extensions: tuple[x509.ExtensionType, bool], name: x509.Name = NAME, key: object = None) -> bytes:
    own = key or ec.generate_private_key(ec.SECP256R1())
    day = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(NAME).public_key(own.public_key()).serial_number(7)  # type: ignore[attr-defined]
    made = made.not_valid_before(day).not_valid_after(day + timedelta(days=1))
    for extension, critical in extensions:
        made = made.add_extension(extension, critical)
    return made.sign(own, SHA256()).public_bytes(Encoding.DER)  # type: ignore[arg-type]


def use(**wanted: bool) -> tuple[x509.ExtensionType, bool]:
    return x509.KeyUsage(**{**USES, **wanted}), True


def named(eui: Eui64) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.X500_UNIQUE_IDENTIFIER, b"\0" + eui.octets, x509.name._ASN1Type.BitString)])


SIGNS = use(digital_signature=True)
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x05\x00")


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (lambda: certificate(SIGNS), None),
        (lambda: certificate(SIGNS, name=named(STRANGER)), None),
        (lambda: certificate(SIGNS, (UNKNOWN, False)), None),
        (lambda: certificate(SIGNS, (x509.BasicConstraints(ca=False, path_length=None), True)), None),
        (lambda: certificate(), "without a use"),
        (lambda: certificate(SIGNS, (UNKNOWN, True)), "with an unknown critical extension"),
        (lambda: certificate(SIGNS, (x509.BasicConstraints(ca=True, path_length=None), True)), "of an authority"),
        (lambda: certificate(use(key_agreement=True)), "of another use"),
        (lambda: certificate(use(digital_signature=True, key_agreement=True)), "of another use"),
        (lambda: certificate(use(digital_signature=True, key_cert_sign=True)), "of another use"),
        (lambda: certificate(SIGNS, name=named(METER)), "in the name of the Device or the broker"),
        (lambda: certificate(SIGNS, name=named(BROKER)), "in the name of the Device or the broker"),
        (lambda: certificate(SIGNS, key=ec.generate_private_key(ec.SECP384R1())), "with another key than P-256"),
        (lambda: certificate(SIGNS, key=rsa.generate_private_key(65537, 2048)), "with another key than P-256"),
        (lambda: b"\x30\x00", "that another reader cannot read"),
    ],
)
def test_a_certificate_that_no_device_may_keep_is_told_by_what_is_wrong_with_it(make: Callable[[], bytes], wrong: str | None) -> None:
    said = wrong_with(make(), (METER, BROKER))
    assert said == wrong or (said is not None and wrong is not None and said.startswith(f"{wrong} ("))


@pytest.mark.parametrize(
    ("octets", "below"),
    [("3003020105", [1]), ("30820083" + "04818000" + "00" * 127, [1]), ("3008a1030101ff0c0141", [1, 1, 1]), ("0500", [])],
)
def test_the_fields_of_a_certificate_are_written_as_they_were_read(octets: str, below: list[int]) -> None:
    (read,) = _Field.read(bytes.fromhex(octets))
    assert read.octets().hex() == octets.replace("30820083", "308183")
    assert len(read.below()) == len(below)
    assert all(inside.parts[place] for inside, place in read.below())


# -- what a meter executed


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    return Siege(tmp_path_factory.mktemp("siege")).commands()


def broken(layer: Commands, *changes: dict[str, object], signer: Eui64 | None = None) -> str | None:
    """The judge's word on Commands that were executed, each the supplier's honest one but for its changes."""
    supplier = layer.parties[RemotePartyRole.SUPPLIER]
    executed = []
    for counter, change in enumerate(changes, 1):
        head = {"cra": CraFlag.COMMAND, "counter": counter, "originator": supplier, "recipient": layer.meter, "code": 0x0020, "at": b""}
        head |= {"mac": bytes(12), "signature": b"x"} | change
        other = OtherInformation(int(str(head["code"])), *head.get("another", ()))  # type: ignore[misc]
        header = GroupingHeader(head["cra"], head["counter"], head["originator"], head["recipient"], other, head["at"])  # type: ignore[arg-type]
        executed.append(Message(header, b"", head["signature"], head["mac"]))  # type: ignore[arg-type]
    credentials = Credentials.from_keystore(MemoryStore(), layer.keystore, layer.meter, DeviceType.ESME, layer.parties)
    return layer._broken(credentials, executed, signer or supplier)


def test_what_a_supplier_may_is_no_find(commands: Commands) -> None:
    assert broken(commands, {}) is None
    assert broken(commands, {}, {}) is None
    assert broken(commands) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (({"counter": 5}, {"counter": 5}), "counter 5 was executed twice"),
        (({"counter": 5}, {"counter": 4}), "counter 4 was executed after 5"),
        (({"mac": None},), "0020 of {supplier} was executed without a MAC"),
        (({"code": 0xFFFF},), "ffff of {supplier} was executed without a right to it"),
        (({"originator": STRANGER, "signature": b""},), "0020 of {stranger} was executed without a right to it"),
        (({"another": (STRANGER, 1)},), "0020 of {supplier} was executed without a right to it"),
        (({"cra": CraFlag.ALERT},), "a message of kind alert to {meter} was executed"),
        (({"recipient": STRANGER},), "a message of kind command to {stranger} was executed"),
        (({"at": bytes.fromhex("07ea010105000000ff800000")},), "0020 with a date-time in its header was executed"),
    ],
)
def test_what_a_meter_may_not_execute_is_told(commands: Commands, changes: tuple[dict[str, object], ...], said: str) -> None:
    supplier = commands.parties[RemotePartyRole.SUPPLIER]
    assert broken(commands, *changes) == said.format(supplier=supplier, stranger=STRANGER, meter=commands.meter)


def test_a_signature_by_somebody_else_is_told(commands: Commands) -> None:
    supplier, network = (commands.parties[role] for role in (RemotePartyRole.SUPPLIER, RemotePartyRole.NETWORK_OPERATOR))
    assert broken(commands, {}, signer=network) == f"0020 of {supplier} was executed with a signature by {network}"


# -- the search


class Weak:
    kinds = ("a", "b")

    def judge(self, changes: object) -> str | None:
        kinds = {one.kind for one in changes}  # type: ignore[attr-defined]
        return f"{len(kinds)} kinds" if kinds >= {"a"} else None


def test_a_find_is_shrunk_to_the_changes_that_break_something() -> None:
    one, other, third = Mutation("b", 0.0, 1), Mutation("a", 0.0, 2), Mutation("b", 0.5, 3)
    assert shrunk(Weak(), Find("x", "1", "2 kinds", (one, other, third))) == Find("x", "1", "1 kinds", (other,))
    assert shrunk(Weak(), Find("x", "1", "it broke", (one,))) == Find("x", "1", "it broke", (one,))


def test_a_seed_has_four_changes_at_most_and_no_half_of_one() -> None:
    assert len(changes_of(bytes(30), ("a",))) == 4
    assert changes_of(bytes([3, 0, 0, 1, 0, 9, 9, 9, 9]), ("a", "b")) == (Mutation("b", 0.0, 256),)


def test_a_find_is_one_of_its_kind_whatever_its_numbers_and_is_written_as_a_test() -> None:
    first, again = (
        Find("air", seed, f"counter {number} was drawn twice", (Mutation("kill", 0.5, number),)) for seed, number in (("1/2", 7), ("9", 88))
    )
    assert first.kind == again.kind
    assert Find("home", "1", first.broken, ()).kind != first.kind
    assert first.as_test() == (
        "def test_siege_air_1_2(siege: Siege) -> None:\n"
        "    assert judged(siege.layer('air'), (Mutation(kind='kill', place=0.5, number=7),)) is None\n"
    )
