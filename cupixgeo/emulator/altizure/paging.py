"""Relay connections: which part of a list is sent, and its page information.

Source: the API author's library ``jackytck/mongo-relay-connection`` 0.2.8; that the service uses
it is [inferred].
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Order(Generic[T]):
    """How a list is sorted: the value of the field, and the id for equal ones; newest first."""

    field: Callable[[T], Any]
    id: Callable[[T], str]

    def key(self, item: T) -> tuple[Any, str]:
        """Return what the list is sorted by."""
        return self.field(item), self.id(item)


def connection(
    items: Sequence[T],
    order: Order[T],
    *,
    first: int | None = None,
    last: int | None = None,
    before: str | None = None,
    after: str | None = None,
) -> dict[str, Any]:
    """Return the page of a list that was asked for.

    Parameters
    ----------
    items : sequence
        The whole list, in any order.
    order : Order
        Its order; descending.
    first, last : int, optional
        At most so many from the front, or from the back; with both, `last` is ignored.
    before, after : str, optional
        Cursors, exclusive; an empty or unreadable one counts as absent.

    Returns
    -------
    dict
        ``totalCount``, ``pageInfo`` and ``edges``.

    Raises
    ------
    ValueError
        For a negative `first` or `last`.
    """
    for name, number in (("first", first), ("last", last)):
        if number is not None and number < 0:
            raise ValueError(f"Argument {name} could not be negative.")
    rows = sorted(items, key=order.key, reverse=True)
    low, high = _decoded(after), _decoded(before)
    if low is not None:
        rows = [row for row in rows if order.key(row) < low]
    if high is not None:
        rows = [row for row in rows if order.key(row) > high]
    has_next = has_previous = False
    if first is not None:
        has_next = len(rows) > first
        rows = rows[:first]
    elif last is not None:
        has_previous = len(rows) > last
        rows = rows[-last:] if last else []
    edges = [{"cursor": _encoded(order.key(row)), "node": row} for row in rows]
    return {
        "totalCount": len(items),
        "pageInfo": {
            "hasPreviousPage": has_previous,
            "hasNextPage": has_next,
            "startCursor": edges[0]["cursor"] if edges else "",
            "endCursor": edges[-1]["cursor"] if edges else "",
        },
        "edges": edges,
    }


def _encoded(key: tuple[Any, str]) -> str:
    return base64.b64encode(json.dumps({"field": key[0], "id": key[1]}).encode()).decode()


def _decoded(cursor: str | None) -> tuple[Any, str] | None:
    if not cursor:
        return None
    try:
        parts = json.loads(base64.b64decode(cursor, validate=True))
        return float(parts["field"]), str(parts["id"])
    except (ValueError, TypeError, KeyError):
        return None
