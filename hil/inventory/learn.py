"""A personality out of a dongle: its sizes, policies and release, asked one by one, as a file that a virtual dongle plays.

Only questions are put, but opening an EZSP dongle resets it. What no question tells (limits, habits) stays that of the family's file.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import tomlkit

from firmware_emu.clock import Clock
from firmware_emu.errors import RadioError
from firmware_emu.han.ezsp import OPENING_ERRORS, HeldEzsp, device_config, opening_problem, status_text
from hil.radio.personality import of_version, personality

LOGGER = logging.getLogger(__name__)


async def learn(path: str, kind: str, baudrate: int, clock: Clock, today: datetime) -> str:
    """The personality of the dongle at ``path``, as TOML. Raises NotAvailable, RadioError."""
    return await (_ezsp if kind == "ezsp" else _znp)(path, baudrate, clock, f"asked of the dongle at {path} on {today:%Y-%m-%d}")


async def _ezsp(path: str, baudrate: int, clock: Clock, source: str) -> str:
    import bellows.types as t  # with bellows alone, which a list of dongles does not need

    ezsp: Any = HeldEzsp(clock, device_config(path, baudrate, None))
    try:
        await ezsp.connect()
        version: int = ezsp.ezsp_version
        below = of_version(version)
        _, _, told = await ezsp._command("version", desiredProtocolVersion=version)
        document = _document(f"learned-ezsp-{version}", below.name, version, ".".join(f"{int(told):04x}"), source)
        configuration, policies = tomlkit.table(), tomlkit.table()
        for setting in below.settings.values():
            status, value = await ezsp._command("getConfigurationValue", configId=t.EzspConfigId(setting.id))
            if status_text(status) in ("OK", "SUCCESS"):
                _entry(configuration, setting.name, setting.value, int(value), source)
        for policy in below.policies.values():
            status, value = await ezsp._command("getPolicy", policyId=t.EzspPolicyId(policy.id))
            if status_text(status) in ("OK", "SUCCESS"):
                _entry(policies, policy.name, policy.value, int(value), source)
    except OPENING_ERRORS as trouble:
        raise opening_problem(trouble, path) from trouble
    finally:
        await ezsp.disconnect()
    document["configuration"], document["policies"] = configuration, policies
    return tomlkit.dumps(document)


async def _znp(path: str, baudrate: int, clock: Clock, source: str) -> str:
    import zigpy_znp.commands as c  # with zigpy-znp alone
    import zigpy_znp.config as conf
    from zigpy_znp.api import ZNP

    below = personality("znp")
    znp: Any = ZNP(conf.CONFIG_SCHEMA({"database_path": None, "device": {"path": path, "baudrate": baudrate, "flow_control": None}}))
    try:
        await znp.connect()
        told = await znp.request(c.SYS.Version.Req())
        release = f"{told.MajorRel}.{told.MinorRel}.{told.MaintRel}.0"
        document = _document("learned-znp", below.name, 0, release, source)
        items, traits = tomlkit.table(), tomlkit.table()
        for item in below.items.values():
            length = (await znp.request(c.SYS.OSALNVLength.Req(Id=item.id))).ItemLen
            if length and length != item.length:
                row = tomlkit.inline_table()
                row["id"], row["length"], row["value"], row["source"] = item.id, int(length), "absent", source
                items[item.name] = row
        ping = await znp.request(c.SYS.Ping.Req())
        for name, value in (("revision", int(told.CodeRevision or 0)), ("capabilities", int(ping.Capabilities))):
            _entry(traits, name, below.traits[name], value, source)
    except OPENING_ERRORS as trouble:
        raise RadioError(f"the dongle at {path} does not answer MT ({trouble}): ask it with --probe what it runs") from trouble
    finally:
        await znp.disconnect()
    document["items"], document["traits"] = items, traits
    return tomlkit.dumps(document)


def _document(name: str, below: str, version: int, release: str, source: str) -> tomlkit.TOMLDocument:
    document = tomlkit.document()
    document.add(tomlkit.comment(f"Learned by chub inventory --learn: what differs from {below}."))
    document["name"], document["extends"], document["version"] = name, below, version
    document["stack"], document["source"] = release, source
    return document


def _entry(table: Any, name: str, known: int, value: int, source: str) -> None:
    """A value that is not the family's."""
    if value != known:
        row = tomlkit.inline_table()
        row["value"], row["source"] = value, source
        table[name] = row
