"""The fields of one request of a host to a virtual dongle, of either family, read with their type."""

from __future__ import annotations

from collections.abc import Mapping

from firmware_emu.ids import Eui64


class Fields:
    """A reader that a handler asks for a field by name; the table of commands says of what type it is."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def u(self, name: str) -> int:
        """A number."""
        value = self._values[name]
        assert isinstance(value, int), f"{name} is not a number in its table"
        return value

    def octets(self, name: str) -> bytes:
        """Octets."""
        value = self._values[name]
        assert isinstance(value, bytes), f"{name} is not octets in its table"
        return value

    def eui(self, name: str) -> Eui64:
        """An EUI-64."""
        value = self._values[name]
        assert isinstance(value, Eui64), f"{name} is not an EUI-64 in its table"
        return value

    def numbers(self, name: str) -> tuple[int, ...]:
        """A list of numbers."""
        value = self._values[name]
        assert isinstance(value, tuple), f"{name} is not numbers in its table"
        return value
