"""Numbers that a Device's pipeline writes on the wire, by the names that their sources give them."""

from __future__ import annotations

from enum import IntEnum

import pytest

from firmware_emu.crypto.roles import KeyUsage, RemotePartyRole
from firmware_emu.device import own_keys, update_credentials
from firmware_emu.device.object_model import ACTIVATIONS
from firmware_emu.device.pipeline import ASN1_FAILURES, default_response
from firmware_emu.device.top_up import TopUpResult
from firmware_emu.gbcs.gbz import Component
from tests.source_numbers import attribute, constant, event, message, rows_of

D = "firmware_emu.device."


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("alerting:NOT_SUPPORTED", "Command not supported by Device (from use case ECS100)"),
        ("firmware:_VERIFIED", "Firmware Verification Successful"),
        ("firmware:_NOT_VERIFIED", "Firmware Verification Failed"),
        ("firmware:_CHANGED", "Change in the executing Firmware version"),
        ("firmware:_DONE", "Future-date HAN Interface Command Successfully Actioned"),
        ("firmware:_NOT_DONE", "Future-date HAN Interface Command not Successfully Actioned"),
        ("firmware:_BY_ITSELF", "Read Firmware version alert"),
        ("joins:_JOINED", "Device joining succeeded"),
        ("joins:_NOT_JOINED", "Device joining failed"),
        ("joins:_UNJOINED", "Device Unjoining succeeded"),
        ("joins:_NOT_UNJOINED", "Device Unjoining failed"),
        ("object_model:DONE", "Future-date HAN Interface Command Successfully Actioned"),
        ("object_model:NOT_DONE", "Future-date HAN Interface Command not Successfully Actioned"),
        ("update_credentials:_DONE", "Future-date HAN Interface Command Successfully Actioned"),
        ("update_credentials:_NOT_DONE", "Future-date HAN Interface Command not Successfully Actioned"),
        ("update_credentials:_REPLACED", "Update Security Credentials"),
        ("top_up:DUPLICATE", "Duplicate UTRN entered"),
        ("top_up:_NOT_AUTHENTIC", "UTRN not Authentic"),
        ("top_up:_ADDED", "Credit Added Locally"),
        ("top_up:ENTRY_SUSPENDED", "UTRN Manual Entry Suspended"),
        ("top_up:LOCKED_OUT", "UTRN rejected as locked out"),
    ],
)
def test_an_event_has_the_code_of_its_name(place: str, name: str) -> None:
    assert constant(D + place) == event(name)


@pytest.mark.parametrize(("usage", "which"), [(KeyUsage.DIGITAL_SIGNATURE, "Digital Signing"), (KeyUsage.KEY_AGREEMENT, "Key Agreement")])
def test_a_certificate_of_a_device_itself_has_an_event_for_its_usage(usage: KeyUsage, which: str) -> None:
    done, not_done = own_keys._REPLACED[usage]
    assert done == event(f"Device's own {which} Certificate replacement succeeded")
    assert not_done == event(f"Device's own {which} Certificate replacement failed")


@pytest.mark.parametrize(
    ("place", "use_case"),
    [
        ("alerting:CRITICAL", "GCA"),
        ("alerting:NON_CRITICAL", "GNCA"),
        ("alerting:_NOT_SUPPORTED_CODE", "ECS100"),
        ("firmware:_ALERT_CODE", "FDA-CS06"),
        ("firmware:_BY_ITSELF_CODE", "CS09"),
        ("object_model:_ALERT_CODE", "FDA-DLMS"),
    ],
)
def test_an_alert_has_the_message_code_of_its_use_case(place: str, use_case: str) -> None:
    assert constant(D + place) == message(use_case)


def _camel(role: RemotePartyRole) -> str:
    return "".join(word.title() for word in role.name.split("_")).replace("TransitionalCos", "TransCoS")


def test_a_mode_of_replacement_has_the_code_of_the_use_case_that_names_whose_certificates_it_replaces() -> None:
    named = {
        int(row["code"], 16): row["name"]
        for row in rows_of("firmware_emu.gbcs", "use_cases.csv")
        if row["name"].startswith(("CS02b", "CS02g"))
    }
    assert sorted(update_credentials._CODE_OF_MODE.values()) == sorted(named)
    assert list(update_credentials._CODE_OF_MODE) == sorted(update_credentials._MODES), "modes count on from the first"
    for mode, (replaced, floor) in update_credentials._MODES.items():
        whose, _, by = named[update_credentials._CODE_OF_MODE[mode]][5:].partition("By")
        if whose.startswith("Any"):
            assert mode in update_credentials._BY_RECOVERY
            assert len(replaced) > 1
            assert floor is (RemotePartyRole.RECOVERY if by == "Recovery" else None)
        else:
            assert [_camel(role) for role in replaced] == [whose]
            assert floor in (None, *replaced)


@pytest.mark.parametrize(
    ("class_id", "when", "passive", "active"),
    [
        (20, "Activate Passive Calendar Time", "Calendar Name Passive", "Calendar Name Active"),
        (20, "Activate Passive Calendar Time", "Season Profile Passive", "Season Profile Active"),
        (20, "Activate Passive Calendar Time", "Week Profile Table Passive", "Week Profile Table Active"),
        (20, "Activate Passive Calendar Time", "Day Profile Table Passive", "Day Profile Table Active"),
        (113, "Unit Charge Activation Time", "Unit Charge Passive", "Unit Charge Active"),
        (9000, "Activate Passive Value Time", "Value Passive", "Value Active"),
        (9000, "Activate Passive Value Time", "Scaler Unit Passive", "Scaler Unit Active"),
    ],
)
def test_a_passive_attribute_becomes_its_active_one_at_the_time_of_its_class(class_id: int, when: str, passive: str, active: str) -> None:
    at, pairs = ACTIVATIONS[class_id]
    assert at == attribute(class_id, when)
    assert pairs[attribute(class_id, passive)] == attribute(class_id, active)


def test_an_account_has_no_passive_attribute_and_its_activation_time() -> None:
    assert ACTIVATIONS[111] == (attribute(111, "Account Activation Time"), {})
    assert sum(len(pairs) for _, pairs in ACTIVATIONS.values()) == 7


def test_what_a_top_up_came_to_has_the_number_of_zigbees_table() -> None:
    """ZigBee Smart Energy, Consumer Top Up Response, result type: 3 is "rejected: error", which no Device here answers."""
    results = ["ACCEPTED", "INVALID", "DUPLICATE", "", "MAXIMUM_CREDIT_REACHED", "ENTRY_LOCKED_OUT", "VALUE_TOO_LARGE"]
    assert isinstance(TopUpResult.ACCEPTED, IntEnum)
    assert {one.value: one.name for one in TopUpResult} == {number: name for number, name in enumerate(results) if name}


@pytest.mark.parametrize(
    ("use_case", "reason"),
    [("CS02c", 2), ("CS02d", 6), ("CS02e", 3), ("CS03A1", 5), ("CS03B", 5), ("CS04AC", 2), ("CS04B", 2), ("CS03A2", 5), ("CS03C", 5)],
)
def test_a_use_case_that_failed_answers_with_a_code_of_its_own(use_case: str, reason: int) -> None:
    """The last of each ResponseCode list in GBCS 13: generation 2, storage 6, retrieval 3, write failure 5, other failure 2."""
    assert ASN1_FAILURES[message(use_case)] == bytes([0x02, 0x01, reason]), "an ASN.1 INTEGER of one octet"


def test_a_log_of_joins_that_cannot_be_read_is_answered_with_a_code_and_no_list() -> None:
    assert ASN1_FAILURES[message("CS07")] == bytes.fromhex("3003020101"), "SEQUENCE of one INTEGER: read failure"


@pytest.mark.parametrize(("from_server", "control"), [(True, 0x00), (False, 0x08)])
def test_a_default_response_comes_from_the_other_side_of_the_cluster(from_server: bool, control: int) -> None:
    """ZCL 2.4.1.1.3: bit 3 of the frame control is set in what a server sends."""
    asked = Component(0x0702, 0x09 if from_server else 0x01, 7, 0x0B, b"")
    answer = default_response(asked, 0x81)
    assert (answer.frame_control, answer.sequence, answer.command, answer.payload) == (control, 7, 0x0B, b"\x0b\x81")


def test_the_answers_of_a_gbz_server_carry_zcls_frame_controls() -> None:
    """ZCL 2.4.1.1: bits 0 and 1 cluster command, bit 3 from the server, bit 4 no default response."""
    places: dict[str, int] = {"_CLUSTER_ANSWER": 0x01 | 0x08 | 0x10, "_CLIENT_ANSWER": 0x01, "_GENERAL_ANSWER": 0x08}
    assert {name: constant(f"firmware_emu.device.gbz_server:{name}") for name in places} == places


def test_time_and_keep_alive_have_the_numbers_of_zigpys_table() -> None:
    general = pytest.importorskip("zigpy.zcl.clusters.general")
    names = ("TIME", "KEEP_ALIVE", "_TIME_ATTRIBUTE", "_TIME_STATUS", "_BASE", "_JITTER", "_MASTER")
    assert tuple(constant(f"{D}joining:{name}") for name in names) == (
        general.Time.cluster_id,
        general.KeepAlive.cluster_id,
        general.Time.AttributeDefs.time.id,
        general.Time.AttributeDefs.time_status.id,
        general.KeepAlive.AttributeDefs.tc_keep_alive_base.id,
        general.KeepAlive.AttributeDefs.tc_keep_alive_jitter.id,
        int(general.TimeStatus.Master),
    )


def test_keep_alive_follows_what_gbcs_says() -> None:
    """GBCS 10.5 as reference gbcs-spec-notes 10.5 gives it: 5 to 20 minutes, three misses."""
    joining = {name: constant(f"firmware_emu.device.joining:{name}") for name in ("LOWEST_PERIOD_S", "HIGHEST_PERIOD_S", "MISSES")}
    assert joining == {"LOWEST_PERIOD_S": 300, "HIGHEST_PERIOD_S": 1200, "MISSES": 3}
