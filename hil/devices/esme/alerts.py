"""Alerts of an electricity meter that carry more than code and time: the billing entry of ECS68."""

from __future__ import annotations

from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.device import alerting
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.errors import ProtectionError
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.axdr import Data, OctetString, Structure
from firmware_emu.gbcs.dlms import ProtectionParameters
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.ids import CraFlag
from hil.devices.esme.metering import BILLING_UPDATED

_CODE = 0x0061


def billing_alert(device: GbcsDevice, entry: Data) -> bytes:
    """0061: ``entry`` encrypted for the supplier under the alert's own counter (RTDS ECS68). Raises ProtectionError or KeystoreError."""
    supplier = device.credentials.party(RemotePartyRole.SUPPLIER)
    if supplier is None:
        raise ProtectionError("no certificate of a supplier is held")
    counter = device.credentials.next_counter()
    octets = protect.encrypt(
        Structure((entry,)).encode(),
        device.credentials.z(supplier),
        originator=device.eui64,
        counter=counter,
        recipient=supplier,
    )
    parameters = ProtectionParameters(counter, device.eui64, supplier)
    payload = alerting.dlms_alert(BILLING_UPDATED, device.now(), counter, (parameters.data(), OctetString(octets)))
    header = GroupingHeader(CraFlag.ALERT, counter, device.eui64, supplier, OtherInformation(_CODE))
    return device.protect(Message(header, payload), signed=True).encode()
