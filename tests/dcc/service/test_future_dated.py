"""A Command that a Device executed later is told as a Response to its request, in the form of DUIS 5.4."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_emu.gbcs.envelope import Message
from hil.dcc.service.future_dated import counter_of, outcome


def read(rtds: Path, name: str) -> Message:
    return Message.decode(bytes.fromhex(next(rtds.rglob(f"{name}_GBCS.HEX")).read_text(encoding="ascii").strip()))


@pytest.mark.parametrize(
    ("alert", "command", "number", "of"),
    [
        ("ECS01c_1.1.2_8F66_FUTURE_DATED_SUCCESS_ALERT_SWITCHING_TABLE", "ECS01c_1.1.2_FUTURE_DATED_SUCCESS_COMMAND", "1", "3"),
        ("ECS01c_1.1.2_8F66_FUTURE_DATED_SUCCESS_ALERT_SPECIAL_DAYS", "ECS01c_1.1.2_FUTURE_DATED_SUCCESS_COMMAND", "3", "3"),
    ],
)
def test_the_alert_names_its_command_and_which_of_its_instructions(rtds: Path, alert: str, command: str, number: str, of: str) -> None:
    told, sent = read(rtds, alert), read(rtds, command)
    assert counter_of(told) == sent.header.counter
    ((name, content),) = outcome(told, sent, told.encode(), "8f66")
    assert name == "FutureDatedDeviceAlertMessage"
    assert not isinstance(content, str)
    assert content is not None
    assert [one for one, _ in content] == ["FutureDatedAlertCode", "GBCSPayload", "InstructionNumber", "TotalCommandInstructions"]
    assert [content[0][1], content[2][1], content[3][1]] == ["8F66", number, of]


def test_another_alert_stays_a_device_alert(rtds: Path) -> None:
    others = [path for path in sorted(rtds.rglob("*_ALERT_GBCS.HEX")) if "8F66" not in path.name and "8F67" not in path.name][:40]
    assert others
    assert {counter_of(Message.decode(bytes.fromhex(path.read_text(encoding="ascii").strip()))) for path in others} == {None}
