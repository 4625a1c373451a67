"""ZCL transactions: the command that arrived, the answer to it, the question in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from firmware_emu.han.attributes import AttributeServer
from firmware_emu.han.base import ApsFrame
from firmware_emu.ids import Eui64
from firmware_emu.zse import clusters
from firmware_emu.zse.zcl import AttributeRecord, GeneralCommand, ZclFrame, ZclStatus

GENERAL_ANSWER_TO = {
    GeneralCommand.READ_ATTRIBUTES: GeneralCommand.READ_ATTRIBUTES_RESPONSE,
    GeneralCommand.WRITE_ATTRIBUTES: GeneralCommand.WRITE_ATTRIBUTES_RESPONSE,
    GeneralCommand.WRITE_ATTRIBUTES_UNDIVIDED: GeneralCommand.WRITE_ATTRIBUTES_RESPONSE,
    GeneralCommand.CONFIGURE_REPORTING: GeneralCommand.CONFIGURE_REPORTING_RESPONSE,
    GeneralCommand.READ_REPORTING_CONFIGURATION: GeneralCommand.READ_REPORTING_CONFIGURATION_RESPONSE,
    GeneralCommand.DISCOVER_ATTRIBUTES: GeneralCommand.DISCOVER_ATTRIBUTES_RESPONSE,
}
GENERAL_ANSWERS = frozenset(GENERAL_ANSWER_TO.values())


@dataclass(frozen=True, slots=True)
class Incoming:
    """A command that arrived: who from, which of our endpoints and clusters, and whether the link key protected it."""

    partner: Eui64
    endpoint: int
    partner_endpoint: int
    cluster: int
    frame: ZclFrame
    secured: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """A cluster command that answers: sent in the opposite direction with the same sequence number and security."""

    command: int
    payload: bytes = b""


Answer: TypeAlias = Reply | ZclStatus | None
"""Result of a handler: a reply; a status, sent as default response; None: nothing is sent (the handler does it itself)."""

Handler: TypeAlias = Callable[[Incoming], Answer | Awaitable[Answer]]
ReportHandler: TypeAlias = Callable[[Incoming, tuple[AttributeRecord, ...]], ZclStatus]


@dataclass(slots=True)
class Pending:
    """A transaction in flight. ``commands``: cluster commands that answer it, None: any; ``general``: the general one that does."""

    cluster: int
    command: int
    to_client: bool
    secured: bool
    commands: frozenset[int] | None
    general: int | None
    answer: asyncio.Future[ZclFrame]

    def takes(self, aps: ApsFrame, frame: ZclFrame) -> bool:
        if aps.cluster != self.cluster or frame.to_client == self.to_client or self.answer.done():
            return False
        if self.secured and not aps.secured:
            return False
        if frame.is_cluster_command:
            return self.general is None and (self.commands is None or frame.command in self.commands)
        if frame.command == GeneralCommand.DEFAULT_RESPONSE:
            return frame.payload[:1] == bytes([self.command])
        return frame.command == self.general


@dataclass(frozen=True, slots=True)
class Service:
    handler: Handler | None
    attributes: AttributeServer | None
    reports: ReportHandler | None


def only_answers(incoming: Incoming) -> bool:
    """True if the command is declared as the answer to another: nobody waits for it any more, so it is dropped."""
    declared = clusters.by_id(incoming.cluster)
    if declared is None:
        return False
    asked = (declared.to_server if incoming.frame.to_client else declared.to_client).values()
    return any(incoming.frame.command in command.answered_by for command in asked)
