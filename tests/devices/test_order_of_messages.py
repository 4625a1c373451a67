"""Messages from the tunnel are taken in the order in which they came, also where the first has to wait for the hub's time."""

from __future__ import annotations

import pytest

from firmware_emu.crypto.roles import DeviceType
from hil.devices import Esme
from tests.devices.device_home import Home, at_hub


async def test_a_message_that_comes_while_the_time_is_asked_for_does_not_overtake_the_one_before(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    esme = Esme(*home.parts(DeviceType.ESME))
    taken, waits = list[bytes](), [5.0, 0.0]
    await at_hub(home, esme)
    esme.hub_time = None  # as after a power cut, while the first question is lost on the air

    async def slow_then_fast() -> None:
        await home.clock.sleep(waits.pop(0))

    monkeypatch.setattr(esme, "refresh_hub_time", slow_then_fast)
    monkeypatch.setattr(esme, "receive", taken.append)
    partner = esme.coordinator
    assert partner is not None
    esme._from_tunnel(partner, b"first")
    esme._from_tunnel(partner, b"second")
    await home.clock.sleep(10)
    assert taken == [b"first", b"second"]
    await esme.stop()
