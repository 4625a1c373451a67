"""GBCS messages per second beside the bare primitives they need, in the same run."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks import gbcs_samples
from benchmarks.measure import Figure, Work, figure, rates, report
from firmware_emu.crypto import primitives
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, KeyUsage
from firmware_emu.errors import KeystoreError
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.build import build_command
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.use_cases import by_name, decode_payload
from firmware_emu.gbcs.verify import mac_secret
from hil.dcc.duis import new_request
from hil.dcc.transform import TransformContext, transform

_ECDSA = ec.ECDSA(SHA256())
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
BARE_MAC = "bare SHA-256 and AES-GCM"
"""Key derivation and tag; the key agreement is remembered per pair of parties."""
BARE_ALL = "bare SHA-256, AES-GCM and P-256 verification"
"""Verification where the message is signed."""
BARE_AGREEMENT = "bare SHA-256, AES-GCM and P-256 agreement"
"""Cost of a pair of parties that is met for the first time."""
BARE_SIGNATURE = "bare P-256 signature"
ENVELOPE = "read the envelope"
ENVELOPE_MAC = "read the envelope + check the MAC"
PARSE = "parse (envelope and payload)"
PARSE_MAC = "parse + check the MAC"
PARSE_ALL = "parse + check MAC and signature"
PARSE_FIRST = "parse + agree the key + check the MAC"
ENCODE = "encode"
SIGN_MAC = "sign + MAC"
BUILD = "build from the catalogue + sign + MAC"
TRANSFORM = "transform a service request + sign + MAC"
HALF = "at least 0.5, and 10,000/s"
THIRD = "at least 0.33"


@dataclass(frozen=True)
class Prepared:
    """A message with everything its bare primitives need."""

    octets: bytes
    message: Message
    z: bytes
    other_info: bytes
    iv: bytes
    aad: bytes
    public: ec.EllipticCurvePublicKey | None
    der_signature: bytes
    signed: bytes


def _prepare(octets: bytes, keystore: Keystore) -> Prepared | None:
    """None for a message without a MAC, or one whose key is not held."""
    message = Message.decode(octets)
    if message.mac is None:
        return None
    header = message.header
    try:
        z = mac_secret(header, keystore)
    except KeystoreError:
        return None
    public, der = None, b""
    if message.signature:
        public = keystore.public_key(header.originator, KeyUsage.DIGITAL_SIGNATURE)
        der = encode_dss_signature(int.from_bytes(message.signature[:32], "big"), int.from_bytes(message.signature[32:], "big"))
    aad = protect.MAC_AAD_PREFIX + message.signing_block
    info = protect.mac_other_info(header)
    return Prepared(octets, message, z, info, header.originator.octets + bytes(4), aad, public, der, message.signed_bytes)


def _bare_mac(one: Prepared) -> None:
    key = hashlib.sha256(b"\0\0\0\1" + one.z + one.other_info).digest()[:16]
    if AESGCM(key).encrypt(one.iv, b"", one.aad)[:12] != one.message.mac:
        raise AssertionError("the bare primitives do not make the message's MAC")


def _bare_all(one: Prepared) -> None:
    _bare_mac(one)
    if one.public is not None:
        one.public.verify(one.der_signature, one.signed, _ECDSA)


def _over(messages: Sequence[Prepared], handle: Callable[[Prepared], object]) -> Work:
    def work() -> int:
        for one in messages:
            handle(one)
        return len(messages)

    return work


def _reading(messages: Sequence[Prepared], keystore: Keystore) -> dict[str, Work]:
    private, public = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1()).public_key()
    ecdh = ec.ECDH()

    def bare_agreement(one: Prepared) -> None:
        private.exchange(ecdh, public)
        _bare_mac(one)

    def envelope_mac(one: Prepared) -> None:
        message = Message.decode(one.octets)
        protect.check_mac(message, mac_secret(message.header, keystore))

    def parse(one: Prepared) -> Message:
        message = Message.decode(one.octets)
        decode_payload(message)
        return message

    def parse_mac(one: Prepared) -> Message:
        message = parse(one)
        protect.check_mac(message, mac_secret(message.header, keystore))
        return message

    def parse_all(one: Prepared) -> None:
        message = parse_mac(one)
        if message.signature:
            protect.check_signature(message, keystore.public_key(message.header.originator, KeyUsage.DIGITAL_SIGNATURE))

    def parse_first(one: Prepared) -> None:
        message = parse(one)
        primitives.agree(private, public)
        protect.check_mac(message, mac_secret(message.header, keystore))

    payloads = [(one.message, decode_payload(one.message)) for one in messages]

    def encode() -> int:
        for message, payload in payloads:
            replace(message, payload=payload.encode()).encode()
        return len(payloads)

    return {
        BARE_MAC: _over(messages, _bare_mac),
        BARE_ALL: _over(messages, _bare_all),
        BARE_AGREEMENT: _over(messages, bare_agreement),
        ENVELOPE: _over(messages, lambda one: Message.decode(one.octets)),
        ENVELOPE_MAC: _over(messages, envelope_mac),
        PARSE: _over(messages, parse),
        PARSE_MAC: _over(messages, parse_mac),
        PARSE_ALL: _over(messages, parse_all),
        PARSE_FIRST: _over(messages, parse_first),
        ENCODE: encode,
    }


def _writing(messages: Sequence[Prepared], keystore: Keystore) -> dict[str, Work]:
    originator = gbcs_samples.SUPPLIER
    key = keystore.private_key(originator, KeyUsage.DIGITAL_SIGNATURE)
    signed = [one for one in messages if one.public is not None and one.message.header.originator == originator]

    def bare_signature(one: Prepared) -> None:
        r, s = decode_dss_signature(key.sign(one.signed, _ECDSA))
        r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def protected(message: Message) -> bytes:
        return protect.with_mac(protect.with_signature(message, key), mac_secret(message.header, keystore)).encode()

    header = gbcs_samples.command_header("ECS70", gbcs_samples.ESME, 1000)
    use_case, clock = by_name("ECS70"), gbcs_samples.set_clock()
    context = TransformContext(DeviceType.ESME, gbcs_samples.BROKER, 1, gbcs_samples.AT)
    requests = cycle([new_request(reference, originator, gbcs_samples.ESME, 1000) for reference in ("7.2", "7.3")])

    def once(work: Callable[[], object]) -> Work:
        def counted() -> int:
            work()
            return 1

        return counted

    return {
        BARE_SIGNATURE: _over(signed, bare_signature),
        SIGN_MAC: _over(signed, lambda one: protected(one.message)),
        BUILD: once(lambda: protected(build_command(use_case, header, data=clock))),
        TRANSFORM: once(lambda: protected(transform(next(requests), context))),
    }


def measure(octets: Sequence[bytes], keystore: Keystore, rounds: int) -> tuple[list[Figure], int]:
    """The figures over these messages, and how many of them carry a MAC whose key is held."""
    messages = [one for one in (_prepare(message, keystore) for message in octets) if one is not None]
    found = rates({**_reading(messages, keystore), **_writing(messages, keystore)}, rounds)
    figures = [
        figure(BARE_MAC, found),
        figure(ENVELOPE, found, beside=BARE_MAC),
        figure(ENVELOPE_MAC, found, beside=BARE_MAC),
        figure(PARSE, found, beside=BARE_MAC),
        figure(PARSE_MAC, found, beside=BARE_MAC, at_least_ratio=0.5, at_least=10_000, budget=HALF),
        figure(ENCODE, found, beside=BARE_MAC),
        figure(BARE_ALL, found),
        figure(PARSE_ALL, found, beside=BARE_ALL, at_least_ratio=0.5, at_least=10_000, budget=HALF),
        figure(BARE_AGREEMENT, found),
        figure(PARSE_FIRST, found, beside=BARE_AGREEMENT, at_least_ratio=0.5, at_least=10_000, budget=HALF),
        figure(BARE_SIGNATURE, found),
        figure(SIGN_MAC, found, beside=BARE_SIGNATURE, at_least_ratio=1 / 3, budget=THIRD),
        figure(BUILD, found, beside=BARE_SIGNATURE, at_least_ratio=1 / 3, budget=THIRD),
        figure(TRANSFORM, found, beside=BARE_SIGNATURE, at_least_ratio=1 / 3, budget=THIRD),
    ]
    return figures, len(messages)


@click.command()
@click.option("--rtds", type=_FOLDER, help="Reference Test Data Set: a folder with 4.5.0/ and keys/.")
@click.option("--rounds", type=click.IntRange(3), default=7, show_default=True, help="How often everything is measured.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def benchmark(rtds: Path | None, rounds: int, as_json: bool) -> None:
    """GBCS messages read, checked, built and signed per second, beside the bare primitives.

    The messages are made here with test keys, or those of the Reference Test Data Set.
    """
    if rtds is None:
        keystore, made = gbcs_samples.with_test_keys()
        octets, source = list(made.values()), "messages of the bench's own"
    else:
        keystore = Keystore.load(rtds / "keys")
        octets = [bytes.fromhex(file.read_text("ascii")) for file in sorted((rtds / "4.5.0").rglob("*.HEX"))]
        source = str(rtds)
    figures, count = measure(octets, keystore, rounds)
    report(figures, as_json, {"source": source, "messages": count, "rounds": rounds})
