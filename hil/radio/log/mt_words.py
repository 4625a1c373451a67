"""MT frames of a ZNP in words, by the tables of zigpy-znp."""

from __future__ import annotations

from typing import Any

import zigpy_znp.types as t
from zigpy_znp.commands import AF, COMMANDS_BY_ID
from zigpy_znp.frames import GeneralFrame

from firmware_emu.errors import DecodeError
from hil.radio.log.ezsp_words import Words
from hil.radio.znp.mt import MtFrame, MtKind

_KINDS = {MtKind.SREQ: "command", MtKind.SRSP: "response", MtKind.AREQ: "callback", MtKind.POLL: "command"}
_SECRET_OCTETS = 16
"""A value of non-volatile memory so long may hold a key: it is not shown."""
_ANNOUNCED = {AF.DataRequestExt.Req: 18, AF.IncomingMsgExt.Callback: 25}
"""Commands whose data may be announced alone, since they go over the line in AF_DATA_STORE or AF_DATA_RETRIEVE: the place of their
length."""
_FINE = frozenset({"SUCCESS", "NV_ITEM_UNINIT", "NV_ITEM_INITIALIZED"})


def _shown(name: str, value: Any, command: str) -> str:
    if isinstance(value, (t.KeyData,)):
        return "a key, not shown"
    if isinstance(value, (bytes, bytearray, t.ShortBytes, t.LongBytes)):
        if "NV" in command and len(value) >= _SECRET_OCTETS:
            return f"{len(value)} octets, not shown"
        return bytes(value).hex() or "none"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_shown(name, one, command) for one in value) + "]"
    said = getattr(value, "name", None)
    return str(said) if said else str(value)


def words(frame: MtFrame, *, from_host: bool) -> Words:
    """A frame in words. Raises DecodeError."""
    octets = frame.encode()
    general, _ = GeneralFrame.deserialize(octets[1:-1])
    made: Any = COMMANDS_BY_ID.get(general.header)
    where = f"{frame.kind.name} of subsystem {frame.subsystem}, command {frame.command:02x}"
    if made is None:
        raise DecodeError(1, "MT command", f"{where}: expected one of Z-Stack's")
    at = _ANNOUNCED.get(made, 0)
    length = int.from_bytes(frame.data[at : at + 2], "little")
    elsewhere = bool(at) and len(frame.data) - at - 2 < length
    try:
        if elsewhere:
            general = GeneralFrame(general.header, t.Bytes(frame.data[:at] + bytes(2) + frame.data[at + 2 :]))
        command = made.from_frame(general)
    except (ValueError, KeyError, AssertionError) as wrong:
        raise DecodeError(3, where, f"{frame.data.hex()} does not fit: {wrong}") from wrong
    name = f"{frame_name(made)}"
    values = {parameter.name: getattr(command, parameter.name) for parameter in made.schema}
    fields = tuple((field, _shown(field, value, name)) for field, value in values.items() if value is not None)
    if elsewhere:
        fields = tuple((field, f"{length} octets, in frames of their own" if field == "Data" else said) for field, said in fields)
    failed = tuple(value.name for value in values.values() if isinstance(value, t.Status) and value.name not in _FINE and not from_host)
    if name.startswith("RPCError"):
        failed = (*failed, "the firmware does not know the command or its fields")
    kind = "command" if from_host else _KINDS[frame.kind]
    return Words(name, kind, fields, failed, b"", -1)


def frame_name(command: Any) -> str:
    """The command's name with its subsystem, as ``SYS.Ping.Rsp``."""
    return str(command.__qualname__)
