"""Limits of accounts and sessions at their edge: names, reviews, idle sessions, requests in a minute and at a peak."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from hil.dcc.base.services import UserRole
from hil.ssi.accounts import AccountError, Accounts, PageAccount, TooManyRequests
from hil.ssi.settings import functions, page_settings
from tests.dcc.far_end import NETWORK, SUPPLIER
from tests.ssi.page_world import GAS, World

DAY_S = 86_400.0
SETTINGS = replace(page_settings(), idle_s=100.0, requests_per_minute=5, peak_requests=3, peak_s=2.0, review_days=10.0)


@pytest.fixture
def world() -> World:
    return World(settings=SETTINGS)


def refused(accounts: Callable[[], object]) -> str:
    try:
        accounts()
    except AccountError as wrong:
        return str(wrong)
    return ""


@pytest.mark.parametrize(
    ("name", "taken"), [("A", True), ("A" * 60, True), ("A" * 61, False), ("", False), (" \t", False), (f"admin of IS {SUPPLIER}", False)]
)
def test_a_name_has_one_to_sixty_characters_and_is_nobody_elses(world: World, name: str, taken: bool) -> None:
    assert (refused(lambda: world.accounts.open(name, SUPPLIER)) == "") is taken


def test_an_account_is_the_dccs_where_nobody_else_made_it_and_no_administrators_unless_it_says_so(world: World) -> None:
    world.accounts.open("Ann", SUPPLIER)
    ann = next(one for one in world.accounts.accounts(SUPPLIER) if one.name == "Ann")
    assert (ann.made_by, ann.administrator, ann.closed, ann.reviewed, ann.role) == ("DCC", False, False, world.now, UserRole.IS)
    for by in (ann, replace(ann, administrator=True, user=GAS)):
        assert "may not make this account" in refused(lambda by=by: world.accounts.open("Bob", SUPPLIER, by=by))  # type: ignore[misc]
    assert refused(lambda: world.accounts.open("Bob", SUPPLIER, by=replace(ann, administrator=True))) == ""


def test_a_part_of_the_page_is_for_its_roles_and_accounts_for_administrators() -> None:
    def account(role: UserRole, administrator: bool) -> PageAccount:
        return PageAccount("a", SUPPLIER, role, administrator, "DCC", 0.0, False)

    for function, roles in functions().items():
        for role in UserRole:
            assert account(role, True).may(function) is (role in roles)
            assert account(role, False).may(function) is (role in roles and function != "accounts")


def test_a_review_is_due_after_its_days_and_not_on_the_last(world: World) -> None:
    token = world.tokens[SUPPLIER]
    (account, *_) = world.accounts.accounts(SUPPLIER)
    world.now += 10 * DAY_S
    assert not world.accounts.review_due(account)
    world.accounts.sign_in(token)
    world.now += 1
    assert world.accounts.review_due(account)
    assert refused(lambda: world.accounts.sign_in(token)) == "this account was not reviewed for 10 days: ask the DCC to review it [398]"
    ann = world.accounts.open("Ann", SUPPLIER)
    world.now += 10 * DAY_S + 1
    assert "ask your administrator to review it" in refused(lambda: world.accounts.sign_in(ann))


def test_an_account_that_is_closed_opens_nothing_and_ends_its_sessions_alone(world: World) -> None:
    (admin, *_) = world.accounts.accounts(SUPPLIER)
    tokens = {name: world.accounts.open(name, SUPPLIER, by=admin) for name in ("Ann", "Bob")}
    keys = {name: world.accounts.sign_in(token).key for name, token in tokens.items()}
    assert "may review" in refused(lambda: world.accounts.review(world.accounts.accounts(SUPPLIER)[0], "Ann", keep=False))
    assert world.accounts.review(admin, "Ann", keep=False).closed
    assert refused(lambda: world.accounts.sign_in(tokens["Ann"])) == "this token opens no account"
    assert world.accounts.session(keys["Ann"]) is None
    assert world.accounts.session(keys["Bob"]) is not None
    assert not world.accounts.review(admin, "Bob", keep=True).closed
    assert world.accounts.session(keys["Bob"]) is not None


def test_a_session_lasts_while_it_is_not_idle_for_longer_than_it_may(world: World) -> None:
    key = world.accounts.sign_in(world.tokens[SUPPLIER]).key
    world.now += 100
    assert world.accounts.session(key) is not None
    world.now += 100
    assert world.accounts.session(key) is not None, "it counts from its last request"
    world.now += 101
    assert world.accounts.session(key) is None
    world.now -= 101
    assert world.accounts.session(key) is None, "it has ended"
    assert world.accounts.session(None) is None
    assert world.accounts.session("guessed") is None


def test_a_session_that_was_idle_makes_room_only_after_its_time() -> None:
    world = World(settings=replace(SETTINGS, sessions=1))
    world.accounts.sign_in(world.tokens[SUPPLIER])
    world.now += 100
    assert refused(lambda: world.accounts.sign_in(world.tokens[NETWORK])) == "the page is full: try again later [398]"
    world.now += 1
    world.accounts.sign_in(world.tokens[NETWORK])


def requests(accounts: Accounts, world: World, key: str, seconds: list[float]) -> list[bool]:
    """Each request so many seconds after the sign-in, and if it was let through."""
    began, through = world.now, list[bool]()
    for second in seconds:
        world.now = began + second
        try:
            through.append(accounts.session(key) is not None)
        except TooManyRequests:
            through.append(False)
    return through


@pytest.mark.parametrize(
    ("seconds", "through"),
    [
        ([0, 0, 0], [True, True, False]),  # with the sign-in, three at once are the most
        ([1, 2, 2], [True, True, False]),  # the third last is two seconds ago
        ([1, 2, 2.5], [True, True, True]),
        ([3, 6, 9, 12, 15], [True, True, True, True, False]),  # five in a minute
        ([3, 6, 9, 12, 60, 60.5], [True, True, True, True, False, True]),  # after a minute the sign-in counts no more
    ],
)
def test_requests_are_let_through_up_to_the_limits_of_a_minute_and_a_peak(world: World, seconds: list[float], through: list[bool]) -> None:
    key = world.accounts.sign_in(world.tokens[SUPPLIER]).key
    assert requests(world.accounts, world, key, seconds) == through


def test_who_has_a_certificate_has_one_session_that_no_cookie_opens(world: World) -> None:
    session = world.accounts.sign_in_by_certificate(SUPPLIER)
    assert world.accounts.sign_in_by_certificate(SUPPLIER) is session
    assert (session.by_certificate, session.account.administrator, session.account.closed, len(session.times)) == (True, True, False, 2)
    assert world.accounts.session(session.key) is None
    assert not world.accounts.sign_in(world.tokens[SUPPLIER]).by_certificate
