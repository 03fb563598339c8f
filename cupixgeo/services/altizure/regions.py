"""Where Altizure is: two public addresses with the same schema, and private installations.

Sources: altizure/dev-docs en/api.md (addresses, OAuth pages); altizure/alti-cli (the rooms beside
``/graphql``, private installations at any address).
"""

from __future__ import annotations

from cupixgeo.errors import ArgumentError

ROOTS = {
    "international": "https://api.altizure.com",
    "china": "https://api.altizure.cn",
}
"""API roots by region."""

ENDPOINT = "graphql"
ROOMS = ("super", "sales")
"""Endpoints beside `ENDPOINT` for entitled accounts."""


def api_root(region: str | None = None, *, base_url: str | None = None) -> str:
    """Give the API root of a region, or of an address with or without ``/graphql`` behind it.

    Raises
    ------
    ArgumentError
        If there is no such region.
    """
    if base_url is not None:
        return base_url.rstrip("/").removesuffix(f"/{ENDPOINT}")
    name = "international" if region is None else region
    if name not in ROOTS:
        raise ArgumentError(
            f"Altizure has no region {region!r}; there are {', '.join(map(repr, ROOTS))}. For a "
            "private installation give base_url=."
        )
    return ROOTS[name]
