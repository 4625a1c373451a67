"""``chub dcc up``, ``status``, ``down``: a DCC that stays up; every other command on its store is a client of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click

from firmware_emu.clock import Clock, iso_text
from firmware_emu.console.declare import seconds
from firmware_emu.errors import NotAvailable
from firmware_emu.extras import Choice
from firmware_emu.ids import Eui64
from firmware_emu.ownership import Owner
from firmware_emu.trace import JsonLines, Trace
from hil.bench import dcc_board as from_board
from hil.bench.far_end import VISIT, BenchKeys, Visit, open_far_end
from hil.bench.standing_dcc import Places, StandingDcc, seeded, stand
from hil.commands.dcc.options import EUI, json_option, moment, show, store_option
from hil.commands.dcc.send import keys_option, place_of
from hil.commands.dcc.serve import first_accounts
from hil.commands.dcc.visiting import ask, visited
from hil.dcc.service.faults import PATTERNS, BoundaryFaults, BoundarySentenceError, read_sentence
from hil.dcc.service.outbox import PushOutbox, ReceivingAddresses
from hil.dcc.service.push import AddressChanged
from hil.dcc.service.settings import service_settings

__all__ = ["down", "faults", "go", "outbox", "receiver", "status", "up"]

SERVICE_PORT, SMKI_PORT, PAGE_PORT, HUB_PORT = 8079, 8083, 8765, 4059
"""Ports of the web service and the SMKI repository (reference duis-gateway 1.1, 5), and the bench's own of the page and of the hubs."""


class _Receiver(click.ParamType[tuple[Eui64 | None, str]]):
    """``URL``, or ``USER=URL``."""

    name = "[user=]url"

    def convert(
        self, value: str | tuple[Eui64 | None, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Eui64 | None, str]:
        if isinstance(value, tuple):
            return value
        who, equals, url = value.partition("=")
        if not equals or "/" in who:
            return None, url_of(value)
        return EUI.convert(who, param, ctx), url_of(url)


class _Fault(click.ParamType[str]):
    """A sentence of a fault at the boundary to the users."""

    name = "sentence"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            read_sentence(value)
        except BoundarySentenceError as error:
            self.fail(str(error), param, ctx)
        return value


FAULT = _Fault()


def url_of(text: str) -> str:
    """An address as a URL; DCC Boxed writes it without its scheme (reference duis-gateway 2). Raises BadParameter."""
    url = text if "://" in text else f"http://{text}"
    if not url.startswith(("http://", "https://")) or not url.partition("://")[2]:
        raise click.BadParameter(f"read {text!r}, expected an address as http://127.0.0.1:1880/smartdcc/duis")
    return url


@click.command("up")
@click.option("--board", "board_name", default="simulated", show_default=True, help="Board name or path: keys, parties, Devices.")
@store_option
@keys_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of web service and page; others than loopback need --mtls.")
@click.option("--port", type=click.IntRange(0, 65535), default=SERVICE_PORT, show_default=True, help="Of the web service; 0: any free.")
@click.option("--smki-port", type=click.IntRange(0, 65535), help=f"Of the SMKI repository [default: {SMKI_PORT}].")
@click.option("--page-port", type=click.IntRange(0, 65535), help=f"Of the self-service page [default: {PAGE_PORT}].")
@click.option("--hubs", "hubs", metavar="HOST:PORT", help=f"Address at which hubs connect [default: 127.0.0.1:{HUB_PORT}].")
@click.option("--mtls", is_flag=True, help="Users show a client certificate (mutual TLS); its name is the user's EUI-64.")
@click.option("--receive", multiple=True, type=_Receiver(), help="A user's receiving service, or that of all others; kept in the store.")
@click.option("--signatures/--no-signatures", "signatures", default=None, help="Check the signatures of requests; else as the board says.")
@click.option("--edition", type=Choice(["DUIS 5.4", "2013"]), help="Schedule of services to follow; else as the board says.")
@click.option("--gap", "gap_s", type=click.FloatRange(0), help="Seconds between an acknowledgement and what follows it.")
@click.option("--fault", "sentences", multiple=True, type=FAULT, help="Do wrong to the users, as `chub dcc faults` says; repeatable.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the faults.")
@click.option("--trace", "trace_path", type=click.Path(dir_okay=False, path_type=Path), help="Append every hop as a line of JSON.")
@click.option("--for", "for_s", type=float, help="End after so many seconds.")
@json_option
def up(
    board_name: str,
    store_path: Path,
    keys: Path | None,
    host: str,
    port: int,
    smki_port: int | None,
    page_port: int | None,
    hubs: str | None,
    mtls: bool,
    receive: tuple[tuple[Eui64 | None, str], ...],
    signatures: bool | None,
    edition: str | None,
    gap_s: float | None,
    sentences: tuple[str, ...],
    seed: int,
    trace_path: Path | None,
    for_s: float | None,
    as_json: bool,
) -> None:
    """Run a DCC until Ctrl-C or `chub dcc down`: hubs, schedules, deferred requests, firmware campaigns, outages, alerts, the DUIS web
    service, the SMKI repository and the self-service page.

    The store is made and filled from the board where it is new; what was late while no DCC ran is done now, or told.
    """
    bench = BenchKeys.of(keys, board_name)
    clock = Clock()
    places = Places(
        host=host,
        hubs=place_of(hubs or f"127.0.0.1:{HUB_PORT if port else 0}"),
        service=port,
        smki=smki_port if smki_port is not None else SMKI_PORT if port else 0,
        page=page_port if page_port is not None else PAGE_PORT if port else 0,
        tls=mtls,
    )
    assert bench.board is not None
    own = from_board.settings_of(bench.board)
    if signatures is not None:
        own = replace(own, request_signatures=float(signatures))
    if edition is not None:
        own = replace(own, edition_2013=float(edition == "2013"))
    web = service_settings() if gap_s is None else replace(service_settings(), gap_s=gap_s)

    async def run() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, over.set)
        async with contextlib.AsyncExitStack() as stack:
            end = await stack.enter_async_context(open_far_end(bench, store_path, clock, Trace(clock.now), own))
            end.stays_up = True
            if trace_path is not None:
                stack.callback(end.trace.subscribe(JsonLines(trace_path)))
            assert bench.board is not None
            from_board.prepare(end.dcc, bench.board)
            wrong = BoundaryFaults(clock, end.trace, seeded(seed))
            for sentence in sentences:
                wrong.add(sentence)
            standing = await stack.enter_async_context(stand(end, places, receive=dict(receive), settings=web, faults=wrong))

            def stop() -> None:
                loop.call_soon_threadsafe(over.set)

            visit = Visit(end, loop, stop, standing.health, wrong)
            await stack.enter_async_context(visited(store_path, visit, _commands()))
            _tell(standing, as_json)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(for_s):
                    await over.wait()

    clock.run(run())


def _commands() -> click.Command:
    context = click.get_current_context()
    assert context.parent is not None
    return context.parent.command


def _tell(standing: StandingDcc, as_json: bool) -> None:
    tokens = [] if standing.page.mutual_tls else first_accounts(standing.page)
    if as_json:
        click.echo(json.dumps({**standing.urls, "accounts": [{"account": name, "token": token} for name, token in tokens]}))
        return
    for name, url in standing.urls.items():
        click.echo(f"{name}: {url}")
    for name, token in tokens:
        click.echo(f"account {name}: {token}")


@click.command("status")
@store_option
@json_option
def status(store_path: Path, as_json: bool) -> None:
    """Show the state of the DCC that runs on a store; exit code 1 if something is wrong with it, or if none runs."""
    visit = VISIT.get()
    if visit is None:
        said = f"no DCC runs on {store_path}: start one with `chub dcc up --store {store_path}`"
        click.echo(json.dumps({"running": False, "problems": [said]}, indent=2) if as_json else said)
        raise SystemExit(1)

    async def look() -> dict[str, object]:
        assert visit is not None
        return visit.health()

    health = visit.carry_out(look())
    if as_json:
        click.echo(json.dumps({"running": True, **health}, indent=2))
    else:
        for name, value in health.items():
            click.echo(f"{name}: {_plain(value)}")
    if health["problems"]:
        raise SystemExit(1)


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key or 'all others'} {_plain(one)}" for key, one in value.items()) or "none"
    if isinstance(value, bool):
        return "connected" if value else "not connected"
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "none"
    return str(value)


@click.command("down")
@store_option
def down(store_path: Path) -> None:
    """End the DCC that runs on a store, and wait until it has let go of it."""
    if (visit := VISIT.get()) is not None:
        visit.stop()
        return
    if ask(store_path, ["down", "--store", str(store_path)]) is None:
        raise NotAvailable(f"a DCC on {store_path}", "none runs there: see `chub dcc status`")

    clock = Clock()

    async def let_go() -> None:
        while Owner.holder(store_path) is not None:
            await clock.sleep(0.05)

    clock.run(let_go())


class _Span(click.ParamType[float]):
    """A duration as the console reads it, in seconds."""

    name = "duration"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return value if isinstance(value, float) else seconds(value)
        except ValueError:
            self.fail(f"read {value!r}, expected a time such as 30m, 1d or 1h30m", param, ctx)


@click.command("go")
@click.argument("span", type=_Span())
@store_option
@json_option
def go(span: float, store_path: Path, as_json: bool) -> None:
    """Let so much bench time pass at the DCC that runs on a store, as fast as its work allows: SPAN is 30m, 1h or 3d.

    What is due meanwhile is done at its time, one after the other: schedules, deferred requests, deadlines, outages, repeated pushes. Time
    stands still while a hub owes an answer (for at most a minute). Hubs in other processes keep the time they have,
    and a DCC that starts again begins at the time of day.
    """
    visit = _running()
    visit.carry_out(visit.end.clock.hurry(span))
    clock = visit.end.clock
    click.echo(json.dumps({"time": iso_text(clock.datetime())}) if as_json else moment(clock.now()))


@click.group("receiver", invoke_without_command=True)
@click.pass_context
def receiver(context: click.Context) -> None:
    """Receiving services of the users: show where they are, or change one."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@click.group("faults")
def faults() -> None:
    """Faults at the boundary to the users of a DCC that is up: what it may do wrong, and what a client must bear."""


@faults.command("sentences")
@json_option
def faults_sentences(as_json: bool) -> None:
    """Show every sentence and what it does; words in capitals are values, [ ... ] may be left out."""
    show([{"sentence": pattern, "does": says} for _, pattern, says in PATTERNS], "sentences", as_json)


@faults.command("add")
@click.argument("sentence", nargs=-1, required=True)
@store_option
def faults_add(sentence: tuple[str, ...], store_path: Path) -> None:
    """Lay a fault on, from now until it is cleared or the DCC ends; SENTENCE as `chub dcc faults sentences` shows."""
    text = FAULT.convert(" ".join(sentence), None, click.get_current_context())

    async def add() -> int:
        return _running().faults.add(text)

    click.echo(f"{_running().carry_out(add())}: {text}")


@faults.command("show")
@store_option
@json_option
def faults_show(store_path: Path, as_json: bool) -> None:
    """Show the faults in force, and how often each did something."""

    async def look() -> list[dict[str, object]]:
        return [{"number": one.number, "sentence": one.sentence, "effects": one.effects} for one in _running().faults.all()]

    show(_running().carry_out(look()), "faults in force", as_json)


@faults.command("clear")
@click.argument("number", type=int, required=False)
@store_option
def faults_clear(number: int | None, store_path: Path) -> None:
    """End the fault of that NUMBER, or all."""

    async def clear() -> None:
        _running().faults.clear(number)

    _running().carry_out(clear())


def _running() -> Visit:
    visit = VISIT.get()
    if visit is None:
        raise NotAvailable("a DCC on this store", "none runs there: start one with `chub dcc up`")
    return visit


@receiver.command("show")
@store_option
@json_option
def receiver_show(store_path: Path, as_json: bool) -> None:
    """Show the address of each user, and the one of all others."""

    async def look() -> list[dict[str, object]]:
        found = ReceivingAddresses(_running().end.dcc.store).all()
        return [{"user": user or "all others", "address": url} for user, url in found]

    show(_running().carry_out(look()), "receiving services", as_json)


@receiver.command("set")
@click.argument("address", type=_Receiver())
@store_option
def receiver_set(address: tuple[Eui64 | None, str], store_path: Path) -> None:
    """Set the address of a user (USER=URL), or of all that have none of their own (URL); what waits goes there at once."""

    async def change() -> None:
        standing = _running().end
        ReceivingAddresses(standing.dcc.store).set(*address)
        standing.dcc.bus.tell(AddressChanged())

    _running().carry_out(change())
    click.echo(f"{address[0] or 'all others'}: {address[1]}")


@click.command("outbox")
@click.option("--user", type=EUI, help="Documents for one user alone.")
@click.option("--state", type=Choice(["waiting", "delivered", "refused"]), help="Those in one state.")
@click.option("--xml", "number", type=int, help="Print the document of this number.")
@store_option
@json_option
def outbox(user: Eui64 | None, state: str | None, number: int | None, store_path: Path, as_json: bool) -> None:
    """Show what the DCC has for users at addresses of their own: responses and alerts, taken or waiting, with what kept them."""

    async def look() -> list[dict[str, object]]:
        found = PushOutbox(_running().end.dcc.store, lambda: 0.0).all(user, state)
        if number is not None:
            return [{"xml": one.xml.decode()} for one in found if one.number == number]
        return [
            {
                "number": one.number,
                "user": str(one.user),
                "kind": one.kind,
                "code": one.code,
                "request": one.request or "",
                "state": one.state.value,
                "attempts": one.attempts,
                "problem": one.problem,
            }
            for one in found
        ]

    rows = _running().carry_out(look())
    if number is not None and not as_json:
        click.echo("".join(str(row["xml"]) for row in rows))
        return
    show(rows, "documents for users", as_json)
