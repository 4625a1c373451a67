"""Questions of a request in plain values: dates as text with ``*`` for any, times as text, activation as ``now``, ``never`` or a time."""

from __future__ import annotations

from datetime import datetime

from ..request import ANY_YEAR, CANCELLATION, Node

ANY = "*"


def instant(moment: datetime) -> str:
    """A moment as text, to the second."""
    return moment.replace(tzinfo=None).isoformat(" ", "seconds")


def activation(body: Node) -> str:
    """When the request is to take effect."""
    if not body.has("ExecutionDateTime"):
        return "now"
    moment = body.moment("ExecutionDateTime")
    return "never" if moment == CANCELLATION else instant(moment)


def day(year: int | None, month: int | str | None, date: int | str | None, weekday: int | None) -> str:
    """A date as text."""
    parts = (year, month, date, weekday)
    return " ".join(ANY if part is None else str(part) for part in parts)


def _maybe(node: Node, path: str) -> int | None:
    return node.integer(path) if node.has(path) else None


def electricity_date(node: Node) -> str:
    """A date with wildcards, as electricity requests write it."""
    if node.has("DayOfMonth/LastDayOfMonth"):
        date: int | str | None = "last"
    elif node.has("DayOfMonth/SecondLastDayOfMonth"):
        date = "second last"
    else:
        date = _maybe(node, "DayOfMonth/SpecifiedDayOfMonth")
    return day(_maybe(node, "Year/SpecifiedYear"), _maybe(node, "Month/SpecifiedMonth"), date, _maybe(node, "DayOfWeek/SpecifiedDayOfWeek"))


def gas_date(node: Node) -> str:
    """A date with wildcards, as gas requests write it."""
    return day(
        _maybe(node, "GasYearWithWildcards/SpecifiedYear"),
        _maybe(node, "GasMonthWithWildcards/SpecifiedMonth"),
        _maybe(node, "GasDayOfMonthWithWildcards/SpecifiedDayOfMonth"),
        _maybe(node, "GasDayOfWeekWithWildcards/SpecifiedDayOfWeek"),
    )


def plain_date(node: Node, path: str) -> str:
    """An ``xs:date``; the year 65535 is any year."""
    year, month, date = node.day(path)
    return day(None if year == ANY_YEAR else year, month, date, None)


def clock(node: Node, path: str) -> str:
    """A time of day."""
    return f"{node.clock(path):%H:%M:%S}"


def indexed(nodes: list[Node], attribute: str = "index") -> list[Node]:
    """Elements in the order of their index."""
    return sorted(nodes, key=lambda node: node.attribute(attribute))
