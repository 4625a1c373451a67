"""The handlers of the page, one a view or form. A handler gets who asks, and shows that user's own."""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TypeVar
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from firmware_emu.errors import IdentifierError
from firmware_emu.ids import Eui64
from hil.dcc.base.months import Month
from hil.dcc.base.processing import walk_of
from hil.dcc.base.requests import OPEN
from hil.dcc.base.services import SUPPLIERS, schedule
from hil.sec.demand.demand import services_of
from hil.sec.incidents import IncidentError
from hil.sec.incidents.responsibility import default_area
from hil.ssi.accounts import AccountError, PageSession
from hil.ssi.orders import KINDS, OrderError
from hil.ssi.page import NOTHING_HERE, Handler, Page, PageRefused, text_of


def _eui(text: str) -> Eui64:
    try:
        return Eui64.parse(text)
    except IdentifierError:
        raise PageRefused(404, NOTHING_HERE) from None


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 12:
        raise PageRefused(404, NOTHING_HERE)
    return int(text)


def _month(page: Page, text: str) -> Month:
    return Month.parse(text) if text else Month.at(page.views.now())


PER_PAGE = 100
"""Rows of a list shown at once. The bench's own figure."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListPart:
    """One part of a long list: its number, how many there are, and the query that asks for its neighbours."""

    number: int
    parts: int
    total: int
    query: str


def _part(request: Request, rows: Sequence[T]) -> tuple[Sequence[T], ListPart]:
    """The part of a list that ``?part=`` names, the nearest where there is none of that number."""
    parts = max(1, -(-len(rows) // PER_PAGE))
    asked = request.query_params.get("part", "1")
    number = min(max(int(asked) if asked.isdecimal() and len(asked) < 7 else 1, 1), parts)
    query = urlencode([(name, value) for name, value in request.query_params.multi_items() if name != "part"])
    return rows[(number - 1) * PER_PAGE : number * PER_PAGE], ListPart(number, parts, len(rows), query)


async def overview(page: Page, request: Request, session: PageSession) -> Response:
    views, user = page.views, session.account.user
    requests = views.requests(user)
    open_incidents = views.incidents.incidents(user, open_only=True)
    counts = {
        "inventory": ("Devices", len(views.devices(user))),
        "requests": ("Requests under way", sum(one["state"] in OPEN for one in requests)),
        "alerts": ("Alerts", len(views.alerts(user))),
        "incidents": ("Open incidents", len(open_incidents)),
    }
    shown = {name: text for name, text in counts.items() if session.account.may(name)}
    return page.render("overview", session, request, counts=shown, requests=requests[:8], incidents=open_incidents[:5])


async def inventory(page: Page, request: Request, session: PageSession) -> Response:
    search = request.query_params.get("search", "")[:80]
    found, part = _part(request, page.views.devices(session.account.user, search))
    hubs = {one.eui: page.views.inventory.hub_of(one.eui) for one in found}
    enrolled = {one.eui for one in found if page.views.inventory.enrolled(one.eui)}
    return page.render("inventory", session, request, devices=found, hubs=hubs, enrolled=enrolled, search=search, part=part)


async def device(page: Page, request: Request, session: PageSession) -> Response:
    found = page.views.device(session.account.user, _eui(request.path_params["eui"]))
    if found is None:
        raise PageRefused(404, NOTHING_HERE)
    history = page.views.history(session.account.user, found)
    return page.render("device", session, request, device=found, history=history, hub=page.views.inventory.hub_of(found.eui))


async def device_logs(page: Page, request: Request, session: PageSession) -> Response:
    hubs = page.views.entitlement.hubs(session.account.user, page.views.now())
    found = [page.views.comparison(session.account.user, one.eui) for one in hubs]
    return page.render("device-logs", session, request, comparisons=[one for one in found if one is not None])


async def device_log(page: Page, request: Request, session: PageSession) -> Response:
    found = page.views.comparison(session.account.user, _eui(request.path_params["chf"]))
    if found is None:
        raise PageRefused(404, NOTHING_HERE)
    return page.render("device-log", session, request, comparison=found)


async def requests(page: Page, request: Request, session: PageSession) -> Response:
    archived = request.query_params.get("archived") is not None
    rows, old = _part(request, page.views.archive.archived(session.account.user) if archived else [])
    live, part = _part(request, [] if archived else page.views.requests(session.account.user))
    return page.render(
        "requests",
        session,
        request,
        requests=live,
        archived=rows if archived else None,
        days=page.settings.live_days,
        years=page.settings.archive_years,
        part=old if archived else part,
    )


async def request_detail(page: Page, request: Request, session: PageSession) -> Response:
    user, name = session.account.user, request.path_params["name"]
    found = page.views.request(user, name)
    if found is None:
        raise PageRefused(404, NOTHING_HERE)
    row, steps = found
    hub, walk = row["hub"], walk_of(schedule()[str(row["variant"])])
    svg, hops = page.views.hops.ladder(name, user, str(row["target"]), None if hub is None else str(hub), walk)
    return page.render("request", session, request, row=row, steps=steps, svg=Markup(svg), hops=hops)


async def alerts(page: Page, request: Request, session: PageSession) -> Response:
    return page.render("alerts", session, request, alerts=page.views.alerts(session.account.user))


async def incidents(page: Page, request: Request, session: PageSession) -> Response:
    found = page.views.incidents.incidents(session.account.user)
    return page.render("incidents", session, request, incidents=found, at=page.views.now())


async def incident(page: Page, request: Request, session: PageSession) -> Response:
    user = session.account.user
    found = page.views.incidents.seen_by(user, _number(request.path_params["number"]))
    if found is None:
        raise PageRefused(404, NOTHING_HERE)
    entries = [one for one in page.views.incidents.entries(found.number) if one.to in (None, user)]
    own = page.views.device(user, found.device) is not None if found.device is not None else False
    return page.render("incident", session, request, incident=found, entries=entries, mine=found.owner == user, own=own, user=user)


async def new_incident(page: Page, request: Request, session: PageSession) -> Response:
    return page.render("new-incident", session, request, devices=page.views.devices(session.account.user), diagnosis=None, problem="")


async def diagnose(page: Page, request: Request, session: PageSession) -> Response:
    user = session.account.user
    found = page.views.diagnose(user, text_of(await request.form(), "device", 40))
    if found is None:
        raise PageRefused(404, NOTHING_HERE)
    number, findings, eui = found
    kind = page.views.inventory.listed(eui).type
    return page.render(
        "new-incident",
        session,
        request,
        devices=page.views.devices(user),
        problem="",
        diagnosis=number,
        findings=findings,
        device=eui,
        areas=list(page.views.incidents.rules.areas),
        area=default_area(kind),
        own_requests=page.views.requests(user)[:20],
    )


async def raise_incident(page: Page, request: Request, session: PageSession) -> Response:
    user, form = session.account.user, await request.form()
    eui = _eui(text_of(form, "device", 40))
    summary, tied = text_of(form, "summary", 300), text_of(form, "request", 80)
    if page.views.device(user, eui) is None:
        raise PageRefused(404, NOTHING_HERE)
    if not summary:
        raise IncidentError("say in a sentence what is wrong")
    raised = page.views.incidents.raise_incident(
        user,
        summary,
        area=text_of(form, "area", 60),
        category=_number(text_of(form, "category", 1)),
        device=eui,
        request=tied or None,
        diagnostic=_number(text_of(form, "diagnostic", 12)),
        visit=text_of(form, "visit") == "yes",
    )
    return RedirectResponse(f"/incidents/{raised.number}", 303)


async def step_incident(page: Page, request: Request, session: PageSession) -> Response:
    user, form, log = session.account.user, await request.form(), page.views.incidents
    found = log.seen_by(user, _number(request.path_params["number"]))
    if found is None:
        raise PageRefused(404, NOTHING_HERE)
    text = text_of(form, "text")
    if not text:
        raise IncidentError("say what was done")
    match text_of(form, "step", 20):
        case "note":
            log.note(user, found.number, text)
        case "visit":
            log.visit_needed(user, found.number, text)
        case "resolve":
            log.resolve(user, found.number, text)
        case "close":
            log.close(user, found.number, text)
        case "reopen":
            log.reopen(user, found.number, text)
        case other:
            raise IncidentError(f"read the step {other!r}, expected note, visit, resolve, close or reopen")
    return RedirectResponse(f"/incidents/{found.number}", 303)


async def measures(page: Page, request: Request, session: PageSession) -> Response:
    month = _month(page, request.query_params.get("month", ""))
    account = session.account
    return page.render(
        "measures",
        session,
        request,
        month=month,
        statements=page.views.measures(month),
        usage=page.views.usage(account.user, month),
        months=page.views.demand.next_months(),
        services=services_of(account.role),
    )


async def give_forecast(page: Page, request: Request, session: PageSession) -> Response:
    form, demand = await request.form(), page.views.demand
    counts = {month: _number(text_of(form, str(month), 12)) for month in demand.next_months()}
    demand.forecast(session.account.user, text_of(form, "service", 10), counts)
    return RedirectResponse("/measures", 303)


async def coverage(page: Page, request: Request, session: PageSession) -> Response:
    postcode = request.query_params.get("postcode", "")[:10]
    found = page.views.coverage.look_up(postcode=postcode) if postcode.strip() else None
    return page.render("coverage", session, request, postcode=postcode, found=found)


async def hubs(page: Page, request: Request, session: PageSession) -> Response:
    month = _month(page, request.query_params.get("month", ""))
    user = session.account.user
    return page.render(
        "hubs",
        session,
        request,
        month=month,
        orders=page.views.orders.placed(user),
        kinds=KINDS,
        distribution=page.views.orders.distribution(user, month),
    )


async def order_hubs(page: Page, request: Request, session: PageSession) -> Response:
    form = await request.form()
    if session.account.role not in SUPPLIERS:
        raise OrderError("suppliers forecast and order hubs [248]")
    month, count = Month.parse(text_of(form, "month", 7)), _number(text_of(form, "hubs", 7))
    page.views.orders.place(session.account.user, text_of(form, "kind", 10), month, text_of(form, "postcode", 10), count)
    return RedirectResponse(f"/hubs?month={month}", 303)


async def reports(page: Page, request: Request, session: PageSession) -> Response:
    return page.render("reports", session, request, rows=page.views.portfolio(session.account.user))


async def report_file(page: Page, request: Request, session: PageSession) -> Response:
    rows, out = page.views.portfolio(session.account.user), io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("type", "manufacturer", "model", "firmware", "status", "devices"))
    writer.writerows(map(_cell, row.values()) for row in rows)
    return PlainTextResponse(out.getvalue(), media_type="text/csv", headers={"Content-Disposition": 'attachment; filename="portfolio.csv"'})


def _cell(value: object) -> object:
    """As a spreadsheet shows it: text that it would take for a formula is text (OWASP CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value[:1] in _FORMULA else value


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _files(folder_name: str) -> dict[str, str]:
    folder = resources.files("hil.ssi").joinpath(folder_name)
    return {one.name: one.read_text(encoding="utf-8") for one in sorted(folder.iterdir(), key=lambda one: one.name) if one.is_file()}


async def forms(page: Page, request: Request, session: PageSession) -> Response:
    return page.render("forms", session, request, names={name: text.splitlines()[0].lstrip("# ") for name, text in _files("forms").items()})


async def form_file(page: Page, request: Request, session: PageSession) -> Response:
    found = _files("forms").get(request.path_params["name"])
    if found is None:
        raise PageRefused(404, NOTHING_HERE)
    name = request.path_params["name"]
    return PlainTextResponse(found, media_type="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}"'})


async def guides(page: Page, request: Request, session: PageSession) -> Response:
    """Frequently asked questions and guides [239]."""
    questions = tomllib.loads(resources.files("hil.ssi").joinpath("questions.toml").read_text(encoding="utf-8"))["question"]
    titles = {name: text.splitlines()[0].lstrip("# ") for name, text in _files("guides").items()}
    return page.render("guides", session, request, questions=questions, guides=titles)


async def guide(page: Page, request: Request, session: PageSession) -> Response:
    found = _files("guides").get(request.path_params["name"])
    if found is None:
        raise PageRefused(404, NOTHING_HERE)
    title, _, text = found.partition("\n")
    return page.render("guide", session, request, title=title.lstrip("# "), steps=text.split("\n\n"))


async def feedback(page: Page, request: Request, session: PageSession) -> Response:
    given = [one for one in page.views.desk.contacts(session.account.user) if one.kind == "feedback"]
    return page.render("feedback", session, request, given=given)


async def give_feedback(page: Page, request: Request, session: PageSession) -> Response:
    text = text_of(await request.form(), "text")
    if not text:
        raise AccountError("write what you think before you send it")
    page.views.desk.contact("SSI", session.account.name, "feedback", text, user=session.account.user)
    return RedirectResponse("/feedback", 303)


async def accounts(page: Page, request: Request, session: PageSession) -> Response:
    listed = page.accounts.accounts(session.account.user)
    due = {one.name for one in listed if page.accounts.review_due(one)}
    return page.render("accounts", session, request, accounts=listed, due=due, made=None, token="")


async def make_account(page: Page, request: Request, session: PageSession) -> Response:
    name = text_of(await request.form(), "name", 60)
    token = page.accounts.open(name, session.account.user, by=session.account)
    listed = page.accounts.accounts(session.account.user)
    return page.render("accounts", session, request, accounts=listed, due=set(), made=name, token=token)


async def review_account(page: Page, request: Request, session: PageSession) -> Response:
    form = await request.form()
    page.accounts.review(session.account, text_of(form, "name", 60), keep=text_of(form, "verdict", 10) != "close")
    return RedirectResponse("/accounts", 303)


ROUTES: tuple[tuple[str, str, str, Handler], ...] = (
    ("/", "", "GET", overview),
    ("/inventory", "inventory", "GET", inventory),
    ("/inventory/{eui}", "inventory", "GET", device),
    ("/device-log", "device-log", "GET", device_logs),
    ("/device-log/{chf}", "device-log", "GET", device_log),
    ("/requests", "requests", "GET", requests),
    ("/requests/{name}", "requests", "GET", request_detail),
    ("/alerts", "alerts", "GET", alerts),
    ("/incidents", "incidents", "GET", incidents),
    ("/incidents/new", "incidents", "GET", new_incident),
    ("/incidents/diagnose", "incidents", "POST", diagnose),
    ("/incidents/raise", "incidents", "POST", raise_incident),
    ("/incidents/{number}", "incidents", "GET", incident),
    ("/incidents/{number}", "incidents", "POST", step_incident),
    ("/measures", "measures", "GET", measures),
    ("/measures/forecast", "measures", "POST", give_forecast),
    ("/coverage", "coverage", "GET", coverage),
    ("/hubs", "hubs", "GET", hubs),
    ("/hubs", "hubs", "POST", order_hubs),
    ("/reports", "reports", "GET", reports),
    ("/reports/portfolio.csv", "reports", "GET", report_file),
    ("/forms", "forms", "GET", forms),
    ("/forms/{name}", "forms", "GET", form_file),
    ("/guides", "guides", "GET", guides),
    ("/guides/{name}", "guides", "GET", guide),
    ("/feedback", "feedback", "GET", feedback),
    ("/feedback", "feedback", "POST", give_feedback),
    ("/accounts", "accounts", "GET", accounts),
    ("/accounts", "accounts", "POST", make_account),
    ("/accounts/review", "accounts", "POST", review_account),
)
"""Path, the function of ``settings.toml`` it belongs to (none: everyone signed in), method, handler."""
