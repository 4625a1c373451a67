"""Alerts of a gas meter that carry more than code and time: the billing snapshot of GCS53."""

from __future__ import annotations

from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.device import alerting
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.errors import ProtectionError
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.gbz import Component
from firmware_emu.ids import CraFlag
from firmware_emu.zse.clusters.metering import METERING

BILLING_UPDATED = 0x8F0A
_CODE = 0x008B
_FRAME_CONTROL, _PUBLISH_SNAPSHOT = 0x19, 0x06


def billing_alert(device: GbcsDevice, snapshot: bytes) -> bytes:
    """008B: the register snapshot at the end of a billing period, a published snapshot's ZCL payload, encrypted for the supplier under the
    alert's own counter (RTDS GCS53: the meter is the originator). Raises ProtectionError or KeystoreError."""
    supplier = device.credentials.party(RemotePartyRole.SUPPLIER)
    if supplier is None:
        raise ProtectionError("no certificate of a supplier is held")
    counter = device.credentials.next_counter()
    octets = protect.encrypt(snapshot, device.credentials.z(supplier), originator=device.eui64, counter=counter, recipient=supplier)
    part = Component(METERING.id, _FRAME_CONTROL, 0, _PUBLISH_SNAPSHOT, octets, encrypted=True)
    payload = alerting.gbz_alert(BILLING_UPDATED, device.now(), part.encode(last=True))
    header = GroupingHeader(CraFlag.ALERT, counter, device.eui64, supplier, OtherInformation(_CODE))
    return device.protect(Message(header, payload), signed=True).encode()
