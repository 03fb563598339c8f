r"""Who may come in: the application key, user tokens, passwords, login codes, the OAuth pages.

Knows accounts and tokens. Tokens match ``\w+``, as the public web demos expect.

References
----------
altizure/dev-docs en/api.md (OAuth), changelog 1.9.4 (login codes; wrong credentials give null);
altizure/api-demo-minimal (``#access_token=``); ``nodebb-plugin-sso-altizure`` (code exchange).
[inferred]: the names in the token's answer, and that the emulated user always agrees.
"""

from __future__ import annotations

import hmac
import itertools
from collections.abc import Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from cupixgeo.emulator.altizure.records import Account
from cupixgeo.emulator.stage import fake_token
from cupixgeo.emulator.wire import Request, Response, empty_response, json_response

if TYPE_CHECKING:
    from cupixgeo.emulator.altizure.store import Store
    from cupixgeo.emulator.altizure.views import Resolver

KEY = "key"
TOKEN = "altitoken"
_DOMAINS = ("localhost", "127.0.0.1")
"""Domains registered for the emulated application."""


class Access:
    """Keys, tokens and codes.

    Parameters
    ----------
    seed : int
        Decides them all.
    accounts : list of Account
        The users, in the order of their index.
    """

    def __init__(self, seed: int, accounts: list[Account]) -> None:
        self.app_key = word(seed, "altizure", "app", "key")
        self.app_secret = word(seed, "altizure", "app", "secret")
        self.sms: dict[str, str] = {}
        self._seed = seed
        self._accounts = accounts
        self._codes: dict[str, Account] = {}
        self._serials = itertools.count(1)

    def has_key(self, headers: Mapping[str, str]) -> bool:
        """Return whether the application key of a request is good."""
        return hmac.compare_digest(headers.get(KEY, "").encode(), self.app_key.encode())

    def account_of(self, headers: Mapping[str, str]) -> Account | None:
        """Return whose user token a request carries, None for nobody's."""
        token = headers.get(TOKEN)
        return next((a for a in self._accounts if token and a.token == token), None)

    def renew_token(self, account: Account) -> str:
        """Give an account a new token; the old one stops working."""
        account.token = word(
            self._seed, "altizure", account.name, str(next(self._serials)), length=32
        )
        return account.token

    def sign_in(self, email: str, password: str, *, fresh: bool = False) -> str | None:
        """Return the user's token, None for wrong credentials."""
        for account in self._accounts:
            if (account.email, account.password) == (email, password):
                return self.renew_token(account) if fresh else account.token
        return None

    def send_code(self, phone: str) -> bool:
        """Send a login code to a phone: it can be read in `sms`."""
        number = "".join(filter(str.isdigit, phone))
        if not any(account.phone == number for account in self._accounts):
            return False
        self.sms[number] = f"{next(self._serials) * 7919 % 1000000:06d}"
        return True

    def sign_in_by_code(self, phone: str, code: str, *, fresh: bool = False) -> str | None:
        """Return the token of the user with this phone; a code works once."""
        number = "".join(filter(str.isdigit, phone))
        if not code or self.sms.get(number) != code:
            return None
        del self.sms[number]
        account = next(a for a in self._accounts if a.phone == number)
        return self.renew_token(account) if fresh else account.token

    def authorize(self, query: Mapping[str, str]) -> Response:
        """Answer ``/auth/start``: the first user agrees, and is sent back to the application."""
        target = query.get("redirect_uri", "")
        if query.get("client_id") != self.app_key or urlsplit(target).hostname not in _DOMAINS:
            return json_response(400, {"error": "invalid_request"})
        state = {"state": query["state"]} if "state" in query else {}
        account = self._accounts[0]
        if query.get("response_type") == "token":
            back = f"{target}#{urlencode({'access_token': account.token, **state})}"
        elif query.get("response_type") == "code":
            code = word(self._seed, "altizure", "code", str(next(self._serials)))
            self._codes[code] = account
            back = f"{target}?{urlencode({'code': code, **state})}"
        else:
            return json_response(400, {"error": "unsupported_response_type"})
        return empty_response(302, headers=(("Location", back),))

    def exchange(self, request: Request) -> Response:
        """Answer ``/auth/exchange``: a code, which works once, for a token."""
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        known = (form.get("client_id"), form.get("client_secret"))
        if known != (self.app_key, self.app_secret):
            return json_response(401, {"error": "invalid_client"})
        account = self._codes.pop(form.get("code", ""), None)
        if account is None:
            return json_response(400, {"error": "invalid_grant"})
        return json_response(200, {"access_token": account.token, "token_type": "Bearer"})


def word(seed: int, *parts: str, length: int = 20) -> str:
    """Return a token of letters, digits and underscores that is obviously not a real one.

    >>> word(7, "altizure", "app")
    'emu_altizure_app_1b5f5b7f9c9d0e3b4c5a'
    """
    return fake_token(seed, *parts, length=length).replace("-", "_")


def _get_user_token(
    source: Any, info: Any, email: str, password: str, fresh: bool | None = None
) -> str | None:
    if not info.context.has_key:
        return None
    token: str | None = info.context.access.sign_in(email, password, fresh=bool(fresh))
    return token


def _request_login_code(source: Any, info: Any, phone: str) -> dict[str, Any] | None:
    if not info.context.has_key:
        return None
    if info.context.access.send_code(phone):
        return {"error": None, "result": "Success"}
    return {"error": {"code": 1, "message": "The phone is not verified."}, "result": "Fail"}


def _token_by_code(
    source: Any, info: Any, phone: str, code: str, fresh: bool | None = None
) -> str | None:
    if not info.context.has_key:
        return None
    token: str | None = info.context.access.sign_in_by_code(phone, code, fresh=bool(fresh))
    return token


SIGN_IN = {
    "Mutation.getUserToken": _get_user_token,
    "Mutation.requestLoginCode": _request_login_code,
    "Mutation.getUserTokenByLoginCode": _token_by_code,
}


def signed_in(change: Resolver) -> Resolver:
    """Refuse callers without a good application key and user token."""

    @wraps(change)
    def guarded(source: Any, info: Any, **arguments: Any) -> Any:
        caller = info.context
        if not caller.has_key or caller.account is None:
            raise graphql_error("Authentication Error")
        return change(caller.store, caller.account, **arguments)

    return guarded


def writing(change: Resolver) -> Resolver:
    """Change nothing while the service is read-only."""

    @wraps(change)
    def guarded(store: Store, account: Account, **arguments: Any) -> Any:
        if store.rules.system_mode != "Normal":
            return None
        return change(store, account, **arguments)

    return guarded


def graphql_error(message: str) -> Exception:
    """Make the error a resolver raises to be told to the client in these words."""
    from graphql import GraphQLError

    return GraphQLError(message)
