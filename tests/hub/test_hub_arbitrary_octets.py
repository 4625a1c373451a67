"""Whatever arrives, from either side, the hub goes on and answers the next Command."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import RadioError
from firmware_emu.han.base import ApsFrame
from firmware_emu.wan.base import WanKind
from tests.hub.hub_bench import ESME, GPF, Bench, add_device, codes, joined_meter, read_logs

CLUSTERS = (0x0000, 0x000A, 0x0025, 0x0700, 0x0702, 0x0704, 0x0705, 0x0800)
FRAMES = st.tuples(st.sampled_from(CLUSTERS), st.integers(0, 4), st.booleans(), st.binary(max_size=60))


@settings(max_examples=15, deadline=None)
@given(
    wan=st.lists(st.binary(max_size=120), max_size=5), frames=st.lists(FRAMES, max_size=15), flips=st.lists(st.integers(0, 153), max_size=5)
)
def test_arbitrary_messages_and_frames_stop_nothing(
    hub_keystore: Keystore,
    wan: list[bytes],
    frames: list[tuple[int, int, bool, bytes]],
    flips: list[int],
) -> None:
    async def test(bench: Bench) -> None:
        meter = await joined_meter(bench)
        for octets in wan:
            bench.dcc.post(WanKind.MESSAGE, octets)
        for place in flips:
            message = bytearray(add_device(bench, ESME))
            message[place % len(message)] ^= 0x55
            bench.send(bytes(message))
        for cluster, endpoint, secured, payload in frames:
            try:
                await meter.node.send(GPF, ApsFrame(cluster, payload, 1, endpoint, secured=secured))
            except RadioError:
                continue
        await bench.clock.sleep(10)
        assert not bench.task.done()
        assert codes(await bench.ask(read_logs(bench))) == [0, 0]

    Bench(hub_keystore).run(test)


@settings(max_examples=30, deadline=None)
@given(payload=st.binary(max_size=80), code=st.sampled_from((0x0001, 0x0002, 0x0003, 0x0004, 0x00FE, 0x0093, 0x010D)))
def test_an_authentic_command_with_an_arbitrary_payload_is_answered_or_discarded(
    hub_keystore: Keystore,
    payload: bytes,
    code: int,
) -> None:
    async def test(bench: Bench) -> None:
        bench.send(bench.command(code, payload))
        assert codes(await bench.ask(read_logs(bench))) == [0, 0]
        assert bench.hub.status.device_log == ()

    Bench(hub_keystore).run(test)
