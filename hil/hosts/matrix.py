"""Every foreign host x pty and TCP x five firmwares x what it is asked to do: each cell passes, or is refused as the real firmware does.

A host that is not installed, or that has no such function, is skipped with the reason. Each lives in a folder of its own under the
user's cache (:func:`home`); :data:`HOSTS` says how it gets there.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError, in_words
from hil.bench.neighbours import WELL_KNOWN_KEY
from hil.hosts.expected import EXPECTED
from hil.hosts.session import ESME, FIRST, NEXT_CHANNEL, Ended, HostOutcome, Rig, drive, once, process
from hil.radio.personality import Personality, personality

FIRMWARES = ("zbdongle-e-7.4", "zbt-1-7.4", "pmg24-8.2.2", "zbt-2-9.1", "cc2652-3.30")
TRANSPORTS = ("pty", "tcp")
VERBS = (
    "start",
    "form",
    "restart",
    "permit by install code",
    "join",
    "interview",
    "read metering",
    "bind",
    "network map",
    "energy scan",
    "channel change",
    "key change",
    "backup",
    "packet capture",
    "restore to another dongle",
    "EUI write",
    "stop",
)
DRIVERS = Path(__file__).parent / "drivers"
PASS, REFUSED, SKIP, FAIL = "pass", "refused as the firmware", "skip", "fail"


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """One thing that one host was asked to do. ``source``: what was read, or why it is refused or skipped."""

    host: str
    transport: str
    firmware: str
    verb: str
    verdict: str
    source: str

    def as_json(self) -> dict[str, str]:
        return {
            "host": self.host,
            "transport": self.transport,
            "firmware": self.firmware,
            "verb": self.verb,
            "verdict": self.verdict,
            "source": self.source,
        }


_COLOURS = re.compile("\x1b\\[[0-9;]*m")
_CAPTURE_TRIES = 5
"""Openings of joining that a capture may miss while it starts."""
_STARVED_S = 1.0
"""Seconds in line for a processor that make a host's own time-outs worth nothing: the shortest, of an ASH acknowledgement, is below 1 s."""
_RUNS = 3
"""Sessions of which the last counts, where those before failed on a starved host."""
Run = Callable[[Rig, Personality], Awaitable[list[HostOutcome]]]


@dataclass(frozen=True, slots=True)
class ForeignHost:
    """One host. ``families``: the firmwares it speaks to; ``missing`` gives the reason why it cannot run, None where it can.

    ``has``: all that it can be asked, where that is less than the verbs.
    """

    name: str
    families: tuple[str, ...]
    missing: Callable[[], str | None]
    run: Run
    has: str = ""


def home() -> Path:
    """Folder of hosts that are not this project's own libraries."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "commshub" / "hosts"


def _program(folder: str, name: str) -> Path:
    return home() / folder / "bin" / name


def _unless(package: str, program: str, needs: str = "") -> Callable[[], str | None]:
    """None where ``program`` is in the venv of ``package``."""
    how = f"not installed: python -m venv {home() / package}, and pip install {package} in it{needs}"
    return lambda: None if _program(package, program).exists() else how


def _library(name: str) -> Callable[[], str | None]:
    def missing() -> str | None:
        try:
            __import__(name)
        except ModuleNotFoundError:
            return f"not installed: pip install {name.replace('_', '-')}"
        return None

    return missing


# --- hosts that are driven through a program of ours


async def _bellows(rig: Rig, firmware: Personality) -> list[HostOutcome]:
    return await drive(rig, [sys.executable, str(DRIVERS / "zigpy_app.py"), rig.options(library="bellows")])


async def _zigpy_znp(rig: Rig, firmware: Personality) -> list[HostOutcome]:
    return await drive(rig, [sys.executable, str(DRIVERS / "zigpy_app.py"), rig.options(library="zigpy_znp")])


async def _zha(rig: Rig, firmware: Personality) -> list[HostOutcome]:
    library = {"ezsp": "bellows", "znp": "zigpy_znp"}[firmware.family]
    return await drive(rig, [str(_program("zha", "python")), str(DRIVERS / "zha_app.py"), rig.options(library=library)])


async def _herdsman(rig: Rig, firmware: Personality) -> list[HostOutcome]:
    adapter = {"ezsp": "ember", "znp": "zstack"}[firmware.family]
    node = home() / "herdsman" / "node_modules" / "node" / "bin" / "node"
    program = str(node) if node.exists() else "node"
    path = {"path": rig.first.replace("socket://", "tcp://"), "second": rig.second.replace("socket://", "tcp://")}
    return await drive(rig, [program, str(DRIVERS / "herdsman.js"), rig.options(adapter=adapter, **path), str(home() / "herdsman")])


# --- hosts with commands of their own


@dataclass(frozen=True, slots=True)
class _Step:
    verb: str
    command: Sequence[str]
    wanted: str = ""
    """Text that has to be in its output."""


async def _steps(steps: Sequence[_Step], log: Path | None = None) -> list[HostOutcome]:
    told = []
    for step in steps:
        ended = await once(step.command, log)
        found = re.search(step.wanted, ended.said) if step.wanted else None
        ok = ended.code == 0 and (not step.wanted or found is not None)
        told.append(HostOutcome(step.verb, ok, found[0] if found and ok else _last(ended), ended.starved_s))
    return told


def _last(ended: Ended) -> str:
    """The last line that a command said, without its colours; else its exit code."""
    lines = [line.strip() for line in _COLOURS.sub("", ended.said).splitlines() if line.strip()]
    return lines[-1][:300] if lines else f"exit code {ended.code}"


async def _zigpy_cli(rig: Rig, firmware: Personality) -> list[HostOutcome]:
    kind = {"ezsp": "ezsp", "znp": "znp"}[firmware.family]

    def on(path: str, *words: str, verbose: str = "") -> list[str]:
        loud = "-vvv" if rig.log else verbose
        return [str(_program("zigpy-cli", "zigpy")), *([loud] if loud else []), "radio", kind, path, *words]

    backup = rig.folder / "backup.json"
    told = await _steps(
        [
            _Step("form", on(rig.first, "form")),
            _Step("start", on(rig.first, "info"), "Channel"),
            _Step("restart", on(rig.first, "info"), "PAN ID"),
        ],
        rig.log,
    )
    told += await _cli_joins(on, rig)
    told += await _steps(
        [
            _Step("energy scan", on(rig.first, "energy-scan", "--num-scans", "1"), "26"),
            _Step("channel change", on(rig.first, "change-channel", "--channel", str(NEXT_CHANNEL))),
            _Step("backup", on(rig.first, "backup", str(backup))),
        ],
        rig.log,
    )
    told.append(await _cli_capture(firmware, on, rig))
    told += await _steps(
        [
            _Step("restore to another dongle", on(rig.second, "restore", str(backup))),
            _Step("EUI write", on(rig.second, "info"), _colons(FIRST.octets.hex())),
            _Step("stop", on(rig.first, "reset")),
        ],
        rig.log,
    )
    order = {verb: at for at, verb in enumerate(VERBS)}
    return sorted(told, key=lambda one: order[one.verb])


async def _cli_joins(on: Callable[..., list[str]], rig: Rig) -> list[HostOutcome]:
    """It opens joining without an install code, and interviews what comes; what it learns it tells in its log alone."""
    joining = asyncio.ensure_future(rig.join(WELL_KNOWN_KEY))
    endpoints = r"\[0x(?!0000)\w+\] Discovered endpoints: \[\d+.*?\]"
    ended = await once(on(rig.first, "permit", "--join-time", "254", verbose="-v"), rig.log, enough=endpoints)
    joining.cancel()
    why = f"{_last(ended)}; the meter: {rig.refused}"
    joined = re.search(rf"[Dd]evice 0x\w+ \({_colons(ESME.octets.hex())}\) joined", ended.said)
    found = re.search(endpoints, ended.said)
    return [
        HostOutcome("join", joined is not None, joined[0] if joined else why, ended.starved_s),
        HostOutcome("interview", found is not None, found[0] if found else why, ended.starved_s),
    ]


async def _cli_capture(firmware: Personality, on: Callable[..., list[str]], rig: Rig) -> HostOutcome:
    """The second dongle writes what the first sends when joining opens."""
    heard = rig.folder / "heard.json"
    sniff = on(rig.second, "packet-capture", "--channels", str(NEXT_CHANNEL), "--interleave", "--output", str(heard))
    if firmware.family == "znp":
        ended = await once(sniff, rig.log)
        refused = ended.code == 0 and not (
            heard.exists() and heard.stat().st_size
        )  # it means to say so, and compares what is never the same
        return HostOutcome("packet capture", None if refused else False, "zigpy-znp has no packet capture" if refused else _last(ended))
    starved_s = 0.0
    async with process(sniff) as host:
        for _ in range(_CAPTURE_TRIES):
            ended = await once(on(rig.first, "permit", "--join-time", "1"))
            starved_s += ended.starved_s
            if ended.code or host.returncode is not None:
                return HostOutcome("packet capture", False, _last(ended), starved_s)
            if heard.exists() and heard.stat().st_size:
                return HostOutcome("packet capture", True, f"{len(heard.read_text().splitlines())} frames")
    return HostOutcome("packet capture", False, f"no frame while joining was opened {_CAPTURE_TRIES} times", starved_s)


def _colons(text: str) -> str:
    return ":".join(text[at : at + 2] for at in range(0, len(text), 2))


async def _znp_tools(rig: Rig, firmware: Personality) -> list[HostOutcome]:
    def tool(name: str, *words: str) -> list[str]:
        return [sys.executable, "-m", f"zigpy_znp.tools.{name}", *words]

    backup = rig.folder / "backup.json"
    # zigpy-cli forms and zigpy_znp.tools looks after what is there, so a network is put into the dongle first.
    formed = await once([sys.executable, str(DRIVERS / "zigpy_app.py"), rig.options(library="zigpy_znp", only="form")], rig.log)
    told = [HostOutcome("form", formed.code == 0, _last(formed), formed.starved_s)]
    return told + await _steps(
        [
            _Step("start", tool("nvram_read", rig.first, "-o", str(rig.folder / "nvram.json"))),
            _Step("restart", tool("network_backup", rig.first, "-o", "-"), '"pan_id": "[^"]*"'),
            _Step("energy scan", tool("energy_scan", rig.first, "-n", "1"), "26"),
            _Step("backup", tool("network_backup", rig.first, "-o", str(backup))),
            _Step("restore to another dongle", tool("network_restore", rig.second, "-i", str(backup))),
            _Step("EUI write", tool("nvram_read", rig.second, "-o", "-"), FIRST.zigbee.hex()),
            _Step("stop", tool("nvram_reset", rig.first)),
        ]
    )


async def _flasher(rig: Rig, firmware: Personality) -> list[HostOutcome]:
    def on(path: str, *words: str) -> list[str]:
        probe = ["--probe-methods", "ezsp:115200"]
        return [str(_program("universal-silabs-flasher", "universal-silabs-flasher")), *probe, "--device", path, *words]

    return await _steps(
        [
            _Step("start", on(rig.first, "probe"), "EZSP|ezsp"),
            _Step("restart", on(rig.first, "probe"), "EZSP|ezsp"),
            _Step("EUI write", on(rig.second, "write-ieee", "--ieee", _colons("00db1234567890ee"), "--force")),
        ]
    )


def _herdsman_missing() -> str | None:
    folder = home() / "herdsman" / "node_modules" / "zigbee-herdsman"
    if not folder.exists():
        return "not installed: npm install zigbee-herdsman@11.1.1 in the folder herdsman of the cache"
    if shutil.which("udevadm") is None:
        return "udevadm is not here, with which it lists ports: apt-get install udev"
    return None


HOSTS = (
    ForeignHost("bellows", ("ezsp",), _library("bellows"), _bellows),
    ForeignHost("zigpy-znp", ("znp",), _library("zigpy_znp"), _zigpy_znp),
    ForeignHost(
        "zigpy-cli",
        ("ezsp", "znp"),
        _unless("zigpy-cli", "zigpy"),
        _zigpy_cli,
        "backup, change-channel, energy-scan, form, info, network-scan, packet-capture, permit (without an install code), reset, restore;"
        " it sends nothing to a Device",
    ),
    ForeignHost(
        "ZHA",
        ("ezsp", "znp"),
        _unless("zha", "python", " (Python 3.12 or newer)"),
        _zha,
    ),
    ForeignHost(
        "zigpy_znp.tools",
        ("znp",),
        _library("zigpy_znp"),
        _znp_tools,
        "energy_scan, flash_read, flash_write, network_backup, network_restore, network_scan, nvram_read, nvram_reset, nvram_write",
    ),
    ForeignHost(
        "universal-silabs-flasher",
        ("ezsp",),
        _unless("universal-silabs-flasher", "universal-silabs-flasher"),
        _flasher,
        "probe, flash, write-ieee, dump-gbl-metadata: it opens no network",
    ),
    ForeignHost("zigbee-herdsman ember", ("ezsp",), _herdsman_missing, _herdsman),
    ForeignHost("zigbee-herdsman zstack", ("znp",), _herdsman_missing, _herdsman),
)


async def certify(
    clock: Clock,
    hosts: Sequence[str] = (),
    firmwares: Sequence[str] = FIRMWARES,
    transports: Sequence[str] = TRANSPORTS,
    jobs: int = 4,
    progress: Callable[[str], None] = lambda _: None,
    logs: Path | None = None,
) -> AsyncIterator[MatrixCell]:
    """The cells, session by session, ``jobs`` of them at once: they wait more than they work. ``hosts``: names, none: all.

    A session in which a host fails that stood in line for a processor says nothing of the dongle, and is held again. ``logs``: folder
    that takes the debug log of each host.
    """
    turn = asyncio.Semaphore(jobs)

    async def session(host: ForeignHost, name: str, transport: str) -> list[MatrixCell]:
        missing = host.missing()
        if missing is not None:
            return _cells(host, transport, name, (), missing)
        async with turn:
            progress(f"{host.name} on {name} by {transport}")
            for again in reversed(range(_RUNS)):
                told = await _held(host, name, transport, clock, logs)
                cells = _cells(host, transport, name, told, None)
                failed = {cell.verb for cell in cells if cell.verdict == FAIL}
                starved = [one for one in told if one.verb in failed and one.starved_s > _STARVED_S]
                if not starved or not again:
                    break
                one = starved[0]
                progress(f"{host.name} on {name} by {transport} again: {one.verb} failed, {one.starved_s:.0f} s in line for a processor")
            return cells

    sessions = [
        asyncio.ensure_future(session(host, name, transport))
        for host in HOSTS
        for name in firmwares
        for transport in transports
        if (not hosts or host.name in hosts) and personality(name).family in host.families
    ]
    try:
        for one in sessions:
            for cell in await one:
                yield cell
    finally:  # broken off: hosts are ended and dongles unplugged before the loop is
        for one in sessions:
            one.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)


async def _held(host: ForeignHost, name: str, transport: str, clock: Clock, logs: Path | None) -> list[HostOutcome]:
    log = None if logs is None else logs / f"{host.name.replace(' ', '-')}-{name}-{transport}.log"
    if log is not None:
        log.unlink(missing_ok=True)
    try:
        async with Rig(personality(name), transport, clock, log) as rig:
            return await host.run(rig, personality(name))
    except (CommsHubError, OSError) as problem:  # one session's trouble is not that of the others
        return [HostOutcome("start", False, f"the session broke off: {in_words(problem)}")]


def _cells(host: ForeignHost, transport: str, firmware: str, outcomes: Sequence[HostOutcome], missing: str | None) -> list[MatrixCell]:
    known = {one.verb: one for one in outcomes}
    started = known.get("start")
    cells = []
    for verb in VERBS:
        one = known.get(verb)
        if missing is not None:
            verdict, source = SKIP, missing
        elif one is None and started is not None and started.ok is False:
            verdict, source = FAIL, f"the session ended before it: {started.said}"
        elif one is None:
            verdict, source = SKIP, f"{host.name} has no such function" + (f": {host.has}" if host.has else "")
        elif one.ok is None:
            verdict, source = SKIP, one.said
        elif one.ok:
            verdict, source = PASS, one.said
        else:
            verdict, source = _judged(host.name, firmware, verb, one.said)
        cells.append(MatrixCell(host.name, transport, firmware, verb, verdict, source))
    return cells


def _judged(host: str, firmware: str, verb: str, said: str) -> tuple[str, str]:
    """A refusal that the real firmware, or the host by itself, gives too; else a failure."""
    for row in EXPECTED:
        if host in row.hosts and firmware in row.firmwares and verb == row.verb and re.search(row.said, said):
            return REFUSED, f"{said[:160]} ({row.source})"
    return FAIL, said


def as_json(cells: Sequence[MatrixCell]) -> str:
    """The artefact."""
    return json.dumps({"cells": [cell.as_json() for cell in cells]})
