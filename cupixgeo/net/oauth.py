"""OAuth 2.0 client credentials: a key is exchanged for a token that lives an hour, again and again.

Knows how a token is asked for, when it is renewed, and that the key goes to the token service and
to nobody else. Must not know any service.

Sources: RFC 6749 §4.4 (client credentials), §5.1, §5.2 (answers); RFC 6750 §2.1 (Bearer).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from cupixgeo.errors import CredentialError, ResponseError
from cupixgeo.net.auth import bearer
from cupixgeo.net.secret import Secret, redact
from cupixgeo.net.session import Form, Session
from cupixgeo.net.settings import NetSettings
from cupixgeo.net.wire import is_loopback

EARLY_S = 60.0
"""[s] before its end from which on a token is not used any more; half its life, if that is less."""

_HOUR_S = 3600.0


class ClientCredentials:
    """A Bearer token that is fetched when it is needed and renewed when it runs out.

    Parameters
    ----------
    token_url : str
        Address of the token service.
    client_id, client_secret : Secret
        The key.
    service : str
        Name used in errors.
    scope : str
        What the token is to be good for; empty asks for none.
    settings : NetSettings
        Timeouts, retries, and the clock a token's life is measured on.
    plain_http : bool
        Send the key unencrypted over a network, knowingly.

    Raises
    ------
    CredentialError
        If half of the key is missing, or it would be sent unencrypted.
    """

    def __init__(
        self,
        token_url: str,
        *,
        client_id: Secret,
        client_secret: Secret,
        service: str,
        scope: str = "",
        settings: NetSettings | None = None,
        plain_http: bool = False,
    ) -> None:
        if client_id.is_blank or client_secret.is_blank:
            raise CredentialError(
                f"the {service} key is not whole: it has a client id and a client secret, written "
                "as client_id:client_secret."
            )
        self._session = Session(
            token_url, service=f"{service} sign-in", auth={}, settings=settings, read_error=_said
        )
        origin = self._session.origin
        if not (self._session.is_encrypted or is_loopback(origin) or plain_http):
            self._session.close()
            raise CredentialError(
                f"the {service} key would go to {origin} unencrypted. Use the https address; if "
                "the network is your own, say plain_http=True."
            )
        self._settings = self._session.settings
        fields: dict[str, str | Secret] = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
        }
        self._form = Form({**fields, "scope": scope} if scope else fields)
        self._key = (client_id, client_secret)
        self._token: Secret | None = None
        self._until = 0.0
        self._lock = threading.Lock()

    def headers(self) -> Mapping[str, Secret]:
        """Give the Authorization header; asks for a token first where there is none that lasts.

        Raises
        ------
        AuthenticationError
            If the key is not accepted.
        ServiceError
            Of the class for what the token service answered.
        """
        with self._lock:
            if self._token is None or self._settings.now() >= self._until:
                self._fetch()
            assert self._token is not None
            return {"Authorization": bearer(self._token)}

    def params(self) -> Mapping[str, Secret]:
        """Give no query parameters."""
        return {}

    def renew(self, refused: Mapping[str, Secret]) -> bool:
        """Drop the token that was refused, unless another thread has replaced it already."""
        with self._lock:
            if self._token is not None and refused.get("Authorization") == bearer(self._token):
                self._token = None
        return True

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The key and the present token."""
        return self._key if self._token is None else (*self._key, self._token)

    def close(self) -> None:
        """Close the connection to the token service."""
        self._session.close()

    def __repr__(self) -> str:
        return f"<ClientCredentials {self._session.base_url}>"

    def _fetch(self) -> None:
        start = self._settings.now()
        # asking twice for a token does no harm
        answer = self._session.json(
            "POST", self._session.base_url, body=self._form, safe_to_repeat=True
        )
        given = answer.get("access_token") if isinstance(answer, Mapping) else None
        token = Secret(given if isinstance(given, str) else "")
        life_s = _life_s(answer)
        del answer, given  # a traceback would show them
        if token.is_blank:
            raise ResponseError(
                f"{self._session.service} at {self._session.base_url} answered without an "
                "access_token. Check the address of the token service.",
                service=self._session.service,
                verb="POST token",
            )
        self._token = token.stripped().checked_header("the access token")
        self._until = start + max(life_s - EARLY_S, life_s / 2)


def _life_s(answer: Any) -> float:
    """Read how long a token lives [s]."""
    value = answer.get("expires_in") if isinstance(answer, Mapping) else None
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return float(value)
    return _HOUR_S


def _said(body: Any) -> tuple[str | None, str | None]:
    """Find code and message in an error of a token service (RFC 6749 §5.2)."""
    if not isinstance(body, Mapping):
        return None, None
    code, told = body.get("error"), body.get("error_description")
    return (redact(str(code)) if code else None), (str(told) if told else None)
