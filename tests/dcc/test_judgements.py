"""Judgement of each kind of Response, anomaly thresholds at their limit, recurrences and coverage: what the DCC decides by numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from firmware_emu.gbcs import asn1_types
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.axdr import Null, OctetString
from firmware_emu.gbcs.dlms import AccessOutcome, AccessResponse, AccessResult, Choice, invoke_id
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.ids import CraFlag, Eui64
from hil.dcc.anomaly.thresholds import AnomalyThresholds, ThresholdError
from hil.dcc.base.results import Delivery, Outcome, Verdict, firmware_version, judge
from hil.dcc.base.store import DccStore
from hil.dcc.own_services.recurrence import Recurrence

USER, METER = Eui64.parse("90b3d51f30010000"), Eui64.parse("00db1234567890a0")


def answer(code: int, payload: bytes) -> Message:
    return Message(GroupingHeader(CraFlag.RESPONSE, 5, METER, USER, OtherInformation(code)), payload)


def dlms(*results: AccessResult) -> Message:
    outcomes = tuple(AccessOutcome(Choice.GET, result) for result in results)
    return answer(0x0051, AccessResponse(invoke_id(1), (Null(),) * len(results), outcomes).encode())


def gbz(*components: Component) -> Message:
    return answer(0x006B, Gbz(components).encode())


def default(status: int, place: int = 0, octets: bytes = b"") -> Component:
    return Component(0x0702, 0x08, place, 0x0B, bytes((5, status)) + octets)


def read(status: int, octets: bytes = b"") -> Component:
    return Component(0x0702, 0x08, 0, 0x01, b"\x34\x12" + bytes((status,)) + octets)


def asn1(code: int, type_name: str, value: asn1_types.Asn1Value) -> Message:
    return answer(code, Asn1Payload(type_name, value).encode())


OUTCOME = asn1_types.ReplacementOutcome(
    asn1_types.TrustAnchorCell(2, asn1_types.KeyBits(b"\x80", 1)), asn1_types.StatusCode.SUCCESS, USER, bytes(8), USER, bytes(8)
)
ENTRY = asn1_types.DeviceLogEntry(METER, 1)
AT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("message", "done", "told"),
    [
        (dlms(AccessResult.SUCCESS, AccessResult.SUCCESS), True, "2 accesses succeeded"),
        (dlms(AccessResult.SUCCESS, AccessResult.OBJECT_UNDEFINED), False, "item 1 OBJECT_UNDEFINED"),
        (dlms(AccessResult.OTHER_REASON), False, "item 0 OTHER_REASON"),
        (gbz(default(0)), True, "1 components succeeded"),
        (gbz(default(1, 3)), False, "component 3 of cluster 0702: status 01 to command 05"),
        (gbz(default(0x8B)), False, "component 0 of cluster 0702: status 8B to command 05"),
        (gbz(default(0), default(0x8B, 1), default(0x8B, 2)), True, "1 components succeeded, 2 lie beyond the last entry"),
        (gbz(default(0), default(0x8A, 1)), False, "component 1 of cluster 0702: status 8A to command 05"),
        (gbz(read(0x86)), False, "component 0 of cluster 0702: attribute 1234 status 86"),
        (gbz(default(0), read(0x8B)), False, "component 0 of cluster 0702: attribute 1234 status 8B"),
        (gbz(read(0, b"\x20\x05")), True, "1 components succeeded"),
        (gbz(read(0x86, b"\x20\x05\x00\x00")), True, "1 components succeeded"),
        (gbz(Component(0x0702, 0x09, 0, 0x0B, b"\x05\x01")), True, "1 components succeeded"),
        (gbz(Component(0x0702, 0x08, 0, 0x0B, b"\x31\0\0\0\0" + bytes(12), None, True)), True, "1 components succeeded"),
        (asn1(0x000D, "ResponseCode", 0), True, "response code 0"),
        (asn1(0x000D, "ResponseCode", 4), False, "response code 4"),
        (asn1(0x000A, "ResponseCode", 0), False, "response code 0"),
        (asn1(0x000C, "ResponseCode", 1), False, "response code 1"),
        (asn1(0x0012, "NoContent", None), True, "accepted"),
        (asn1(0x0012, "ActivateFirmwareOutcome", asn1_types.ActivateFirmwareOutcome(0, bytes(4))), True, "response code 0"),
        (asn1(0x0012, "ActivateFirmwareOutcome", asn1_types.ActivateFirmwareOutcome(2, bytes(4))), False, "response code 2"),
        (asn1(0x0013, "ReadDeviceLogResponse", asn1_types.ReadDeviceLogResponse(1)), False, "response code 1"),
        (asn1(0x007F, "SetTimeResponse", asn1_types.SetTimeResponse(AT, 0)), True, "clock reliable"),
        (asn1(0x007F, "SetTimeResponse", asn1_types.SetTimeResponse(AT, 1)), False, "clock invalid"),
        (asn1(0x007F, "SetTimeResponse", asn1_types.SetTimeResponse(AT, 2)), False, "clock unreliable"),
        (asn1(0x007F, "SetTimeResponse", asn1_types.SetTimeResponse(AT, 3)), False, "status 3"),
        (asn1(0x0100, "UpdateCredentialsResponse", asn1_types.UpdateCredentialsResponse()), True, "accepted for a later execution"),
        (
            asn1(
                0x0100,
                "UpdateCredentialsResponse",
                asn1_types.UpdateCredentialsResponse(asn1_types.CredentialsOutcome(1, 2, (), (OUTCOME,))),
            ),
            True,
            "1 cells or roles: success",
        ),
        (
            asn1(0x008C, "RestoreDeviceLogResponse", asn1_types.RestoreDeviceLogResponse((asn1_types.RestoreOutcome(ENTRY, 0),))),
            True,
            "1 entries restored",
        ),
        (
            asn1(0x008C, "RestoreDeviceLogResponse", asn1_types.RestoreDeviceLogResponse((asn1_types.RestoreOutcome(ENTRY, 3),))),
            False,
            "00db1234567890a0 code 3",
        ),
        (
            asn1(0x0008, "ProvideCredentialsResponse", (asn1_types.RemotePartyDetails(2, asn1_types.StatusCode.TRUST_ANCHOR_NOT_FOUND),)),
            False,
            "TRUST_ANCHOR_NOT_FOUND",
        ),
        (asn1(0x000A, "Certificate", b"\x30\x03\x02\x01\x07"), True, "answered with CertificationRequest"),
    ],
)
def test_a_response_is_judged_by_its_codes(message: Message, done: bool, told: str) -> None:
    """Reference gbcs-messages 5.2, 6 and 7A."""
    judged = judge(message)
    assert (judged.done, judged.text) == (done, told)


def test_a_response_that_cannot_be_read_is_not_done() -> None:
    judged = judge(answer(0x0051, b"\xda\x00"))
    assert not judged.done
    assert judged.text.startswith("the Response cannot be read: ")
    assert firmware_version(answer(0x0051, b"\xda\x00")) is None


def test_a_firmware_version_is_read_from_each_answer_that_has_one() -> None:
    assert firmware_version(asn1(0x0129, "FirmwareVersionResponse", asn1_types.FirmwareVersionResponse(b"\1\2\3\xab", 0))) == "010203AB"
    assert firmware_version(asn1(0x0012, "ActivateFirmwareOutcome", asn1_types.ActivateFirmwareOutcome(0, b"\1\2\3\xac"))) == "010203AC"
    held = AccessResponse(invoke_id(1), (OctetString(b"\1\xad"),), (AccessOutcome(Choice.GET, AccessResult.SUCCESS),))
    assert firmware_version(answer(0x0051, held.encode())) == "01AD"
    assert firmware_version(dlms(AccessResult.SUCCESS)) is None
    assert firmware_version(asn1(0x000D, "ResponseCode", 0)) is None


def test_an_outcome_is_well_where_the_device_did_it_or_the_command_was_returned() -> None:
    ends = {verdict: Outcome(verdict, "r", "7.2", None, "Device", "it said so") for verdict in Verdict}
    assert [verdict for verdict, one in ends.items() if one.ok] == [Verdict.SUCCESS, Verdict.RETURNED]
    assert ends[Verdict.FAILED].why == "failed at Device: it said so"
    empty = ends[Verdict.SUCCESS].as_json()
    assert (empty["started"], empty["finished"], empty["target_s"], empty["within_target"], empty["legs_ms"]) == (0.0, 0.0, None, None, {})
    timed = Outcome(Verdict.SUCCESS, "r", "7.2", None, "h", "", legs={"a": 1.23456})
    assert timed.as_json()["legs_ms"] == {"a": 1.235}
    assert not Delivery("h", 0.0, "c", METER).late


# -- anomaly detection


def test_a_volume_above_its_threshold_in_the_window_is_an_anomaly() -> None:
    made = AnomalyThresholds(DccStore(None))
    made.agree(USER, "7.2", 2, 60.0)
    assert [made.count(USER, "7.2", now) is None for now in (0.0, 30.0, 59.0)] == [True, True, False]
    assert made.count(USER, "7.2", 119.0) is None, "what is 60 s old is out of the window: one of 59 s is left"
    told = made.count(USER, "7.2", 118.9)
    assert told is not None
    assert told.name == "ck7-volume"
    assert made.count(USER, "7.4", 118.9) is None
    assert made.count(METER, "7.2", 118.9) is None


def test_all_services_together_have_a_threshold_of_their_own() -> None:
    made = AnomalyThresholds(DccStore(None))
    made.agree(USER, "*", 1, 60.0)
    assert made.count(USER, "7.2", 0.0) is None
    told = made.count(USER, "7.4", 1.0)
    assert told is not None
    assert "*" in str(told)
    assert [(one.user, one.service, one.threshold, one.window_s) for one in made.volumes()] == [(USER, "*", 1, 60.0)]


def test_thresholds_and_limits_are_numbers_that_make_sense() -> None:
    made = AnomalyThresholds(DccStore(None))
    made.limit_all_users("7.2", 0, 0.5)
    assert [(one.user, one.threshold, one.window_s) for one in made.volumes()] == [(None, 0, 0.5)]
    for threshold, window in ((-1, 1.0), (1, 0.0), (1, -1.0)):
        with pytest.raises(ThresholdError, match="expected none below zero in a window above zero"):
            made.limit_all_users("7.2", threshold, window)
    made.limit_value("7.2", "X", Decimal(5), Decimal(5))
    made.limit_value("7.2", "Y", None, Decimal(5))
    made.limit_value("7.2", "Z", Decimal(5), None)
    assert [one.bounds for one in made.limits()] == ["5 to 5", "any to 5", "5 to any"]
    for low, high in ((None, None), (Decimal(6), Decimal(5))):
        with pytest.raises(ThresholdError, match="expected a limit on one side, the lower one first"):
            made.limit_value("7.2", "X", low, high)
    with pytest.raises(ThresholdError, match=r"read service '99\.9'"):
        made.limit_value("99.9", "X", None, Decimal(5))


# -- recurrences


@pytest.mark.parametrize(
    ("frequency", "runs"),
    [
        ("Daily", ["2026-01-31", "2026-02-01", "2026-02-02"]),
        ("Weekly", ["2026-01-31", "2026-02-07", "2026-02-14"]),
        ("Monthly", ["2026-01-31", "2026-02-28", "2026-03-31"]),
        ("Quarterly", ["2026-01-31", "2026-04-30", "2026-07-31"]),
        ("Half-Yearly", ["2026-01-31", "2026-07-31", "2027-01-31"]),
        ("Yearly", ["2026-01-31", "2027-01-31", "2028-01-31"]),
    ],
)
def test_a_schedule_runs_at_its_frequency_to_the_last_day_of_a_month(frequency: str, runs: list[str]) -> None:
    """The frequencies of DUIS 5.4 DSPSchedule."""
    made = Recurrence(frequency, datetime(2026, 1, 31, 5, tzinfo=UTC))
    found = [made.run(number) for number in range(3)]
    assert [f"{one:%Y-%m-%d}" for one in found if one is not None] == runs
    assert {one.hour for one in found if one is not None} == {5}


def test_the_last_day_is_a_day_of_runs() -> None:
    made = Recurrence("Daily", datetime(2026, 1, 1, 23, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    assert made.run(1) == datetime(2026, 1, 2, 23, tzinfo=UTC)
    assert made.run(2) is None
    assert made.next_run(0, datetime(2026, 1, 1, 22, 59, tzinfo=UTC)) == (0, datetime(2026, 1, 1, 23, tzinfo=UTC))
    assert made.next_run(0, datetime(2026, 1, 1, 23, tzinfo=UTC)) == (1, datetime(2026, 1, 2, 23, tzinfo=UTC))
    assert made.next_run(0, datetime(2026, 1, 2, 23, tzinfo=UTC)) is None
    midnight = Recurrence("Daily", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    assert midnight.run(1) is None
