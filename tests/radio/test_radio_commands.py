"""Every command that the hosts can send is in the firmware of the virtual dongles: their own sources are asked which those are."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import re
from functools import cache
from pathlib import Path

import bellows
import pytest
from bellows.ezsp import EZSP

from firmware_emu.clock import Clock
from hil.radio.air.air import Air
from hil.radio.ncp.ezsp import VERSIONS, schemas
from hil.radio.ncp.handlers import HANDLERS
from hil.radio.ncp.server import NcpServer
from hil.radio.znp import handlers
from hil.radio.znp.commands import requests
from tests.radio.radio_bench import HUB

HERDSMAN = (
    "addEndpoint",
    "broadcastNetworkKeySwitch",
    "broadcastNextNetworkKey",
    "clearKeyTable",
    "clearTransientLinkKeys",
    "exportKey",
    "exportLinkKeyByEui",
    "exportLinkKeyByIndex",
    "formNetwork",
    "getEui64",
    "getExtendedValue",
    "getMulticastTableEntry",
    "getNetworkKeyInfo",
    "getNetworkParameters",
    "getNodeId",
    "getRandomNumber",
    "getSourceRouteTableEntry",
    "getSourceRouteTableFilledSize",
    "getSourceRouteTableTotalSize",
    "getValue",
    "importLinkKey",
    "importTransientKey",
    "launchStandaloneBootloader",
    "leaveNetwork",
    "networkInit",
    "networkState",
    "permitJoining",
    "readAndClearCounters",
    "removeDevice",
    "sendBroadcast",
    "sendMulticast",
    "sendRawMessage",
    "sendUnicast",
    "setConcentrator",
    "setConfigurationValue",
    "setInitialSecurityState",
    "setLogicalAndRadioChannel",
    "setManufacturerCode",
    "setMulticastTableEntry",
    "setPolicy",
    "setRadioPower",
    "setSourceRouteDiscoveryMode",
    "setValue",
    "startScan",
    "version",
)
"""zigbee-herdsman 11.1.1, the ember driver: what reference ezsp-ncp 5 saw it send, and what its methods are named after."""
NOT_OURS = {"sendRawMessage"}
"""Not in every version."""


@cache
def tables() -> dict[int, dict[str, tuple[int, object, object]]]:
    return {version: importlib.import_module(f"bellows.ezsp.v{version}.commands").COMMANDS for version in VERSIONS}


@cache
def sent_by_bellows() -> set[str]:
    names = set().union(*tables().values())
    text = "".join(file.read_text("utf-8") for file in Path(bellows.__file__).parent.rglob("*.py") if file.name != "commands.py")
    return names & set(re.findall(r"\b(\w+)\(", text)) - {name for name in names if name.endswith("Handler")}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_ezsp_command_that_bellows_can_send_is_answered(version: int) -> None:
    known = tables()[version]
    wanted = {name for name in sent_by_bellows() if name in known}
    assert len(wanted) > 50
    assert sorted(name for name in wanted if name not in HANDLERS or name not in schemas(version)) == []


def test_every_ezsp_command_that_herdsman_sends_is_answered() -> None:
    for version in (13, 14, 16, 17, 18, 19):
        assert [name for name in HERDSMAN if name not in HANDLERS] == []
        assert [name for name in HERDSMAN if name not in schemas(version) and name not in NOT_OURS] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_frame_ids_are_those_that_bellows_has(version: int) -> None:
    theirs = tables()[version]
    ours = {name: schema.frame_id for name, schema in schemas(version).items() if name in theirs}
    assert ours == {name: theirs[name][0] for name in ours}


def test_every_handler_has_a_schema_and_every_schema_a_handler() -> None:
    everywhere = set().union(*(schemas(version) for version in VERSIONS))
    assert set(HANDLERS) - everywhere == set()
    assert {name for name in everywhere - set(HANDLERS) if "Handler" not in name} == {"invalidCommand"}


@pytest.mark.parametrize("version", [7, 13, 19])
async def test_a_host_reads_the_answer_to_every_command_without_a_field_left_over(clock: Clock, version: int) -> None:
    server = NcpServer(Air(clock, 1), HUB, version, clock=clock)
    theirs = tables()[version]
    unfit: list[str] = []
    async with asyncio.timeout(600):
        ezsp = EZSP({"path": str(await server.serve_pty()), "baudrate": 115200, "flow_control": None})
        await ezsp.connect(use_thread=False)
        for name, (_, request, response) in sorted(theirs.items()):
            if name not in HANDLERS or name in ("version", "tokenFactoryReset", "customFrame"):
                continue
            fields = request if isinstance(request, dict) else {field.name: field.type for field in request.fields}
            if any(not key for key in fields) or any("Struct" in str(kind) for kind in fields.values()):
                continue
            try:
                values = {key: kind.deserialize(bytes(80))[0] for key, kind in fields.items()}
                answer = await ezsp._command(name, **values)
            except (ValueError, TypeError, AssertionError, TimeoutError) as problem:
                unfit.append(f"{name}: {problem!r}")
                continue
            expected = len(response) if isinstance(response, dict) else len(response.fields)
            if isinstance(answer, list) and len(answer) != expected:
                unfit.append(f"{name}: {len(answer)} fields, expected {expected}")
        await ezsp.disconnect()
        await server.close()
    assert unfit == []


def test_every_mt_command_that_zigpy_znp_can_send_is_answered() -> None:
    spec = importlib.util.find_spec("zigpy_znp")
    if spec is None or spec.origin is None:
        pytest.skip("needs zigpy-znp (pip install zigpy-znp)")
    import zigpy_znp.commands as theirs

    folder = Path(spec.origin).parent
    text = "".join((folder / file).read_text("utf-8") for file in ("api.py", "nvram.py", "zigbee/application.py", "znp/security.py"))
    missing = []
    for subsystem, name in sorted(set(re.findall(r"c\.([A-Za-z]+)\.([A-Za-z0-9]+)\.Req", text))):
        header = getattr(getattr(theirs, subsystem), name).Req.header
        command = requests().get((int(header.subsystem), int(header.id)))
        if command is None or command.name not in handlers.HANDLERS:
            missing.append(f"{subsystem}.{name}")
    assert missing == ["SAPI.ZBReadConfiguration"]  # of Z-Stack before 3.0
