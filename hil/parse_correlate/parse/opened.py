"""Encrypted parts of responses and alerts, opened with the keys held (reference gbcs-messages 2.4, 5.5, 7A)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as declared

from ..errors import DecodeError
from ..keys import Keys
from ..message.axdr import Value, read_value
from ..message.dlms import AccessResponse, DataNotification
from ..message.envelope import Message
from ..message.gbz import SEALED_HEADER, Component, GbzAlert, read_component
from ..message.octets import Octets
from ..message.payload import Payload
from ..message.zcl import ZclCommand, read_zcl
from ..protection import open_sealed


@dataclass(frozen=True, slots=True)
class Opened:
    """One ciphertext. ``field`` says where it stands; ``plaintext`` is None where no key opened it, ``problem`` then says why.

    ``values`` is the plaintext read by its layout; ``component`` the GBZ component it stands in. The plaintext is left out of ``repr``."""

    field: str
    plaintext: bytes | None = declared(repr=False)
    values: Value | ZclCommand | None = declared(repr=False)
    problem: str
    component: Component | None = None

    @property
    def cluster(self) -> int:
        return 0 if self.component is None else self.component.cluster


def opened_parts(message: Message, payload: Payload, keys: Keys | None) -> tuple[Opened, ...]:
    """Every ciphertext of a payload, in order."""
    return tuple(_open(message, name, octets, component, keys) for name, octets, component in _sealed(payload))


def _sealed(payload: Payload) -> Iterator[tuple[str, bytes, Component | None]]:
    match payload:
        case AccessResponse():
            for place, answer in enumerate(payload.answers):
                found = _behind_parameters(answer.data.values)
                if found is not None:
                    yield f"data {place}", found, None
        case DataNotification():
            found = _behind_parameters(payload.body.values[2:])
            if found is not None:
                yield "alert data", found, None
        case GbzAlert() if SEALED_HEADER in payload.rest:
            try:
                component = read_component(Octets(payload.rest, payload.offset), True)
            except DecodeError:
                return
            if component.encrypted:
                yield "alert component", component.payload, component
        case tuple():
            for place, component in enumerate(payload):
                if component.encrypted:
                    yield f"component {place}", component.payload, component


def _behind_parameters(values: tuple[Value, ...]) -> bytes | None:
    """The ciphertext of a structure of protection parameters and an octet-string that begins with the security header."""
    if len(values) != 2 or values[0].kind != "array" or not isinstance(values[1].content, bytes):
        return None
    return values[1].content if values[1].content.startswith(SEALED_HEADER) else None


def _open(message: Message, name: str, octets: bytes, component: Component | None, keys: Keys | None) -> Opened:
    if keys is None:
        return Opened(name, None, None, "no keys were given", component)
    plaintext, problem = open_sealed(octets, message.header, keys)
    if plaintext is None:
        return Opened(name, None, None, problem, component)
    try:
        if component is None:
            source = Octets(plaintext)
            values: Value | ZclCommand | None = read_value(source)
            source.end("decrypted attributes")
        else:
            values = read_zcl(component, plaintext)
    except DecodeError as trouble:
        return Opened(name, plaintext, None, str(trouble), component)
    return Opened(name, plaintext, values, "", component)
