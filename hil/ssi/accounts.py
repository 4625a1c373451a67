"""Accounts of persons who may sign in, given by the DCC or by an administrator of the user; sessions and their limits.

SSI-01, SSI-11, SSI-14, SSI-17 to SSI-19 [240, 243, 252, 396, 398]. One sign-in opens every part of the page (single sign-on). A token
is shown once, when its account is made; only its SHA-256 is kept.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from firmware_emu.errors import CommsHubError
from firmware_emu.ids import Eui64
from hil.dcc.base.services import UserRole
from hil.dcc.base.store import DccStore
from hil.dcc.base.tables import create_tables
from hil.dcc.parties.users import EnteredUsers
from hil.ssi.settings import PageSettings, functions

DAY_S = 86400.0
DCC = "DCC"


class AccountError(CommsHubError):
    """An account or session that is refused: says why, in words for who asks."""


@dataclass(frozen=True, slots=True)
class PageAccount:
    """One person's account for one user. ``made_by`` is the DCC or the administrator who made it."""

    name: str
    user: Eui64
    role: UserRole
    administrator: bool
    made_by: str
    reviewed: float
    closed: bool

    def may(self, function: str) -> bool:
        """True if this user type has this part of the page; accounts are for administrators (SSI-17)."""
        return self.role in functions()[function] and (function != "accounts" or self.administrator)


@dataclass(slots=True)
class PageSession:
    """One person signed in. ``form`` goes into every form, so that no other site can send one for them."""

    key: str
    account: PageAccount
    seen: float
    form: str
    by_certificate: bool = False
    times: deque[float] = field(default_factory=deque)


class Accounts:
    """Accounts in the DCC's store, sessions in memory."""

    def __init__(self, store: DccStore, now: Callable[[], float], settings: PageSettings) -> None:
        create_tables(store, "hil.ssi")
        self._store = store
        self._now = now
        self._settings = settings
        self._sessions: dict[str, PageSession] = {}

    # Accounts

    def open(self, name: str, user: Eui64, *, administrator: bool = False, by: PageAccount | None = None) -> str:
        """Make an account and return its token, which is shown this once. ``by`` None is the DCC, which alone makes administrators.

        Raises AccountError: the user has not finished user entry, the name is taken, or ``by`` may not.
        """
        self._role(user)
        if by is not None and (not by.administrator or by.user != user or administrator):
            raise AccountError(f"{by.name} may not make this account: administrators, whom the DCC appoints, make ordinary ones [396]")
        if not name.strip() or len(name) > 60:
            raise AccountError("an account needs a name of 1 to 60 characters")
        token = secrets.token_urlsafe(24)
        with self._store.transaction():
            if self._store.row("SELECT 1 FROM page_accounts WHERE name = ?", (name,)) is not None:
                raise AccountError(f"there is an account {name!r} already: choose another name")
            self._store.insert(
                "page_accounts",
                name=name,
                user=str(user),
                administrator=int(administrator),
                made_by=DCC if by is None else by.name,
                made=self._now(),
                reviewed=self._now(),
                digest=_digest(token),
            )
        return token

    def accounts(self, user: Eui64) -> tuple[PageAccount, ...]:
        """The accounts of one user."""
        rows = self._store.rows("SELECT name FROM page_accounts WHERE user = ? ORDER BY name", (str(user),))
        return tuple(self._account(row["name"]) for row in rows)

    def review(self, by: PageAccount, name: str, *, keep: bool) -> PageAccount:
        """An administrator reviews an account of its own user: it stays, or it is closed and its sessions end. Raises AccountError."""
        found = next((one for one in self.accounts(by.user) if one.name == name), None)
        if not by.administrator or found is None:
            raise AccountError(f"there is no account {name!r} that {by.name} may review")
        if not keep and name == by.name:
            raise AccountError("an administrator does not close its own account: ask the DCC")
        column = "reviewed" if keep else "closed"
        self._store.execute(f"UPDATE page_accounts SET {column} = ? WHERE name = ?", (self._now(), name))
        if not keep:
            self._sessions = {key: one for key, one in self._sessions.items() if one.account.name != name}
        return self._account(name)

    def review_by_dcc(self, name: str) -> None:
        """The DCC reviews an administrator's account, which nobody else does."""
        self._store.execute("UPDATE page_accounts SET reviewed = ? WHERE name = ?", (self._now(), name))

    def review_due(self, account: PageAccount) -> bool:
        """True if the account was not reviewed for too long; it cannot be used until it is."""
        return self._now() - account.reviewed > self._settings.review_days * DAY_S

    def _account(self, name: str) -> PageAccount:
        row = self._store.row("SELECT * FROM page_accounts WHERE name = ?", (name,))
        if row is None:
            raise AccountError(f"there is no account {name!r}")
        user = Eui64.parse(row["user"])
        return PageAccount(
            name, user, self._role(user), bool(row["administrator"]), row["made_by"], row["reviewed"], row["closed"] is not None
        )

    def _role(self, user: Eui64) -> UserRole:
        found = EnteredUsers(self._store).find(user)
        if found is None:
            raise AccountError(f"{user} is no user: the page is for those who finished user entry [240]")
        if found.suspended is not None:
            raise AccountError(f"the rights of {user} are suspended")
        return found.role

    # Sessions

    def sign_in(self, token: str) -> PageSession:
        """A session for the account of ``token``. Raises AccountError, in the same words whatever is wrong with the token."""
        row = self._store.row("SELECT name FROM page_accounts WHERE digest = ? AND closed IS NULL", (_digest(token),))
        if row is None:
            raise AccountError("this token opens no account")
        account = self._account(row["name"])
        if self.review_due(account):
            who = "the DCC" if account.administrator else "your administrator"
            raise AccountError(f"this account was not reviewed for {self._settings.review_days:g} days: ask {who} to review it [398]")
        return self._new(account)

    def sign_in_by_certificate(self, user: Eui64) -> PageSession:
        """The session of who proved to be ``user`` by a client certificate; its key is the certificate's. Raises AccountError."""
        key = f"certificate {user}"
        role = self._role(user)
        if (session := self._sessions.get(key)) is not None:
            return self._counted(session)
        return self._new(PageAccount(str(user), user, role, True, DCC, self._now(), False), key)

    def _new(self, account: PageAccount, key: str | None = None) -> PageSession:
        now = self._now()
        self._sessions = {name: one for name, one in self._sessions.items() if now - one.seen <= self._settings.idle_s}
        if len(self._sessions) >= self._settings.sessions:
            raise AccountError("the page is full: try again later [398]")
        if sum(one.account.user == account.user for one in self._sessions.values()) >= self._settings.sessions_per_user:
            raise AccountError(f"{self._settings.sessions_per_user} persons of this user are signed in, which is the most [252]")
        session = PageSession(key or secrets.token_urlsafe(24), account, now, secrets.token_urlsafe(16), by_certificate=key is not None)
        self._sessions[session.key] = session
        return self._counted(session)

    def session(self, key: str | None) -> PageSession | None:
        """The session of a cookie; None for none, for one that was idle too long, and for a user whose rights have gone."""
        session = None if key is None else self._sessions.get(key)
        if session is None or session.by_certificate:
            return None
        if self._now() - session.seen > self._settings.idle_s or not self._stands(session):
            self.sign_out(session.key)
            return None
        return self._counted(session)

    def _stands(self, session: PageSession) -> bool:
        try:
            return not self._account(session.account.name).closed
        except AccountError:
            return False

    def _counted(self, session: PageSession) -> PageSession:
        """One more request of this session. Raises AccountError above the limits of [398]."""
        now = self._now()
        times = session.times
        while times and now - times[0] > 60:
            times.popleft()
        if len(times) >= self._settings.requests_per_minute or (
            len(times) >= self._settings.peak_requests and now - times[-self._settings.peak_requests] <= self._settings.peak_s
        ):
            raise TooManyRequests("too many requests at once: wait a little [398]")
        times.append(now)
        session.seen = now
        return session

    def sign_out(self, key: str) -> None:
        """End a session."""
        self._sessions.pop(key, None)


class TooManyRequests(AccountError):
    """A session asks more than the page's capacity allows."""


def _digest(token: str) -> str:
    return sha256(token.encode("utf-8")).hexdigest()
