"""Where CupixWorks is: six regions that share nothing, tokens least of all.

Sources: the regions and their domains as the public n8n connector of CupixWorks lists them; API
root and token page from the same and from the API documentation.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from cupixgeo.errors import ArgumentError

REGIONS: dict[str, tuple[str, str]] = {
    "us": ("cupix.works", "uswe2"),
    "eu": ("cupix-eu.works", "euce1"),
    "au": ("cupix-au.works", "apse2"),
    "jp": ("cupix-jp.works", "apne1"),
    "sg": ("cupix-sg.works", "apse1"),
    "ca": ("cupix-ca.works", "cace1"),
}
"""Region → domain, and the code the vendor uses for it elsewhere."""

DEFAULT_REGION = "us"


def api_root(region: str | None = None) -> str:
    """Give the API root of a region.

    Parameters
    ----------
    region : str or None
        ``"us"``, ``"eu"``, ``"au"``, ``"jp"``, ``"sg"`` or ``"ca"``, the vendor's code
        (``"euce1"``) or the domain (``"cupix-eu.works"``). None is the US.

    Returns
    -------
    str

    Raises
    ------
    ArgumentError
        If there is no such region.

    Examples
    --------
    >>> api_root("eu")
    'https://api.cupix-eu.works/api/v1'
    """
    wanted = (region or DEFAULT_REGION).strip().lower()
    for name, (domain, code) in REGIONS.items():
        if wanted in (name, domain, code):
            return f"https://api.{domain}/api/v1"
    raise ArgumentError(
        f"there is no Cupix region {region!r}: it is one of {', '.join(map(repr, REGIONS))}; "
        "for any other address give base_url=."
    )


def token_page(base_url: str) -> str:
    """Say where a personal token for this address is made; empty for addresses of others."""
    host = urlsplit(base_url).hostname or ""
    for domain, _ in REGIONS.values():
        if host == domain or host.endswith(f".{domain}"):
            return f"https://app.{domain}/settings/api"
    return ""
