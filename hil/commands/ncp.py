"""``chub ncp``: virtual dongles for another program, on pseudo-terminals or TCP ports, all on one air of their own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from pathlib import Path

import click

from firmware_emu import extensions
from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore_files import read_cbke
from firmware_emu.errors import RadioError, one_of
from firmware_emu.extras import Choice
from firmware_emu.han.capture import CaptureWriter, KeyFile
from firmware_emu.ids import Eui64, install_code_crc
from firmware_emu.ownership import Owner
from firmware_emu.trace import Trace
from hil.bench.neighbours import Neighbours
from hil.commands.ncp_certify import certify
from hil.commands.ncp_compare import compare_log
from hil.radio.air.air import Air
from hil.radio.dongles import virtual_dongle
from hil.radio.ncp.ezsp import VERSIONS, Ncp
from hil.radio.ncp.handlers import agreement
from hil.radio.open_air.remote_air import RemoteAir
from hil.radio.open_air.server import OpenAir
from hil.radio.personality import of_version, personality, with_key_establishment
from hil.radio.port.dongle_server import DongleServer
from hil.radio.port.faults import NcpFaults

_FAMILIES = extensions.names(extensions.RADIO)
DEFAULT_EUI = "00db1234567890a0"


@click.group("ncp", invoke_without_command=True)
@click.option("--pty", "pty", is_flag=True, help="Serve each dongle on a pseudo-terminal (the default).")
@click.option("--tcp", "tcp", metavar="HOST:PORT", help="Serve on TCP; several dongles take the ports that follow. Port 0: free ones.")
@click.option(
    "--family",
    type=Choice(_FAMILIES),
    default="ezsp",
    show_default=True,
    help="EmberZNet NCP, TI's Z-Stack ZNP, or another.",
)
@click.option("--version", "version", type=int, default=13, show_default=True, help="EZSP version to speak.")
@click.option(
    "--personality", "firmware", metavar="NAME", help="The firmware to play, instead of --family and --version: a name or a .toml."
)
@click.option("--eui", "eui", default=DEFAULT_EUI, show_default=True, help="EUI-64 of the first dongle; the next ones count up.")
@click.option("--air", "open_air", metavar="HOST:PORT", help="Open the air: programs of third parties join it here as nodes (port 0: any).")
@click.option("--on", "elsewhere", metavar="HOST:PORT", help="Be on the open air of another process (its --air), not on an own one.")
@click.option("--with", "neighbours", metavar="NAMES", help="Simulated Devices on the same air, as esme,ihd: for any host to interview.")
@click.option(
    "--no-cbke",
    "plain",
    is_flag=True,
    help="With --with: Devices join with the well-known key and speak under the network key alone, for hosts without key establishment.",
)
@click.option("--count", type=click.IntRange(1, 64), default=1, show_default=True, help="Dongles on the one air.")
@click.option("--tokens", type=click.Path(path_type=Path, dir_okay=False), help="File of what outlives a power cut (or FILE.1 ...).")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the air and of what the dongles draw.")
@click.option(
    "--speed",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="Bench seconds a second: as clock.speed of the board whose radios these dongles are.",
)
@click.option("--capture", type=click.Path(path_type=Path, dir_okay=False), help="Record the air to a pcapng file.")
@click.option("--keys", type=click.Path(path_type=Path), help="Export the keys of the HAN beside --capture: whoever has the file reads it.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME[=NUMBER]",
    help="A fault of the dongles: damaged, lost, doubled, refused, "
    "missed, repeated (0..1 a frame of the line), busy (0..1 of the commands that need room), "
    "late_s=SECONDS, mute, silent; with ASH also rstack=CODE, garbage, "
    "resets_after_s=SECONDS, fails_after_s=SECONDS, flow.",
)
@click.option(
    "--cbke",
    type=click.Path(exists=True, path_type=Path, dir_okay=False),
    help="Key establishment in the dongle: its firmware has the library, and the credentials of this file (EUI-cbke.json of a folder of "
    "keys) are written into it; its EUI-64 is theirs. One EZSP dongle.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a dongle instead of a line.")
@click.pass_context
def ncp(
    context: click.Context,
    pty: bool,
    tcp: str | None,
    family: str,
    version: int,
    firmware: str | None,
    eui: str,
    open_air: str | None,
    elsewhere: str | None,
    neighbours: str | None,
    plain: bool,
    count: int,
    tokens: Path | None,
    seed: int,
    speed: float,
    capture: Path | None,
    keys: Path | None,
    faults: tuple[str, ...],
    cbke: Path | None,
    as_json: bool,
) -> None:
    """Run virtual USB dongles until Ctrl-C.

    The first line of each dongle is what a host opens: a device path, or socket://HOST:PORT.
    """
    if context.invoked_subcommand is not None:
        return
    if plain and neighbours is None:
        raise RadioError("--no-cbke is for the Devices of --with: name some, as --with esme")
    if pty and tcp:
        raise RadioError("--pty and --tcp exclude each other")
    if version not in VERSIONS:
        raise RadioError(f"--version {version}: expected {one_of(version, VERSIONS)}")
    _agree(context, family, firmware)
    played = None if firmware is None else personality(firmware)
    if cbke is not None:
        played = with_key_establishment(played or of_version(version))
        if count != 1 or family != "ezsp" or played.family != "ezsp":
            raise RadioError("--cbke is for one dongle with EZSP firmware: leave out --count and --family")
    first = Eui64.parse(eui)
    address = _address("--tcp", tcp) if tcp else None
    if address is not None and address[1] and address[1] + count - 1 > 65535:
        raise RadioError(f"--tcp {tcp}: {count} dongles need ports up to {address[1] + count - 1}, expected at most 65535")
    if keys is not None and capture is None:
        raise RadioError("--keys exports the keys of a capture: give --capture FILE too")
    clock = Clock(speed=speed)
    air = Air(clock, seed) if elsewhere is None else RemoteAir(clock, *_address("--on", elsewhere), seed)
    near = None if neighbours is None else Neighbours(air, clock, Trace(clock.now), neighbours.split(","), cbke=not plain)
    opened = None if open_air is None else _address("--air", open_air)
    servers: list[DongleServer] = []
    owners = contextlib.ExitStack()
    for index in range(count):
        device = Eui64((int.from_bytes(first.octets, "big") + index & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big"))
        file = tokens if tokens is None or count == 1 else tokens.with_name(f"{tokens.name}.{index + 1}")
        if file is not None:
            owners.callback(Owner.of_file(file, f"the dongle's memory {file}").release)
        servers.append(virtual_dongle(family, air, device, version, file, clock, NcpFaults.parse(",".join(faults), seed + index), played))
    for server in servers if cbke is not None else ():
        assert cbke is not None, "the condition above"
        assert isinstance(server.ncp, Ncp), "an EZSP dongle, looked at above"
        agreement.write(server.ncp, read_cbke(cbke))
    with owners, contextlib.ExitStack() as recording, contextlib.suppress(KeyboardInterrupt):
        if capture is not None:
            air.capture(recording.enter_context(CaptureWriter(capture)))
        if keys is not None:
            export = KeyFile(keys)
            air.capture(lambda frame: _export(export, servers))
        clock.run(_serve(servers, address, family if played is None else played.family, as_json, near, air, opened))


ncp.add_command(certify)
ncp.add_command(compare_log)


def _agree(context: click.Context, family: str, firmware: str | None) -> None:
    """Raises RadioError for options of which one would be without effect."""
    given = [name for name in ("family", "version") if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE]
    if firmware is not None and given:
        raise RadioError(f"--personality {firmware} says what the firmware is: leave out {' and '.join(f'--{name}' for name in given)}")
    if family != "ezsp" and "version" in given:
        raise RadioError(f"--version is of EZSP: leave it out with --family {family}")


def _address(option: str, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise RadioError(f"{option} {text}: expected HOST:PORT, as 127.0.0.1:8888")
    return host, int(port)


def _export(keys: KeyFile, servers: list[DongleServer]) -> None:
    """Every key that protects frames of these dongles; a key already exported is not written again."""
    for server in servers:
        tokens = server.ncp.stack.tokens
        if tokens.network_key is not None:
            keys.add(tokens.network_key, "nwk")
        for key in server.ncp.stack.trust.keys().values():
            keys.add(key, "install")
        for _, key in tokens.link_keys.values():
            keys.add(key, "link")


async def _serve(
    servers: list[DongleServer],
    address: tuple[str, int] | None,
    family: str,
    as_json: bool,
    near: Neighbours | None,
    air: Air,
    opened: tuple[str, int] | None,
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    lost = False

    def left_alone() -> None:
        nonlocal lost
        lost = True
        stop.set()

    if isinstance(air, RemoteAir):
        air.on_lost = left_alone
    open_air = OpenAir(air, air.clock)
    try:
        for index, server in enumerate(servers):
            if address is None:
                where = str(await server.serve_pty())
            else:
                port = await server.serve_tcp(address[0], address[1] + index if address[1] else 0)
                where = f"socket://{address[0]}:{port}"
            told = {"path": where, "eui64": str(server.eui64), "family": family, "version": server.ncp.version}
            click.echo(json.dumps(told) if as_json else where)
        if opened is not None:
            where = f"socket:{opened[0]}:{await open_air.serve(*opened)}"
            click.echo(json.dumps({"air": where}) if as_json else f"air {where}")
        if near is not None:
            await near.start()
            for row in near.rows:
                label = {"device": row.name, "eui64": str(row.eui), "link_key": near.link_key(row).hex()}
                label |= {"install_code": (row.install_code.octets + install_code_crc(row.install_code.octets)).hex()} if near.cbke else {}
                click.echo(json.dumps(label) if as_json else "  ".join(f"{key} {value}" for key, value in label.items()))
        await stop.wait()
    finally:
        if near is not None:
            await near.close()
        await open_air.close()
        for server in servers:
            await server.close()
    if lost:
        raise RadioError("the open air that these dongles were on is gone: start it again, and them")
