"""Fetches what a client offers by URL, as the service would; from this computer only.

Knows HTTP. The real service reaches the internet; this one reaches loopback and says so.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

_TIMEOUT_S = 5.0


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, so that nothing leads away from this computer."""

    def redirect_request(self, *args: object) -> None:
        """Return no further request: the redirect becomes an HTTP error."""


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay)


def is_local(url: str) -> bool:
    """Return whether a URL is http and leads to this computer."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        loopback = False
    return loopback and parts.scheme == "http"


def fetch(url: str, token: str | None = None) -> bytes:
    """Get the bytes behind a URL.

    Parameters
    ----------
    url : str
        Address on this computer.
    token : str, optional
        Sent as a bearer token.

    Raises
    ------
    ValueError
        With the reason, if there is nothing to be had.
    """
    if not is_local(url):
        raise ValueError("the emulator fetches from this computer only")
    request = urllib.request.Request(url)
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        with _OPENER.open(request, timeout=_TIMEOUT_S) as answer:
            return bytes(answer.read())
    except (urllib.error.URLError, OSError) as error:
        raise ValueError(str(error)) from error


def fetcher(url: str, token: str | None = None) -> Callable[[], bytes]:
    """Return a function that fetches a URL when it is called."""
    return lambda: fetch(url, token)
