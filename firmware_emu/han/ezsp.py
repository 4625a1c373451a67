"""bellows for a Smart Energy hub and for a joining Device: opening a dongle, sending with fragments, holding a warp clock.

Stands on bellows' own ``EZSP`` object, unmodified. bellows reassembles what arrives (EZSP 13 and before) but fragments nothing
that is sent, so that is done here (reference ezsp-ncp 3).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import errno
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any, ParamSpec, TypeVar

import bellows.ash
import bellows.exception
import bellows.ezsp
import bellows.types as t

from firmware_emu.clock import RADIO_HOLD, Clock
from firmware_emu.errors import CommsHubError, NotAvailable, RadioError, fault_named
from firmware_emu.han.base import ApsFrame
from firmware_emu.ids import Eui64

P = ParamSpec("P")
R = TypeVar("R")
LOGGER = logging.getLogger(__name__)

for _library in ("bellows", "serialx", "zigpy"):
    # Below INFO these write every command and octet, and so keys, into the log.
    logging.getLogger(_library).setLevel(logging.INFO)

FRAGMENT_OCTETS = 61
"""Octets of ASDU in one piece (reference zigbee-han 8)."""
WHOLE_OCTETS = {False: 82, True: 65}
"""The longest ASDU that goes in one frame, without and with APS security (reference zigbee-han 5)."""
SENT_TIMEOUT_S = 20.0
"""Time for the stack to say what became of a frame. Our own figure: bellows waits 3 s, 8 s for a sleepy partner."""
RECOMMENDED_VERSION = 13
"""EZSP version of EmberZNet 7.4: bellows loses fragments from 14 on (reference ezsp-ncp 2)."""

_OLDEST_VERSION = 12
"""importLinkKey and importTransientKey are there from this version on."""
BUSY_RETRY_S = (0.05, 0.1, 0.2, 0.4, 0.8)
_BUSY = ("ZIGBEE_MAX_MESSAGE_LIMIT_REACHED", "NETWORK_BUSY", "BUSY", "ALLOCATION_FAILED", "TRANSMIT_BUSY", "ZIGBEE_TOO_MANY_MESSAGES")


async def while_busy(attempt: Callable[[], Awaitable[R]], busy: Collection[str] = _BUSY) -> R:
    """``attempt``, again after a moment while the dongle refuses it with one of ``busy``: it has no room. Raises RadioError."""
    for pause in BUSY_RETRY_S:
        try:
            return await attempt()
        except RadioError as error:
            if error.status not in busy:
                raise
        await asyncio.sleep(pause)
    return await attempt()


def device_config(path: str, baudrate: int, flow_control: str | None) -> dict[str, Any]:
    """bellows' device configuration. Raises NotAvailable for a flow control it does not know."""
    if flow_control not in (None, "software", "hardware"):
        raise NotAvailable(f"flow control {flow_control!r}", "set flow_control to software, hardware or none")
    return {"path": path, "baudrate": baudrate, "flow_control": flow_control}


def opening_problem(error: BaseException, path: str) -> CommsHubError:
    """One sentence that says why the dongle cannot be used, and what to do."""
    if isinstance(error, FileNotFoundError):
        return NotAvailable(f"the dongle at {path}", "plug it in, or name the right port in the board file (ls /dev/serial/by-id)")
    if isinstance(error, PermissionError) and error.errno is not None:  # zigpy raises one without a number where the port is locked
        return NotAvailable(f"the dongle at {path}", "your user may not open the port: add it to the group dialout and log in again")
    if isinstance(error, (PermissionError, BlockingIOError)) or getattr(error, "errno", None) == errno.EBUSY:
        return NotAvailable(f"the dongle at {path}", "another program has it open: stop that one (Zigbee2MQTT, ZHA, a second hub)")
    if isinstance(error, ConnectionError):
        return NotAvailable(f"the dongle at {path}", f"the connection was refused or dropped ({error}): check host, port and power")
    if isinstance(error, TimeoutError):
        return RadioError(
            f"the dongle at {path} does not answer EZSP: it has other firmware or another baud rate, flash EmberZNet NCP 7.4 (EZSP 13)"
        )
    if isinstance(error, OSError):
        return NotAvailable(f"the dongle at {path}", f"the port cannot be used ({error.strerror or error}): check path and cable")
    return RadioError(f"the dongle at {path} broke off while it was opened ({type(error).__name__}: {error}): unplug it and try again")


OPENING_ERRORS = (OSError, TimeoutError, bellows.ash.AshException, bellows.exception.EzspError, bellows.exception.ControllerError)
"""Exceptions that bellows lets out of opening and configuring a dongle."""


def check_version(version: int, path: str) -> None:
    """Raises RadioError for firmware that is too old."""
    if version < _OLDEST_VERSION:
        raise RadioError(
            f"the dongle at {path} speaks EZSP {version}, expected {_OLDEST_VERSION} or newer: flash EmberZNet NCP 7.4 (EZSP 13)"
        )


def eui64_of(address: Any) -> Eui64:
    """From a bellows or zigpy EUI64."""
    return Eui64.from_zigbee(address.serialize())


def ezsp_eui64(address: Eui64) -> Any:
    """To a bellows EUI64."""
    return t.EUI64.deserialize(address.zigbee)[0]


def ezsp_key(key: bytes) -> Any:
    """To a bellows key."""
    return t.KeyData.deserialize(key)[0]


class ApsSender:
    """Sends APS unicasts through an EZSP object and waits for what the stack says became of them.

    ``handle`` has to see every callback of the EZSP object.
    """

    def __init__(self, ezsp: Callable[[], Any], tag: Callable[[], int]) -> None:
        """``ezsp``: the object in force; ``tag``: a number 0..255 for the next frame."""
        self._ezsp = ezsp
        self._tag = tag
        self._sent: dict[tuple[int, int], asyncio.Future[str]] = {}
        self._turn: dict[int, asyncio.Lock] = {}

    async def send(self, short: int, partner: Eui64, frame: ApsFrame) -> None:
        """Send to the short address; over the limit of one frame, in pieces. Raises RadioError with the stack's status."""
        whole = len(frame.payload) <= WHOLE_OCTETS[frame.secured]
        pieces = (
            [frame.payload] if whole else [frame.payload[at : at + FRAGMENT_OCTETS] for at in range(0, len(frame.payload), FRAGMENT_OCTETS)]
        )
        if len(pieces) > 255:
            raise RadioError(f"{len(frame.payload)} octets do not fit 255 fragments of {FRAGMENT_OCTETS}", "MESSAGE_TOO_LONG")
        # One message to a partner at a time: the stack reassembles one and may refuse a second.
        async with self._turn.setdefault(short, asyncio.Lock()):
            sequence = 0
            for index, piece in enumerate(pieces):
                sequence = await self._send_piece(short, partner, frame, piece, None if whole else (len(pieces), index), sequence)

    async def broadcast(self, frame: ApsFrame, address: int = 0xFFFD) -> None:
        """Send to all that listen. Raises RadioError."""
        aps = _aps_frame(frame, t.EmberApsOption.APS_OPTION_NONE, 0, 0)

        async def attempt() -> None:
            status, _ = await radio_call(
                self._ezsp().send_broadcast(
                    address=address,
                    aps_frame=aps,
                    radius=t.uint8_t(0),
                    message_tag=t.uint8_t(self._tag()),
                    aps_sequence=t.uint8_t(0),
                    data=frame.payload,
                )
            )
            if not succeeded(status):
                raise RadioError("the dongle does not send a broadcast", status_text(status))

        await while_busy(attempt)

    async def _send_piece(
        self,
        short: int,
        partner: Eui64,
        frame: ApsFrame,
        piece: bytes,
        place: tuple[int, int] | None,
        sequence: int,
    ) -> int:
        options = t.EmberApsOption.APS_OPTION_RETRY | t.EmberApsOption.APS_OPTION_ENABLE_ROUTE_DISCOVERY
        if frame.secured:
            options |= t.EmberApsOption.APS_OPTION_ENCRYPTION
        if place is not None:
            options |= t.EmberApsOption.APS_OPTION_FRAGMENT
        aps = _aps_frame(frame, options, 0 if place is None else place[0] << 8 | place[1], sequence)
        tag = self._tag()
        told = self._sent[short, tag] = asyncio.get_running_loop().create_future()
        try:
            used = await self._enqueue(short, partner, aps, tag, piece)
            async with asyncio.timeout(SENT_TIMEOUT_S):
                status = await told
        except TimeoutError:
            raise RadioError(f"the dongle does not say what became of a frame to {partner}", "TIMEOUT") from None
        finally:
            self._sent.pop((short, tag), None)
        if status != "OK":
            raise RadioError(f"{partner} did not acknowledge", status)
        return used

    async def _enqueue(self, short: int, partner: Eui64, aps: Any, tag: int, piece: bytes) -> int:
        """Hand one frame to the stack, again after a moment while it has no room. Returns the APS sequence number used."""

        async def attempt() -> int:
            status, used = await radio_call(self._ezsp().send_unicast(nwk=short, aps_frame=aps, message_tag=t.uint8_t(tag), data=piece))
            if not succeeded(status):
                raise RadioError(f"the dongle does not send to {partner}", status_text(status))
            return int(used)

        return await while_busy(attempt)

    def handle(self, version: int, name: str, args: list[Any]) -> None:
        """A callback of the EZSP object."""
        if name != "messageSentHandler":
            return
        if version >= 14:
            status, _, destination, _, tag, _ = args
        else:
            _, destination, _, tag, status, _ = args
        told = self._sent.get((int(destination), int(tag) & 0xFF))
        if told is not None and not told.done():
            told.set_result(status_text(status))

    def abandon(self, reason: str) -> None:
        """The dongle went away: whoever waits is told ``reason``."""
        for told in self._sent.values():
            if not told.done():
                told.set_result(reason)


def _aps_frame(frame: ApsFrame, options: Any, group: int, sequence: int) -> Any:
    return t.EmberApsFrame(
        profileId=t.uint16_t(frame.profile),
        clusterId=t.uint16_t(frame.cluster),
        sourceEndpoint=t.uint8_t(frame.source_endpoint),
        destinationEndpoint=t.uint8_t(frame.destination_endpoint),
        options=options,
        groupId=t.uint16_t(group),
        sequence=t.uint8_t(sequence),
    )


def succeeded(status: Any) -> bool:
    """True for success, in either of the two tables of numbers."""
    return bool(t.sl_Status.from_ember_status(status) == t.sl_Status.OK)


def status_text(status: Any) -> str:
    """The name of an EmberStatus or sl_Status; OK for success."""
    return str(t.sl_Status.from_ember_status(status).name)


(_CLOSED,) = bellows.ash.AshProtocol._cancel_pending_data_frames.__defaults__
"""The one RuntimeError that bellows gives to every command that waits for its acknowledgement when the line is closed."""


async def radio_call(call: Awaitable[Any]) -> Any:
    """Await a command of the EZSP object. Raises RadioError in place of bellows' own errors."""
    try:
        return await call
    except TimeoutError:
        raise RadioError("the dongle does not answer a command", "TIMEOUT") from None
    except AttributeError as error:
        if error.obj is not None or error.name != "send_data":
            raise
        # bellows has let go of its line while this command waited for its turn
        raise RadioError("the dongle reset or went away before it took a command (closed)", "RESET") from None
    except RuntimeError as error:
        if error is not _CLOSED:
            raise
        raise RadioError("the line to the dongle was closed while a command was on its way", "RESET") from None
    except bellows.ash.AshException as error:
        raise RadioError(f"the dongle reset or went away before it took a command ({type(error).__name__})", "RESET") from None
    except (bellows.exception.EzspError, bellows.exception.ControllerError) as error:
        raise RadioError(f"the dongle refused a command: {error}") from None


async def command(call: Awaitable[Any], what: str) -> list[Any]:
    """Await a command whose first result is a status; returns the rest. Raises RadioError where it is not success."""
    status, *rest = list(await radio_call(call))
    name = status_text(status)
    if name != "OK":
        raise RadioError(f"the dongle did not {what}", name)
    return rest


async def import_link_key(ezsp: Any, partner: Eui64, key: bytes) -> None:
    """Put ``key`` into the key table: over the partner's entry where there is one, else into a free slot. Raises RadioError."""
    address = ezsp_eui64(partner)
    (index,) = await radio_call(ezsp.findKeyTableEntry(address=address, linkKey=True))
    if index == 0xFF:
        index = await _free_slot(ezsp)
    await command(ezsp.importLinkKey(index=t.uint8_t(index), address=address, key=ezsp_key(key)), f"take the link key of {partner}")


async def _free_slot(ezsp: Any) -> int:
    (size,) = await command(ezsp.getConfigurationValue(configId=t.EzspConfigId.CONFIG_KEY_TABLE_SIZE), "tell its key table size")
    for index in range(int(size)):
        entry = await radio_call(ezsp.exportLinkKeyByIndex(index=t.uint8_t(index)))
        status = entry[0] if ezsp.ezsp_version >= 14 else entry[-1]
        if not succeeded(status):
            return index
    raise RadioError(f"all {size} slots of the dongle's key table are taken: remove a Device first", "TABLE_FULL")


# bellows under a bench clock: a warp clock stands still while octets are on their way to a dongle and back.

_HELD_REAL_S = 1.0
"""Real seconds that a command holds the clock at most: where octets are lost, bench time has to pass until they are sent again."""
_RESET_HELD_REAL_S = 0.1
"""A reset is often sent to a dongle that is not there, and is repeated by bellows: it is held for less."""
_AT_ONCE_S = 0.1
"""Real seconds that the loop waits for a thread, which opens or closes a port: what runs next must not hang on how soon it has, or two runs
differ."""


class HeldThreads(concurrent.futures.ThreadPoolExecutor):
    """Threads of an event loop that hold its clock while they work: serialx opens and closes a port in one."""

    def __init__(self, clock: Clock, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(max_workers=4, thread_name_prefix="port")
        self._clock = clock
        self._loop = loop

    def submit(self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> concurrent.futures.Future[R]:
        release = self._clock.take("a thread")
        future = super().submit(work, *args, **kwargs)
        concurrent.futures.wait([future], _AT_ONCE_S)

        def done(_: concurrent.futures.Future[R]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                self._loop.call_soon_threadsafe(release)

        future.add_done_callback(done)
        return future


class HeldEzsp(bellows.ezsp.EZSP):  # type: ignore[misc]
    """bellows' EZSP object, holding the warp clock from each command to its response."""

    def __init__(self, clock: Clock, device: dict[str, Any], application: object | None = None) -> None:
        super().__init__(device, application)
        self._clock = clock

    async def connect(self, *, use_thread: bool = False) -> None:
        if self._clock.warp:
            loop = asyncio.get_running_loop()
            loop.set_default_executor(HeldThreads(self._clock, loop))
        await super().connect(use_thread=False)

    async def startup_reset(self) -> None:
        ash = self._gw._obj._transport  # behind bellows' proxy for threads
        ash._send_data_frame = _heard_out(ash._send_data_frame)
        await super().startup_reset()

    async def reset(self) -> None:
        with self._clock.hold(RADIO_HOLD, _RESET_HELD_REAL_S):
            try:
                await super().reset()
            except AttributeError as error:
                if error.obj is not None or error.name != "send_reset":
                    raise
                raise bellows.ash.NcpFailure("the line was closed before the dongle was told to reset") from None  # as of a frame

    def _switch_protocol_version(self, version: int) -> None:
        super()._switch_protocol_version(version)
        command = self._protocol.command

        async def held_command(name: str, *args: object, **kwargs: object) -> Any:
            with self._clock.hold(RADIO_HOLD, _HELD_REAL_S):
                return await command(name, *args, **kwargs)

        self._protocol.command = held_command
        self._protocol._send_fragment_ack = _heard_out(self._protocol._send_fragment_ack)


def _heard_out(work: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """``work``, which bellows does in a task that nobody may await any more when it fails: that the line is gone is told by
    ``connection_lost``, and Python need not complain of an exception that nobody has retrieved."""

    async def heard(*args: P.args, **kwargs: P.kwargs) -> R:
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(_look_at)
        return await work(*args, **kwargs)

    return heard


def _look_at(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (fault := task.exception()) is not None:
        LOGGER.debug("the line to the dongle: %s", fault_named(fault))
