"""Outcome of a Command that a Device executed at a later time, in the form of DUIS 5.4: a Response to the request, not a Device Alert.

DUIS does not say what counts as an instruction. Here it is an item of the Command that has an activation time (DLMS), or a component
(GBZ), in the Command's order: the bench's own choice.
"""

from __future__ import annotations

from collections.abc import Sequence

from firmware_emu.device.object_model import DONE, NOT_DONE, is_activation
from firmware_emu.errors import CommsHubError
from firmware_emu.gbcs.alert_contents import FutureDatedDlms, FutureDatedGbz
from firmware_emu.gbcs.alerts import read_alert
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.dlms import AccessRequest, AccessResponse
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.gbz import Gbz
from firmware_emu.gbcs.use_cases import decode_payload
from hil.dcc.service.response import Tree, gbcs


def counter_of(alert: Message) -> int | None:
    """Counter of the Command whose later execution an alert tells of, None for another alert."""
    content = _content(alert)
    return None if content is None else content.counter


def _content(alert: Message) -> FutureDatedDlms | FutureDatedGbz | None:
    try:
        payload = decode_payload(alert)
        if isinstance(payload, AccessRequest | AccessResponse | Gbz | Asn1Payload):
            return None
        found = read_alert(alert.message_code, payload)
    except CommsHubError:
        return None  # an alert of another maker's layout stays a Device Alert
    told = found.content
    return told if found.alert_code in (DONE, NOT_DONE) and isinstance(told, FutureDatedDlms | FutureDatedGbz) else None


def outcome(alert: Message, command: Message, octets: bytes, code: str) -> Tree:
    """The payload of the Response: alert code, the alert itself (``octets``), which instruction of ``command``, of how many."""
    content, payload = _content(alert), decode_payload(command)
    instructions: Sequence[tuple[object, ...]] = ()
    wanted: tuple[object, ...] = ()
    if isinstance(content, FutureDatedDlms) and isinstance(payload, AccessRequest):
        keys = [(one.class_id, one.obis, one.attribute) for one in payload.specifications]
        instructions, wanted = [key for key in keys if is_activation(key)], (content.class_id, content.obis, content.attribute)
    elif isinstance(content, FutureDatedGbz) and isinstance(payload, Gbz):
        instructions, wanted = [(one.cluster, one.command) for one in payload.components], (content.cluster, content.command)
    number = 1 + instructions.index(wanted) if wanted in instructions else 1
    told: Tree = (
        ("FutureDatedAlertCode", code.upper()),
        *gbcs(octets),
        ("InstructionNumber", str(number)),
        ("TotalCommandInstructions", str(max(1, len(instructions)))),
    )
    return (("FutureDatedDeviceAlertMessage", told),)
