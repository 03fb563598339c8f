"""Getting a user token: password, login code, or the service's own pages in a browser.

Knows the four ways the service documents. Passwords and codes are used once and never kept. Must
not know what the token is used for afterwards.

Sources: altizure/dev-docs en/api.md (OAuth pages), changelog 1.9.4; altizure/alti-cli
gql/get-user-token-by-email.go, gql/request-login-code.go, gql/get-user-token-by-code.go.
[inferred]: the form fields of the code exchange, which are those of RFC 6749 §4.1.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cupixgeo.errors import ArgumentError, AuthenticationError
from cupixgeo.net.secret import Secret
from cupixgeo.net.session import Form, Session
from cupixgeo.net.settings import NetSettings
from cupixgeo.services.altizure.conventions import Conventions
from cupixgeo.services.altizure.graphql import Api
from cupixgeo.services.altizure.regions import api_root


class SignIn:
    """The service's door: what can be asked with an application key alone.

    Parameters
    ----------
    key : str or Secret
        Application key.
    base_url, region : str or None
        As for ``connect("altizure")``.
    settings : NetSettings
        Timeouts and retries.
    plain_http : bool
        Send key and password unencrypted over a network, knowingly.
    """

    def __init__(
        self,
        key: str | Secret,
        *,
        base_url: str | None = None,
        region: str | None = None,
        settings: NetSettings | None = None,
        plain_http: bool = False,
    ) -> None:
        self._key = Secret(key)
        del key
        self.base_url = api_root(region, base_url=base_url)
        self._settings = settings
        self._plain_http = plain_http

    def by_password(self, email: str, password: str | Secret, *, fresh: bool = False) -> Secret:
        """Get the user's token for this application.

        Parameters
        ----------
        email : str
            The user.
        password : str or Secret
            Sent once, never kept.
        fresh : bool
            Ask for a new token; else the one there is is given again.

        Raises
        ------
        AuthenticationError
            If the service does not know this user with this password.
        """
        variables = {"email": email, "password": Secret(password), "fresh": fresh}
        del password
        return self._token("sign_in", variables, "e-mail address and password")

    def request_code(self, phone: str) -> None:
        """Let the service send a login code to a phone.

        Raises
        ------
        AuthenticationError
            If it does not.
        """
        with self._api() as api:
            answer = api.object("request_login_code", {"phone": phone}) or {}
        if answer.get("result") != "Success":
            said = (answer.get("error") or {}).get("message") or "it does not say why"
            raise AuthenticationError(
                f"altizure sent no login code: {said}. Check that the phone number was verified "
                "in the user's profile.",
                service="altizure",
                verb="RequestLoginCode",
            )

    def by_code(self, phone: str, code: str | Secret, *, fresh: bool = False) -> Secret:
        """Get the user's token for a code that came to the phone; as `by_password`."""
        variables = {"phone": phone, "code": Secret(code), "fresh": fresh}
        del code
        return self._token("sign_in_by_code", variables, "phone number and code")

    def page(self, redirect_uri: str, *, state: str = "", response_type: str = "token") -> str:
        """Give the address of the page where a user lets the application in.

        Parameters
        ----------
        redirect_uri : str
            Where the browser is sent afterwards; its domain must be registered.
        state : str
            Comes back unchanged: compare it.
        response_type : {"token", "code"}
            Whether the token itself or a code for `exchange` comes back.
        """
        if response_type not in ("token", "code"):
            raise ArgumentError(f"response_type={response_type!r} is not 'token' or 'code'.")
        query = {
            "client_id": self._key.reveal(),
            "response_type": response_type,
            "redirect_uri": redirect_uri,
        }
        if state:
            query["state"] = state
        return f"{self.base_url}/auth/start?{urlencode(query)}"

    def exchange(self, code: str | Secret, secret: str | Secret) -> Secret:
        """Exchange a code for the token, with the application's secret.

        Raises
        ------
        AuthenticationError
            If no token comes.
        """
        fields: dict[str, str | Secret] = {
            "grant_type": "authorization_code",
            "client_id": self._key,
            "client_secret": Secret(secret),
            "code": Secret(code),
        }
        del code, secret
        with self._session() as session:
            body = Form(fields)
            answer = session.json("POST", "auth/exchange", body=body, safe_to_repeat=False)
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token:
            raise _refused("code")
        return Secret(token)

    def _token(self, name: str, variables: dict[str, Any], what: str) -> Secret:
        with self._api() as api:
            token = Secret(str(api.field(name, variables) or ""))
        if token.is_blank:
            raise _refused(what)
        return token

    @contextmanager
    def _api(self) -> Iterator[Api]:
        with self._session() as session:
            yield Api(session, Conventions())

    @contextmanager
    def _session(self) -> Iterator[Session]:
        session = Session(
            self.base_url,
            service="altizure",
            auth={"key": self._key},
            settings=self._settings,
            plain_http=self._plain_http,
        )
        try:
            yield session
        finally:
            session.close()

    def __repr__(self) -> str:
        return f"<SignIn altizure {self.base_url}>"


def token_from_redirect(url: str | Secret, *, state: str = "") -> Secret:
    """Take the token out of the address a browser was sent to.

    Parameters
    ----------
    url : str or Secret
        With ``#access_token=...`` behind it.
    state : str
        What was given to `SignIn.page`.

    Raises
    ------
    AuthenticationError
        If there is no token, or the state is another one.
    """
    address = Secret(url)
    del url
    parts = parse_qs(urlsplit(address.reveal()).fragment)
    found = Secret((parts.pop("access_token", None) or [""])[0])
    if found.is_blank or (parts.get("state") or [""])[0] != state:
        del parts
        raise _refused("address (no token in it, or not the answer to this question)")
    return found


def _refused(what: str) -> AuthenticationError:
    return AuthenticationError(
        f"altizure gives no token for this {what}. Check them, and the application key; then sign "
        "in again.",
        service="altizure",
        verb="sign in",
    )
