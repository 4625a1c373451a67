"""Entry to the page: accounts, tokens, sessions, client certificates over mutual TLS."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from firmware_emu.crypto.certificates import Validity
from firmware_emu.crypto.tls_credentials import issue_hubs, load_authority, tls_credentials
from firmware_emu.errors import NotAvailable
from firmware_emu.ids import Eui64
from firmware_emu.wan.tls import files_of
from hil.commands.dcc.serve import accounts as accounts_command
from hil.commands.dcc.serve import first_accounts
from hil.dcc.base.store import DccStore
from hil.ssi.accounts import AccountError
from hil.ssi.app import make_app
from hil.ssi.server import PageServer
from hil.ssi.settings import page_setting_sources, page_settings
from tests.dcc.far_end import CHF, NETWORK, SUPPLIER
from tests.ssi.page_world import GAS, World, form_key


@pytest.mark.requirement("SSI-01")
async def test_nobody_gets_in_who_has_not_finished_user_entry(world: World) -> None:
    stranger = Eui64.parse("90b3d51f30090000")
    with pytest.raises(AccountError, match="finished user entry"):
        world.accounts.open("somebody", stranger)
    async with world.browser(None) as nobody:
        for path in ("/", "/inventory", "/requests", "/alerts", "/incidents", "/measures", "/device-log", "/live", "/forms/forecast.csv"):
            answer = await nobody.get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        assert (await nobody.post("/feedback", data={"text": "hello"})).headers["location"] == "/sign-in"
        refused = await nobody.post("/sign-in", data={"token": "guessed"})
        assert (refused.status_code, "this token opens no account" in refused.text) == (403, True)
        assert "set-cookie" not in refused.headers
    world.store.execute("UPDATE users SET suspended = 'the Panel' WHERE eui = ?", (str(SUPPLIER),))
    async with world.browser(None) as suspended:
        assert (await suspended.post("/sign-in", data={"token": world.tokens[SUPPLIER]})).status_code == 403


@pytest.mark.requirement("SSI-14")
async def test_one_sign_in_opens_every_part_and_a_suspension_ends_it(world: World) -> None:
    async with world.browser(SUPPLIER) as browser:
        for path in ("/", "/inventory", "/requests", "/incidents", "/accounts"):
            assert (await browser.get(path)).status_code == 200
        cookie = next(iter(browser.cookies.jar))
        assert (cookie.has_nonstandard_attr("HttpOnly"), cookie.get_nonstandard_attr("SameSite")) == (True, "strict")
        world.store.execute("UPDATE users SET suspended = 'the Panel' WHERE eui = ?", (str(SUPPLIER),))
        assert (await browser.get("/inventory")).status_code == 303


@pytest.mark.requirement("SSI-14")
@pytest.mark.requirement("SSI-19")
async def test_an_administrator_that_the_dcc_appointed_makes_accounts_of_its_own_user_and_reviews_them(world: World) -> None:
    async with world.browser(SUPPLIER) as administrator, world.browser(None) as person:
        key = form_key((await administrator.get("/accounts")).text)
        made = await administrator.post("/accounts", data={"form": key, "name": "Ann"})
        token = made.text.split("<code>")[1].split("</code>")[0]
        assert token not in (await administrator.get("/accounts")).text
        assert token.encode() not in b"".join(str(tuple(row)).encode() for row in world.store.rows("SELECT * FROM page_accounts"))
        assert (await person.post("/sign-in", data={"token": token})).status_code == 303
        assert (await person.get("/accounts")).status_code == 403
        theirs = form_key((await person.get("/feedback")).text)
        assert (await person.post("/accounts", data={"form": theirs, "name": "Bob"})).status_code == 403
        ann = next(one for one in world.accounts.accounts(SUPPLIER) if one.name == "Ann")
        assert (ann.user, ann.administrator, ann.made_by) == (SUPPLIER, False, f"admin of IS {SUPPLIER}")
        with pytest.raises(AccountError, match="may not make this account"):
            world.accounts.open("Eve", SUPPLIER, administrator=True, by=world.accounts.accounts(SUPPLIER)[1])
        closed = await administrator.post("/accounts/review", data={"form": key, "name": "Ann", "verdict": "close"})
        assert closed.status_code == 303
        assert (await person.get("/")).status_code == 303
        assert (await person.post("/sign-in", data={"token": token})).status_code == 403


@pytest.mark.requirement("SSI-19")
async def test_an_administrator_has_no_hand_in_another_users_accounts(world: World) -> None:
    async with world.browser(SUPPLIER) as administrator:
        html = (await administrator.get("/accounts")).text
        assert str(GAS) not in html
        theirs = f"admin of GS {GAS}"
        refused = await administrator.post("/accounts/review", data={"form": form_key(html), "name": theirs, "verdict": "close"})
        nothing = await administrator.post("/accounts/review", data={"form": form_key(html), "name": "nobody at all", "verdict": "close"})
        assert (refused.status_code, nothing.status_code) == (400, 400)
        assert refused.text.count("there is no account") == nothing.text.count("there is no account") == 1
    async with world.browser(GAS) as still:
        assert (await still.get("/")).status_code == 200


@pytest.mark.requirement("SSI-14")
async def test_an_account_that_is_not_reviewed_regularly_is_locked_until_it_is(world: World) -> None:
    world.accounts.open("Ann", SUPPLIER, by=world.accounts.accounts(SUPPLIER)[0])
    world.now += 91 * 86400
    async with world.browser(None) as person:
        locked = await person.post("/sign-in", data={"token": world.tokens[SUPPLIER]})
        assert (locked.status_code, "ask the DCC to review it" in locked.text) == (403, True)
        world.accounts.review_by_dcc(f"admin of IS {SUPPLIER}")
        assert (await person.post("/sign-in", data={"token": world.tokens[SUPPLIER]})).status_code == 303
        assert "review is due" in (await person.get("/accounts")).text
        key = form_key((await person.get("/accounts")).text)
        await person.post("/accounts/review", data={"form": key, "name": "Ann", "verdict": "keep"})
        assert "review is due" not in (await person.get("/accounts")).text
        own = await person.post("/accounts/review", data={"form": key, "name": f"admin of IS {SUPPLIER}", "verdict": "close"})
        assert "does not close its own account" in own.text


@pytest.mark.requirement("SSI-11")
async def test_the_persons_of_one_user_who_are_signed_in_at_once_are_capped() -> None:
    world = World(settings=replace(page_settings(), sessions_per_user=2))
    async with world.browser(SUPPLIER) as first, world.browser(SUPPLIER), world.browser(GAS), world.browser(None) as third:
        full = await third.post("/sign-in", data={"token": world.tokens[SUPPLIER]})
        assert (full.status_code, "2 persons of this user are signed in" in full.text) == (403, True)
        key = form_key((await first.get("/feedback")).text)
        await first.post("/sign-out", data={"form": key})
        assert (await third.post("/sign-in", data={"token": world.tokens[SUPPLIER]})).status_code == 303


@pytest.mark.requirement("SSI-18")
async def test_the_page_is_full_above_its_capacity_and_idle_sessions_make_room() -> None:
    world = World(settings=replace(page_settings(), sessions=2))
    async with world.browser(SUPPLIER), world.browser(GAS) as idle, world.browser(None) as third:
        assert "the page is full" in (await third.post("/sign-in", data={"token": world.tokens[NETWORK]})).text
        world.now += world.settings.idle_s + 1
        assert (await idle.get("/")).status_code == 303
        assert (await third.post("/sign-in", data={"token": world.tokens[NETWORK]})).status_code == 303
    assert all(source.startswith(("SEC stage 2", "profile-supplied")) for source in page_setting_sources().values())


async def test_a_form_that_is_not_of_this_session_is_refused(world: World) -> None:
    async with world.browser(SUPPLIER) as browser, world.browser(GAS) as other:
        foreign = form_key((await other.get("/feedback")).text)
        for form in ({}, {"form": ""}, {"form": foreign}):
            refused = await browser.post("/feedback", data={**form, "text": "forged"})
            assert (refused.status_code, "not one of this session" in refused.text) == (403, True)
        assert "forged" not in (await browser.get("/feedback")).text


@pytest.fixture(scope="module")
def certificates(keys: Path) -> Path:
    """The bench's keys with a client certificate for two users and for one who is no user; hubs have theirs already."""
    now = datetime.now(UTC)
    users = (SUPPLIER, GAS, Eui64.parse("90b3d51f30090000"))
    issue_hubs(keys, load_authority(keys), users, Validity(now - timedelta(days=1), now + timedelta(days=30)))
    return keys


@pytest.mark.requirement("SSI-02")
async def test_page_and_user_authenticate_each_other_by_certificate(certificates: Path) -> None:
    world = World(mutual_tls=True)
    tls = files_of(certificates / "tls", "dcc").server_context()
    server = PageServer(make_app(world.page, ("127.0.0.1",)), "127.0.0.1", 0, tls)
    url = await server.start()
    assert url.startswith("https://127.0.0.1:")

    async def get(who: Eui64 | None, path: str = "/", **more: object) -> httpx.Response:
        context = ssl.create_default_context(cafile=str(certificates / "tls" / "authority.pem"))
        if who is not None:
            mine = tls_credentials(certificates, who)
            context.load_cert_chain(mine.certificate, mine.key)
        async with httpx.AsyncClient(verify=context) as client:
            return await client.get(url + path, **more)  # type: ignore[arg-type]

    try:
        own = await get(SUPPLIER, f"/requests/{world.requests[SUPPLIER]}")
        assert (own.status_code, str(SUPPLIER) in own.text) == (200, True)
        assert "Sign out" not in own.text
        assert (await get(GAS, f"/requests/{world.requests[SUPPLIER]}")).status_code == 404
        assert (await get(Eui64.parse("90b3d51f30090000"))).status_code == 403
        hub = await get(CHF)
        assert (hub.status_code, "is no user" in hub.text) == (403, True)
        with pytest.raises(httpx.TransportError):
            await get(None)
        token = await get(GAS, "/sign-in", headers={"Cookie": "chub_session=anything"})
        assert token.status_code == 303
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert b"200" not in await reader.read(100)
        writer.close()
        untrusting = ssl.create_default_context()
        async with httpx.AsyncClient(verify=untrusting) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(url)
    finally:
        await server.close()


async def test_without_tls_the_page_listens_on_loopback_alone(world: World) -> None:
    with pytest.raises(NotAvailable, match="without TLS"):
        PageServer(world.app, "0.0.0.0", 0)
    server = PageServer(world.app, "127.0.0.1", 0)
    url = await server.start()
    with pytest.raises(NotAvailable, match="has it"):
        await PageServer(world.app, "127.0.0.1", int(url.rpartition(":")[2])).start()
    await server.close()


async def test_the_dcc_gives_each_user_without_an_account_an_administrator_once(world: World, tmp_path: Path, keys: Path) -> None:
    assert first_accounts(world.page) == []
    world.store.execute("DELETE FROM page_accounts WHERE user = ?", (str(NETWORK),))
    ((who, token),) = first_accounts(world.page)
    assert who == f"{NETWORK} ED"
    assert world.accounts.sign_in(token).account.administrator
    path = tmp_path / "dcc.sqlite"
    store = DccStore(path)
    store.execute("INSERT INTO users (eui, role) VALUES (?, 'IS')", (str(SUPPLIER),))
    store.close()
    given = CliRunner().invoke(accounts_command, ["give", str(SUPPLIER), "Ann", "--store", str(path), "--json"])
    assert '"token"' in given.output
    assert CliRunner().invoke(accounts_command, ["review", "Ann", "--store", str(path)]).output == "Ann is reviewed\n"
    made = CliRunner().invoke(accounts_command, ["certificate", str(NETWORK), "--keys", str(keys)])
    assert (keys / "tls" / f"{NETWORK}.key").is_file(), made.output
    assert isinstance(CliRunner().invoke(accounts_command, ["certificate", str(NETWORK), "--keys", str(keys)]).exception, Exception)


async def test_a_form_of_another_page_signs_nobody_in(world: World) -> None:
    async with world.browser(None) as person:
        for source, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 303)):
            answer = await person.post("/sign-in", data={"token": world.tokens[SUPPLIER]}, headers={"Sec-Fetch-Site": source})
            assert (answer.status_code, "set-cookie" in answer.headers) == (status, status == 303)
