"""The electricity meter as its parts see it."""

from __future__ import annotations

from typing import Protocol

from firmware_emu.device.event_log import LogEntry
from firmware_emu.device.object_model import ObjectModel
from firmware_emu.device.top_up import TopUpResult
from firmware_emu.gbcs.axdr import Data
from firmware_emu.gbcs.dlms import AccessResult
from hil.devices.esme.metering import EsmeRegisters, LoadSwitch, Metering
from hil.devices.esme.variant import EsmeVariant
from hil.devices.metering.maker import Maker
from hil.devices.metering.part import MeterPart


class EsmePart(MeterPart, Protocol):
    """Everything that a part may use of an ESME beside what every meter has."""

    variant: EsmeVariant
    registers: EsmeRegisters
    metering: Metering
    offset_number: int
    maker: Maker
    model: ObjectModel
    clock_reliable: bool

    def read(self, class_id: int, obis: str, attribute: int) -> Data:
        """An attribute of the object model as it stands."""
        ...

    def tell(self, code: int, other: bytes = b"", entry: LogEntry | None = None) -> None:
        """One event, with what its entry says beside the code; ``entry`` goes to the auxiliary log in the code's place."""
        ...

    def settings_changed(self) -> None:
        """Something in the object model was written."""
        ...

    def set_clock(self, start: float, end: float) -> bool:
        """Adopt the hub's time if it lies in the interval."""
        ...

    @property
    def load_switch(self) -> LoadSwitch:
        """State of the load switch."""
        ...

    def supply_script(self, parameter: Data) -> AccessResult | Data:
        """Move the load switch as a script of the supply control asks."""
        ...

    def enable_supply(self) -> bool:
        """Close a switch that is armed; False if there is none to close."""
        ...

    def activate_emergency_credit(self) -> bool:
        """Activate emergency credit; True if it is active afterwards."""
        ...

    def token_by_command(self, utrn: str) -> bool:
        """CS01a: a token in a Command. Whether it was taken."""
        ...

    def take_token(self, utrn: str) -> tuple[TopUpResult, int]:
        """A token that comes without the supplier's Command: result, and value in millipence."""
        ...

    def disable_privacy_pin(self) -> None:
        """ECS14: the supplier takes the PIN away."""
        ...
