"""``dongle``: a spare dongle on the home's air, asked by EZSP commands as a host asks; the hub's own is left alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from firmware_emu.console.core import Core
from firmware_emu.console.declare import WordError, WordKind, verb
from firmware_emu.console.result import Result
from firmware_emu.errors import nearest
from firmware_emu.ids import Eui64
from hil.console.rig import RigNoun
from hil.radio.log.ezsp_words import words
from hil.radio.ncp.ezsp import CALLBACK, Ncp, Schema, encode_frame, schemas
from hil.radio.ncp.handlers import HANDLERS
from hil.radio.personality import of_version
from hil.radio.port.faults import Crowd, NcpFaults
from hil.radio.stack.tokens import Tokens

VERSION = 13
_ADDRESS = Eui64.parse("02d0091e00000001")
_OCTETS = {"u8": 1, "bool": 1, "s8": 1, "u16": 2, "u32": 4}
_FINE = ("SUCCESS", "OK")
Command = Annotated[str, WordKind("a command of EZSP 13 such as formNetwork (tab lists them)", str, "ezsp")]


class DongleNoun(RigNoun):
    """The spare dongle: EZSP 13 firmware in its factory state, made when it is first asked."""

    name = "dongle"
    about = "a spare dongle, asked by EZSP commands"

    def __init__(self, bench: Core) -> None:
        super().__init__(bench)
        self._ncp: Ncp | None = None
        self._told: list[bytes] = []
        bench.offers["ezsp"] = lambda _: {name: _fields(schema) for name, schema in schemas(VERSION).items() if name in HANDLERS}

    @verb()
    async def send(self, command: Command, **fields: str) -> Result:
        """Ask one EZSP command, its fields by name (numbers, or octets in hex), and show the answer and what was told beside it."""
        schema = schemas(VERSION).get(command)
        if schema is None or command not in HANDLERS:
            raise WordError(f"read {command!r}, expected a command of EZSP {VERSION}{nearest(command, HANDLERS)}")
        octets = encode_frame(1, schema.frame_id, _encoded(schema, fields), VERSION, control=0)
        first = len(self._told)
        self._dongle().receive(octets)
        await self.bench.clock.sleep(0)
        heard = [words(one, VERSION, from_host=False) for one in self._told[first:]]
        answer = next(one for one in heard if one.kind == "response")
        rows = [(one.name, one.text) for one in heard if one.kind == "callback"]
        values = dict(answer.fields)
        status = values.get("status", values.get("reason", _FINE[0]))
        columns = ("told", "with") if rows else ()
        return Result(f"{answer.name}: {answer.text or 'done'}", dict(values), columns, rows, ok=status in _FINE)

    @verb(looks=True)
    async def told(self, last: int = 20) -> Result:
        """Show the last callbacks of the spare dongle, oldest first."""
        found = [words(one, VERSION, from_host=False) for one in self._told if one[1] & CALLBACK == CALLBACK]
        rows = [(one.name, one.text) for one in found[-last:]]
        return Result(f"the last {len(rows)} callbacks", columns=("told", "with"), rows=rows)

    @verb()
    async def reset(self) -> Result:
        """Reset it: what was set is gone, what it stored stays."""
        dongle = self._dongle()
        dongle.reset()
        dongle.negotiated = True
        return Result("the spare dongle was reset")

    async def close(self) -> None:
        if self._ncp is not None:
            self._ncp.reset()

    def _dongle(self) -> Ncp:
        if self._ncp is None:
            made = Ncp(self.home.air, Tokens(_ADDRESS), of_version(VERSION), self._told.append, HANDLERS, Crowd(NcpFaults()))
            made.negotiated = True
            self._ncp = made
        return self._ncp


def _fields(schema: Schema) -> str:
    return " ".join(name for name, _ in schema.request) or "no field"


def _encoded(schema: Schema, fields: Mapping[str, str]) -> bytes:
    """The request's octets; a field that is not named is zero. Raises WordError."""
    expected = _fields(schema)
    for name in fields:
        if name not in dict(schema.request):
            raise WordError(f"{schema.name}: read field {name!r}, expected {expected}{nearest(name, dict(schema.request))}")
    octets = b""
    for name, kind in schema.request:
        octets += _octets(f"{schema.name} {name}", kind, str(fields.get(name, "0" if kind in _OCTETS else "")))
    return octets


def _octets(what: str, kind: str, text: str) -> bytes:
    try:
        if kind in _OCTETS:
            return int(text, 0).to_bytes(_OCTETS[kind], "little", signed=kind == "s8")
        if kind == "eui":
            return Eui64.parse(text).zigbee if text else bytes(8)
        octets = bytes.fromhex(text)
    except (ValueError, OverflowError):
        raise WordError(f"{what}: read {text!r}, expected {'a number' if kind in _OCTETS else 'octets in hex'}") from None
    return bytes([len(octets)]) + octets if kind == "L" else octets
