"""The page's capacity at its limits: accounts, sessions, requests a minute, orders of hubs, the archive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from firmware_emu.ids import Eui64
from hil.dcc.base.months import Month
from hil.dcc.base.store import DccStore
from hil.dcc.own_services.wan_matrix import WanCoverage, WanMatrix
from hil.ssi.accounts import DCC, AccountError, Accounts, PageAccount, TooManyRequests
from hil.ssi.archive import RequestArchive
from hil.ssi.orders import MOST_HUBS, HubOrders, OrderError
from hil.ssi.settings import PageSettings, page_settings
from tests.dcc.far_end import NETWORK, OTHER, SUPPLIER

DAY = 86400.0
SETTINGS = replace(page_settings(), sessions=3, sessions_per_user=2, idle_s=100.0, requests_per_minute=5, peak_requests=3, peak_s=2.0)


class Desk:
    """Accounts on a store of their own, at a time of the test's own."""

    def __init__(self, settings: PageSettings = SETTINGS) -> None:
        self.now = 1000.0
        self.store = DccStore(None)
        for eui, role in ((SUPPLIER, "IS"), (NETWORK, "ED"), (OTHER, "OU")):
            self.store.execute("INSERT INTO users (eui, role) VALUES (?, ?)", (str(eui), role))
        self.accounts = Accounts(self.store, lambda: self.now, settings)


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.store.close()


def test_a_name_has_one_to_sixty_characters(desk: Desk) -> None:
    for name in ("a", "b" * 60):
        assert len(desk.accounts.open(name, SUPPLIER)) == 32
    for name in ("", "  ", "c" * 61):
        with pytest.raises(AccountError, match="1 to 60 characters"):
            desk.accounts.open(name, SUPPLIER)
    with pytest.raises(AccountError, match="there is an account 'a' already"):
        desk.accounts.open("a", NETWORK)


def test_only_an_administrator_of_the_user_makes_accounts_and_no_administrators(desk: Desk) -> None:
    """SEC stage 2 [396]."""
    desk.accounts.open("admin", SUPPLIER, administrator=True)
    desk.accounts.open("plain", SUPPLIER)
    admin, plain = desk.accounts.accounts(SUPPLIER)
    assert (admin.administrator, admin.made_by, admin.closed, plain.administrator) == (True, DCC, False, False)
    desk.accounts.open("made", SUPPLIER, by=admin)
    assert [one.made_by for one in desk.accounts.accounts(SUPPLIER)] == [DCC, "admin", DCC]
    for by, user, administrator in ((plain, SUPPLIER, False), (admin, NETWORK, False), (admin, SUPPLIER, True)):
        with pytest.raises(AccountError, match="may not make this account"):
            desk.accounts.open("x", user, administrator=administrator, by=by)
    assert (admin.may("accounts"), plain.may("accounts"), plain.may("inventory"), plain.may("device-log")) == (True, False, True, True)
    desk.accounts.open("network", NETWORK)
    assert not desk.accounts.accounts(NETWORK)[0].may("device-log")


def test_a_review_keeps_or_closes_and_is_due_after_its_days(desk: Desk) -> None:
    token = desk.accounts.open("plain", SUPPLIER)
    desk.accounts.open("admin", SUPPLIER, administrator=True)
    admin, plain = desk.accounts.accounts(SUPPLIER)
    for later, due in ((SETTINGS.review_days * DAY, False), (SETTINGS.review_days * DAY + 1, True)):
        desk.now = 1000.0 + later
        assert desk.accounts.review_due(plain) is due
    with pytest.raises(AccountError, match=r"not reviewed for 90 days: ask your administrator"):
        desk.accounts.sign_in(token)
    assert desk.accounts.review(admin, "plain", keep=True).reviewed == desk.now
    session = desk.accounts.sign_in(token)
    for by, name in ((plain, "admin"), (admin, "nobody")):
        with pytest.raises(AccountError, match="may review"):
            desk.accounts.review(by, name, keep=True)
    with pytest.raises(AccountError, match="does not close its own account"):
        desk.accounts.review(admin, "admin", keep=False)
    assert not desk.accounts.review(admin, "admin", keep=True).closed
    assert desk.accounts.review(admin, "plain", keep=False).closed
    assert desk.accounts.session(session.key) is None
    with pytest.raises(AccountError, match="opens no account"):
        desk.accounts.sign_in(token)


def test_sessions_are_capped_for_a_user_and_for_the_page(desk: Desk) -> None:
    """[252], [398]."""
    tokens = [desk.accounts.open(name, user) for name, user in (("a", SUPPLIER), ("b", NETWORK), ("c", OTHER))]
    first = desk.accounts.sign_in(tokens[0])
    desk.accounts.sign_in(tokens[0])
    with pytest.raises(AccountError, match="2 persons of this user are signed in"):
        desk.accounts.sign_in(tokens[0])
    desk.accounts.sign_in(tokens[1])
    with pytest.raises(AccountError, match="the page is full"):
        desk.accounts.sign_in(tokens[2])
    desk.accounts.sign_out(first.key)
    desk.accounts.sign_in(tokens[2])
    assert not first.by_certificate


def test_a_session_ends_when_it_was_idle_for_longer_than_it_may(desk: Desk) -> None:
    token = desk.accounts.open("a", SUPPLIER)
    session = desk.accounts.sign_in(token)
    desk.now += SETTINGS.idle_s
    assert desk.accounts.session(session.key) is session
    assert session.seen == desk.now
    desk.now += SETTINGS.idle_s + 0.5
    assert desk.accounts.session(session.key) is None
    assert desk.accounts.session(None) is None
    assert desk.accounts.session("unknown") is None
    kept = desk.accounts.sign_in(token)
    desk.store.execute("UPDATE users SET suspended = 'the Panel' WHERE eui = ?", (str(SUPPLIER),))
    assert desk.accounts.session(kept.key) is None


def test_a_certificate_opens_one_session_that_no_cookie_reaches(desk: Desk) -> None:
    session = desk.accounts.sign_in_by_certificate(SUPPLIER)
    assert session.by_certificate
    assert session.account.administrator
    assert desk.accounts.sign_in_by_certificate(SUPPLIER) is session
    assert desk.accounts.session(session.key) is None


def test_requests_are_counted_for_a_minute_and_for_a_peak(desk: Desk) -> None:
    """At most 5 a minute and 3 in 2 seconds by the settings of this test."""
    session = desk.accounts.sign_in(desk.accounts.open("a", SUPPLIER))  # the first request

    def asked(after: float) -> bool:
        desk.now = 1000.0 + after
        try:
            return desk.accounts.session(session.key) is not None
        except TooManyRequests:
            return False

    assert [asked(after) for after in (1.0, 1.5, 2.0, 2.1)] == [True, True, False, True]
    assert [asked(after) for after in (10.0, 11.0, 60.0, 60.1, 60.2)] == [True, False, False, True, False]


def test_an_order_is_of_one_to_a_million_hubs_for_a_full_postcode_and_a_month_to_come() -> None:
    """[248]."""
    desk = Desk()
    desk.now = Month(2026, 3).begins
    orders = HubOrders(desk.store, lambda: desk.now)
    for kind, month, postcode, hubs in (
        ("order", Month(2026, 3), "ab1 2cd", 1),
        ("forecast", Month(2026, 4), "AB12 3CD", MOST_HUBS),
        ("order", Month(2026, 3), "m11aa", 2),
        ("order", Month(2026, 3), " ab1 2cd ", 5),
    ):
        assert orders.place(SUPPLIER, kind, month, postcode, hubs).postcode == postcode.strip().upper()
    assert [one.hubs for one in orders.placed(SUPPLIER)] == [1, 2, 5, MOST_HUBS]
    assert orders.placed(OTHER) == ()
    for kind, postcode, hubs in (
        *(("gift", "ab1 2cd", 1), ("order", "ab1 2cd", 0), ("order", "ab1 2cd", -1), ("order", "ab1 2cd", MOST_HUBS + 1)),
        *(("order", "ab12", 1), ("order", "ab12 3cde", 1)),
    ):
        with pytest.raises(OrderError, match="for a full postcode"):
            orders.place(SUPPLIER, kind, Month(2026, 3), postcode, hubs)
    with pytest.raises(OrderError, match="2026-02 is over"):
        orders.place(SUPPLIER, "order", Month(2026, 2), "ab1 2cd", 1)
    with pytest.raises(OrderError, match="suppliers forecast and order"):
        orders.place(NETWORK, "order", Month(2026, 3), "ab1 2cd", 1)
    assert orders.distribution(SUPPLIER, Month(2026, 3)).uncovered == {"AB1 2CD": "no coverage data", "M11AA": "no coverage data"}
    orders.place(SUPPLIER, "forecast", Month(2026, 3), "ab1 2cd", 100)
    orders.place(SUPPLIER, "order", Month(2026, 4), "ab1 2cd", 50)
    WanMatrix(desk.store).cover(WanCoverage("North", True, "Radio", "High"), postcode="AB1 2CD")
    assert orders.distribution(SUPPLIER, Month(2026, 3)).hubs == {("North", "Radio"): 6}, "orders of the month together, no forecast"
    desk.store.close()


def test_requests_are_live_for_three_months_and_archived_for_seven_years() -> None:
    """[248]: by the settings 92 days, and seven years of 366 days."""
    desk = Desk(page_settings())
    desk.now = 4000 * DAY
    archive = RequestArchive(desk.store, lambda: desk.now, page_settings())
    for name, received in (("old", desk.now - 92 * DAY - 1), ("edge", desk.now - 92 * DAY), ("new", desk.now - DAY)):
        desk.store.insert(
            "requests", request=name, user=str(SUPPLIER), target=str(OTHER), variant="7.2", received=received, state="responded", xml=b""
        )
    assert archive.live_since == desk.now - 92 * DAY
    assert archive.live(SUPPLIER)[0].received == desk.now - DAY
    kept = archive.archive()
    assert kept + len(archive.live(SUPPLIER)) == 3
    assert archive.archive() == 0, "once"
    received = archive.archived(SUPPLIER)[0]["received"]
    desk.now = received + 7 * 366 * DAY
    assert archive.purge() == 0
    desk.now += 1
    assert archive.purge() >= 1


def test_an_account_of_a_user_unknown_to_the_dcc_is_refused(desk: Desk) -> None:
    with pytest.raises(AccountError, match="finished user entry"):
        desk.accounts.open("a", Eui64(bytes(8)))
    assert isinstance(desk.accounts.accounts(SUPPLIER), tuple)
    assert PageAccount.__slots__
