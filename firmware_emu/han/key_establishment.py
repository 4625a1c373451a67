"""Key establishment over the HAN: the initiator's :func:`establish`, the responder's :class:`KeyEstablishmentServer`.

The state table is :mod:`firmware_emu.zse.key_establishment`. Frames go with the network key only (reference cbke 7); what comes
out is the link key, which the caller imports into its radio.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from firmware_emu.crypto.ecqv import CbkeCredentials
from firmware_emu.errors import ProtectionError, RadioError
from firmware_emu.han.attributes import Attributes
from firmware_emu.han.zcl_port import Answer, Incoming, Reply, ZclPort
from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters.key_establishment import KEY_ESTABLISHMENT
from firmware_emu.zse.key_establishment import (
    BUSY_WAIT_S,
    Action,
    Await,
    Computed,
    Established,
    EstablishmentEvent,
    EstablishmentSession,
    EstablishmentState,
    Failed,
    KeCommand,
    Role,
    Send,
    Terminate,
    TerminateStatus,
    event_of,
)
from firmware_emu.zse.zcl import ZclFrame

LOGGER = logging.getLogger(__name__)

_SUITES_ATTRIBUTE = 0x0000
_CLUSTER = KEY_ESTABLISHMENT.id


class KeyEstablishmentFailed(ProtectionError):
    """No key came out. ``status`` is the terminate status, None for silence; ``wait_s``: the partner asks to be left alone so long."""

    def __init__(self, reason: str, status: TerminateStatus | None, wait_s: int) -> None:
        super().__init__(reason)
        self.status = status
        self.wait_s = wait_s


async def establish(zcl: ZclPort, partner: Eui64, credentials: CbkeCredentials, *, endpoint: int | None = None) -> bytes:
    """Run key establishment as initiator; returns the new link key (16 octets), not yet imported.

    Finds the partner's endpoint, reads its suites, then exchanges certificates, ephemeral data and confirmations.
    Raises KeyEstablishmentFailed (with the terminate status) or RadioError (not delivered, no endpoint).
    """
    endpoint = await zcl.find_endpoint(partner, _CLUSTER) if endpoint is None else endpoint
    suites = (await zcl.read_attributes(partner, endpoint, _CLUSTER, [_SUITES_ATTRIBUTE])).get(_SUITES_ATTRIBUTE)
    if not isinstance(suites, int) or not suites & credentials.suite:
        raise KeyEstablishmentFailed(
            f"{partner} offers suites {suites!r}, expected the bit of suite {credentials.suite}", TerminateStatus.NO_SUPPORTED_SUITE, 0
        )
    session = EstablishmentSession(Role.INITIATOR, zcl.eui64, partner, credentials)
    ended: asyncio.Future[Terminate] = asyncio.get_running_loop().create_future()
    source = zcl.endpoint_for(_CLUSTER, server=False)

    def unasked(incoming: Incoming) -> Answer:
        # A Terminate may come with a sequence number of its own, outside any transaction.
        if incoming.frame.command == KeCommand.TERMINATE and not ended.done():
            ended.set_result(Terminate.decode(incoming.frame.payload))
        return None

    unserve = zcl.serve(source, _CLUSTER, unasked, server=False, partner=partner)
    try:
        actions = session.handle(EstablishmentEvent.START)
        while True:
            outcome = next((action for action in actions if isinstance(action, (Established, Failed))), None)
            message = next((action for action in actions if isinstance(action, Send)), None)
            if outcome is not None:
                if message is not None:
                    await _send_terminate(zcl, partner, endpoint, source, message)
                if isinstance(outcome, Established):
                    return outcome.key
                raise KeyEstablishmentFailed(outcome.reason, outcome.status, outcome.wait_s)
            assert message is not None, "a step without an outcome sends a message"
            actions = await _exchange(zcl, partner, endpoint, source, session, message, _patience(actions), ended)
    finally:
        unserve()


async def _exchange(
    zcl: ZclPort,
    partner: Eui64,
    endpoint: int,
    source: int,
    session: EstablishmentSession,
    message: Send,
    timeout_s: int,
    ended: asyncio.Future[Terminate],
) -> list[Action]:
    """Send one message and hand what comes back to the session."""
    asking = asyncio.ensure_future(
        zcl.request(
            partner,
            endpoint,
            _CLUSTER,
            message.command,
            message.payload,
            source_endpoint=source,
            secured=False,
            timeout_s=timeout_s,
            no_default_response=True,
        )
    )
    try:
        waiting: list[asyncio.Future[ZclFrame] | asyncio.Future[Terminate]] = [asking, ended]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            return session.handle(EstablishmentEvent.TERMINATE, ended.result().encode())
        try:
            answer = await asking
        except RadioError as error:
            if error.status != "TIMEOUT":
                raise
            return session.handle(EstablishmentEvent.TIMEOUT)
        if answer.default_response is not None:
            return session.handle(EstablishmentEvent.UNKNOWN)
        return session.handle(event_of(answer.command), answer.payload)
    finally:
        asking.cancel()


async def _send_terminate(zcl: ZclPort, partner: Eui64, endpoint: int, source: int, message: Send) -> None:
    try:
        await zcl.command(partner, endpoint, _CLUSTER, message.command, message.payload, source_endpoint=source, secured=False)
    except RadioError as error:
        LOGGER.info("the end of key establishment could not be told to %s: %s", partner, error)


def _patience(actions: list[Action]) -> int:
    return next(action.seconds for action in actions if isinstance(action, Await))


class KeyAgreement(Protocol):
    """A responder's key establishment in its dongle, which holds certificate and private key; one at a time."""

    async def agree(self, partner_certificate: bytes, partner_ephemeral: bytes) -> Computed:
        """Make an ephemeral key and agree with the partner's. Raises RadioError."""
        ...

    async def keep(self, partner: Eui64) -> bytes:
        """The confirmation was right: the dongle keeps the key in its table; returns it. Raises RadioError."""
        ...


class KeyEstablishmentServer:
    """The responder: one session at a time, another partner is told to come again in 30 s (reference cbke 7).

    The key is imported into the radio just before the last message goes out (which needs no link key), so that the partner's first
    secured frame already finds it. ``on_established(partner, key)`` is awaited after that message was acknowledged.
    A partner that starts afresh (after a power cut) replaces its own session. ``on_failed`` is told of sessions without a key.
    Also answers the suites attribute, on the server and on the client side.
    """

    def __init__(
        self,
        zcl: ZclPort,
        credentials: CbkeCredentials,
        on_established: Callable[[Eui64, bytes], Awaitable[None]],
        *,
        endpoint: int | None = None,
        on_failed: Callable[[Eui64, str], None] | None = None,
        accept: Callable[[Eui64], bool] | None = None,
        in_dongle: Callable[[], Awaitable[KeyAgreement | None]] | None = None,
    ) -> None:
        """``endpoint``: default, the first of ours that serves the cluster. ``accept``: whether this partner may at all (default: any).

        ``in_dongle``: asked at the begin of each session for what computes it in place of this process; None: this process does.
        """
        self._zcl = zcl
        self._credentials = credentials
        self._on_established = on_established
        self._on_failed = on_failed
        self._accept = accept
        self._in_dongle = in_dongle
        self._agreement: KeyAgreement | None = None
        self._session: EstablishmentSession | None = None
        self._timer: asyncio.TimerHandle | None = None
        attributes = Attributes(KEY_ESTABLISHMENT, {_SUITES_ATTRIBUTE: credentials.suite})
        endpoint = zcl.endpoint_for(_CLUSTER, server=True) if endpoint is None else endpoint
        self._unserve = zcl.serve(endpoint, _CLUSTER, self._received, attributes=attributes)

    @property
    def partner(self) -> Eui64 | None:
        """With whom a session is under way."""
        return None if self._session is None else self._session.partner

    def close(self) -> None:
        """Serve no longer."""
        self._stop()
        self._unserve()

    async def _received(self, incoming: Incoming) -> Answer:
        event = event_of(incoming.frame.command)
        session = self._session
        if session is not None and session.partner != incoming.partner:
            return None if event is EstablishmentEvent.TERMINATE else self._busy()
        if event is EstablishmentEvent.INITIATE:
            if self._accept is not None and not self._accept(incoming.partner):
                return self._busy()
            self._stop()
            session = self._session = EstablishmentSession(Role.RESPONDER, self._zcl.eui64, incoming.partner, self._credentials)
            self._agreement = None if self._in_dongle is None else await self._in_dongle()
        elif session is None:
            if event is EstablishmentEvent.TERMINATE:
                return None
            terminate = Terminate(TerminateStatus.BAD_MESSAGE, 0, self._credentials.suite)
            return Reply(KeCommand.TERMINATE, terminate.encode())
        if event is EstablishmentEvent.EPHEMERAL and session.state is EstablishmentState.EPHEMERAL and self._agreement is not None:
            self._cancel_timer()
            try:
                session.computed = await self._agreement.agree(session.partner_certificate, incoming.frame.payload)
            except RadioError as error:
                self._stop()
                self._failed(session.partner, str(error))
                return self._busy()
        if self._session is not session:
            return None  # the partner has begun anew while the dongle was asked
        return await self._act(incoming, session, session.handle(event, incoming.frame.payload))

    async def _act(self, incoming: Incoming, session: EstablishmentSession, actions: list[Action]) -> Answer:
        self._cancel_timer()
        reply: Reply | None = None
        for action in actions:
            match action:
                case Send(command, payload):
                    reply = Reply(command, payload)
                case Await(seconds):
                    self._timer = asyncio.get_running_loop().call_later(seconds, self._expired, session)
                case Failed(reason):
                    self._stop()
                    self._failed(session.partner, reason)
                case Established(key):
                    self._stop()
                    assert reply is not None, "the confirmation is sent before the key is used"
                    await self._conclude(incoming, reply, key)
                    return None
        return reply

    async def _conclude(self, incoming: Incoming, reply: Reply, key: bytes) -> None:
        agreement, self._agreement = self._agreement, None
        try:
            if agreement is not None:
                key = await agreement.keep(incoming.partner)
            await self._zcl.port.import_link_key(incoming.partner, key)
            await self._zcl.command(
                incoming.partner,
                incoming.partner_endpoint,
                _CLUSTER,
                reply.command,
                reply.payload,
                source_endpoint=incoming.endpoint,
                to_server=False,
                secured=False,
                sequence=incoming.frame.sequence,
            )
        except RadioError as error:
            # A partner that did not get the message runs key establishment again, which the imported key does not hinder.
            self._failed(incoming.partner, str(error))
            return
        await self._on_established(incoming.partner, key)

    def _expired(self, session: EstablishmentSession) -> None:
        for action in session.handle(EstablishmentEvent.TIMEOUT):
            if isinstance(action, Failed):
                self._failed(session.partner, action.reason)
        if self._session is session:
            self._stop()

    def _failed(self, partner: Eui64, reason: str) -> None:
        LOGGER.info("key establishment with %s failed: %s", partner, reason)
        if self._on_failed is not None:
            self._on_failed(partner, reason)

    def _busy(self) -> Reply:
        return Reply(KeCommand.TERMINATE, Terminate(TerminateStatus.NO_RESOURCES, BUSY_WAIT_S, self._credentials.suite).encode())

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop(self) -> None:
        self._cancel_timer()
        self._session = None
