"""What FlightHub wants in every request: token, project, language, and a fresh request id.

Knows headers. Must not know any call.

Source: DJI FlightHub 2 OpenAPI reference (headers of each call); flighthub2-cli 0.1.2,
``_transport.py``.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping

from cupixgeo.net.secret import Secret


class FlightHubAuth:
    """The headers of one account.

    Parameters
    ----------
    token : Secret
        Organization key.
    language : str
        ``X-Language``.

    Attributes
    ----------
    project : str or None
        UUID sent as ``X-Project-Uuid``; None until it is known.
    """

    def __init__(self, token: Secret, *, language: str) -> None:
        self.project: str | None = None
        self._token = token
        self._language = language
        self._last = threading.local()

    @property
    def request_id(self) -> str | None:
        """Id of this thread's last request: what DJI's support asks for."""
        return getattr(self._last, "id", None)

    def headers(self) -> Mapping[str, Secret]:
        """Give the headers of the next request."""
        self._last.id = str(uuid.uuid4())
        headers = {
            "X-User-Token": self._token,
            "X-Request-Id": Secret(self._last.id),
            "X-Language": Secret(self._language),
        }
        if self.project is not None:
            headers["X-Project-Uuid"] = Secret(self.project)
        return headers

    def params(self) -> Mapping[str, Secret]:
        """Give no query parameters."""
        return {}

    def renew(self, refused: Mapping[str, Secret]) -> bool:
        """Say that there is no other token to try."""
        return False

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The token; the other headers are no secrets."""
        return (self._token,)
