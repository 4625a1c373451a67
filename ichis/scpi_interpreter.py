"""The other end of SCPI: command lines in, answers out, over any supply and probes. Sans-IO but for what the supply itself awaits."""

from __future__ import annotations

import re
from collections import deque

from firmware_emu.errors import CommsHubError
from ichis.jig import Probes, Supply

_CHANNELS = re.compile(r"\(@([0-9, ]+)\)")


class ScpiInterpreter:
    """One instrument. An unknown header queues SCPI error -113, a value that does not fit -222."""

    def __init__(self, identity: str, supply: Supply, probes: Probes) -> None:
        self._identity, self._supply, self._probes = identity, supply, probes
        self._errors: deque[str] = deque(maxlen=16)
        self._volts, self._limit_a, self._on = 0.0, 0.0, False
        self._list_volts: list[float] = []
        self._list_dwell: list[float] = []
        self._mode = "FIX"

    async def line(self, text: str) -> str | None:
        """Carry out one line of commands; the answers of its queries joined by ``;``, or None without a query."""
        answers = [answer for part in text.split(";") if part.strip() and (answer := await self._one(part.strip())) is not None]
        return ";".join(answers) if answers else None

    async def _one(self, text: str) -> str | None:
        header, _, argument = text.lstrip(":").partition(" ")
        header, argument = header.upper(), argument.strip()
        try:
            if header.endswith("?"):
                return await self._query(header, argument)
            await self._command(header, argument)
            return None
        except CommsHubError as wrong:
            self._errors.append(f'-200,"Execution error; {str(wrong)[:60]}"')
        except (ValueError, IndexError):
            self._errors.append(f'-222,"Data out of range; {argument[:30]}"')
        return "9.91E37" if header.endswith("?") else None

    async def _query(self, header: str, argument: str) -> str | None:
        match header:
            case "*IDN?":
                return self._identity
            case "*OPC?":
                return "1"
            case "SYST:ERR?":
                return self._errors.popleft() if self._errors else '0,"No error"'
            case "VOLT?":
                return f"{self._volts:.4f}"
            case "CURR?":
                return f"{self._limit_a:.4f}"
            case "OUTP?":
                return str(int(self._on))
            case "MEAS:VOLT?":
                return f"{await self._supply.measure_voltage():.6f}"
            case "MEAS:CURR?":
                return f"{await self._supply.measure_current():.6f}"
            case "MEAS:CURR:HIGH?":
                return f"{await self._supply.measure_peak_current():.6f}"
            case "MEAS:VOLT:DC?":
                return f"{await self._probes.volts(self._channels(argument)[0]):.6f}"
            case "MEAS:VOLT:PTP?":
                return f"{await self._probes.ripple(self._channels(argument)[0]):.6f}"
            case "MEAS:RES?":
                one, other = self._channels(argument)
                return f"{await self._probes.ohms(one, other):.6g}"
        self._errors.append(f'-113,"Undefined header; {header[:30]}"')
        return None

    async def _command(self, header: str, argument: str) -> None:
        match header:
            case "*RST":
                self._on, self._volts = False, 0.0
                await self._supply.output(False)
                await self._supply.set_voltage(0.0)
            case "*CLS":
                self._errors.clear()
            case "VOLT":
                await self._supply.set_voltage(float(argument))
                self._volts = float(argument)
            case "CURR":
                await self._supply.set_current_limit(float(argument))
                self._limit_a = float(argument)
            case "OUTP" | "INP":
                self._on = {"ON": True, "1": True, "OFF": False, "0": False}.get(argument.upper(), self._on)
                await self._supply.output(self._on)
            case "LIST:VOLT":
                self._list_volts = [float(item) for item in argument.split(",")]
            case "LIST:DWEL":
                self._list_dwell = [float(item) for item in argument.split(",")]
            case "VOLT:MODE":
                self._mode = argument.upper()
            case "INIT":
                if self._mode != "LIST" or len(self._list_volts) != len(self._list_dwell):
                    raise ValueError("no list to play")
                await self._supply.play(list(zip(self._list_volts, self._list_dwell, strict=True)))
            case _:
                self._errors.append(f'-113,"Undefined header; {header[:30]}"')

    @staticmethod
    def _channels(argument: str) -> list[int]:
        found = _CHANNELS.fullmatch(argument)
        if found is None:
            raise ValueError(argument)
        return [int(item) for item in found.group(1).split(",")]
