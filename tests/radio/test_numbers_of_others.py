"""Numbers that a host and a dongle share, beside those of other people's hosts: bellows and zigpy."""

from __future__ import annotations

import logging

import bellows.types as ember
import pytest
import zigpy.zdo.types as zigpy_zdo
from bellows.types import sl_Status

from hil.radio.air import phy
from hil.radio.ncp.handlers import configuration
from hil.radio.stack import aps, nwk, zdo
from hil.radio.stack.status import EzspStatus, Status

OTHER_NAMES = {"FATAL": "ERR_FATAL", "FLASH_WRITE_INHIBITED": "ERR_FLASH_WRITE_INHIBITED"}


@pytest.mark.parametrize("status", list(Status), ids=lambda one: one.name)
def test_a_status_has_the_numbers_that_bellows_knows_it_by(status: Status, caplog: pytest.LogCaptureFixture) -> None:
    theirs = ember.EmberStatus(status.ember)
    assert theirs.name == OTHER_NAMES.get(status.name, status.name)
    if status is not Status.JOIN_FAILED:  # told to hosts of version 14 as a general failure, which bellows does not translate back to
        with caplog.at_level(logging.CRITICAL):
            assert status.sl == int(sl_Status.from_ember_status(theirs))


@pytest.mark.parametrize("status", list(EzspStatus), ids=lambda one: one.name)
def test_a_status_of_the_serial_layer_has_the_number_that_bellows_knows_it_by(status: EzspStatus) -> None:
    assert ember.EzspStatus(status.ember).name == status.name
    assert status.sl == (0 if status is EzspStatus.SUCCESS else int(sl_Status.ZIGBEE_EZSP_ERROR))


@pytest.mark.parametrize(
    ("kind", "number", "name"),
    [
        ("EzspPolicyId", configuration.TRUST_CENTRE_POLICY, "TRUST_CENTER_POLICY"),
        ("EzspPolicyId", configuration.BINDING_POLICY, "BINDING_MODIFICATION_POLICY"),
        ("EzspDecisionId", configuration.NO_BINDING_CHANGES, "DISALLOW_BINDING_MODIFICATION"),
        ("EzspPolicyId", configuration.APP_KEY_POLICY, "APP_KEY_REQUEST_POLICY"),
        ("EzspDecisionId", configuration.GIVE_APP_KEYS, "ALLOW_APP_KEY_REQUESTS"),
        ("EzspConfigId", configuration.ZDO_FLAGS, "CONFIG_APPLICATION_ZDO_FLAGS"),
        ("EzspValueId", configuration.FREE_BUFFERS, "VALUE_FREE_BUFFERS"),
        ("EzspValueId", configuration.VERSION_INFO, "VALUE_VERSION_INFO"),
        ("EzspValueId", configuration.NWK_COUNTER, "VALUE_NWK_FRAME_COUNTER"),
        ("EzspValueId", configuration.APS_COUNTER, "VALUE_APS_FRAME_COUNTER"),
        ("EzspExtendedValueId", configuration.ENDPOINT_FLAGS, "EXTENDED_VALUE_ENDPOINT_FLAGS"),
    ],
)
def test_what_a_host_sets_has_the_number_that_bellows_knows_it_by(kind: str, number: int, name: str) -> None:
    assert getattr(ember, kind)(number).name == name


def test_every_value_that_bellows_knows_is_below_the_last_one() -> None:
    assert max(int(one) for one in ember.EzspValueId) == configuration.LAST_VALUE


def test_the_tokens_of_the_maker_and_those_never_burnt_are_bellows_own() -> None:
    assert [ember.EzspMfgTokenId(one).name for one in configuration.MFG_TOKENS] == [
        "MFG_CUSTOM_VERSION",
        "MFG_STRING",
        "MFG_BOARD_NAME",
        "MFG_MANUF_ID",
        "MFG_PHY_CONFIG",
        "MFG_ASH_CONFIG",
        "MFG_INSTALLATION_CODE",
        "MFG_CUSTOM_EUI_64",
        "MFG_CTUNE",
    ]
    burnt = {ember.EzspMfgTokenId(one).name for one in configuration.NEVER_BURNT}
    assert burnt == {"STACK_CAL_DATA", "STACK_CAL_FILTER", "MFG_ASH_CONFIG", "MFG_CBKE_DATA"}
    sizes = {one: len(octets) for one, octets in configuration.MFG_TOKENS.items()}
    assert [sizes[one] for one in (0x00, 0x01, 0x02, 0x03, 0x04, 0x06, 0x0A, 0x0C, 0x0D)] == [2, 16, 16, 2, 2, 40, 20, 8, 2]


def test_a_counter_stands_at_its_place_in_bellows_list() -> None:
    theirs = [one.name.removeprefix("COUNTER_").lower() for one in ember.EmberCounterType]
    for place, ours in enumerate(configuration.COUNTERS):
        if ours:
            words = {"tx": "tx", "rx": "rx", "success": "success", "retry": "retry", "failed": "failed"}
            assert [word for word in ours.split("_") if word in words] == [
                word for word in theirs[place].split("_") if word in words and word in ours.split("_")
            ], (ours, theirs[place])
    assert theirs[configuration.COUNTERS.index("join_indication")] == "join_indication"
    assert theirs[configuration.COUNTERS.index("child_removed")] == "child_removed"
    assert theirs[configuration.COUNTERS.index("nwk_counter_failure")] == "nwk_frame_counter_failure"
    assert theirs[configuration.COUNTERS.index("relayed")] == "relayed_unicast"


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (zdo.NWK_ADDR, "NWK_addr_req"),
        (zdo.IEEE_ADDR, "IEEE_addr_req"),
        (zdo.NODE_DESC, "Node_Desc_req"),
        (zdo.POWER_DESC, "Power_Desc_req"),
        (zdo.SIMPLE_DESC, "Simple_Desc_req"),
        (zdo.ACTIVE_EP, "Active_EP_req"),
        (zdo.MATCH_DESC, "Match_Desc_req"),
        (zdo.DEVICE_ANNCE, "Device_annce"),
        (zdo.BIND, "Bind_req"),
        (zdo.UNBIND, "Unbind_req"),
        (zdo.MGMT_LQI, "Mgmt_Lqi_req"),
        (zdo.MGMT_RTG, "Mgmt_Rtg_req"),
        (zdo.MGMT_BIND, "Mgmt_Bind_req"),
        (zdo.MGMT_LEAVE, "Mgmt_Leave_req"),
        (zdo.MGMT_PERMIT_JOINING, "Mgmt_Permit_Joining_req"),
        (zdo.MGMT_NWK_UPDATE, "Mgmt_NWK_Update_req"),
        (aps.MGMT_NWK_UPDATE, "Mgmt_NWK_Update_req"),
        (zdo.NODE_DESC | zdo.ANSWER, "Node_Desc_rsp"),
    ],
)
def test_a_request_to_a_device_has_the_number_that_zigpy_knows_it_by(number: int, name: str) -> None:
    assert zigpy_zdo.ZDOCmd(number).name == name


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (zdo.SUCCESS, "SUCCESS"),
        (zdo.INVALID_REQUEST, "INV_REQUESTTYPE"),
        (zdo.DEVICE_NOT_FOUND, "DEVICE_NOT_FOUND"),
        (zdo.INVALID_EP, "INVALID_EP"),
        (zdo.NOT_ACTIVE, "NOT_ACTIVE"),
        (zdo.NOT_SUPPORTED, "NOT_SUPPORTED"),
        (zdo.NO_ENTRY, "NO_ENTRY"),
        (zdo.TABLE_FULL, "TABLE_FULL"),
        (zdo.NOT_AUTHORIZED, "NOT_AUTHORIZED"),
    ],
)
def test_a_status_of_a_device_has_the_number_that_zigpy_knows_it_by(number: int, name: str) -> None:
    assert zigpy_zdo.Status(number).name == name


def test_a_neighbour_is_related_as_zigpy_reads_it() -> None:
    kinds = zigpy_zdo.Neighbor.Relationship
    assert [kinds(one).name for one in (zdo.PARENT, zdo.CHILD, zdo.SIBLING, zdo.NO_RELATION)] == [
        "Parent",
        "Child",
        "Sibling",
        "NoneOfTheAbove",
    ]


def test_the_air_takes_as_long_as_the_standard_says() -> None:
    assert phy.OQPSK.air_s(0) == pytest.approx(8 * 32e-6), "preamble 4, delimiter, length, check sequence 2 octets"
    assert phy.OQPSK.air_s(125) == pytest.approx(133 * 32e-6)
    assert phy.GFSK.air_s(0) == pytest.approx(14 * 80e-6), "preamble 8, delimiter 2, header 2, check sequence 2 octets"


def test_constants_of_the_network_layer_are_those_of_the_standard() -> None:
    assert (nwk.LEVEL, nwk.MIC_OCTETS, nwk.LEAVE_REJOIN, nwk.LEAVE_REQUEST, nwk.RX_ON) == (5, 4, 0x20, 0x40, 0x08)
    assert (nwk.BROADCAST, nwk.BROADCAST_ROUTERS, nwk.COORDINATOR, nwk.ROUTER, nwk.INTER_PAN) == (0xFFFF, 0xFFFC, 1, 2, 3)
