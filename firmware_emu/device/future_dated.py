"""Future-dated DLMS settings: passive attributes become active at their activation time (reference gbcs-messages 5.4, 7.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware_emu.clock import EPOCH
from firmware_emu.device.future import FutureAction
from firmware_emu.device.object_model import Key, ObjectModel
from firmware_emu.gbcs import cosem_time
from firmware_emu.gbcs.axdr import OctetString
from firmware_emu.gbcs.dlms import AccessResult
from firmware_emu.gbcs.envelope import Message

if TYPE_CHECKING:
    from firmware_emu.device.pipeline import GbcsDevice

KIND = "dlms"
DONE, NOT_DONE = 0x8F66, 0x8F67
_ALERT_CODE = 0x00CC

ACTIVATIONS: dict[int, tuple[int, dict[int, int]]] = {
    20: (10, {6: 2, 7: 3, 8: 4, 9: 5}),
    111: (13, {}),
    113: (7, {6: 5}),
    9000: (6, {4: 2, 5: 3}),
}
"""Class id to its activation-time attribute and the passive attributes that become active (reference cosem-names)."""


def is_activation(key: Key) -> bool:
    """True if writing ``key`` activates passive values."""
    return ACTIVATIONS.get(key[0], (0, {}))[0] == key[2]


def schedule(device: GbcsDevice, model: ObjectModel, key: Key, when: bytes, message: Message) -> AccessResult:
    """Activate now, at a time, or never (cancel), as the 12-octet date-time says."""
    name = f"{key[0]}.{key[1].hex()}.{key[2]}"
    if when == cosem_time.NOW:
        device.future.cancel(KIND, name)  # the passive value that waited has just been overwritten
        activate(model, key)
        return AccessResult.SUCCESS
    if when == cosem_time.NEVER:
        device.future.cancel(KIND, name)
        return AccessResult.SUCCESS
    moment = cosem_time.decode_date_time(when) if len(when) == 12 else None
    if moment is None:
        return AccessResult.OTHER_REASON
    data = key[0].to_bytes(2, "big") + key[1] + bytes((key[2],))
    due = (moment - EPOCH).total_seconds()
    header = message.header
    device.future.put(FutureAction(due, KIND, name, message.message_code, header.originator, header.counter, data))
    return AccessResult.SUCCESS


def activate(model: ObjectModel, key: Key) -> None:
    """Copy the passive attributes of the object over its active ones."""
    for passive, active in ACTIVATIONS[key[0]][1].items():
        source = (key[0], key[1], passive)
        if source in model.attributes:
            model.write((key[0], key[1], active), model.read(source))
    extra = model.activations.get(key)
    if extra is not None:
        extra()


def execute_due(device: GbcsDevice, model: ObjectModel, action: FutureAction) -> None:
    """Activate what an action names and raise its execution alert (00CC, 8F66) to the party that sent the Command."""
    key = (int.from_bytes(action.data[:2], "big"), action.data[2:8], action.data[8])
    activate(model, key)
    content = OctetString(action.message_code.to_bytes(2, "big") + action.counter.to_bytes(8, "big") + action.data)
    roles = device.credentials.roles_of(action.originator)
    device.raise_alert(DONE, (content,), message_code=_ALERT_CODE, party=roles[0] if roles else None)
