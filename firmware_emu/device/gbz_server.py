"""Executes GBZ commands on a ZCL attribute and command model, component by component (reference gbcs-messages 7A).

Which answers are encrypted and which frame control they carry is data (``gbz_answers.csv``, read off the RTDS).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from firmware_emu.device.pipeline import default_response, not_tried
from firmware_emu.errors import DecodeError, ProtectionError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.zse.zcl import DataType, GeneralCommand, ReadRecord, Value, ZclStatus, decode_attribute_ids, encode_read_response

if TYPE_CHECKING:
    from firmware_emu.device.pipeline import GbcsDevice

_CLUSTER_ANSWER, _CLIENT_ANSWER, _GENERAL_ANSWER = 0x19, 0x01, 0x08
"""Frame control of answers: from the server side (where the RTDS shows no other), from the client side (GCS20r), profile-wide."""


@dataclass(frozen=True, slots=True)
class ZclAnswer:
    """One cluster command that answers a component: command id and ZCL payload (little-endian fields)."""

    command: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class LiveAttribute:
    """An attribute with its ZCL type and the function that reads it."""

    type: DataType
    read: Callable[[], Value]


Command = Callable[[Component], "ZclStatus | Sequence[ZclAnswer]"]
"""A cluster command: the component to its answers, or to the status of a default response."""


class ZclModel:
    """Model of a ZigBee Device: attributes by (cluster, id), commands by (cluster, command id, sent by the server side)."""

    def __init__(self) -> None:
        self.attributes: dict[tuple[int, int], LiveAttribute] = {}
        self.commands: dict[tuple[int, int, bool], Command] = {}
        self.broken: dict[tuple[int, int], ZclStatus] = {}
        """Attributes whose hardware is out of order, and the status that a read of them gets."""


@cache
def _answers() -> dict[tuple[int, int, int], tuple[int, bool]]:
    text = resources.files("firmware_emu.device").joinpath("gbz_answers.csv").read_text(encoding="utf-8")
    found = {}
    for row in csv.DictReader(text.splitlines()):
        code, cluster, command, frame_control = (int(row[name], 16) for name in ("message_code", "cluster", "command", "frame_control"))
        found[code, cluster, command] = (frame_control, bool(row["encrypted"]))
    return found


class GbzServer:
    """The executor of GBZ payloads of one Device."""

    def __init__(self, device: GbcsDevice, model: ZclModel) -> None:
        self.device = device
        self.model = model
        self._failed = False

    def execute(self, message: Message) -> bytes:
        """Run the components in order and return the GBZ response. Raises DecodeError if the payload is not GBZ.

        After one has failed the rest are not tried: each is answered FAILURE for command FF (RTDS GCS15b, GCS16b and GCS21b
        ERROR). What is not found is no failure (RTDS GCS21f NOT_FOUND).
        """
        request = Gbz.decode(message.payload, message.payload_offset)
        answers: list[Component] = []
        sealed = 0
        self._failed = False
        for part in request.components:
            run = [(not_tried(part), False)] if self._failed else self._run(part, message.message_code)
            for answer, encrypt in run:
                if encrypt:
                    answers.append(self._seal(answer, sealed))
                    sealed += 1
                else:
                    answers.append(answer)
        return Gbz(tuple(answers)).encode()

    def _run(self, part: Component, code: int) -> list[tuple[Component, bool]]:
        try:
            if part.profile_wide:
                return [self._read(part, code)]
            command = self.model.commands.get((part.cluster, part.command, part.from_server))
            result = ZclStatus.UNSUP_CLUSTER_COMMAND if command is None else command(part)
        except DecodeError as problem:
            self.device.note_failure(str(problem))
            self._failed = True
            return [(default_response(part, ZclStatus.MALFORMED_COMMAND), False)]
        if isinstance(result, ZclStatus):
            if result is not ZclStatus.SUCCESS:
                self.device.note_failure(f"cluster {part.cluster:04x} command {part.command:02x}: {result.name}")
                self._failed = result is not ZclStatus.NOT_FOUND
            return [(default_response(part, result), False)]
        return [self._component(part, answer, code) for answer in result]

    def _read(self, part: Component, code: int) -> tuple[Component, bool]:
        if part.command != GeneralCommand.READ_ATTRIBUTES:
            self.device.note_failure(f"general command {part.command:02x} is not supported")
            self._failed = True
            return default_response(part, ZclStatus.UNSUP_GENERAL_COMMAND), False
        records: list[ReadRecord] = []
        for attribute in decode_attribute_ids(part.payload):
            live = self.model.attributes.get((part.cluster, attribute))
            status = self.model.broken.get((part.cluster, attribute), ZclStatus.SUCCESS if live else ZclStatus.UNSUPPORTED_ATTRIBUTE)
            if live is None or status is not ZclStatus.SUCCESS:
                self.device.note_failure(f"cluster {part.cluster:04x} attribute {attribute:04x}: {status.name}")
                self._failed = True
                records.append(ReadRecord(attribute, status))
            else:
                records.append(ReadRecord(attribute, ZclStatus.SUCCESS, live.type, live.read()))
        command = GeneralCommand.READ_ATTRIBUTES_RESPONSE
        frame_control, encrypted = _answers().get((code, part.cluster, command), (_GENERAL_ANSWER, False))
        return Component(part.cluster, frame_control, part.sequence, command, encode_read_response(records)), encrypted

    @staticmethod
    def _component(part: Component, answer: ZclAnswer, code: int) -> tuple[Component, bool]:
        """A cluster answer comes from the server side unless the component itself did."""
        standard = (_CLIENT_ANSWER if part.from_server else _CLUSTER_ANSWER, False)
        frame_control, encrypted = _answers().get((code, part.cluster, answer.command), standard)
        return Component(part.cluster, frame_control, part.sequence, answer.command, answer.payload), encrypted

    def _seal(self, part: Component, number: int) -> Component:
        """Encrypt the ZCL payload, not its header; one the reader's key is missing for answers FAILURE."""
        try:
            octets = self.device.seal(part.payload).octets
        except ProtectionError as problem:
            self.device.note_failure(str(problem))
            return default_response(part, ZclStatus.FAILURE)
        return Component(part.cluster, part.frame_control, part.sequence, part.command, octets, encrypted=True, frame_counter=number)
