"""Every display text is another one, and nothing else changes: verdicts, codes, states, quarantine, the inventory, what users get."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.ids import Eui64
from hil.dcc.base import refusals, requests, results
from hil.dcc.base.refusals import RefusalEntry
from hil.sec.security.monitor import monitor_rules
from tests.dcc.far_end import ESME, SUPPLIER, FarEnd
from tests.dcc.messages import COMMISSION, send

STRANGER = Eui64.parse("00db1234567890ee")


def scramble(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another text for every refusal, every step and standing of a request, and every judgement of an answer."""
    other = {name: replace(entry, check="x", rule="y [1]", value="z", next_step="w") for name, entry in refusals.catalogue().items()}
    words = {name: entry.words for name, entry in refusals.catalogue().items()}

    def fill(entry: RefusalEntry, values: object) -> refusals.Refusal:
        return refusals.Refusal(entry.hop, entry.check, entry.rule, entry.value, entry.next_step, entry.code, entry.name)

    monkeypatch.setattr(refusals, "catalogue", lambda: other)
    monkeypatch.setattr(RefusalEntry, "fill", fill)
    monkeypatch.setattr(RefusalEntry, "words", property(lambda entry: words[entry.name]))
    judge: Callable[..., results.Judgement] = results.judge
    for module in ("hil.dcc.answers.answers", "hil.dcc.gateway.sequence"):
        monkeypatch.setattr(f"{module}.judge", lambda message: replace(judge(message), text="v"))
    standing = {state: replace(one, waits_for="s", next="t") for state, one in requests.STANDING.items()}
    monkeypatch.setattr(requests, "STANDING", standing)


async def what_happens(far_end: FarEnd) -> list[object]:
    """A story in which most kinds of refusal and end occur, as facts without their texts."""
    await far_end.in_service()
    facts: list[object] = []

    async def ask(variant: str, *more: object, **named: object) -> None:
        outcome = await send(far_end, variant, *more, **named)
        name = None if outcome.refusal is None else outcome.refusal.name
        facts.append((variant, outcome.verdict, outcome.response_code, name, far_end.dcc.requests.state(outcome.request)))

    await ask("11.2")
    await ask("7.3")
    await ask("7.3", STRANGER)
    await ask("8.1.1", ESME, COMMISSION)
    far_end.dcc.pre_notify(STRANGER, DeviceType.PPMID)
    await ask("8.7.1", ESME, {"OtherDeviceID": STRANGER})
    await ask("8.7.1", ESME, {"OtherDeviceID": Eui64.parse("00db1234567890ef")})
    await ask("8.3", None, {"DeviceID": Eui64.parse("00db1234567890ef")})
    await ask("7.4", user=far_end.second)
    await ask("7.4", user=far_end.network)
    far_end.dcc.gateway.suspend(far_end.second.eui64, "M8")
    await ask("11.2", user=far_end.second)
    far_end.home.answers[ESME].result = type(far_end.home.answers[ESME].result)(1)
    await ask("7.3")
    far_end.home.answers[ESME].result = type(far_end.home.answers[ESME].result)(0)
    far_end.dcc.context.thresholds.agree(SUPPLIER, "response", 0, 3600)
    await ask("11.2")
    far_end.dcc.context.thresholds.agree(SUPPLIER, "response", 99, 3600)
    far_end.dcc.context.thresholds.agree(SUPPLIER, "11.2", 0, 3600)
    await ask("11.2")
    far_end.home.change = lambda messages: []
    await ask("7.3", wait_s=5)
    facts += [(one.direction, one.state) for one in far_end.dcc.quarantine.messages()]
    facts += [(line.device, line.from_status, line.to_status) for line in far_end.dcc.inventory.audit()]
    facts += [(one.kind, one.code, one.octets) for one in far_end.supplier.inbox if one.kind == "j"]
    facts += [(one.kind, one.state) for one in far_end.dcc.alerts.records()]
    rules = monitor_rules()
    facts += [kind for record in far_end.records if (kind := rules.kind(record)) is not None]
    return facts


async def test_another_text_for_everything_changes_no_decision(keystore: Keystore, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for changed in (False, True):
        if changed:
            scramble(monkeypatch)
        far_end = FarEnd(keystore, clock)
        found.append(await what_happens(far_end))
        await far_end.close()
    plain, other = found
    assert other == plain
    assert len({fact[3] for fact in plain if isinstance(fact, tuple) and len(fact) == 5}) >= 8, "the story is refused in many ways"
