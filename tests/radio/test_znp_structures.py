"""Items of the virtual Z-Stack, read by zigpy-znp's own declarations of them."""

from __future__ import annotations

import zigpy_znp.types as t
import zigpy_znp.types.structs as theirs

from firmware_emu.clock import Clock
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air
from hil.radio.stack.status import Status
from hil.radio.stack.tokens import Child
from hil.radio.znp import nvram, structures
from hil.radio.znp.nvram import OSAL
from hil.radio.znp.server import ZnpServer
from tests.radio.radio_bench import HUB, LINK_KEY, METER

EXTENDED_PAN = Eui64.parse("00db1234567890a1")


async def test_the_items_of_a_network_say_the_same_to_zigpy_znp(clock: Clock) -> None:
    znp = ZnpServer(Air(clock, 1), HUB, clock=clock).ncp
    assert znp.stack.form(EXTENDED_PAN, 0x1A62, 20, 8, 0) is Status.SUCCESS
    znp.stack.tokens.children[METER] = Child(0x4321, 0x80, authenticated=True)
    znp.stack.import_link_key(0, METER, LINK_KEY)
    znp.nvram.write_network()

    def read(kind: type, item: int, sub: int) -> object:
        value, rest = kind.deserialize(znp.nvram.get(item, sub), align=True)  # type: ignore[attr-defined]
        assert not rest
        return value

    nib = read(theirs.NIB, OSAL, nvram.NIB)
    assert isinstance(nib, theirs.NIB)
    told = (nib.nwkPanId, nib.nwkLogicalChannel, nib.extendedPANID, nib.nwkCoordExtAddress, nib.SecurityLevel, nib.nwkKeyLoaded)
    assert told == (0x1A62, 20, t.EUI64(EXTENDED_PAN.zigbee), t.EUI64(HUB.zigbee), 5, True)
    assert (nib.nwkState, nib.channelList, nib.PassiveAckTimeout, nib.BroadcastDeliveryTime) == (
        theirs.NwkState.NWK_ROUTER,
        t.Channels.from_channel_list([20]),
        5,
        30,
    )
    address = read(theirs.AddrMgrEntry, nvram.ADDRESSES, 0)
    assert isinstance(address, theirs.AddrMgrEntry)
    assert (address.nwkAddr, address.extAddr) == (0x4321, t.EUI64(METER.zigbee))
    data = read(theirs.APSKeyDataTableEntry, nvram.APS_KEYS, 0)
    assert isinstance(data, theirs.APSKeyDataTableEntry)
    assert bytes(data.Key.serialize()) == LINK_KEY
    read(theirs.TCLKDevEntry, nvram.TCLK, 0)
    read(theirs.NwkSecMaterialDesc, nvram.SECURITY, 0)


async def test_items_that_are_no_structure_are_no_network_and_no_device(clock: Clock) -> None:
    znp = ZnpServer(Air(clock, 1), HUB, clock=clock).ncp
    assert znp.stack.form(EXTENDED_PAN, 0x1A62, 20, 8, 0) is Status.SUCCESS
    znp.nvram.write_network()
    whole = znp.nvram.get(OSAL, nvram.NIB)
    assert whole is not None
    assert len(whole) == structures.NIB.sizeof() == 116
    znp.nvram.put(OSAL, nvram.LINK_KEY_TABLE, b"\xff\xff\x01")
    znp.nvram.put(nvram.ADDRESSES, 0, b"\x01")
    znp.nvram.read_network()
    assert not znp.stack.tokens.link_keys
    znp.nvram.put(OSAL, nvram.NIB, whole[:40])
    assert not znp.nvram.formed
