"""Developer keys and the access tokens they are exchanged for.

References
----------
Teleport API documentation, page *authentication*: OAuth 2.0 client credentials; the body is JSON
or a form; a token lives one hour.
"""

from __future__ import annotations

import itertools
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from cupixgeo.emulator.stage import fake_token
from cupixgeo.emulator.teleport.refusal import RefusedError, refused

if TYPE_CHECKING:
    from cupixgeo.emulator.clock import Clock
    from cupixgeo.emulator.teleport.settings import TeleportSettings
    from cupixgeo.emulator.wire import Request

SCOPE = "openid profile email"


@dataclass(frozen=True)
class Organisation:
    """An organisation with a developer key.

    Parameters
    ----------
    name : str
        Its name.
    client_id, client_secret : str
        The key.
    may_use_modelv3 : bool
        Whether it has the pay-as-you-go plan that ``modelv3`` needs.
    """

    name: str
    client_id: str
    client_secret: str
    may_use_modelv3: bool


class Tokens:
    """Gives access tokens and knows whose they are.

    Parameters
    ----------
    seed : int
        Decides keys and tokens.
    clock : Clock
        Decides when a token has expired.
    settings : TeleportSettings
        `token_lifetime_s` is obeyed.
    """

    def __init__(self, seed: int, clock: Clock, settings: TeleportSettings) -> None:
        self.organisations = tuple(
            Organisation(
                name=name,
                client_id=fake_token(seed, "teleport", name, length=12),
                client_secret=fake_token(seed, "teleport", name, "secret"),
                may_use_modelv3=plan,
            )
            for name, plan in (("north", True), ("south", False))
        )
        self._seed = seed
        self._clock = clock
        self._settings = settings
        self._given: dict[str, tuple[Organisation, float]] = {}
        self._serials = itertools.count(1)
        self._lock = threading.Lock()

    def expire_all(self) -> None:
        """Let every token that was given be expired from now on."""
        with self._lock:
            self._given.clear()

    def give(self, request: Request) -> dict[str, Any]:
        """Answer ``POST /oauth2/token``."""
        form = _form(request)
        if form.get("grant_type") != "client_credentials":
            raise RefusedError(400, {"error": "unsupported_grant_type"})
        asked = form.get("scope") or SCOPE
        if not set(asked.split()) <= set(SCOPE.split()):
            raise RefusedError(400, {"error": "invalid_scope"})
        pair = (form.get("client_id"), form.get("client_secret"))
        for organisation in self.organisations:
            if pair == (organisation.client_id, organisation.client_secret):
                return self._new(organisation)
        raise RefusedError(401, {"error": "invalid_client"})

    def owner(self, request: Request) -> Organisation:
        """Return whose token the request carries; 401 where it is nobody's or has expired."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise refused(401, "Not authenticated")
        with self._lock:
            organisation, until = self._given.get(token, (None, 0.0))
        if organisation is None or self._clock.now() >= until:
            raise refused(401, "Invalid or expired token")
        return organisation

    def _new(self, organisation: Organisation) -> dict[str, Any]:
        lifetime = self._settings.token_lifetime_s
        token = fake_token(self._seed, "teleport", "access", f"{next(self._serials):04d}")
        with self._lock:
            self._given[token] = (organisation, self._clock.now() + lifetime)
        return {"access_token": token, "expires_in": int(lifetime), "token_type": "bearer"}


def _form(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(request.body.decode("utf-8", "replace")))
    if kind == "application/json":
        try:
            content = json.loads(request.body)
        except ValueError:
            content = None
        if isinstance(content, dict):
            return {str(name): str(value) for name, value in content.items()}
    raise RefusedError(400, {"error": "invalid_request"})
