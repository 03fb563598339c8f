"""What proves who is asking: headers and query parameters for one origin, some of them renewable.

Knows where on a request a secret goes. Must not know any service, and sends nothing: an `Auth`
that needs a service of its own to get its token is in `cupixgeo.net.oauth`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Protocol

from cupixgeo.net.secret import Secret


class Auth(Protocol):
    """Proof of who is asking. Used by several threads at a time."""

    def headers(self) -> Mapping[str, Secret]:
        """Give the headers of the next request; may ask for a token first."""
        ...

    def params(self) -> Mapping[str, Secret]:
        """Give the query parameters of the next request."""
        ...

    def renew(self, refused: Mapping[str, Secret]) -> bool:
        """Take note that the service answered 401 to these headers; say if others are worth a try.

        Raises
        ------
        ServiceError
            If a new token was asked for and not given.
        """
        ...

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """All that has to be kept out of texts."""
        ...


class FixedAuth:
    """Headers and parameters that never change.

    Parameters
    ----------
    headers, params : mapping of str to Secret
        What is added to every request.
    secrets : tuple of Secret
        Further texts to keep out of messages: what is inside a composed header.
    """

    def __init__(
        self,
        headers: Mapping[str, Secret] | None = None,
        *,
        params: Mapping[str, Secret] | None = None,
        secrets: tuple[Secret, ...] = (),
    ) -> None:
        self._headers = dict(headers or {})
        self._params = dict(params or {})
        self._secrets = (*secrets, *self._headers.values(), *self._params.values())

    def headers(self) -> Mapping[str, Secret]:
        """Give the headers."""
        return self._headers

    def params(self) -> Mapping[str, Secret]:
        """Give the query parameters."""
        return self._params

    def renew(self, refused: Mapping[str, Secret]) -> bool:
        """Say that there is nothing else to try."""
        return False

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """All that has to be kept out of texts."""
        return self._secrets


def basic(user: str, password: str) -> Secret:
    """Make the value of a Basic Authorization header (RFC 7617).

    >>> basic("openscan", "free").reveal()
    'Basic b3BlbnNjYW46ZnJlZQ=='
    """
    return Secret("Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())


def bearer(token: Secret) -> Secret:
    """Make the value of a Bearer Authorization header (RFC 6750)."""
    return Secret("Bearer " + token.reveal())
