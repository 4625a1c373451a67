"""Gateway connections: who connects by which means, under which edition of the Code of Connection, and how much (CN-01, CN-02).

A user that has notified no connection is not limited (choice: a bench need not have any). Codes of Connection are data with their
history (``connections.toml``); a connection keeps the edition it was notified under until it is moved to another.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError, one_of
from firmware_emu.ids import Eui64
from hil.dcc.base.refusals import refused
from hil.dcc.base.results import Refusal
from hil.dcc.base.store import DccStore, Row
from hil.dcc.parties.users import Delivered

IN, OUT = "in", "out"
_DAY_S, _MINUTE_S = 86400.0, 60.0


class NotConnected(CommsHubError):
    """A connection that cannot be: unknown means, or testing before there is one."""


@dataclass(frozen=True, slots=True)
class CodeOfConnection:
    """One edition of one means' code. ``messages`` in ``window_s`` are allowed, more than ``expected`` are reported; ``spacing_s``
    between messages (drip feed), waited for if ``smoothing``, else refused; more than ``average_a_minute`` for at most ``peak_s``;
    ``volumes`` octets expected a day by direction."""

    means: str
    edition: int
    since: str
    change: str
    messages: int | None = None
    window_s: float = _MINUTE_S
    expected: int | None = None
    spacing_s: float = 0.0
    smoothing: bool = False
    average_a_minute: int | None = None
    peak_s: float = 0.0
    volumes: Mapping[str, int] = field(default_factory=dict)


@cache
def codes() -> tuple[CodeOfConnection, ...]:
    """Every edition of connections.toml, oldest first."""
    data = tomllib.loads(resources.files(__package__).joinpath("connections.toml").read_text(encoding="utf-8"))
    return tuple(CodeOfConnection(**row) for row in data["code"])


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection that a user has notified."""

    number: int
    user: Eui64
    since: float
    code: CodeOfConnection


@dataclass(frozen=True, slots=True)
class ConnectionLoad:
    """Load of a connection: messages and octets by direction in the last day, messages in the code's window."""

    messages: Mapping[str, int]
    octets: Mapping[str, int]
    in_window: int
    over: tuple[str, ...]
    """Which expectations of the code are exceeded, in words."""


@dataclass
class Connections:
    """The connections in the DCC's store. ``add_code`` gives a bench's own editions."""

    store: DccStore
    clock: Clock
    _own: list[CodeOfConnection] = field(default_factory=list)

    def add_code(self, code: CodeOfConnection) -> None:
        """An edition of this bench, for as long as the object lives."""
        self._own.append(code)

    def code(self, means: str, edition: int | None = None) -> CodeOfConnection:
        """The newest edition of a means, or one by number. Raises NotConnected."""
        found = [code for code in (*codes(), *self._own) if code.means == means and edition in (None, code.edition)]
        if not found:
            offered = one_of(means, sorted({code.means for code in (*codes(), *self._own)}))
            raise NotConnected(f"means of connection {means!r} edition {edition or 'newest'}: expected {offered}")
        return max(found, key=lambda code: code.edition)

    def notify(self, user: Eui64, means: str) -> Connection:
        """A user notifies one more connection and by which means ([98]). Raises NotConnected."""
        code = self.code(means)
        now = self.clock.now()
        number = self.store.insert("connections", user=str(user), means=means, since=now, terms=code.since, edition=code.edition)
        return Connection(number, user, now, code)

    def of(self, user: Eui64 | None = None) -> tuple[Connection, ...]:
        """The connections of a user, or of all, in the order they were notified."""
        if user is None:
            rows = self.store.rows("SELECT * FROM connections ORDER BY number")
        else:
            rows = self.store.once("connections", str(user), self._of)
        return tuple(map(self._connection, rows))

    def _of(self, user: str) -> Sequence[Row]:
        return self.store.rows("SELECT * FROM connections WHERE user = ? ORDER BY number", (user,))

    def _connection(self, row: Row) -> Connection:
        return Connection(row["number"], Eui64.parse(row["user"]), row["since"], self.code(row["means"], row["edition"]))

    def may_test(self, user: Eui64) -> None:
        """Gateway testing begins after at least one connection exists (ID-06 [98]). Raises NotConnected."""
        if not self.of(user):
            raise NotConnected(f"{user} has notified no connection: notify one before gateway testing [98]")

    # Messages

    async def admit(self, user: Eui64, octets: Callable[[], int], number: int | None = None) -> Refusal | None:
        """A message of ``user`` comes in over a connection (its first by default): why it may not, else it is counted, with as many
        ``octets`` as it has."""
        found = [one for one in self.of(user) if number in (None, one.number)]
        if not found:
            return None
        connection = found[0]
        code, now = connection.code, self.clock.now()
        times = self._times(connection.number, max(code.window_s, code.peak_s + _MINUTE_S, code.spacing_s))
        if times and now - times[-1] < code.spacing_s:
            wait = times[-1] + code.spacing_s - now
            if not code.smoothing:
                return refused(
                    "connection-spacing",
                    connection=connection.number,
                    means=code.means,
                    gap=f"{now - times[-1]:.3g}",
                    least=f"{code.spacing_s:g}",
                    wait=f"{wait:.3g}",
                )
            await self.clock.sleep(wait)
            now = self.clock.now()
        checks: tuple[Callable[[Connection, list[float], float], Refusal | None], ...] = (_rate, _peak)
        refusal = next((problem for check in checks if (problem := check(connection, times, now)) is not None), None)
        if refusal is None:
            self._count(connection.number, IN, octets())
        return refusal

    def sent(self, delivered: Delivered) -> None:
        """A message has gone out to its user."""
        connections = self.of(delivered.user)
        if connections:
            self._count(connections[0].number, OUT, delivered.octets)

    def _count(self, number: int, direction: str, octets: int) -> None:
        self.store.insert("connection_traffic", connection=number, time=self.clock.now(), direction=direction, octets=octets)

    def _times(self, number: int, seconds: float) -> list[float]:
        rows = self.store.rows(
            "SELECT time FROM connection_traffic WHERE connection = ? AND direction = ? AND time > ? ORDER BY time",
            (number, IN, self.clock.now() - seconds),
        )
        return [row["time"] for row in rows]

    def load(self, connection: Connection) -> ConnectionLoad:
        """The communication profile of the last day beside what the code expects (GW-71)."""
        code = connection.code
        rows = self.store.rows(
            "SELECT direction, count(*) AS n, sum(octets) AS octets FROM connection_traffic WHERE connection = ? AND time > ? "
            "GROUP BY direction",
            (connection.number, self.clock.now() - _DAY_S),
        )
        messages = {row["direction"]: int(row["n"]) for row in rows}
        octets = {row["direction"]: int(row["octets"]) for row in rows}
        in_window = len(self._times(connection.number, code.window_s))
        over = [
            f"{octets[way]} octets {way} in a day, {limit} expected" for way, limit in code.volumes.items() if octets.get(way, 0) > limit
        ]
        if code.expected is not None and in_window > code.expected:
            over.append(f"{in_window} messages in {code.window_s:g} s, {code.expected} expected")
        return ConnectionLoad(messages, octets, in_window, tuple(over))


def _rate(connection: Connection, times: list[float], now: float) -> Refusal | None:
    code = connection.code
    within = [time for time in times if time > now - code.window_s]
    if code.messages is None or len(within) < code.messages:
        return None
    wait = f"{within[-code.messages] + code.window_s - now:.3g}"
    return refused(
        "connection-rate",
        connection=connection.number,
        means=code.means,
        count=len(within) + 1,
        window=f"{code.window_s:g}",
        limit=code.messages,
        wait=wait,
    )


def _peak(connection: Connection, times: list[float], now: float) -> Refusal | None:
    """The load has been above the average without a break for longer than the code lets a peak last."""
    code, average = connection.code, connection.code.average_a_minute
    if average is None:
        return None
    began, last = now, [*times, now]
    for index in range(len(last) - 1, average - 1, -1):
        if last[index] - last[index - average] > _MINUTE_S:
            break
        began = last[index]
    lasted = now - began
    if lasted <= code.peak_s:
        return None
    return refused(
        "connection-peak",
        connection=connection.number,
        means=code.means,
        average=average,
        lasted=f"{lasted:.0f}",
        limit=f"{code.peak_s:g}",
    )
