"""Reading a Relay connection to its end.

Knows pages and cursors. Must not know what the nodes are.

Source: altizure/alti-cli (``edges``, ``pageInfo``); an empty cursor counts as none, and
``hasNextPage`` is computed when ``first`` is given (``jackytck/mongo-relay-connection``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cupixgeo.services.altizure.graphql import Api, Object


def nodes(
    api: Api,
    name: str,
    path: Sequence[str],
    variables: Mapping[str, Any] | None = None,
    *,
    most: int | None = None,
) -> Iterator[Object]:
    """Yield the nodes of a connection, page after page.

    Parameters
    ----------
    api : Api
        Way to the service.
    name : str
        Operation with the variables ``first`` and ``after``.
    path : sequence of str
        Fields from the data to the connection; where one of them is null there is no node.
    variables : mapping
        Further variables.
    most : int or None
        Stop after so many.

    Raises
    ------
    ResponseError
        If a page is none, or pages go in a circle.
    ServiceError
        As for `Api.call`.
    """
    after: str | None = None
    seen: set[str] = set()
    given = 0
    while most is None or given < most:
        size = api.conventions.client_page if most is None else most - given
        size = min(size, api.conventions.client_page)
        page = _page(api, name, path, {**(variables or {}), "first": size, "after": after})
        if page is None:
            return
        for edge in page.get("edges") or ():
            node = edge.get("node") if isinstance(edge, Mapping) else None
            if not isinstance(node, dict):
                raise api.misunderstood(name, f"{edge!r} in place of an edge")
            yield node
            given += 1
        info = page.get("pageInfo") or {}
        after = info.get("endCursor")
        if not info.get("hasNextPage") or not after:
            return
        if after in seen:
            raise api.misunderstood(name, "the same page twice")
        seen.add(after)


def _page(api: Api, name: str, path: Sequence[str], variables: Mapping[str, Any]) -> Object | None:
    value: Any = api.call(name, variables)
    for field in path:
        value = value.get(field) if isinstance(value, Mapping) else None
        if value is None:
            return None
    if not isinstance(value, dict) or not isinstance(value.get("edges"), list | None):
        raise api.misunderstood(name, f"{value!r} in place of a page")
    return value
