"""Commands of the virtual EmberZNet one by one, requests and answers in bellows' own types (reference ncp-real 3 to 7)."""

from __future__ import annotations

import csv
import importlib
import struct
from typing import Any

import bellows.types as t
import pytest
import zigpy.types as zt

from firmware_emu.clock import Clock
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air, Link
from hil.radio.ncp.ezsp import Ncp, decode_frame, encode_frame
from hil.radio.ncp.handlers import HANDLERS
from hil.radio.personality import of_version, personality
from hil.radio.port.faults import Crowd, NcpFaults
from hil.radio.stack.status import Status
from hil.radio.stack.tokens import Child, Tokens
from hil.radio.stack.trust import Policy
from tests.radio.radio_bench import DISPLAY, HUB, LINK_KEY, METER, OTHER_KEY

OK = t.EmberStatus.SUCCESS
GOOD, BAD_ID, BAD_VALUE, BAD_CALL = (
    t.EzspStatus.SUCCESS,
    t.EzspStatus.ERROR_INVALID_ID,
    t.EzspStatus.ERROR_INVALID_VALUE,
    t.EzspStatus.ERROR_INVALID_CALL,
)


class Host:
    """bellows' commands of one version, put to an NCP without a line between."""

    def __init__(self, clock: Clock, version: int = 13) -> None:
        protocol = importlib.import_module(f"bellows.ezsp.v{version}")
        self.commands: dict[str, tuple[int, Any, Any]] = getattr(protocol, f"EZSPv{version}").COMMANDS
        self.heard: list[bytes] = []
        self.ncp = Ncp(Air(clock, 1), Tokens(HUB), of_version(version), self.heard.append, HANDLERS, Crowd(NcpFaults()))
        self.ncp.negotiated = True

    def ask(self, name: str, /, *values: Any) -> dict[str, Any]:
        frame_id, asks, answers = self.commands[name]
        octets = t.serialize_dict(values, {}, asks)
        self.ncp.receive(encode_frame(1, frame_id, octets, self.ncp.version, control=0))
        read = decode_frame(self.heard.pop(), self.ncp.version)
        assert read.frame_id == frame_id
        if isinstance(answers, dict):
            told, rest = t.deserialize_dict(read.parameters, answers)
        else:
            whole, rest = answers.deserialize(read.parameters)
            told = whole.as_dict()
        assert not rest
        return dict(told)

    def form(self, channel: int = 20) -> None:
        self.ncp.stack.tokens.tc_link_key = LINK_KEY
        assert self.ncp.stack.form(Eui64.parse("00db1234567890a1"), 0x1A62, channel, 8, 0) is Status.SUCCESS

    def size(self, identifier: t.EzspConfigId, value: int) -> None:
        """That table has so many rows."""
        self.ncp.configuration[int(identifier)] = value


@pytest.fixture
def host(clock: Clock) -> Host:
    return Host(clock)


def ieee(device: Eui64) -> zt.EUI64:
    return zt.EUI64(device.zigbee)


def key(octets: bytes) -> zt.KeyData:
    return zt.KeyData(octets)


@pytest.mark.parametrize(("endpoint", "status"), [(0, BAD_VALUE), (1, GOOD), (254, GOOD), (255, BAD_VALUE)])
async def test_an_endpoint_is_1_to_254_with_its_clusters_in_order(host: Host, endpoint: int, status: int) -> None:
    flags = t.EzspExtendedValueId.EXTENDED_VALUE_ENDPOINT_FLAGS
    assert host.ask("addEndpoint", endpoint, 0x0109, 0x0508, 3, 2, 1, [0x0702, 0x0704], [0x000A])["status"] == status
    if status == GOOD:
        one = host.ncp.stack.endpoints[endpoint]
        assert (one.endpoint, one.profile, one.device_id, one.servers, one.clients) == (
            endpoint,
            0x0109,
            0x0508,
            (0x0702, 0x0704),
            (0x000A,),
        )
        assert host.ask("addEndpoint", endpoint, 0x0109, 0x0508, 3, 0, 0, [], [])["status"] == BAD_VALUE
    assert host.ask("getExtendedValue", flags, endpoint) == (
        {"status": GOOD, "value": b"\x01\x00"} if status == GOOD else {"status": BAD_VALUE, "value": b"\x00\x00"}
    )
    assert host.ask("getExtendedValue", flags + 1, endpoint) == {"status": BAD_ID, "value": b"\x00\x00"}


async def test_a_version_is_told_with_the_digits_of_its_stack(host: Host) -> None:
    told = host.ask("version", 13)
    assert (told["protocolVersion"], told["stackType"], told["stackVersion"]) == (13, 2, host.ncp.personality.stack_version)
    info = host.ask("getValue", t.EzspValueId.VALUE_VERSION_INFO)
    assert info["status"] == GOOD
    digits = [int(one) for one in host.ncp.personality.stack.split(".")]
    assert list(info["value"][2:6]) == ([*digits, 0, 0])[:4]
    assert (info["value"][:2], info["value"][6]) == (b"\x00\x00", 0xAA), "0xAA is a release for all"
    assert host.ask("echo", b"hello")["echo"] == b"hello"
    assert host.ask("getStandaloneBootloaderVersionPlatMicroPhy")["bootloader_version"] == 0xFFFF


@pytest.mark.parametrize(("digit", "shift"), [(1, 12), (2, 8), (3, 4), (4, 0)])
async def test_each_digit_of_a_stack_version_has_its_four_bits(host: Host, monkeypatch: pytest.MonkeyPatch, digit: int, shift: int) -> None:
    monkeypatch.setattr(type(host.ncp.personality), "stack_version", 0xF << shift)
    value = host.ask("getValue", t.EzspValueId.VALUE_VERSION_INFO)["value"]
    assert [number for number in range(1, 5) if value[1 + number]] == [digit]
    assert value[1 + digit] == 15


async def test_values_are_kept_and_those_of_the_firmware_are_its_own(host: Host) -> None:
    values = t.EzspValueId
    assert host.ask("setValue", values.VALUE_FREE_BUFFERS, b"\x01")["status"] == BAD_ID
    assert host.ask("setValue", values.VALUE_VERSION_INFO, b"\x01")["status"] == BAD_ID
    assert host.ask("setValue", values.VALUE_CCA_THRESHOLD, b"\x12")["status"] == GOOD
    assert host.ask("getValue", values.VALUE_CCA_THRESHOLD) == {"status": GOOD, "value": b"\x12"}
    last = max(int(one) for one in values)
    assert host.ask("setValue", last, b"\x01")["status"] == GOOD
    assert host.ask("setValue", last + 1, b"\x01")["status"] == BAD_ID
    assert host.ask("getValue", last + 1)["status"] == BAD_ID
    assert host.ask("getValue", values.VALUE_FREE_BUFFERS)["value"] == bytes([host.ncp.free_buffers])


async def test_counters_are_set_before_the_network_is_up_in_four_octets(host: Host) -> None:
    tokens, values = host.ncp.stack.tokens, t.EzspValueId
    for wrong in (b"\x01\x02\x03", b"\x01\x02\x03\x04\x05"):
        assert host.ask("setValue", values.VALUE_NWK_FRAME_COUNTER, wrong)["status"] == BAD_VALUE
    assert host.ask("setValue", values.VALUE_NWK_FRAME_COUNTER, b"\x04\x03\x02\x01")["status"] == GOOD
    assert host.ask("setValue", values.VALUE_APS_FRAME_COUNTER, b"\x08\x07\x06\x05")["status"] == GOOD
    assert (tokens.nwk_counter, tokens.aps_counter) == (0x01020304, 0x05060708)
    assert host.ask("getValue", values.VALUE_NWK_FRAME_COUNTER)["value"] == b"\x04\x03\x02\x01"
    assert host.ask("getValue", values.VALUE_APS_FRAME_COUNTER)["value"] == b"\x08\x07\x06\x05"
    host.form()
    for one in (values.VALUE_NWK_FRAME_COUNTER, values.VALUE_APS_FRAME_COUNTER):
        assert host.ask("setValue", one, b"\x04\x03\x02\x01")["status"] == BAD_CALL


async def test_a_setting_has_its_range_and_a_policy_its_decisions(host: Host) -> None:
    settings = host.ncp.personality.settings
    for identifier, known in settings.items():
        if known.read_only or known.fixed:
            continue
        asked = [(known.least, GOOD), (known.most, GOOD)]
        asked += [(known.least - 1, BAD_VALUE)] if known.least else []
        asked += [(known.most + 1, BAD_VALUE)] if known.most < 0xFFFF else []
        for value, status in asked:
            assert host.ask("setConfigurationValue", identifier, value)["status"] == status, (identifier, value)
            if status == GOOD:
                assert host.ask("getConfigurationValue", identifier) == {"status": GOOD, "value": value}
    for fixed in (one for one, known in settings.items() if known.fixed and known.least < known.value < known.most):
        value = settings[fixed].value
        assert host.ask("setConfigurationValue", fixed, value + 1)["status"] == t.EzspStatus.ERROR_OUT_OF_MEMORY
        assert host.ask("setConfigurationValue", fixed, value)["status"] == (
            t.EzspStatus.ERROR_OUT_OF_MEMORY if settings[fixed].read_only else GOOD
        )
    assert host.ask("setConfigurationValue", 0xFE, 1)["status"] == host.ask("getConfigurationValue", 0xFE)["status"] == BAD_ID
    flags = t.EzspConfigId.CONFIG_APPLICATION_ZDO_FLAGS
    host.ask("setConfigurationValue", flags, 3)
    assert host.ncp.stack.zdo_flags == 3
    policies, decisions = t.EzspPolicyId, t.EzspDecisionId
    trust = host.ncp.stack.trust
    for decision, given in ((decisions.ALLOW_APP_KEY_REQUESTS, True), (decisions.DENY_APP_KEY_REQUESTS, False)):
        assert host.ask("setPolicy", policies.APP_KEY_REQUEST_POLICY, decision)["status"] == GOOD
        assert trust.application_keys is given
        assert host.ask("getPolicy", policies.APP_KEY_REQUEST_POLICY) == {"status": GOOD, "decisionId": decision}
    assert host.ask("setPolicy", policies.TRUST_CENTER_POLICY, 0x0003)["status"] == GOOD
    assert trust.policy == Policy(3)
    for decision, binds in ((0x10, False), (0x11, True), (0x12, True)):
        assert host.ask("setPolicy", policies.BINDING_MODIFICATION_POLICY, decision)["status"] == GOOD
        assert host.ncp.stack.binds is binds
    assert host.ask("setPolicy", 0xFE, 1)["status"] == host.ask("getPolicy", 0xFE)["status"] == BAD_ID


async def test_tokens_of_the_maker_are_burnt_once_and_cut_to_their_size(host: Host) -> None:
    tokens, refused = t.EzspMfgTokenId, t.EmberStatus.INVALID_CALL
    for one in (tokens.MFG_CBKE_DATA, tokens.MFG_ASH_CONFIG, tokens.MFG_STRING):
        assert host.ask("setMfgToken", one, b"x")["status"] == refused
    assert host.ask("setMfgToken", tokens.MFG_CUSTOM_EUI_64, b"12345678more")["status"] == OK
    assert host.ask("getMfgToken", tokens.MFG_CUSTOM_EUI_64)["tokenData"] == b"12345678"
    assert host.ask("setMfgToken", tokens.MFG_CUSTOM_EUI_64, b"87654321")["status"] == refused
    assert host.ask("setMfgToken", tokens.MFG_CTUNE, b"\x01")["status"] == OK
    assert host.ask("getMfgToken", tokens.MFG_CTUNE)["tokenData"] == b"\x01\xff"
    assert host.ask("getMfgToken", 0x70)["tokenData"] == b""


async def test_stack_tokens_are_listed_with_their_sizes_and_one_may_be_written(host: Host) -> None:
    count = host.ask("getTokenCount")["count"]
    for index in range(count):
        told = host.ask("getTokenInfo", index)
        assert told["status"] == OK
        assert told["token_info"].nvm3Key >> 16 == 1
    assert host.ask("getTokenInfo", count)["status"] == t.EmberStatus.INDEX_OUT_OF_RANGE
    restored = 0x1E12A
    assert host.ask("getTokenData", restored, 0)["value"] == b"\xff" * 8
    assert host.ask("setTokenData", restored, 0, b"1234567890")["status"] == OK
    assert host.ask("getTokenData", restored, 0)["value"] == b"12345678"
    assert host.ask("setTokenData", 0x1EB79, 0, b"x")["status"] == t.EmberStatus.ERR_FATAL


TOKEN_OCTETS = {0xFF01: 2, 0xE263: 4, 0xE563: 4, 0xEB79: 17, 0xEE64: 16, 0xE475: 17, 0xE123: 4}
TOKEN_OCTETS |= {0xE124: 26, 0xE125: 7, 0xE126: 10, 0xE12A: 8}
"""Creator codes and sizes of gecko_sdk stack/config/token-stack.h (reference ncp-real, tokens)."""


async def test_a_stack_token_has_the_size_of_its_declaration_and_counters_are_three(host: Host) -> None:
    told = [host.ask("getTokenInfo", index)["token_info"] for index in range(host.ask("getTokenCount")["count"])]
    assert {one.nvm3Key & 0xFFFF: one.size for one in told} == TOKEN_OCTETS
    assert {one.nvm3Key & 0xFFFF for one in told if one.isCnt} == {0xFF01, 0xE263, 0xE563, 0xE123}
    assert not any(one.isIdx for one in told)
    assert {one.arraySize for one in told} == {1}


def test_the_sizes_of_stack_tokens_are_those_of_the_reference_table(request: pytest.FixtureRequest) -> None:
    source = request.config.getoption("--rtds").parent / "reference" / "ncp-real-tokens.csv"
    if not source.exists():
        pytest.skip("the reference tables are not here (--rtds names the folder beside them)")
    with source.open(encoding="utf-8", newline="") as lines:
        sizes = {int(row["creator"], 16): row["length"] for row in csv.DictReader(lines) if row["kind"] == "stack"}
    assert {creator: int(sizes[creator]) for creator in TOKEN_OCTETS} == TOKEN_OCTETS


@pytest.mark.parametrize("keep", [True, False])
async def test_a_factory_reset_forgets_the_network_and_may_keep_the_counters(host: Host, keep: bool) -> None:
    host.form()
    tokens = host.ncp.stack.tokens
    tokens.nwk_counter, tokens.aps_counter = 5000, 6000
    host.ask("tokenFactoryReset", keep, False)
    assert (tokens.nwk_counter, tokens.aps_counter) == ((5000, 6000) if keep else (0, 0))
    assert tokens.network_key is None


async def test_tables_end_where_their_size_says(host: Host) -> None:
    config, range_error = t.EzspConfigId, t.EmberStatus.INDEX_OUT_OF_RANGE
    host.size(config.CONFIG_BINDING_TABLE_SIZE, 2)
    host.size(config.CONFIG_MULTICAST_TABLE_SIZE, 2)
    host.size(config.CONFIG_KEY_TABLE_SIZE, 2)
    binding = t.EmberBindingTableEntry(
        type=t.EmberBindingType.UNICAST_BINDING, local=1, clusterId=0x0702, remote=2, identifier=ieee(METER), networkIndex=0
    )
    for index, status in ((0, OK), (1, OK), (2, t.EmberStatus.INVALID_BINDING_INDEX)):
        assert host.ask("setBinding", index, binding)["status"] == status
        assert host.ask("getBinding", index)["status"] == status
        if status == OK:
            assert host.ask("getBinding", index)["value"] == binding
        assert host.ask("deleteBinding", index)["status"] == status
        if status == OK:
            assert not any(host.ask("getBinding", index)["value"].serialize())
    assert not host.ask("bindingIsActive", 0)["active"]
    group = t.EmberMulticastTableEntry(multicastId=0x1234, endpoint=5, networkIndex=0)
    for index, status in ((0, OK), (1, OK), (2, range_error)):
        assert host.ask("getMulticastTableEntry", index)["status"] == status
        if status == OK:
            assert not any(host.ask("getMulticastTableEntry", index)["value"].serialize())
        assert host.ask("setMulticastTableEntry", index, group)["status"] == status
        if status == OK:
            assert host.ask("getMulticastTableEntry", index)["value"] == group
    for index, status in ((0, OK), (1, OK), (2, t.EmberStatus.KEY_INVALID)):
        assert host.ask("eraseKeyTableEntry", index)["status"] == status


async def test_addresses_are_looked_up_both_ways(host: Host) -> None:
    assert host.ask("lookupNodeIdByEui64", ieee(METER))["nodeId"] == 0xFFFF
    assert host.ask("lookupEui64ByNodeId", 0x1234) == {"status": t.EmberStatus.ERR_FATAL, "eui64": zt.EUI64(b"\xff" * 8)}
    host.ncp.stack.nwk.learn(0x1234, METER)
    assert host.ask("lookupNodeIdByEui64", ieee(METER))["nodeId"] == 0x1234
    assert host.ask("lookupEui64ByNodeId", 0x1234) == {"status": OK, "eui64": ieee(METER)}
    host.ncp.address_table[0] = (DISPLAY, 0x4321, False)
    assert host.ask("lookupNodeIdByEui64", ieee(DISPLAY))["nodeId"] == 0x4321
    assert host.ask("lookupEui64ByNodeId", 0x4321) == {"status": OK, "eui64": ieee(DISPLAY)}


async def test_link_keys_are_kept_told_by_place_and_partner_and_erased(host: Host) -> None:
    statuses = t.sl_Status
    host.size(t.EzspConfigId.CONFIG_KEY_TABLE_SIZE, 3)
    assert host.ask("exportLinkKeyByEui", ieee(METER))["status"] == statuses.NOT_FOUND
    assert host.ask("exportLinkKeyByEui", ieee(METER))["index"] == 0xFF
    assert host.ask("findKeyTableEntry", ieee(METER), True)["index"] == 0xFF
    for index, device, octets in ((1, METER, LINK_KEY), (2, DISPLAY, OTHER_KEY)):
        assert host.ask("importLinkKey", index, ieee(device), key(octets))["status"] == statuses.OK
    assert host.ask("importLinkKey", 3, ieee(METER), key(LINK_KEY))["status"] == statuses.INVALID_INDEX
    assert host.ask("exportLinkKeyByIndex", 0)["status"] == statuses.NOT_FOUND
    assert host.ask("exportLinkKeyByIndex", 3)["status"] == statuses.INVALID_INDEX
    for index, device, octets in ((1, METER, LINK_KEY), (2, DISPLAY, OTHER_KEY)):
        told = host.ask("exportLinkKeyByIndex", index)
        assert (told["status"], told["eui64"], told["plaintext_key"]) == (statuses.OK, ieee(device), key(octets))
        meta = told["key_data"]
        kept = t.EmberKeyStructBitmask
        assert meta.bitmask == (
            kept.KEY_HAS_OUTGOING_FRAME_COUNTER | kept.KEY_HAS_INCOMING_FRAME_COUNTER | kept.KEY_HAS_PARTNER_EUI64 | kept.KEY_IS_AUTHORIZED
        )
        assert (meta.outgoing_frame_counter, meta.ttl_in_seconds) == (host.ncp.stack.aps.counter, 0)
        told = host.ask("exportLinkKeyByEui", ieee(device))
        assert (told["status"], told["index"], told["plaintext_key"]) == (statuses.OK, index, key(octets))
        assert host.ask("findKeyTableEntry", ieee(device), True)["index"] == index
    assert host.ask("eraseKeyTableEntry", 1)["status"] == OK
    assert set(host.ncp.stack.tokens.link_keys) == {2}
    assert host.ask("clearKeyTable")["status"] == OK
    assert not host.ncp.stack.tokens.link_keys


async def test_keys_of_the_network_are_exported_by_kind_and_their_state_is_told(host: Host) -> None:
    statuses, kinds = t.sl_Status, t.SecurityManagerKeyType
    nowhere = zt.EUI64(bytes(8))

    def context(kind: t.SecurityManagerKeyType, index: int = 0) -> t.SecurityManagerContextV13:
        return t.SecurityManagerContextV13(
            core_key_type=kind,
            key_index=index,
            derived_type=t.SecurityManagerDerivedKeyTypeV13.NONE,
            eui64=nowhere,
            multi_network_index=0,
            flags=t.SecurityManagerContextFlags.NONE,
            psa_key_alg_permission=0,
        )

    for kind in (kinds.NETWORK, kinds.TC_LINK):
        assert host.ask("exportKey", context(kind))["status"] == statuses.NOT_FOUND
    info = host.ask("getNetworkKeyInfo")["network_key_info"]
    assert not info.network_key_set
    assert not info.alternate_network_key_set
    host.form()
    tokens = host.ncp.stack.tokens
    tokens.network_key, tokens.key_sequence = b"n" * 16, 5
    assert host.ask("exportKey", context(kinds.NETWORK)) == {"key": key(b"n" * 16), "status": statuses.OK}
    assert host.ask("exportKey", context(kinds.NETWORK, 1))["status"] == statuses.NOT_FOUND
    tokens.alternate_key, tokens.alternate_sequence = b"a" * 16, 6
    assert host.ask("exportKey", context(kinds.NETWORK, 1))["key"] == key(b"a" * 16)
    assert host.ask("exportKey", context(kinds.TC_LINK))["key"] == key(LINK_KEY)
    assert host.ask("exportKey", context(kinds.APP_LINK))["status"] == statuses.NOT_FOUND
    info = host.ask("getNetworkKeyInfo")["network_key_info"]
    told = info.network_key_set, info.alternate_network_key_set, info.network_key_sequence_number, info.alt_network_key_sequence_number
    assert told == (True, True, 5, 6)
    assert info.network_key_frame_counter == host.ncp.stack.nwk.counter
    assert host.ask("importTransientKey", ieee(METER), key(OTHER_KEY), t.SecurityManagerContextFlags.NONE)["status"] == statuses.OK
    transient = host.ask("exportTransientKeyByEui", ieee(METER))
    assert (transient["status"], transient["plaintext_key"]) == (statuses.OK, key(OTHER_KEY))
    assert host.ask("exportTransientKeyByEui", ieee(DISPLAY))["status"] == statuses.NOT_FOUND
    host.ask("clearTransientLinkKeys")
    assert host.ask("exportTransientKeyByEui", ieee(METER))["status"] == statuses.NOT_FOUND


@pytest.mark.parametrize("version", [8, 12])
async def test_before_version_13_keys_are_told_by_their_kind(clock: Clock, version: int) -> None:
    host, kinds, kept = Host(clock, version), t.EmberKeyType, t.EmberKeyStructBitmask
    for kind in (kinds.CURRENT_NETWORK_KEY, kinds.NEXT_NETWORK_KEY, kinds.TRUST_CENTER_LINK_KEY):
        assert host.ask("getKey", kind)["status"] != OK
    host.form()
    tokens = host.ncp.stack.tokens
    tokens.network_key, tokens.key_sequence = b"n" * 16, 5
    tokens.alternate_key, tokens.alternate_sequence = b"a" * 16, 6
    tokens.tc_eui64 = HUB
    current = host.ask("getKey", kinds.CURRENT_NETWORK_KEY)["keyStruct"]
    assert (current.type, current.key, current.sequenceNumber) == (kinds.CURRENT_NETWORK_KEY, key(b"n" * 16), 5)
    assert current.bitmask == kept.KEY_HAS_SEQUENCE_NUMBER | kept.KEY_HAS_OUTGOING_FRAME_COUNTER
    assert current.outgoingFrameCounter == host.ncp.stack.nwk.counter
    coming = host.ask("getKey", kinds.NEXT_NETWORK_KEY)["keyStruct"]
    assert (coming.type, coming.key, coming.sequenceNumber, coming.bitmask) == (
        kinds.NEXT_NETWORK_KEY,
        key(b"a" * 16),
        6,
        kept.KEY_HAS_SEQUENCE_NUMBER,
    )
    centre = host.ask("getKey", kinds.TRUST_CENTER_LINK_KEY)["keyStruct"]
    assert (centre.type, centre.key, centre.partnerEUI64) == (kinds.TRUST_CENTER_LINK_KEY, key(LINK_KEY), ieee(HUB))
    assert centre.bitmask == kept.KEY_HAS_OUTGOING_FRAME_COUNTER | kept.KEY_HAS_PARTNER_EUI64 | kept.KEY_IS_AUTHORIZED
    host.size(t.EzspConfigId.CONFIG_KEY_TABLE_SIZE, 2)
    for device, status in ((METER, OK), (DISPLAY, OK), (METER, OK), (HUB, t.EmberStatus.TABLE_FULL)):
        assert host.ask("addOrUpdateKeyTableEntry", ieee(device), True, key(LINK_KEY))["status"] == status
    entry = host.ask("getKeyTableEntry", 1)["keyStruct"]
    assert (entry.type, entry.key, entry.partnerEUI64) == (kinds.APPLICATION_LINK_KEY, key(LINK_KEY), ieee(DISPLAY))
    assert entry.bitmask == (kept.KEY_HAS_OUTGOING_FRAME_COUNTER | kept.KEY_HAS_INCOMING_FRAME_COUNTER | kept.KEY_HAS_PARTNER_EUI64)
    assert host.ask("getKeyTableEntry", 2)["status"] == t.EmberStatus.INDEX_OUT_OF_RANGE
    host.ask("eraseKeyTableEntry", 0)
    assert host.ask("getKeyTableEntry", 0)["status"] == t.EmberStatus.TABLE_ENTRY_ERASED


async def test_neighbours_and_routes_are_told_row_by_row(host: Host) -> None:
    host.form()
    nwk = host.ncp.stack.nwk
    host.size(t.EzspConfigId.CONFIG_SOURCE_ROUTE_TABLE_SIZE, 3)
    assert host.ask("neighborCount")["value"] == 0
    assert host.ask("getNeighbor", 0)["status"] == t.EmberStatus.ERR_FATAL
    nwk.learn(0x1234, METER)
    nwk.neighbours[0x1234] = Link(rssi=-60, lqi=255)
    nwk.neighbours[0x4321] = Link(rssi=-90, lqi=100)
    assert host.ask("neighborCount")["value"] == 2
    one = host.ask("getNeighbor", 0)["value"]
    assert (one.shortId, one.averageLqi, one.inCost, one.outCost, one.longId) == (0x1234, 255, 1, 1, ieee(METER))
    other = host.ask("getNeighbor", 1)["value"]
    assert (other.shortId, other.averageLqi, other.inCost, other.outCost) == (0x4321, 100, 5, 5)
    assert host.ask("getNeighbor", 2)["status"] == t.EmberStatus.ERR_FATAL
    host.ncp.stack.tokens.children[METER] = Child(0x1234, 0x80, authenticated=True)
    assert host.ask("neighborCount")["value"] == 1, "an end device is a child"
    for destination, relays in ((0x1111, []), (0x2222, [0x1111]), (0x3333, [0x9999, 0x1111])):
        assert host.ask("setSourceRoute", destination, relays)["status"] == OK
    assert host.ask("setSourceRoute", 0x4444, [])["status"] == t.EmberStatus.NO_BUFFERS
    assert host.ask("setSourceRoute", 0x1111, [])["status"] == OK, "one that is known already"
    told = [host.ask("getSourceRouteTableEntry", index) for index in range(4)]
    assert [(one["status"] == OK, one["destination"], one["closerIndex"]) for one in told[:3]] == [
        (True, 0x1111, 0xFF),
        (True, 0x2222, 0),
        (True, 0x3333, 0xFF),
    ]
    assert told[3]["status"] != OK
    assert host.ask("getSourceRouteTableFilledSize")["sourceRouteTableFilledSize"] == 3
    assert host.ask("getSourceRouteTableTotalSize")["sourceRouteTableTotalSize"] == 3
    nwk.routes.set(0x5555, 0x1234)
    route = host.ask("getRouteTableEntry", 0)["value"]
    assert (route.destination, route.nextHop, route.status) == (0x5555, 0x1234, 0)
    empty = host.ask("getRouteTableEntry", 1)["value"]
    assert (empty.destination, empty.status) == (0xFFFF, 3)
    size = host.ncp.configuration[int(t.EzspConfigId.CONFIG_ROUTE_TABLE_SIZE)]
    assert host.ask("getRouteTableEntry", size - 1)["status"] == OK
    assert host.ask("getRouteTableEntry", size)["status"] != OK


async def test_an_energy_scan_is_asked_of_another_and_a_search_for_a_free_pan_has_its_limits(
    host: Host, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    asked: list[tuple[int, int, bytes]] = []
    assert host.ask("energyScanRequest", 0x1234, zt.Channels.ALL_CHANNELS, 3, 2)["status"] == t.EmberStatus.NETWORK_DOWN
    host.form()
    monkeypatch.setattr(type(host.ncp.stack), "send_zdo", staticmethod(lambda *told: asked.append(told)))
    assert host.ask("energyScanRequest", 0x1234, zt.Channels.ALL_CHANNELS, 3, 0x0102)["status"] == OK
    ((target, cluster, payload),) = asked
    assert (target, cluster, payload[1:]) == (0x1234, 0x0038, struct.pack("<IBB", 0x07FFF800, 3, 2))
    for mask, duration in ((0, 3), (0x7FF, 3), (0x07FFF800, 15)):
        assert host.ask("findUnusedPanId", mask, duration)["status"] == t.EmberStatus.MAC_INVALID_CHANNEL_MASK
    host.ncp.stack.air.set_energy(11, -40)
    assert host.ask("findUnusedPanId", 0x00001800, 0)["status"] == OK
    assert host.ask("findUnusedPanId", 0x00001800, 0)["status"] == t.EmberStatus.MAC_SCANNING
    await clock.sleep(5)
    frame_id, _, schema = host.commands["unusedPanIdFoundHandler"]
    (told,) = [read.parameters for one in host.heard if (read := decode_frame(one, 13)).frame_id == frame_id]
    found, _ = t.deserialize_dict(told, schema)
    assert found["channel"] == 12, "the quiet one"
    assert 1 <= found["panId"] < 0xFFF0


async def test_hardware_that_is_asked_for_is_there_or_is_not(host: Host) -> None:
    assert [one for one in range(0x20) if host.ask("getLibraryStatus", one)["status"] & 0x80 and one in (0x01, 0x02, 0x05, 0x0C, 0x0D)] == [
        1,
        2,
        5,
        12,
        13,
    ]
    for one in (0x00, 0x03, 0x04, 0x06, 0x0B, 0x0E):
        assert host.ask("getLibraryStatus", one)["status"] == 0xFF
    assert host.ask("getLibraryStatus", 0x01)["status"] == 0x80
    assert host.ask("setRadioIeee802154CcaMode", 0)["status"] == OK
    assert host.ask("setRadioIeee802154CcaMode", 1)["status"] == t.EmberStatus.BAD_ARGUMENT
    assert host.ask("getPhyInterfaceCount")["interfaceCount"] == 2, "a dual-band build"
    host.ncp.personality = personality("zbt-1-7.4")
    assert host.ask("getPhyInterfaceCount")["interfaceCount"] == 1
    assert len({int(host.ask("getRandomNumber")["value"]) for _ in range(20)}) > 15
    assert bytes(host.ask("getToken", 3)["tokenData"]) == b"\xff" * 8
    assert host.ask("setToken", 3, list(b"12345678"))["status"] == OK
    assert bytes(host.ask("getToken", 3)["tokenData"]) == b"12345678"
    assert bytes(host.ask("getToken", 4)["tokenData"]) == b"\xff" * 8
