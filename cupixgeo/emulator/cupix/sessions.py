"""Accounts, API tokens and sessions.

An API token never expires; an access token lives 30 minutes and its refresh token one week, by
the emulator's clock.

References
----------
CupixWorks OpenAPI v1.9.4 (``AuthenticateResponse``, ``Session``); CupixWorks API pages for the
lifetimes.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cupixgeo.emulator.clock import Clock, iso_time
from cupixgeo.emulator.cupix.query import RefusedError, invalid, missing
from cupixgeo.emulator.stage import fake_token

ACCESS_S = 30 * 60
REFRESH_S = 7 * 24 * 3600


@dataclass(frozen=True)
class Account:
    """A user of the emulated service.

    Parameters
    ----------
    team, user : int
        Ids of the team and of the user.
    team_domain, email, password : str
        What signs the user in.
    token : str
        Personal API token.
    """

    team: int
    user: int
    team_domain: str
    email: str
    password: str
    token: str


@dataclass(frozen=True)
class Session:
    """A signed-in user; times in [s] since 1970-01-01 UTC."""

    id: str
    account: Account
    access_token: str
    refresh_token: str
    created_at: float
    access_until: float
    refresh_until: float


def make_accounts(seed: int) -> tuple[Account, ...]:
    """Return the accounts: the team of the demo site first, then one that sees other things."""
    return tuple(
        Account(
            team=team,
            user=user,
            team_domain=f"emu-{name}",
            email=f"surveyor@{name}.example",
            password=fake_token(seed, "password", name, length=12),
            token=fake_token(seed, "cupix", name),
        )
        for name, team, user in (("north", 1, 71), ("south", 2, 72))
    )


class Sessions:
    """Signs users in and out, and knows whom a token belongs to.

    Parameters
    ----------
    seed : int
        Decides the tokens.
    clock : Clock
        Decides when they expire.
    """

    def __init__(self, seed: int, clock: Clock) -> None:
        self.accounts = make_accounts(seed)
        self._seed = seed
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        self._serials = itertools.count(1)
        self._lock = threading.Lock()

    def account_of(self, token: str | None) -> Account:
        """Return whose token this is; 401 when it is nobody's or has expired."""
        for account in self.accounts:
            if token == account.token:
                return account
        session = self.session_of(token)
        if session is None:
            raise RefusedError(401)
        return session.account

    def session_of(self, token: str | None) -> Session | None:
        """Return the session of a valid access token, None for anything else."""
        now = self._clock.now()
        with self._lock:
            return next(
                (
                    s
                    for s in self._sessions.values()
                    if s.access_token == token and now < s.access_until
                ),
                None,
            )

    def sign_in(self, form: Mapping[str, Any]) -> Session:
        """Answer ``POST /authenticate``: by e-mail and password, or by refresh token."""
        grant = form.get("grant_type")
        if grant is None:
            raise missing("grant_type")
        if grant == "email":
            return self._sign_in_by_email(form)
        if grant == "refresh_token":
            return self._refresh(str(form.get("refresh_token")))
        raise invalid("grant_type", str(grant))

    def sign_out(self, token: str | None) -> None:
        """Answer ``DELETE /sessions``: the session's tokens stop working."""
        session = self.session_of(token)
        if session is None:
            raise invalid("session", "an API token has no session to end")
        with self._lock:
            self._sessions.pop(session.id, None)

    def _sign_in_by_email(self, form: Mapping[str, Any]) -> Session:
        for name in ("team_domain", "email", "password"):
            if not form.get(name):
                raise missing(name)
        for account in self.accounts:
            expected = (account.team_domain, account.email, account.password)
            if (form["team_domain"], form["email"], form["password"]) == expected:
                serial = next(self._serials)
                name = f"session-{serial:04d}"
                session = self._extended(Session(name, account, "", "", self._clock.now(), 0, 0))
                with self._lock:
                    self._sessions[session.id] = session
                return session
        raise RefusedError(401)

    def _refresh(self, token: str) -> Session:
        now = self._clock.now()
        with self._lock:
            for session in self._sessions.values():
                if session.refresh_token == token and now < session.refresh_until:
                    renewed = self._extended(session)
                    self._sessions[session.id] = renewed
                    return renewed
        raise RefusedError(401)

    def _extended(self, session: Session) -> Session:
        now = self._clock.now()
        parts = ("cupix", "access", f"{next(self._serials):04d}")
        return replace(
            session,
            access_token=fake_token(self._seed, *parts),
            refresh_token=fake_token(self._seed, *parts, "refresh"),
            access_until=now + ACCESS_S,
            refresh_until=now + REFRESH_S,
        )


def authenticated(session: Session, grant: str) -> dict[str, Any]:
    """Return the answer of ``POST /authenticate``."""
    return {
        "result": {
            "grant_type": grant,
            "access_token": session.access_token,
            "access_token_expires_at": iso_time(session.access_until),
            "refresh_token": session.refresh_token,
            "refresh_token_expires_at": iso_time(session.refresh_until),
            "session_id": session.id,
        },
        "session": session_attributes(session.account, session),
        "message": None,
    }


def session_attributes(account: Account, session: Session | None) -> dict[str, Any]:
    """Return a session as it is sent; with an API token there is a user but no session."""
    created = iso_time(session.created_at) if session else None
    user = {"id": account.user, "email": account.email}
    team = {"id": account.team, "domain": account.team_domain}
    return {
        "user": {"id": str(account.user), "type": "user", "attributes": user},
        "team": {"id": str(account.team), "type": "team", "attributes": team},
        "created_at": created,
        "updated_at": created,
        "expires_at": iso_time(session.refresh_until) if session else None,
        "session_id": session.id if session else None,
    }
