"""Where FlightHub 2 is: gateways that share nothing, tokens least of all.

Sources: DJI documentation (China, USA); flighthub2-cli 0.1.2 (Europe, USA), whose author calls a
live organization with them. On-premises installations have addresses of their own. The path of the
API is ``/openapi/v0.1``; ``/openapi/v2.0`` has the same calls.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from cupixgeo.errors import ArgumentError

GATEWAYS: dict[str, str] = {
    "eu": "https://es-flight-api-eu.djigate.com",
    "us": "https://es-flight-api-us.djigate.com",
    "cn": "https://es-flight-api-cn.djigate.com",
}
"""Region → gateway."""

WEB_PAGES = "fh.dji.com"
"""Host of the web application. Any API path there gives an HTML page."""

API_PATH = "/openapi/v0.1"


def api_root(region: str | None = None, *, path: str = API_PATH) -> str:
    """Give the API root of a region.

    Parameters
    ----------
    region : str or None
        ``"eu"``, ``"us"`` or ``"cn"``; there is no default, because a token of one region is
        refused by the others.
    path : str
        Path of the API at the gateway.

    Raises
    ------
    ArgumentError
        If there is no such region, or none was given.

    Examples
    --------
    >>> api_root("eu")
    'https://es-flight-api-eu.djigate.com/openapi/v0.1'
    """
    known = ", ".join(map(repr, GATEWAYS))
    if region is None:
        raise ArgumentError(
            f"flighthub has several regions that share nothing: give region= ({known}), or "
            "base_url= for an installation on your premises."
        )
    gateway = GATEWAYS.get(region.strip().lower())
    if gateway is None:
        raise ArgumentError(
            f"there is no FlightHub region {region!r}: it is one of {known}; for an installation "
            "on your premises give base_url=."
        )
    return gateway + path


def check_address(base_url: str) -> str:
    """Refuse the address of the web application; give any other back.

    Raises
    ------
    ArgumentError
        If it is that one.
    """
    if (urlsplit(base_url).hostname or "").lower() == WEB_PAGES:
        raise ArgumentError(
            f"https://{WEB_PAGES} is the web application and has no API: give region= "
            f"({', '.join(map(repr, GATEWAYS))}) instead of base_url=."
        )
    return base_url
