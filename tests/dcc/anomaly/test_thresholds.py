"""The DCC's own anomaly thresholds: totals over all users and limits of values; what breaks one is quarantined and may be released."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from hil.commands.dcc.thresholds import thresholds
from hil.dcc.anomaly import AnomalyThresholds
from hil.dcc.anomaly.thresholds import ThresholdError
from hil.dcc.base.results import Verdict
from hil.dcc.base.store import DccStore
from tests.dcc.far_end import CHF, SUPPLIER, FarEnd
from tests.dcc.messages import NEW, notification, send


@pytest.mark.requirement("GW-32")
async def test_the_volume_of_a_service_over_all_users_is_quarantined_above_the_dccs_threshold(far_end: FarEnd) -> None:
    await far_end.in_service()
    AnomalyThresholds(far_end.dcc.store).limit_all_users("11.2", 2, 60.0)
    assert (await send(far_end, "11.2")).verdict is Verdict.SUCCESS
    assert (await send(far_end, "11.2", user=far_end.network)).verdict is Verdict.SUCCESS
    held = await send(far_end, "11.2")
    assert held.verdict is Verdict.QUARANTINED
    assert "3 of service 11.2 from all users in 60 s, threshold 2" in held.why
    released = await far_end.dcc.release(far_end.dcc.quarantine.messages()[0].number)
    assert released is not None
    assert released.verdict is Verdict.SUCCESS
    await far_end.clock.sleep(61)
    assert (await send(far_end, "11.2")).verdict is Verdict.SUCCESS


@pytest.mark.requirement("GW-32")
@pytest.mark.parametrize(("seconds", "passes"), [(89, False), (90, True), (600, True), (601, False)])
async def test_a_value_outside_its_limits_is_quarantined(far_end: FarEnd, seconds: int, passes: bool) -> None:
    await far_end.in_service()
    AnomalyThresholds(far_end.dcc.store).limit_value("8.11", "JoinTimePeriod", Decimal(90), Decimal(600))
    await send(far_end, "12.2", None, notification(NEW))
    added = {"JoinTimePeriod": seconds, "InstallCode": bytes(range(16))}
    outcome = await send(far_end, "8.11", CHF, {"DeviceID": NEW, "RequestType": "Add", "AddDeviceToCHFWhitelist": added})
    assert (outcome.verdict is not Verdict.QUARANTINED) is passes, outcome.why
    assert passes or f"JoinTimePeriod {seconds} in service 8.11, limits 90 to 600" in outcome.why


def test_thresholds_that_make_no_sense_are_refused() -> None:
    found = AnomalyThresholds(DccStore(None))
    with pytest.raises(ThresholdError, match="expected a reference of the schedule"):
        found.limit_all_users("99.9", 1, 60.0)
    with pytest.raises(ThresholdError, match="none below zero"):
        found.limit_all_users("7.2", -1, 60.0)
    for low, high in ((None, None), (Decimal(2), Decimal(1))):
        with pytest.raises(ThresholdError, match="the lower one first"):
            found.limit_value("1.5", "CreditAmount", low, high)


@pytest.mark.parametrize(("low", "high"), [("1", None), (None, "1"), ("1", "1"), ("1", "2"), ("0", "0")])
def test_a_limit_on_one_side_and_two_that_do_not_cross_are_kept(low: str | None, high: str | None) -> None:
    minimum, maximum = (None if one is None else Decimal(one) for one in (low, high))
    found = AnomalyThresholds(DccStore(None))
    found.limit_value("1.5", "CreditAmount", minimum, maximum)
    assert [(one.minimum, one.maximum) for one in found.limits()] == [(minimum, maximum)]


@pytest.mark.parametrize(
    ("threshold", "window_s", "taken"), [(0, 1.0, True), (0, 0.5, True), (-1, 1.0, False), (1, 0.0, False), (1, -1.0, False)]
)
def test_a_volume_is_not_below_zero_and_its_window_is_above(threshold: int, window_s: float, taken: bool) -> None:
    found = AnomalyThresholds(DccStore(None))
    if taken:
        found.limit_all_users("7.2", threshold, window_s)
    else:
        with pytest.raises(ThresholdError, match=f"read {threshold} requests in {window_s:g} s"):
            found.limit_all_users("7.2", threshold, window_s)
    assert [(one.threshold, one.window_s) for one in found.volumes()] == ([(threshold, window_s)] if taken else [])


def test_the_command_line_sets_and_shows_them(tmp_path: Path) -> None:
    path = tmp_path / "dcc.sqlite"
    DccStore(path).close()
    for words in (
        ("all-users", "7.4", "100", "3600"),
        ("user", str(SUPPLIER), "*", "10", "60"),
        ("value", "8.11", "JoinTimePeriod", "--maximum", "600"),
    ):
        result = CliRunner().invoke(thresholds, [*words, "--store", str(path)])
        assert result.exit_code == 0, result.output
    shown = CliRunner().invoke(thresholds, ["show", "--store", str(path), "--json"])
    assert [(one["of"], one["service"], one["limit"]) for one in json.loads(shown.output)] == [
        (str(SUPPLIER), "*", "10 in 60 s"),
        ("all users", "7.4", "100 in 3600 s"),
        ("value JoinTimePeriod", "8.11", "any to 600"),
    ]
    assert CliRunner().invoke(thresholds, ["value", "8.11", "X", "--maximum", "many", "--store", str(path)]).exit_code == 2
