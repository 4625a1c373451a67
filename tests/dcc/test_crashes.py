"""A DCC that dies at any step of a request, and the next one on its store: nothing is done twice or lost, each end is told once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from hil.dcc.base.requests import ANSWERED, RequestMoved, RequestState
from tests.dcc.far_end import CHF, ESME, FarEnd

ENDS = {*ANSWERED, RequestState.UNANSWERED, RequestState.REFUSED}


class Killed(Exception):
    """The DCC dies here: nothing of what is under way goes on, and a transaction that is open is never durable."""


class Killer:
    """Dies at the ``nth`` step that any request takes."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def __call__(self, moved: RequestMoved) -> None:
        self.left -= 1
        if self.left <= 0:
            raise Killed(str(moved.step))


@pytest.mark.parametrize("nth", range(1, 8))
@pytest.mark.parametrize("variant", ["11.2", "7.3", "11.2 in two hours"])
async def test_a_dcc_that_dies_at_any_step_neither_repeats_nor_loses_a_request(
    clock: Clock, tmp_path: Path, keystore: Keystore, variant: str, nth: int
) -> None:
    far_end = FarEnd(keystore, clock, tmp_path / "dcc.sqlite")
    await far_end.in_service()
    service, dated = variant.split()[0], " " in variant
    body = {"ExecutionDateTime": clock.datetime() + timedelta(hours=2)} if dated else None
    request = far_end.dcc.request(far_end.supplier, service, ESME, body)
    name, executed = str(request.request_id), len(far_end.home.answers[ESME].executed)
    far_end.dcc.bus.on(RequestMoved, killer := Killer(nth))
    task = asyncio.create_task(far_end.dcc.send(far_end.supplier, request))
    await clock.sleep(8000 if dated else 30)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    died = killer.left <= 0
    await asyncio.gather(far_end.dcc.close(), return_exceptions=True)

    far_end.dcc = far_end.new_dcc()
    await far_end.dcc.start()
    far_end.dcc.attach_hub(far_end.wan.dcc, CHF)
    await clock.sleep(100_000)
    state = far_end.dcc.requests.state(name)
    done = far_end.home.answers[ESME].executed[executed:]
    delivered = [one for one in far_end.supplier.inbox if one.request == name]
    told = [one for one in far_end.supplier.inbox if one.kind == "j" and one.code in ("N12", "N13") and one.detail.get("request") == name]
    assert len(done) <= 1, "executed twice"
    assert len(delivered) <= 1, "delivered twice"
    assert len(told) <= 1, "told twice"
    if state is None:
        assert died, "a request that was not accepted was never acknowledged"
        assert not done
        assert not delivered
    elif state is RequestState.PRE_COMMAND:
        assert died, "its user, which was away meanwhile, still has the pre-command"
        assert not done
    else:
        assert state in ENDS, f"it stays {state} for ever"
        assert len(delivered) == (state in ANSWERED)
        assert len(told) == (state in (RequestState.UNANSWERED, RequestState.LATE))
    await far_end.close()
