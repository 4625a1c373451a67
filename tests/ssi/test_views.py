"""Every view shows a user its own, and refuses another's: 404 in the very words of what is not there."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import httpx
import pytest

from firmware_emu.gbcs.alerts import alert_name
from firmware_emu.ids import Eui64
from hil.dcc.base.months import Month
from hil.ssi.app import POLICY
from hil.ssi.page import NOTHING_HERE
from hil.ssi.pages import ROUTES
from hil.ssi.settings import functions, page_settings
from tests.dcc.far_end import CHF, ESME, GPF, GSME, MPAN, NETWORK, OTHER, PPMID, SUPPLIER
from tests.ssi.page_world import CHF_2, ESME_2, GAS, MPAN_2, RIVAL, World, form_key

UNKNOWN = Eui64.parse("00db1234567890ff")
FOREIGN = (str(ESME_2), str(CHF_2), MPAN_2, str(RIVAL), RIVAL.duis)
"""Words that nobody but RIVAL may read anywhere."""


def leaks(html: str) -> list[str]:
    return [word for word in FOREIGN if word in html]


@pytest.mark.requirement("SSI-10")
@pytest.mark.parametrize("user", [SUPPLIER, GAS, NETWORK, OTHER])
@pytest.mark.parametrize("path", sorted({path for path, _, method, _ in ROUTES if method == "GET" and "{" not in path}))
async def test_no_list_of_the_page_holds_anything_of_a_party_that_is_not_involved(world: World, user: Eui64, path: str) -> None:
    async with world.browser(user) as browser:
        answer = await browser.get(path)
        assert answer.status_code in (200, 403), path
        assert leaks(answer.text) == []


async def same_as_nothing(browser: httpx.AsyncClient, theirs: str, nothing: str) -> None:
    """Another's thing and no thing at all get the same answer, octet by octet but for what was typed."""
    refused, missing = await browser.get(theirs), await browser.get(nothing)
    assert (refused.status_code, missing.status_code) == (404, 404)
    assert NOTHING_HERE in refused.text
    strip = re.compile(r'name="form" value="[^"]*"|Bench time [^<]*')
    assert strip.sub("", refused.text) == strip.sub("", missing.text)
    assert leaks(refused.text) == []


@pytest.mark.requirement("SSI-03")
async def test_the_inventory_shows_a_user_its_own_devices(world: World) -> None:
    home = {CHF, ESME, PPMID}
    for user, own in ((SUPPLIER, home), (GAS, {CHF, GSME, GPF}), (NETWORK, home), (RIVAL, {CHF_2, ESME_2}), (OTHER, set())):
        async with world.browser(user) as browser:
            html = (await browser.get("/inventory")).text
            assert {eui for eui in (CHF, GPF, ESME, GSME, PPMID, CHF_2, ESME_2) if f"/inventory/{eui}" in html} == own
    async with world.browser(SUPPLIER) as browser:
        assert str(PPMID) not in (await browser.get("/inventory", params={"search": MPAN})).text
        detail = (await browser.get(f"/inventory/{ESME}")).text
        assert all(word in detail for word in (MPAN, "Commissioned", "8.1.1 succeeded", "BENCH MODEL"))


@pytest.mark.requirement("SSI-10")
async def test_another_users_device_is_refused(world: World) -> None:
    async with world.browser(SUPPLIER) as browser:
        for foreign in (ESME_2, CHF_2, GSME):
            await same_as_nothing(browser, f"/inventory/{foreign}", f"/inventory/{UNKNOWN}")
        assert (await browser.get("/inventory/rubbish")).status_code == 404


@pytest.mark.requirement("SSI-10")
async def test_a_device_moves_out_of_sight_with_its_registration(world: World) -> None:
    world.store.execute("UPDATE devices SET notified_by = ? WHERE eui IN (?, ?)", (str(SUPPLIER), str(ESME), str(CHF)))
    async with world.browser(SUPPLIER) as losing, world.browser(RIVAL) as gaining:
        assert (await losing.get(f"/inventory/{ESME}")).status_code == 200
        world.views.registration.register(MPAN, world.page.accounts.accounts(SUPPLIER)[0].role, RIVAL, world.now)
        assert (await losing.get(f"/inventory/{ESME}")).status_code == 404
        assert (await losing.get(f"/device-log/{CHF}")).status_code == 404
        assert (await gaining.get(f"/inventory/{ESME}")).status_code == 200


@pytest.mark.requirement("SSI-10")
async def test_the_device_log_comparison_is_of_ones_own_hub_and_hides_the_other_suppliers_meter(world: World) -> None:
    async with world.browser(SUPPLIER) as browser:
        html = (await browser.get(f"/device-log/{CHF}")).text
        assert str(ESME) in html
        assert "with link key" in html
        assert str(GSME) not in html
        assert "a Device of another party" in html
        assert "GSME" not in html
        assert "whose log does not have it" in html  # the PPMID, which the inventory puts on the hub
        await same_as_nothing(browser, f"/device-log/{CHF_2}", f"/device-log/{UNKNOWN}")


@pytest.mark.requirement("SSI-17")
async def test_a_part_of_the_page_that_a_user_type_does_not_have_is_refused(world: World) -> None:
    async with world.browser(NETWORK) as browser:
        for path in (f"/device-log/{CHF}", "/device-log", "/hubs"):
            refused = await browser.get(path)
            assert (refused.status_code, "Your role (ED) does not have this part" in refused.text) == (403, True)
        assert 'href="/hubs"' not in (await browser.get("/")).text
    paths = {function for _, function, _, _ in ROUTES if function}
    assert paths == set(functions())


@pytest.mark.requirement("SSI-06")
async def test_a_users_requests_are_live_for_three_months_with_their_steps(world: World) -> None:
    old = world.request(SUPPLIER, ESME, 2, world.now - 93 * 86400)
    async with world.browser(SUPPLIER) as browser:
        html = (await browser.get("/requests")).text
        assert world.requests[SUPPLIER].replace(":", "%3A") in html
        assert old.replace(":", "%3A") not in html
        detail = (await browser.get(f"/requests/{world.requests[SUPPLIER]}")).text
        assert detail.index("the gateway accepted the request") < detail.index("the Command went to the hub") < detail.index("1.800")


@pytest.mark.requirement("SSI-10")
async def test_another_users_request_is_refused(world: World) -> None:
    async with world.browser(SUPPLIER) as browser:
        for user in (RIVAL, GAS):
            await same_as_nothing(browser, f"/requests/{world.requests[user]}", f"/requests/{SUPPLIER.duis}:{ESME.duis}:999")
            assert world.requests[user].replace(":", "%3A") not in (await browser.get("/requests")).text


@pytest.mark.requirement("SSI-07")
async def test_older_requests_are_archived_for_at_least_seven_years(world: World) -> None:
    year = 365.25 * 86400
    for counter, age in ((2, 100 * 86400), (3, 6.99 * year), (4, 7.2 * year)):
        world.request(SUPPLIER, ESME, counter, world.now - age)
    assert world.views.archive.archive() == 3
    assert world.views.archive.archive() == 0
    assert world.views.archive.purge() == 1
    assert [row["request"].rpartition(":")[2] for row in world.views.archive.archived(SUPPLIER)] == ["2", "3"]
    async with world.browser(SUPPLIER) as browser:
        assert f"{ESME.duis}:3" in (await browser.get("/requests?archived")).text
    async with world.browser(GAS) as browser:
        assert f"{ESME.duis}:3" not in (await browser.get("/requests?archived")).text


@pytest.mark.requirement("SSI-10")
async def test_alerts_are_ones_own(world: World) -> None:
    async with world.browser(SUPPLIER) as browser:
        html = (await browser.get("/alerts")).text
        assert str(ESME) in html
        assert alert_name(0x8F35) in html
        assert str(GSME) not in html
        assert leaks(html) == []


@pytest.mark.requirement("SSI-08")
async def test_an_incident_is_logged_after_diagnostics_and_worked_on_by_who_owns_it(world: World) -> None:
    async with world.browser(SUPPLIER) as browser:
        key = form_key((await browser.get("/incidents/new")).text)
        diagnosed = await browser.post("/incidents/diagnose", data={"form": key, "device": str(ESME)})
        assert "is Commissioned since" in diagnosed.text
        number = re.search(r'name="diagnostic" value="(\d+)"', diagnosed.text)
        assert number is not None
        sent = {
            "form": key,
            "device": str(ESME),
            "diagnostic": number[1],
            "summary": "the display is blank",
            "area": "in-home display",
            "category": "4",
            "request": world.requests[SUPPLIER],
        }
        raised = await browser.post("/incidents/raise", data=sent)
        assert raised.status_code == 303
        where = raised.headers["location"]
        html = (await browser.get(where)).text
        assert "the display is blank" in html
        assert "the supplier registered for the meter closes it" in html
        for step in ("note", "resolve", "close"):
            assert (await browser.post(where, data={"form": key, "step": step, "text": "done"})).status_code == 303
        assert "closed: done" in (await browser.get(where)).text
        again = await browser.post(where, data={"form": key, "step": "note", "text": "more"})
        assert again.status_code in (303, 400)
        assert (await browser.post("/incidents/raise", data=sent | {"diagnostic": "1"})).status_code == 303
        assert (await browser.post("/incidents/raise", data=sent | {"diagnostic": "2"})).status_code == 400


@pytest.mark.requirement("SSI-10")
async def test_another_users_incident_is_refused_to_read_to_work_on_and_to_raise_on_its_device(world: World) -> None:
    theirs = world.incidents[RIVAL]
    async with world.browser(SUPPLIER) as browser:
        await same_as_nothing(browser, f"/incidents/{theirs}", "/incidents/999")
        key = form_key((await browser.get("/incidents/new")).text)
        assert (await browser.post(f"/incidents/{theirs}", data={"form": key, "step": "note", "text": "hello"})).status_code == 404
        assert (await browser.post("/incidents/diagnose", data={"form": key, "device": str(ESME_2)})).status_code == 404
        sent = {"form": key, "device": str(ESME_2), "diagnostic": "2", "summary": "x", "area": "smart meter", "category": "3"}
        assert (await browser.post("/incidents/raise", data=sent)).status_code == 404
        tied = {**sent, "device": str(ESME), "diagnostic": "1", "request": world.requests[RIVAL]}
        refused = await browser.post("/incidents/raise", data=tied)
        assert (refused.status_code, "is no Service Request of" in refused.text) == (400, True)
    assert len(world.log.entries(theirs)) == len([one for one in world.log.entries(theirs) if "hello" not in one.text])


@pytest.mark.requirement("SSI-10")
async def test_measures_are_of_the_whole_system_and_usage_and_forecasts_ones_own(world: World) -> None:
    month = Month.at(world.now)
    world.request(RIVAL, ESME_2, 7, world.now - 60)
    world.views.demand.forecast(RIVAL, "4.1", dict.fromkeys(world.views.demand.next_months(), 4711))
    async with world.browser(SUPPLIER) as browser:
        html = (await browser.get("/measures", params={"month": str(month)})).text
        assert "100.00 % of 4" in html
        usage = re.search(r"4\.1 [^<]*</td><td[^>]*>(\d+)<", html)
        assert usage is not None
        assert usage[1] == "1"
        following = (await browser.get("/measures", params={"month": str(month + 1)})).text
        assert "4711" not in following
        key = form_key(html)
        counts = {str(one): "7" for one in world.views.demand.next_months()}
        assert (await browser.post("/measures/forecast", data={"form": key, "service": "4.1", **counts})).status_code == 303
        assert world.views.demand.forecast_of(SUPPLIER, "4.1", month + 1) == 7
        assert world.views.demand.forecast_of(RIVAL, "4.1", month + 1) == 4711


@pytest.mark.requirement("SSI-05")
async def test_coverage_is_looked_up_by_full_postcode(world: World) -> None:
    async with world.browser(OTHER) as browser:
        found = (await browser.get("/coverage", params={"postcode": "ab12cd"})).text
        assert "Long range radio" in found
        assert "Nothing is held" in (await browser.get("/coverage", params={"postcode": "ZZ9 9ZZ"})).text


@pytest.mark.requirement("SSI-09")
async def test_suppliers_forecast_and_order_hubs_and_see_their_own_orders(world: World) -> None:
    async with world.browser(SUPPLIER) as browser, world.browser(GAS) as other:
        key = form_key((await browser.get("/hubs")).text)
        for kind, hubs in (("forecast", "50"), ("order", "12")):
            data = {"form": key, "kind": kind, "month": "2026-04", "postcode": "AB1 2CD", "hubs": hubs}
            assert (await browser.post("/hubs", data=data)).status_code == 303
        html = (await browser.get("/hubs", params={"month": "2026-04"})).text
        assert re.search(r"North</td>.*Long range radio</td>.*>12<", html) is not None
        assert "AB1 2CD" not in (await other.get("/hubs", params={"month": "2026-04"})).text
        late = await browser.post("/hubs", data={"form": key, "kind": "order", "month": "2026-01", "postcode": "AB1 2CD", "hubs": "1"})
        assert (late.status_code, "2026-01 is over" in late.text) == (400, True)


@pytest.mark.requirement("SSI-13")
async def test_a_portfolio_report_counts_ones_own_devices(world: World) -> None:
    async with world.browser(SUPPLIER) as browser:
        file = await browser.get("/reports/portfolio.csv")
        rows = list(csv.DictReader(io.StringIO(file.text)))
        assert {(row["type"], row["devices"]) for row in rows} == {("CHF", "1"), ("ESME", "1"), ("PPMID", "1")}


@pytest.mark.requirement("SSI-04")
async def test_forms_are_downloaded(world: World) -> None:
    async with world.browser(SUPPLIER) as browser:
        html = (await browser.get("/forms")).text
        names = re.findall(r'href="(/forms/[^"]+)"', html)
        assert len(names) == 4
        for name in names:
            form = await browser.get(name)
            assert "attachment" in form.headers["content-disposition"]
            assert form.text.startswith("# ")
        assert (await browser.get("/forms/..%2Fsettings.toml")).status_code == 404


@pytest.mark.requirement("SSI-20")
async def test_questions_are_answered_and_guides_read_on_the_page(world: World) -> None:
    async with world.browser(SUPPLIER) as browser:
        html = (await browser.get("/guides")).text
        assert "Why was my request refused?" in html
        assert html.count("<dt>") == html.count("<dd>") == 6
        names = re.findall(r'href="(/guides/[^"]+)"', html)
        assert names == ["/guides/commission-a-meter.md", "/guides/parse-and-correlate.md", "/guides/replace-a-hub.md"]
        for name in names:
            assert (await browser.get(name)).text.count("<li>") >= 3
        assert (await browser.get("/guides/..%2Fsettings.toml")).status_code == 404


@pytest.mark.requirement("SSI-12")
async def test_feedback_is_given_and_kept_to_oneself(world: World) -> None:
    async with world.browser(SUPPLIER) as browser, world.browser(GAS) as other:
        key = form_key((await browser.get("/feedback")).text)
        assert (await browser.post("/feedback", data={"form": key, "text": "<b>too slow</b>"})).status_code == 303
        assert "&lt;b&gt;too slow" in (await browser.get("/feedback")).text
        assert "too slow" not in (await other.get("/feedback")).text


@pytest.mark.requirement("SSI-15")
@pytest.mark.parametrize(
    ("path", "data", "says"),
    [
        (
            "/hubs",
            {"kind": "order", "month": "soon", "postcode": "AB1 2CD", "hubs": "1"},
            "read &#39;soon&#39;, expected a month from 2000 to 2998 such as 2026-03",
        ),
        ("/hubs", {"kind": "gift", "month": "2026-04", "postcode": "AB1 2CD", "hubs": "1"}, "expected forecast or order"),
        ("/measures/forecast", {"service": "99.9", **{f"2026-0{n}": "1" for n in range(4, 10)}}, "is none that role IS sends"),
        ("/feedback", {"text": " "}, "write what you think"),
        ("/accounts", {"name": ""}, "a name of 1 to 60"),
    ],
)
async def test_what_a_form_cannot_take_is_said_with_what_was_read_and_expected(
    world: World, path: str, data: dict[str, str], says: str
) -> None:
    async with world.browser(SUPPLIER) as browser:
        key = form_key((await browser.get("/feedback")).text)
        refused = await browser.post(path, data={"form": key, **data})
        assert (refused.status_code, says in refused.text) == (400, True)


async def test_every_answer_forbids_foreign_scripts_frames_and_caches(world: World) -> None:
    async with world.browser(SUPPLIER) as browser:
        for path in ("/", "/inventory", "/nothing", "/static/live.js", "/sign-in"):
            answer = await browser.get(path)
            assert answer.headers["content-security-policy"] == POLICY
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "http://" not in answer.text.replace("http://www.w3.org", "")
            assert "https://" not in answer.text
        assert (await browser.get("/", headers={"Host": "evil.example"})).status_code == 400


async def test_the_live_stream_tells_of_ones_own_changes_alone(world: World) -> None:
    before = {user: world.views.stamp(user) for user in (SUPPLIER, GAS)}
    world.request(SUPPLIER, ESME, 50, world.now)
    after = {user: world.views.stamp(user) for user in (SUPPLIER, GAS)}
    assert before[GAS] == after[GAS]
    assert before[SUPPLIER] != after[SUPPLIER]
    world.views.inventory.describe(GSME, firmware="00000002")
    assert world.views.stamp(GAS) != after[GAS]
    assert world.views.stamp(SUPPLIER) == after[SUPPLIER]
    revision = world.store.revision()
    world.request(SUPPLIER, ESME, 51, world.now)
    assert world.store.revision() != revision


@pytest.mark.requirement("SSI-18")
async def test_a_session_that_asks_too_much_is_told_to_wait() -> None:
    world = World(settings=replace(page_settings(), peak_requests=5, peak_s=2.0))
    async with world.browser(SUPPLIER) as browser:
        answers = [(await browser.get("/")).status_code for _ in range(5)]
        assert answers == [200, 200, 200, 200, 429]
        world.now += 3
        assert (await browser.get("/")).status_code == 200


async def test_a_long_list_comes_in_parts_that_keep_the_search(world: World) -> None:
    for counter in range(10, 260):
        world.request(SUPPLIER, ESME, counter, world.now - counter)
    async with world.browser(SUPPLIER) as browser:
        first = (await browser.get("/requests")).text
        assert "Your live requests, 251" in first
        assert (first.count('role="row"') - 1, "Part 1 of 3" in first, "Earlier part" in first) == (100, True, False)
        last = (await browser.get("/requests?part=3")).text
        assert (last.count('role="row"') - 1, "Next part" in last, 'href="/requests?part=2"' in last) == (51, False, True)
        beyond, rubbish = [(await browser.get(f"/requests?part={part}")).text for part in ("99", "x")]
        assert ("Part 3 of 3" in beyond, "Part 1 of 3" in rubbish) == (True, True)
        assert "Part 1" not in (await browser.get("/inventory?search=esme")).text
