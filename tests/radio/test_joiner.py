"""A Device's radio behind an EZSP dongle, command by command as bellows is asked, with a dongle whose answers are a table."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import bellows.types as t
import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import RadioError
from firmware_emu.han.base import ApsFrame, SimpleDescriptor
from firmware_emu.ids import Eui64
from hil.radio.nodes import joiner
from hil.radio.nodes.joiner import EzspNode
from tests.radio.radio_bench import DISPLAY, EXTENDED_PAN, HUB, LINK_KEY, METER, refused

OTHER_NETWORK = Eui64(bytes(range(8)))
OK = t.EmberStatus.SUCCESS
MASK = sum(1 << channel for channel in range(11, 27))


def ieee(device: Eui64) -> Any:
    return t.EUI64.deserialize(device.zigbee)[0]


def network(pan: int, **facts: Any) -> Any:
    told = {"channel": 15, "panId": pan, "extendedPanId": ieee(EXTENDED_PAN), "allowingJoin": True, "stackProfile": 2, "nwkUpdateId": 7}
    return t.EmberZigbeeNetwork(**{**told, **facts})


class Dongle:
    """bellows' EZSP object: each command is kept with its arguments, and answered from ``answers`` or as a sound dongle does."""

    def __init__(self, version: int) -> None:
        self.ezsp_version = version
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.callback: Callable[[str, list[Any]], None] = lambda name, args: None
        self.scanned: Callable[[str, list[Any]], None] = lambda name, args: None
        self.networks: list[list[Any]] = [[network(0x1A62), 200, -50]]
        self.status: Any = t.EmberStatus.NETWORK_UP
        self.polls: list[Any] = []
        self.answers: dict[str, Any] = {
            "getEui64": (ieee(METER),),
            "getNodeId": (t.EmberNodeId(0x7777),),
            "initialize_network": OK,
            "getNetworkParameters": (OK, t.EmberNodeType.SLEEPY_END_DEVICE, None),
            "getCurrentSecurityState": (OK, type("State", (), {"trustCenterLongAddress": ieee(HUB)})()),
            "lookupEui64ByNodeId": (OK, ieee(HUB)),
            "lookupNodeIdByEui64": (t.EmberNodeId(0x1234),),
        }

    async def connect(self) -> None:
        self.asked.append(("connect", {}))

    async def disconnect(self) -> None:
        self.asked.append(("disconnect", {}))

    def add_callback(self, callback: Callable[[str, list[Any]], None]) -> None:
        self.callback = callback

    def callback_for_commands(self, names: set[str], callback: Callable[[str, list[Any]], None]) -> Any:
        assert names == {"networkFoundHandler", "scanCompleteHandler"}
        self.scanned = callback
        return self

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def _command(self, name: str, **arguments: Any) -> Any:
        return self._ask(name, **arguments)

    def __getattr__(self, name: str) -> Any:
        return lambda *words, **arguments: self._ask(name, *words, **arguments)

    async def _ask(self, name: str, *words: Any, **arguments: Any) -> Any:
        self.asked.append((name, arguments))
        loop = asyncio.get_running_loop()
        if name == "startScan":
            for one in self.networks:
                loop.call_soon(self.scanned, "networkFoundHandler", one)
            loop.call_soon(self.scanned, "scanCompleteHandler", [0, OK])
        elif name in ("joinNetwork", "findAndRejoinNetwork", "initialize_network") and self.status is not None:
            loop.call_soon(self.callback, "stackStatusHandler", [self.status])
        elif name == "pollForData" and self.polls:
            loop.call_soon(self.callback, "pollCompleteHandler", [self.polls.pop(0)])
        return self.answers.get(name, (OK,))

    def of(self, name: str) -> list[dict[str, Any]]:
        return [arguments for one, arguments in self.asked if one == name]


class Rig:
    def __init__(self, clock: Clock, monkeypatch: pytest.MonkeyPatch, version: int = 13) -> None:
        self.dongle = Dongle(version)
        monkeypatch.setattr(joiner, "HeldEzsp", lambda clock, config, owner: self.dongle)
        self.node = EzspNode("/dev/ttyUSB0", clock=clock)
        self.heard: list[tuple[Eui64, ApsFrame]] = []
        self.left = 0
        self.node.receiver = lambda device, frame: self.heard.append((device, frame))
        self.node.on_left = self._gone

    def _gone(self) -> None:
        self.left += 1


@pytest.fixture(params=[13, 14])
def rig(request: pytest.FixtureRequest, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(clock, monkeypatch, request.param)


async def test_a_dongle_is_opened_once_and_told_the_endpoints_as_they_are(rig: Rig) -> None:
    rig.node.add_endpoint(SimpleDescriptor(1, 0x0500, (0x0702,)))
    rig.node.add_endpoint(SimpleDescriptor(1, 0x0501, (0x0702, 0x0703), (0x000A,)))
    rig.node.add_endpoint(SimpleDescriptor(2, 0x0502, (), (0x0700,), 0x0104))
    for _ in range(2):
        await rig.node.start()
    assert rig.dongle.of("addEndpoint") == [
        {
            "endpoint": number,
            "profileId": profile,
            "deviceId": kind,
            "deviceVersion": 0,
            "inputClusterCount": len(servers),
            "outputClusterCount": len(clients),
            "inputClusterList": servers,
            "outputClusterList": clients,
        }
        for number, profile, kind, servers, clients in [
            (1, 0x0109, 0x0501, [0x0702, 0x0703], [0x000A]),
            (2, 0x0104, 0x0502, [], [0x0700]),
        ]
    ]
    assert len(rig.dongle.of("connect")) == 1
    assert rig.node.eui64 == METER
    with pytest.raises(RadioError, match="add endpoint 3 before start"):
        rig.node.add_endpoint(SimpleDescriptor(3, 0x0500))


async def test_a_node_that_is_not_open_says_what_to_call(rig: Rig) -> None:
    with pytest.raises(RadioError, match=r"/dev/ttyUSB0 is not open: call start\(\) first") as failed:
        _ = rig.node.eui64
    assert failed.value.status == "CLOSED"
    text, status = await refused(rig.node.import_link_key(HUB, LINK_KEY))
    assert ("call start() first" in text, status) == (True, "CLOSED")


@pytest.mark.parametrize(("sleepy", "kind"), [(False, t.EmberNodeType.ROUTER), (True, t.EmberNodeType.SLEEPY_END_DEVICE)])
async def test_a_node_joins_the_strongest_network_that_it_may_under_its_link_key(rig: Rig, sleepy: bool, kind: Any) -> None:
    rig.dongle.networks = [
        [network(1), 100, -50],
        [network(2, nwkUpdateId=9, channel=20), 150, -60],
        [network(3), 120, -40],
        [network(4, allowingJoin=False), 255, -30],
        [network(5, stackProfile=1), 255, -30],
        [network(6, stackProfile=3), 255, -30],
        [network(7, extendedPanId=ieee(OTHER_NETWORK)), 255, -30],
    ]
    assert await rig.node.join(LINK_KEY, extended_pan_id=EXTENDED_PAN, sleepy=sleepy) == HUB
    order = [name for name, _ in rig.dongle.asked]
    wanted = ["clearKeyTable", "setInitialSecurityState", "startScan", "joinNetwork", "getNodeId", "getCurrentSecurityState"]
    assert [name for name in order if name in wanted] == wanted
    (state,) = (one["state"] for one in rig.dongle.of("setInitialSecurityState"))
    assert (bytes(state.preconfiguredKey.serialize()), bytes(state.networkKey.serialize())) == (LINK_KEY, bytes(16))
    assert (state.networkKeySequenceNumber, state.preconfiguredTrustCenterEui64.serialize()) == (0, bytes(8))
    assert int(state.bitmask) == 0x0900, "a preconfigured key, and the network key never in the clear"
    (scan,) = rig.dongle.of("startScan")
    assert (int(scan["scanType"]), int(scan["channelMask"]), scan["duration"]) == (1, MASK, 3)
    (asked,) = rig.dongle.of("joinNetwork")
    told = asked["parameters"]
    assert (asked["nodeType"], told.panId, told.radioChannel, told.nwkUpdateId) == (kind, 2, 20, 9)
    assert (told.radioTxPower, told.joinMethod, told.nwkManagerId, int(told.channels)) == (8, 0, 0, 0)
    assert told.extendedPanId == ieee(EXTENDED_PAN)
    assert rig.node.joined
    text, _ = await refused(rig.node.join(LINK_KEY))
    assert "is on a network already: leave it first" in text
    await rig.node.stop()


async def test_where_no_network_permits_joining_it_is_said(rig: Rig) -> None:
    rig.dongle.networks = [[network(4, allowingJoin=False), 255, -30]]
    text, status = await refused(rig.node.join(LINK_KEY))
    assert ("hears no network that permits joining" in text, status) == (True, "NO_BEACONS")
    rig.dongle.networks = [[network(7, extendedPanId=ieee(OTHER_NETWORK)), 255, -30]]
    assert (await refused(rig.node.join(LINK_KEY, extended_pan_id=EXTENDED_PAN)))[1] == "NO_BEACONS"
    assert await rig.node.join(LINK_KEY) == HUB, "any network will do where none is named"
    await rig.node.stop()


@pytest.mark.parametrize(
    ("told", "timeout_s", "text", "status", "after_s"),
    [
        (t.EmberStatus.JOIN_FAILED, 30.0, "cannot join the network", "JOIN_FAILED", 0.0),
        (None, 8.0, "did not join within 8 s", "TIMEOUT", 8.0),
        (None, 30.0, "does not say whether it could join", "TIMEOUT", 15.0),
    ],
)
async def test_a_join_that_fails_is_told_with_the_status_or_the_time(
    rig: Rig, told: Any, timeout_s: float, text: str, status: str, after_s: float
) -> None:
    rig.dongle.status = told
    if told is t.EmberStatus.JOIN_FAILED and rig.dongle.ezsp_version >= 14:
        status = t.sl_Status.from_ember_status(told).name
    begun = asyncio.get_running_loop().time()
    found, name = await refused(rig.node.join(LINK_KEY, timeout_s=timeout_s))
    assert text in found
    assert name in (status, t.sl_Status.from_ember_status(t.EmberStatus.JOIN_FAILED).name)
    assert asyncio.get_running_loop().time() - begun == pytest.approx(after_s)
    assert not rig.node.joined


@pytest.mark.parametrize(("kind", "asks"), [(t.EmberNodeType.ROUTER, False), (t.EmberNodeType.SLEEPY_END_DEVICE, True)])
async def test_a_node_that_has_a_network_goes_on_and_a_sleepy_one_asks_its_parent(rig: Rig, kind: Any, asks: bool) -> None:
    rig.dongle.answers["getNetworkParameters"] = (OK, kind, None)
    for _ in range(2):
        assert await rig.node.resume()
    assert len(rig.dongle.of("initialize_network")) == 1
    more = {"reason": 0, "nodeType": kind} if rig.dongle.ezsp_version >= 14 else {}
    assert rig.dongle.of("findAndRejoinNetwork") == [{"haveCurrentNetworkKey": True, "channelMask": 0, **more}] * asks
    await rig.node.stop()


async def test_a_node_without_a_network_has_none_to_come_back_to(rig: Rig) -> None:
    rig.dongle.answers["initialize_network"] = t.EmberStatus.NOT_JOINED
    assert not await rig.node.resume()
    text, status = await refused(rig.node.rejoin())
    assert ("has no network to come back to" in text, status) == (True, "NOT_JOINED")
    rig.dongle.answers["initialize_network"] = t.EmberStatus.INVALID_CALL
    assert "cannot resume the network" in (await refused(rig.node.resume()))[0]
    await rig.node.stop()


async def test_a_trust_centre_rejoin_goes_over_all_channels_without_the_key(rig: Rig) -> None:
    rig.dongle.answers["getNetworkParameters"] = (OK, t.EmberNodeType.ROUTER, None)
    assert await rig.node.rejoin() == HUB
    (asked,) = rig.dongle.of("findAndRejoinNetwork")
    assert (asked["haveCurrentNetworkKey"], int(asked["channelMask"])) == (False, MASK)
    assert ("reason" in asked) == (rig.dongle.ezsp_version >= 14)
    rig.dongle.status = None
    begun = asyncio.get_running_loop().time()
    assert (await refused(rig.node.rejoin(timeout_s=60.0)))[1] == "TIMEOUT"
    assert asyncio.get_running_loop().time() - begun == pytest.approx(60)
    assert not rig.node.joined
    await rig.node.stop()


async def asleep(rig: Rig) -> None:
    """A sleepy node, past the time in which it polls by itself."""
    rig.dongle.polls = [t.EmberStatus.MAC_NO_DATA] * 100
    await rig.node.join(LINK_KEY, sleepy=True)
    await rig.node._clock.sleep(10)
    rig.dongle.asked.clear()
    rig.dongle.polls.clear()


async def test_a_sleepy_node_polls_four_times_a_second_for_five_seconds(rig: Rig) -> None:
    rig.dongle.polls = [t.EmberStatus.MAC_NO_DATA] * 100
    await rig.node.join(LINK_KEY, sleepy=True)
    await rig.node._clock.sleep(10)
    polls = rig.dongle.of("pollForData")
    assert len(polls) == 20
    assert polls[0] == {"interval": 0, "units": t.EmberEventUnits.EVENT_INACTIVE, "failureLimit": 3}
    await rig.node.stop()


async def test_a_poll_goes_on_while_something_comes_and_fails_where_the_parent_is_silent(rig: Rig) -> None:
    await asleep(rig)
    rig.dongle.polls = [OK, OK, t.EmberStatus.MAC_NO_DATA]
    await rig.node.poll()
    assert len(rig.dongle.of("pollForData")) == 3
    rig.dongle.polls = [t.EmberStatus.MAC_NO_ACK_RECEIVED]
    text, status = await refused(rig.node.poll())
    assert ("does not answer" in text, status) == (True, "MAC_NO_ACK_RECEIVED")
    begun = asyncio.get_running_loop().time()
    text, status = await refused(rig.node.poll())
    assert ("does not say how its poll ended" in text, status) == (True, "TIMEOUT")
    assert asyncio.get_running_loop().time() - begun == pytest.approx(10)
    await rig.node.stop()


async def test_a_router_has_nothing_to_poll_for(rig: Rig) -> None:
    await rig.node.join(LINK_KEY)
    await rig.node.poll()
    assert rig.dongle.of("pollForData") == []
    await rig.node.stop()


UNICAST, REPLY, MULTICAST, BROADCAST = 0, 1, 2, 4
"""EmberIncomingMessageType."""


def hear(rig: Rig, kind: int, endpoint: int, options: int = 0x0020, profile: int = 0x0109) -> None:
    """A message as each version tells of it (reference ncp-real 2)."""
    aps = t.EmberApsFrame(
        profileId=profile, clusterId=0x0702, sourceEndpoint=3, destinationEndpoint=endpoint, options=options, groupId=0, sequence=1
    )
    told = t.EmberIncomingMessageType(kind)
    if rig.dongle.ezsp_version >= 14:
        args = [told, aps, 0, ieee(METER), 0xFF, 0xFF, 201, -51, 0, b"x"]
    else:
        args = [told, aps, 201, -51, 0, 0xFF, 0xFF, b"x"]
    rig.dongle.callback("incomingMessageHandler", args)


@pytest.mark.parametrize(
    ("kind", "endpoint", "options", "told"),
    [
        (UNICAST, 1, 0x0020, (1, True)),
        (UNICAST, 1, 0x0000, (1, False)),
        (REPLY, 1, 0x0020, (1, True)),
        (MULTICAST, 1, 0x0000, (0xFF, False)),
        (BROADCAST, 1, 0x0000, (0xFF, False)),
        (BROADCAST, 0xFF, 0x0000, (0xFF, False)),
        (UNICAST, 2, 0x0020, None),
        (BROADCAST, 242, 0x0000, None),
    ],
)
async def test_a_message_for_an_endpoint_is_handed_up_as_it_came(
    rig: Rig, kind: int, endpoint: int, options: int, told: tuple[int, bool] | None
) -> None:
    rig.node.add_endpoint(SimpleDescriptor(1, 0x0500))
    await rig.node.join(LINK_KEY)
    hear(rig, kind, endpoint, options)
    await rig.node._clock.sleep(1)
    expected = [] if told is None else [(HUB, ApsFrame(0x0702, b"x", 3, told[0], told[1], 0x0109, 201, -51))]
    assert rig.heard == expected
    await rig.node.stop()


@pytest.mark.parametrize(
    ("status", "gone"),
    [
        (t.EmberStatus.NETWORK_DOWN, True),
        (t.EmberStatus.NOT_JOINED, True),
        (t.EmberStatus.NETWORK_UP, False),
        (t.EmberStatus.NETWORK_OPENED, False),
    ],
)
async def test_a_node_whose_network_is_gone_says_so_once(rig: Rig, status: Any, gone: bool) -> None:
    await rig.node.join(LINK_KEY)
    for _ in range(2):
        rig.dongle.callback("stackStatusHandler", [status])
    assert (rig.left, rig.node.joined) == (int(gone), not gone)
    await rig.node.stop()
    rig.dongle.callback("stackStatusHandler", [status])
    assert rig.left == gone, "what a closed dongle says is not heard"


@pytest.mark.parametrize(
    ("told", "text", "status"),
    [
        (t.EmberKeyStatus.APP_LINK_KEY_ESTABLISHED, None, None),
        (t.EmberKeyStatus.KEY_ESTABLISHMENT_TIMEOUT, "there is no link key with", "KEY_ESTABLISHMENT_TIMEOUT"),
        (None, "the trust centre gave no link key with", "TIMEOUT"),
    ],
)
async def test_a_link_key_with_another_is_asked_for_and_what_came_of_it_is_told(rig: Rig, told: Any, text: str | None, status: str) -> None:
    await rig.node.join(LINK_KEY)
    loop = asyncio.get_running_loop()
    loop.call_later(1, rig.dongle.callback, "zigbeeKeyEstablishmentHandler", [ieee(METER), t.EmberKeyStatus.APP_LINK_KEY_ESTABLISHED])
    if told is not None:
        loop.call_later(2, rig.dongle.callback, "zigbeeKeyEstablishmentHandler", [ieee(DISPLAY), told])
    begun = loop.time()
    if text is None:
        await rig.node.request_link_key(DISPLAY)
    else:
        found, name = await refused(rig.node.request_link_key(DISPLAY))
        assert (text in found, name) == (True, status)
    assert loop.time() - begun == pytest.approx(10 if told is None else 2)
    assert rig.dongle.of("requestLinkKey") == [{"partner": ieee(DISPLAY)}]
    await rig.node.stop()


@pytest.mark.parametrize(
    ("problem", "because"), [(None, "by itself: plug"), (OSError("pulled"), r"by itself \(pulled\): plug"), (OSError(), r"\(OSError\)")]
)
async def test_a_dongle_that_goes_away_is_told_and_one_that_was_closed_is_not(rig: Rig, problem: Exception | None, because: str) -> None:
    lost: list[RadioError] = []
    rig.node.on_lost = lost.append
    await rig.node.join(LINK_KEY)
    for _ in range(2):
        rig.node.connection_lost(problem)
    assert [one.status for one in lost] == ["CLOSED"]
    with pytest.raises(RadioError, match=because):
        raise lost[0]
    assert not rig.node.joined
    await rig.node.stop()
    assert len(rig.dongle.of("disconnect")) == 1


@pytest.mark.parametrize(("short", "found"), [(0x1234, 0x1234), (0xFFF7, 0xFFF7), (0xFFF8, None), (0xFFFF, None)])
async def test_an_address_is_looked_up_in_the_dongles_tables(rig: Rig, short: int, found: int | None) -> None:
    await rig.node.start()
    rig.dongle.answers["lookupNodeIdByEui64"] = (t.EmberNodeId(short),)
    assert await rig.node.lookup_short(METER) == found
    assert await rig.node.lookup_device(0) == HUB
    rig.dongle.answers["lookupEui64ByNodeId"] = (t.EmberStatus.ERR_FATAL, ieee(HUB))
    assert await rig.node.lookup_device(0) is None
    await rig.node.stop()


async def test_a_node_that_leaves_tells_the_dongle_once(rig: Rig) -> None:
    await rig.node.leave()
    await rig.node.join(LINK_KEY)
    for _ in range(2):
        await rig.node.leave()
    assert (len(rig.dongle.of("leaveNetwork")), rig.node.joined) == (1, False)
    await rig.node.stop()
