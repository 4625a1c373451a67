"""Errors of this package; each says in one line what was read, what was expected and where."""

from __future__ import annotations


class ParseCorrelateError(Exception):
    """Bad input, or a key or file that is not there."""


class DecodeError(ParseCorrelateError):
    """Octets of a message that cannot be read: ``offset`` in the message, ``place`` (the field), ``problem``."""

    def __init__(self, offset: int, place: str, problem: str) -> None:
        super().__init__(f"offset {offset}, {place}: {problem}")
        self.offset = offset
        self.place = place
        self.problem = problem


class RequestError(ParseCorrelateError):
    """A service request that cannot be used: ``element`` (path), ``line`` of the document, ``problem``."""

    def __init__(self, element: str, line: int, problem: str) -> None:
        super().__init__(f"line {line}, {element}: {problem}")
        self.element = element
        self.line = line
        self.problem = problem


class KeyFileError(ParseCorrelateError):
    """A certificate or key that is missing or unreadable."""
