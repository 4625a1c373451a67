"""Several processes as one DCC, on one database: whoever leads does what only one may do, and each hears what the others stored.

Every process takes hubs and requests. Deadlines, deferred requests, schedules, firmware campaigns, outages and the push to the users are
the leader's. A process that dies holds nothing but what is in the store: another leads from then on and goes on from there.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from firmware_emu.errors import NotAvailable, StoreTrouble
from firmware_emu.ids import Eui64
from hil.dcc.base.store import Companions
from hil.dcc.dcc import Dcc
from hil.dcc.service.push import Pusher

LOOK_S = 1.0
"""Between two looks at who is there. Own figure."""


@dataclass
class Company:
    """One process of several."""

    dcc: Dcc
    pusher: Pusher
    companions: Companions
    _led: bool = False  # also of one that leads from the start: what others told before it heard them is in the store
    _there: frozenset[int] = field(default_factory=frozenset)
    _went: bool = False
    _connected: int = 0  # also at the start: what others told between the opening of the store and the first hearing

    def __post_init__(self) -> None:
        self.companions.hear(self._heard)

    async def keep(self) -> None:
        """Lead as soon as nobody else does, and go on with what a process that is gone had begun, until cancelled."""
        while True:
            try:
                await self._look()
            except StoreTrouble as trouble:
                self.dcc.trace.emit("dcc", "store", "waiting", reason=str(trouble), retry_s=LOOK_S)
            except NotAvailable as over:
                self.dcc.trace.emit("dcc", "companions", "lost", reason=str(over))
                signal.raise_signal(signal.SIGTERM)  # the next start goes on from what the store has
                return
            await self.dcc.clock.sleep(LOOK_S)

    async def _look(self) -> None:
        leads = self.companions.lead()
        if self._led and not leads:
            self.dcc.trace.emit("dcc", "companions", "lost", reason="another process leads since the connection to the database broke")
            signal.raise_signal(signal.SIGTERM)  # what it does as the leader may not be done twice
            return
        if self.companions.connected != self._connected:
            self._connected = self.companions.connected
            self.dcc.catch_up()
            self._went = leads  # so is what they told the leader
        if leads and not self._led:
            self._led = True
            self.dcc.trace.emit("dcc", "companions", "leading")
            await self._go_on()
            return
        there = self.companions.members()
        if leads and self._went:  # a look later, so that a request which another process has just accepted is not taken from it
            self._went = False
            await self._go_on()
        self._went |= bool(self._there - there)
        self._there = there

    async def _go_on(self) -> None:
        await self.dcc.start()
        self.pusher.wake_all()

    def _heard(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        self.dcc.heard(text)
        with suppress(StoreTrouble):  # as there
            if self.dcc.store.leads and word in _LEADER:
                _LEADER[word](self, rest)


def _deferred(one: Company, name: str) -> None:
    one.dcc.deferred.take_up(name, one.dcc.processing.go_on, one.dcc.processing.refused_later)


def _push(one: Company, user: str) -> None:
    if user:
        one.pusher.wake(Eui64.parse(user))
    else:
        one.pusher.wake_all()


Does = Callable[[Company, str], None]
_LEADER: dict[str, Does] = {
    "watch": lambda one, name: one.dcc.answers.watch(name),
    "deferred": _deferred,
    "lapse": lambda one, name: one.dcc.deferred.lapse(name, one.dcc.processing.refused_later),
    "firmware": lambda one, _: one.dcc.firmware.resume(),
    "schedules": lambda one, _: one.dcc.schedules.changed(),
    "push": _push,
}
