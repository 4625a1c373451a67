"""A user that the GPF does not know reads gas data with the certificate that it sends along."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.ids import CraFlag, Eui64
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from tests.hub.gas_home import gas_meter
from tests.hub.hub_bench import ACB, GPF, Bench

OTHER_USER = Eui64.parse("90b3d51f30040000")
DAY = 86_400
DAILY_CONSUMPTION, DAILY_READ = 0x00A0, 0x0096
READS = {
    DAILY_CONSUMPTION: Component(
        METERING.id, 0x01, 0, 0x08, METERING.to_server[0x08].encode({"sample": 1, "earliest": 0, "sample_type": 0, "count": 11})
    ),
    DAILY_READ: Component(
        PREPAYMENT.id, 0x01, 0, 0x07, PREPAYMENT.to_server[0x07].encode({"from": 0, "to": 0xFFFFFFFE, "offset": 0, "cause": 1})
    ),
}


@pytest.mark.parametrize(
    ("code", "own_counter"),
    [
        pytest.param(DAILY_CONSUMPTION, False, marks=pytest.mark.clause("RTDS GCS61: the header's counter serves")),
        pytest.param(DAILY_READ, True, marks=pytest.mark.clause("RTDS GCS16b: a counter of the GPF's own")),
    ],
)
async def test_the_answer_opens_to_the_party_whose_certificate_came_along(bench: Bench, code: int, own_counter: bool) -> None:
    gsme = await gas_meter(bench, lambda half_hour: 1800)
    gsme.model.set(PREPAYMENT.id, 0x0000, 0x0C97)
    await bench.clock.sleep(2 * DAY)
    certificate = bench.keystore.certificate(OTHER_USER, KeyUsage.KEY_AGREEMENT).public_bytes(Encoding.DER)
    bench.counter += 1
    header = GroupingHeader(CraFlag.COMMAND, bench.counter, ACB, GPF, OtherInformation(code, OTHER_USER, bench.counter, None, certificate))
    bench.send(protect.with_mac(Message(header, Gbz((READS[code],)).encode()), bench.keystore.shared_secret(ACB, GPF)).encode())
    response = await bench.wait_for(
        lambda: next((one for one in bench.decoded(CraFlag.RESPONSE) if one.header.counter == bench.counter), None)
    )
    other = response.header.other
    assert (other.supplementary_party, other.supplementary_counter) == (OTHER_USER, bench.counter)
    assert (other.supplementary_originator_counter is not None) is own_counter
    (sealed,) = Gbz.decode(response.payload, response.payload_offset).components
    assert sealed.encrypted
    counter = other.supplementary_originator_counter or response.header.counter
    z = bench.keystore.shared_secret(GPF, OTHER_USER)
    plain = protect.decrypt(sealed.payload, z, originator=GPF, counter=counter, recipient=OTHER_USER)
    cluster = METERING if sealed.cluster == METERING.id else PREPAYMENT
    assert cluster.to_client[sealed.command].decode(plain)
    await gsme.stop()
