"""The one error tree of the bench.

::

    CommsHubError
    ├── DecodeError(offset, field, problem)      bytes that are not what the layout says
    ├── IdentifierError(kind, value, expected)   an EUI-64, message code, install code or MPxN that cannot be one
    │   └── TooLong(kind, length, most)          octets that one message or value cannot hold
    ├── ProtectionError(reason)                  a MAC, signature, certificate or counter that does not hold
    ├── RoutingError(reason)                     a message that has nowhere to go
    ├── RadioError(status)                       what the dongle or the HAN answered instead of success
    ├── WanError                                 the SM WAN is down or the far end broke the framing
    ├── JigError                                 a jig, supply or line that did not do what was asked
    ├── BoardError(file, key, problem)           a board file that cannot be used as it stands
    ├── KeystoreError(where, problem)            a key or certificate that cannot be read
    ├── HubFault(problem)                        the hub ended by a fault of its own
    ├── TaskFault(problem, count)                background tasks ended by faults of their own while a program ran
    └── NotAvailable(what, how_to_get_it)        a part, file or library that is not here
        └── StoreTrouble                         the medium of a store that is open takes nothing now

Every message carries what was read, what was expected, and the next thing to do. None of these crosses a protocol
boundary: the hub and the devices answer with the status the specification asks for and record why.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path


def nearest(word: object, known: Iterable[object]) -> str:
    """``; did you mean ...?`` where something known looks like ``word``, in whatever case; else nothing."""
    import difflib  # for a refusal alone

    by_look = {str(one).casefold(): str(one) for one in known}
    close = difflib.get_close_matches(str(word).casefold(), by_look, 1)
    return f"; did you mean {by_look[close[0]]}?" if close else ""


def one_of(word: object, known: Iterable[object]) -> str:
    """``one of a, b; did you mean b?``: what was expected in place of a word that a closed vocabulary does not have."""
    words = [str(one) for one in known]
    return f"one of {', '.join(words)}{nearest(word, words)}" if words else "none: there is none"


def in_words(error: BaseException) -> str:
    """An error as a reason says it: the system's own words without Python's numbers and tuples; its name where it has no words."""
    text = str(error)
    if isinstance(error, OSError) and (number := re.search(r"\[Errno (-?\d+)\]", text)):  # one of its own, or of several connections
        words = os.strerror(int(number[1])) if int(number[1]) > 0 else str(error.strerror)
        return f"{words}: {error.filename}" if error.filename else words
    return text or type(error).__name__


def in_json(value: object) -> str:
    """A value of a JSON document as its author wrote it: ``true`` and ``"text"``."""
    return json.dumps(value, ensure_ascii=False, default=str)


def in_toml(value: object) -> str:
    """A value of a TOML file as its author wrote it: ``true``, ``"text"``, ``2026-01-05``, ``{host = "meter"}``."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {in_toml(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(in_toml(inner) for inner in value) + "]"
    return in_json(value) if isinstance(value, str | bool) else str(value)


class CommsHubError(Exception):
    """Root of every error this project raises on purpose. A command line shows it as one line and exit code 2."""


class DecodeError(CommsHubError):
    """Bytes that do not follow the layout.

    ``offset`` counts octets from the start of the outermost message that was being read; ``field`` is the layout's
    own name of the field; ``problem`` says what was read and what was expected.
    """

    def __init__(self, offset: int, field: str, problem: str) -> None:
        super().__init__(f"at offset {offset}, {field}: {problem}")
        self.offset = offset
        self.field = field
        self.problem = problem


class IdentifierError(CommsHubError, ValueError):
    """Text or bytes that cannot be the identifier that was asked for."""

    def __init__(self, kind: str, value: object, expected: str) -> None:
        super().__init__(f"{value!r} is not {kind}: expected {expected}")
        self.kind = kind
        self.value = value
        self.expected = expected


class TooLong(IdentifierError):
    """More octets than one message or value can hold: ``length`` of ``most``."""

    def __init__(self, kind: str, length: int, most: int) -> None:
        super().__init__(kind, length, f"at most {most} octets in one message or value")


class ProtectionError(CommsHubError):
    """A MAC, signature, certificate, authority or counter that does not hold; ``reason`` is a short sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RoutingError(CommsHubError):
    """A message whose recipient is not known or not reachable; ``reason`` is a short sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RadioError(CommsHubError):
    """The dongle or the HAN did not do what was asked. ``status`` is the stack's own status name where there is one."""

    def __init__(self, problem: str, status: str | None = None) -> None:
        super().__init__(problem if status is None else f"{problem} (status {status})")
        self.status = status


class WanError(CommsHubError):
    """The SM WAN link is down, or the far end broke the framing."""


class JigError(CommsHubError):
    """A jig, supply or line that did not do what was asked."""


class BoardError(CommsHubError):
    """A board file that cannot be used. Names the file, the dotted key and the expectation."""

    def __init__(self, file: str, key: str, problem: str) -> None:
        super().__init__(f"{file}: {key}: {problem}" if key else f"{file}: {problem}")
        self.file = file
        self.key = key
        self.problem = problem


class KeystoreError(CommsHubError):
    """A key or certificate that cannot be read, or does not fit the identity it is filed under."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where = where
        self.problem = problem


class HubFault(CommsHubError):
    """The hub ended by a fault of its own, not by the supply or the dongle; the cause is chained."""


class TaskFault(CommsHubError):
    """Background tasks ended by faults of their own: the first is told, ``count`` says how many there were."""

    def __init__(self, problem: str, count: int) -> None:
        super().__init__(problem if count == 1 else f"{problem} (and {count - 1} more, see above)")
        self.count = count


class NotAvailable(CommsHubError):
    """Something that is needed is not here. ``how_to_get_it`` is the next action of the reader."""

    def __init__(self, what: str, how_to_get_it: str) -> None:
        super().__init__(f"{what} is not available: {how_to_get_it}")
        self.what = what
        self.how_to_get_it = how_to_get_it


class StoreTrouble(NotAvailable):
    """The medium of a store that is open takes nothing now: it is full, or fails. What is tried again later may go."""


def fault_named(crash: BaseException) -> str:
    """Name of an exception that nobody expected, for reports: its kind and its place, and the text of our own errors alone.

    The text of another stays out of traces and reports: what it quotes may be a key."""
    while isinstance(crash, BaseExceptionGroup):
        crash = crash.exceptions[0]
    if isinstance(crash, CommsHubError):
        return f"{type(crash).__name__}: {crash}"
    last = crash.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    place = "raised nowhere" if last is None else f"at {Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno}"
    return f"{type(crash).__name__} {place}"
