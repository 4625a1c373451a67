"""Pushing the outbox: one document at a time to each user, in their order, again and again until its address has taken it.

Answers of a receiving service (reference duis-gateway 2): 2xx takes the document; 400 and 413 will never take it, so it is put aside and
the next one follows; everything else, and no answer, is tried again after a growing time.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field

import httpx

from firmware_emu.clock import Clock
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised
from firmware_emu.trace import Trace
from hil.dcc.base.store import Bus, outliving
from hil.dcc.service.faults import BoundaryFaults
from hil.dcc.service.outbox import MessageState, OutboxMessage, PushOutbox, ReceivingAddresses
from hil.dcc.service.settings import ServiceSettings

NEVER = frozenset({400, 413})
"""Answers of a receiving service that will not take the document."""
MEDIA_TYPE = "application/xml"


@dataclass(frozen=True, slots=True)
class AddressChanged:
    """Told on the bus when a user's receiving service is somewhere else."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """Told on the bus when a receiving service has taken a document, or never will. ``request`` is what it answers."""

    request: str | None


_READ = 1 << 16
"""Octets of an answer's body that are read, so that the connection may serve again; nothing is made of them (own limit)."""


async def _read(answer: httpx.Response) -> None:
    """The body of an answer, as it comes and no further than to a limit: it is the user's own word how long it is."""
    read = 0
    async for piece in answer.aiter_raw():
        read += len(piece)
        if read > _READ:
            return


@dataclass
class Pusher:
    """Pushes what waits. ``tls`` is for receiving services behind https."""

    bus: Bus
    outbox: PushOutbox
    addresses: ReceivingAddresses
    settings: ServiceSettings
    clock: Clock
    trace: Trace
    faults: BoundaryFaults
    tls: ssl.SSLContext | None = None
    client: httpx.AsyncClient | None = None
    """Its way out; one of its own if not given."""
    _users: dict[Eui64, asyncio.Task[None]] = field(default_factory=dict)
    _news: dict[Eui64, asyncio.Event] = field(default_factory=dict)
    _started: bool = False

    def __post_init__(self) -> None:
        self.bus.on(AddressChanged, lambda _: self.wake_all())

    def start(self) -> None:
        """Push what waits now, and what comes."""
        if self.client is None:
            self.client = httpx.AsyncClient(timeout=self.settings.push_timeout_s, verify=self.tls or True, trust_env=False)
        self._started = True
        self.wake_all()

    def wake(self, user: Eui64) -> None:
        """Something new waits for the user, or its address has changed. Of several processes the one that leads pushes."""
        if not self.outbox.store.leads:
            self.outbox.store.tell(f"push {user}")
            return
        client = self.client
        if client is None or not self._started:
            return
        self._news.setdefault(user, asyncio.Event()).set()
        if user not in self._users:
            self._users[user] = supervised(
                outliving(lambda: self._push_all(user, client), f"the push to {user}", self.clock, self.trace),
                f"the push to {user}",
                self.trace,
                area="dcc",
                told=lambda _: self._forget(user),
            )

    def _forget(self, user: Eui64) -> None:
        """The push has died: the next message for the user begins it anew."""
        self._users.pop(user, None)

    def wake_all(self) -> None:
        """An address for many has changed."""
        if not self.outbox.store.leads:
            self.outbox.store.tell("push")
            return
        for user in self.outbox.waited_for():
            self.wake(user)

    async def _push_all(self, user: Eui64, client: httpx.AsyncClient) -> None:
        news, delay = self._news[user], self.settings.first_retry_s
        while True:
            news.clear()
            message = self.outbox.first(user)
            if message is None:
                await news.wait()
                continue
            url = self.addresses.of(user)
            if url is None:
                await news.wait()
                continue
            if (early := message.due - self.clock.now()) > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(early):
                        await news.wait()  # what is due before this one may come
                continue
            problem = self.faults.unreachable() or await self._push(client, url, message)
            if problem is None:
                delay = self.settings.first_retry_s
                continue
            self.outbox.tried(message.number, problem)
            self.trace.emit("dcc", "push", "waiting", target=str(user), message=message.request, url=url, reason=problem, again_s=delay)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await news.wait()
            delay = min(2 * delay, self.settings.longest_retry_s)

    async def _push(self, client: httpx.AsyncClient, url: str, message: OutboxMessage) -> str | None:
        """The reason why the document has to be tried again; None where it has its end."""
        await self.outbox.store.durable()
        try:
            with self.clock.hold("a receiving service's answer"):
                async with client.stream("POST", url, content=message.xml, headers={"Content-Type": MEDIA_TYPE}) as answer:
                    await _read(answer)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        if answer.is_success:
            self._end(message, MessageState.DELIVERED, f"answered {answer.status_code}")
            return None
        if answer.status_code in NEVER:
            self._end(message, MessageState.REFUSED, f"answered {answer.status_code}")
            return None
        return f"answered {answer.status_code}"

    def _end(self, message: OutboxMessage, state: MessageState, said: str) -> None:
        self.outbox.end(message.number, state, "" if state is MessageState.DELIVERED else said)
        self.bus.tell(Pushed(message.request))
        self.trace.emit("dcc", "push", state.value, target=str(message.user), message=message.request, kind=message.kind, code=message.code)

    async def close(self) -> None:
        """Stop; what waits stays in the outbox."""
        tasks = tuple(self._users.values())
        self._users.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._started = False
        if self.client is not None:
            await self.client.aclose()
            self.client = None
