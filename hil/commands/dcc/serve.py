"""``chub dcc serve``: the self-service page, beside a DCC of another process or with a home and a DCC of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import tempfile
from collections.abc import Awaitable, Callable
from enum import IntEnum
from pathlib import Path

import click
from cryptography import x509

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.crypto.certificates import Validity
from firmware_emu.crypto.tls_credentials import hubs_of, issue_hubs, load_authority
from firmware_emu.errors import CommsHubError
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised
from firmware_emu.trace import Record, Trace
from firmware_emu.wan.tls import files_of
from hil.bench.duties import standing_duties
from hil.bench.far_end import BenchKeys
from hil.commands.dcc.options import EUI, json_option, now, opened, show, store_option
from hil.dcc.base.store import DccStore
from hil.dcc.parties.users import EnteredUsers
from hil.report.verdict import Step
from hil.ssi.accounts import Accounts
from hil.ssi.app import make_app
from hil.ssi.page import Page
from hil.ssi.server import PageServer
from hil.ssi.settings import page_settings
from hil.ssi.views import Views

__all__ = ["accounts", "serve"]


def page_on(store: DccStore, clock: Clock, trace: Trace | None = None, *, mutual_tls: bool = False) -> Page:
    """The page on a DCC's store."""
    settings = page_settings()
    return Page(Views(store, clock.now, settings, trace), Accounts(store, clock.now, settings), clock, settings, mutual_tls)


@click.command("serve")
@click.option("--store", "store_path", type=click.Path(dir_okay=False, path_type=Path), help="Store of a DCC that another process runs.")
@click.option("--board", "board_name", help="Open a home and its DCC in this process, and let them do the journey of the demo.")
@click.option("--keys", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of keys, for --mtls.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; others than loopback need --mtls.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="Port; 0 takes a free one.")
@click.option("--mtls", is_flag=True, help="Sign in by client certificate (mutual TLS) instead of a token.")
@click.option("--speed", type=click.FloatRange(min=0, min_open=True), help="Bench seconds a second, with --board; the board's by default.")
@click.option("--for", "for_s", type=float, help="End after so many seconds.")
def serve(
    store_path: Path | None,
    board_name: str | None,
    keys: Path | None,
    host: str,
    port: int,
    mtls: bool,
    speed: float | None,
    for_s: float | None,
) -> None:
    """Serve the self-service page: inventory, device logs, requests with their ladder, alerts, incidents, measures.

    Each user sees its own. On loopback a token is printed for each user that has no account yet; it is shown this once.
    """
    if (store_path is None) is (board_name is None):
        raise click.UsageError("name the store of a running DCC (--store), or a board to open (--board)")
    with contextlib.ExitStack() as stack:
        if store_path is not None:
            store = stack.enter_context(opened(store_path))
            clock = Clock()
            folder = BenchKeys.of(keys, None).folder if mtls else None
            clock.run(_serve(page_on(store, clock, mutual_tls=mtls), host, port, folder, for_s))
            return
        assert board_name is not None
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chub-page-")))
        _quiet()
        board = load_board(board_name)
        clock = Clock(speed=speed or board.clock.speed)
        folder = BenchKeys.of(keys, board_name).folder if mtls else None
        if not clock.run(_serve_station(board_name, clock, state, host, port, folder, for_s)):
            click.get_current_context().exit(1)


def _quiet() -> None:
    """The radio's libraries log what the trace tells better; their loggers have levels of their own, which do not count."""
    logging.basicConfig(level=logging.CRITICAL, force=True)
    for handler in logging.getLogger().handlers:
        handler.setLevel(logging.CRITICAL)


class JourneyTold:
    """Tells a page which step of the journey runs, how far the home has come, and why a step failed; the terminal hears of each step."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._step = 0
        self.failed = False
        self.reached: Callable[[], IntEnum] | None = None
        """State of the home; its type's last member is in service."""
        page.under_way = "The home of this page is being opened."

    def begun(self, name: str) -> None:
        """A step begins."""
        self._step += 1
        self._page.under_way = f"{self._stage()}; step {self._step}: {name}."

    def _stage(self) -> str:
        state = None if self.reached is None else self.reached()
        if state is None or state == max(type(state)):
            return "The home of this page is commissioned, and the journey of the demo goes on"
        return f"The home of this page is being commissioned, stage {state + 1} of {max(type(state))}"

    def ended(self, step: Step) -> None:
        """A step is over; a skipped one is none of those counted."""
        click.echo(f"{step.verdict} {step.name}" + (f": {step.why}" if step.why else ""), err=True)

    async def play(self, journey: Awaitable[None]) -> None:
        """The journey to its end, whichever."""
        try:
            await journey
        except CommsHubError as wrong:
            self.failed = True
            told = f"The journey of the demo failed at step {self._step}: {wrong}"
            click.echo(told, err=True)
            self._page.under_way = f"{told.removesuffix('.')}. The pages show what was reached; start again for another try."
        else:
            self._page.under_way = f"The journey of the demo is over: steps passed: {self._step}."


async def _serve_station(
    board_name: str, clock: Clock, state: Path, host: str, port: int, folder: Path | None, for_s: float | None
) -> bool:
    """True unless the journey failed."""
    from hil.bench.station import open_station
    from hil.journeys.demo import HomeJourney  # a station brings the radio libraries, which a page on a store does without
    from hil.journeys.steps import Steps

    trace = Trace(clock.now)
    records: list[Record] = []
    trace.subscribe(records.append)
    async with open_station(load_board(board_name), clock, trace, state) as station, standing_duties(station.dcc):
        page = page_on(station.dcc.store, clock, trace, mutual_tls=folder is not None)
        told = JourneyTold(page)
        steps = Steps(records, on_step=told.ended, on_begin=told.begun)
        journey = HomeJourney(station, steps, records)
        told.reached = lambda: journey.state
        task = supervised(told.play(journey.run()), "the journey of the demo", trace)
        try:
            await _serve(page, host, port, folder, for_s)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return not told.failed


async def _serve(page: Page, host: str, port: int, folder: Path | None, for_s: float | None) -> None:
    tls = None if folder is None else files_of(folder / "tls", "dcc").server_context()
    server = PageServer(make_app(page, ("127.0.0.1", "localhost", "[::1]", host)), host, port, tls, speed=page.clock.speed)
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    click.echo(f"self-service page at {await server.start()}", err=True)
    try:
        for eui, token in [] if page.mutual_tls else first_accounts(page):
            click.echo(f"{eui}  {token}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if for_s is None else for_s * page.clock.speed):
                await over.wait()
    finally:
        await server.close()


def first_accounts(page: Page) -> list[tuple[str, str]]:
    """An administrator's account, given by the DCC, for each user that has none; user and token."""
    made = []
    for user in EnteredUsers(page.views.store).all():
        if user.suspended is None and not page.accounts.accounts(user.eui):
            token = page.accounts.open(f"administrator of {user.eui}", user.eui, administrator=True)
            made.append((f"{user.eui} {user.role}", token))
    return made


def _validity(authority: x509.Certificate) -> Validity:
    """As long as the authority's own."""
    return Validity(authority.not_valid_before_utc, authority.not_valid_after_utc)


@click.group("accounts")
def accounts() -> None:
    """Accounts of the self-service page, as the DCC gives them."""


@accounts.command("give")
@click.argument("user", type=EUI)
@click.argument("name")
@store_option
@json_option
def give(user: Eui64, name: str, store_path: Path, as_json: bool) -> None:
    """Give USER an administrator account for the person NAME; its token is shown this once."""
    with opened(store_path) as store:
        token = Accounts(store, now, page_settings()).open(name, user, administrator=True)
    show([{"account": name, "user": str(user), "token": token}], "Administrator account", as_json)


@accounts.command("review")
@click.argument("name")
@store_option
def review(name: str, store_path: Path) -> None:
    """Review an administrator's account, which stays usable for another while."""
    with opened(store_path) as store:
        Accounts(store, now, page_settings()).review_by_dcc(name)
    click.echo(f"{name} is reviewed")


@accounts.command("certificate")
@click.argument("user", type=EUI)
@click.option("--keys", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True, help="The bench's folder of keys.")
def certificate(user: Eui64, keys: Path) -> None:
    """Make a client certificate for USER to sign in with at a page with --mtls; names its files."""
    if user in hubs_of(keys):
        raise CommsHubError(f"{user} has a certificate in {keys / 'tls'} already: use it")
    issuer = load_authority(keys)
    issue_hubs(keys, issuer, (user,), _validity(issuer.certificate))
    click.echo(f"{keys / 'tls' / f'{user}.pem'} {keys / 'tls' / f'{user}.key'}")
