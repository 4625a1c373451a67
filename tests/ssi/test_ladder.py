"""A live request of a running DCC on the page: its ladder, drawn from the trace, and the same hops in words."""

from __future__ import annotations

import re

import httpx

from hil.ssi.accounts import Accounts
from hil.ssi.app import make_app
from hil.ssi.page import Page
from hil.ssi.settings import page_settings
from hil.ssi.views import Views
from tests.dcc.far_end import ESME, SECOND, SUPPLIER, FarEnd
from tests.dcc.messages import send


async def test_a_live_request_is_shown_with_its_ladder_to_its_user_alone(far_end: FarEnd) -> None:
    await far_end.in_service()
    settings, dcc, now = page_settings(), far_end.dcc, far_end.clock.now
    views = Views(dcc.store, now, settings, far_end.trace)
    accounts = Accounts(dcc.store, now, settings)
    app = make_app(Page(views, accounts, far_end.clock, settings, False), ("test",))
    outcome = await send(far_end, "11.2")
    response = next(message.octets for message in outcome.messages if message.kind == "g")
    far_end.home.say(response)  # an attack later: the same Response once more
    await far_end.clock.sleep(5)
    await send(far_end, "8.2", None, {"DeviceID": ESME})
    path = f"/requests/{outcome.request}"
    pages = {}
    for user in (SUPPLIER, SECOND):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as browser:
            await browser.post("/sign-in", data={"token": accounts.open(f"a person of {user}", user, administrator=True)})
            pages[user] = await browser.get(path)
            if user == SUPPLIER:
                assert "8.2 Read Inventory" in (await browser.get("/requests")).text
    html = pages[SUPPLIER].text
    assert html.count("<svg") == 1
    assert "received" in re.findall(r"<text[^>]*>([^<]*)</text>", html), "the Response has its arrow"
    assert "repeated" not in html, "what comes later with the same octets is no part of the request"
    assert all(f">{lane}</text>" in html for lane in ("user", "DCC"))
    assert re.findall(r'class="state">([^<]*)<', html) == ["accepted", "sent", "responded"]
    hops = re.findall(r'data-label="Who">([^<]*)</td><td role="cell" data-label="What">([^<]*)<', html)
    assert ("gateway", "acknowledged") in hops
    assert ("transform", "transformed") in hops
    assert ("responses", "verified") in hops
    assert ("gateway", "delivered") in hops
    assert html.index("the gateway accepted the request") < html.index("the Response came from the Device")
    assert (pages[SECOND].status_code, "<svg" in pages[SECOND].text) == (404, False)
