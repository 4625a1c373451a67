"""GBZ payloads: ZCL commands of profile 0109 in components (reference gbcs-messages 7A)."""

from __future__ import annotations

from dataclasses import dataclass

from .envelope import Octets

_PROFILE = bytes.fromhex("0109")
_LAST, _ENCRYPTED, _FROM = 0x01, 0x02, 0x10
SEALED_HEADER = bytes.fromhex("3100000000")
TAG_SIZE = 12


@dataclass(frozen=True, slots=True)
class Component:
    """One component. ``payload`` is the ZCL payload, or ciphertext and tag where ``encrypted``; ``offset`` is where it starts.

    ``header`` is the additional header (control and frame counter) of an encrypted one, else empty; ``starts`` the from-date-time."""

    control: int
    cluster: int
    header: bytes
    starts: int | None
    frame_control: int
    sequence: int
    command: int
    payload: bytes
    offset: int

    @property
    def encrypted(self) -> bool:
        return bool(self.control & _ENCRYPTED)

    @property
    def profile_wide(self) -> bool:
        return self.frame_control & 0x03 == 0


def read_gbz(payload: bytes, base: int = 0) -> tuple[Component, ...]:
    """The components of a command or response. Raises DecodeError."""
    source = Octets(payload, base)
    source.expect(_PROFILE, "profile")
    count = source.number(1, "number of components")
    components = tuple(read_component(source, place == count - 1) for place in range(count))
    source.end("GBZ payload")
    return components


def read_component(source: Octets, last: bool) -> Component:
    """The next component; ``last`` is what its control field must say. Raises DecodeError."""
    control = source.number(1, "control field")
    if control & ~(_LAST | _ENCRYPTED | _FROM):
        source.fail("control field", f"read {control:02x}, expected bits 0, 1 and 4 alone")
    if bool(control & _LAST) is not last:
        source.fail("control field", f"read {control:02x}, expected the last-component bit {int(last)}")
    cluster = source.number(2, "cluster")
    size = source.number(2, "component length")
    inner = Octets(source.take(size, "component"), source.offset - size)
    header, starts = b"", None
    if control & _ENCRYPTED:
        header = inner.take(2, "additional header")
        if header[0]:
            inner.fail("additional header control", f"read {header[0]:02x}, expected 00")
    elif control & _FROM:
        starts = inner.number(4, "from date time")
    frame_control, sequence, command = (inner.number(1, place) for place in ("frame control", "sequence number", "command"))
    if control & _ENCRYPTED:
        size = inner.number(2, "ciphertext length")
        if size != inner.left:
            inner.fail("ciphertext length", f"read {size}, {inner.left} octets left")
        inner.expect(SEALED_HEADER, "security header")
        if inner.left < TAG_SIZE:
            inner.fail("ciphertext", f"{inner.left} octets, expected at least a tag of {TAG_SIZE}")
    offset = inner.offset
    return Component(control, cluster, header, starts, frame_control, sequence, command, inner.take(inner.left, "payload"), offset)


@dataclass(frozen=True, slots=True)
class GbzAlert:
    """An alert of a gas Device: code, seconds since 2000, and the rest as octets."""

    code: int
    seconds: int
    rest: bytes
    offset: int


def read_gbz_alert(payload: bytes, base: int = 0) -> GbzAlert:
    """Raises DecodeError."""
    source = Octets(payload, base)
    source.expect(_PROFILE, "profile")
    more = source.number(1, "presence of further content")
    code, seconds = source.number(2, "alert code"), source.number(4, "alert time stamp")
    offset = source.offset
    rest = source.take(source.left, "alert content")
    if more not in (0, 1) or bool(more) is not bool(rest):
        source.fail("presence of further content", f"read {more:02x}, {len(rest)} octets follow")
    return GbzAlert(code, seconds, rest, offset)
