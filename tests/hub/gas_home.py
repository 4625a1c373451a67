"""A real gas meter on the HAN of the hub's bench, and the gas supplier's Commands to it and to the GPF."""

from __future__ import annotations

from dataclasses import replace

from firmware_emu.crypto.roles import KeyUsage, RemotePartyRole
from firmware_emu.device import asn1_io
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.asn1_types import JoinCommand
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.gbz import Component, Gbz, numbered
from firmware_emu.gbcs.use_cases import by_code
from firmware_emu.ids import CraFlag, Eui64
from firmware_emu.zse.declare import Cluster, FieldValue
from hil.devices import Gsme, Ppmid
from hil.devices.metering.registers import LoadProfile
from tests.hub.hub_bench import ACB, CODES, GPF, GSME, NETWORK_OPERATOR, PPMID, SUPPLIER, Bench, MemoryNode, add_device, codes

PARTIES = {
    RemotePartyRole.ACCESS_CONTROL_BROKER: ACB,
    RemotePartyRole.SUPPLIER: SUPPLIER,
    RemotePartyRole.NETWORK_OPERATOR: NETWORK_OPERATOR,
}
JOIN_B = 0x000E


async def gas_meter(bench: Bench, load: LoadProfile) -> Gsme:
    """A gas meter that is in the hub's log, has joined and knows the GPF."""
    gsme = Gsme(GSME, CODES[GSME], bench.keystore, MemoryNode(bench.han, GSME), bench.clock, bench.trace, PARTIES, load=load)
    await gsme.start()
    await link(bench, gsme)
    return gsme


async def link(bench: Bench, gsme: Gsme) -> None:
    """Into the hub's log (CCS01), onto its HAN, and the meter joined with the GPF by its supplier (CS03B)."""
    assert codes(await bench.ask(add_device(bench, GSME, 1))) == [0, 0, 0]
    await gsme.join()
    join = asn1_io.write("JoinCommand", JoinCommand(2, GPF, 3))
    answer = await ask(bench, gsme, command(bench, JOIN_B, join, GSME))
    assert answer.payload in (bytes.fromhex("020100"), bytes.fromhex("020103")), answer.payload.hex()
    await gsme.wake()


async def display(bench: Bench, *, gpf: bool = True) -> Ppmid:
    """A PPMID; the GPF is joined with it by the supplier (CS03B) unless ``gpf`` is False."""
    assert codes(await bench.ask(add_device(bench, PPMID, 132))) == [0, 0, 0]
    ppmid = Ppmid(PPMID, CODES[PPMID], bench.keystore, MemoryNode(bench.han, PPMID), bench.clock, bench.trace, PARTIES)
    await ppmid.start()
    await ppmid.join()
    if gpf:
        join = asn1_io.write("JoinCommand", JoinCommand(2, PPMID, 5))
        assert (await ask(bench, None, command(bench, JOIN_B, join, GPF))).payload == bytes.fromhex("020100")
    return ppmid


def command(bench: Bench, code: int, payload: bytes, target: Eui64, originator: Eui64 = SUPPLIER) -> Message:
    """The gas supplier's Command, signed if it is critical."""
    bench.counter += 1
    header = GroupingHeader(CraFlag.COMMAND, bench.counter, originator, target, OtherInformation(code))
    message = Message(header, payload)
    if by_code(code).critical:
        message = protect.with_signature(message, bench.keystore.private_key(originator, KeyUsage.DIGITAL_SIGNATURE))
    return replace(message, mac=protect.mac_of(message, bench.keystore.shared_secret(ACB, target)))


async def ask(bench: Bench, gsme: Gsme | None, message: Message) -> Message:
    """Send a Command through the hub; the gas meter is woken for one of its own. The response."""
    bench.send(message.encode())
    await bench.clock.sleep(1)
    if gsme is not None:
        await gsme.wake()
    counter = message.header.counter
    return await bench.wait_for(lambda: next((one for one in bench.decoded(CraFlag.RESPONSE) if one.header.counter == counter), None))


async def gas(bench: Bench, gsme: Gsme | None, code: int, *parts: Component, target: Eui64 = GPF) -> list[Component]:
    """A GBZ Command and the components of its answer, decrypted with the supplier's key."""
    response = await ask(bench, gsme, command(bench, code, numbered(parts).encode(), target))
    z = bench.keystore.shared_secret(target, SUPPLIER)
    opened = []
    for part in Gbz.decode(response.payload).components:
        octets = part.payload
        if part.encrypted:
            octets = protect.decrypt(octets, z, originator=target, counter=response.header.counter, recipient=SUPPLIER)
        opened.append(Component(part.cluster, part.frame_control, part.sequence, part.command, octets))
    return opened


def part(cluster: Cluster, name: str, /, **fields: FieldValue) -> Component:
    """One component of a Command."""
    declared = cluster.command_named(name)
    from_server = cluster.to_client.get(declared.id) is declared
    return Component(cluster.id, 0x09 if from_server else 0x01, 0, declared.id, declared.encode(fields))
