"""Lists: filtering, ordering, paging, field selection, and the errors they can bring.

Knows query parameters and envelopes. Knows no route and no particular object.

References
----------
CupixWorks OpenAPI v1.9.4 for the parameters; CupixWorks pointcloud page for the envelope. The
codes and the choice of 400 for values that make no sense are this emulator's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cupixgeo.emulator.cupix.models import FIELDS, Item
from cupixgeo.emulator.wire import is_number

_PER_PAGE = 30
_NOT_EMULATED = (
    "latitude", "longitude", "radius", "clustering_precision", "edit_ids", "user_id",
)  # fmt: skip


class RefusedError(ValueError):
    """The request cannot be answered: 400 with a body, or another status without one.

    Parameters
    ----------
    status : int
        HTTP status.
    code, kind, reason, message : str
        Body of a 400; empty for a status without body.
    """

    def __init__(
        self, status: int, *, code: str = "", kind: str = "", reason: str = "", message: str = ""
    ) -> None:
        super().__init__(message or f"status {status}")
        self.status = status
        self.body: dict[str, Any] | None = None
        if code:
            error = {"code": code, "type": kind, "reason": reason, "message": message}
            self.body = {"result": error, "session": None}


def missing(name: str) -> RefusedError:
    """Return the refusal of a request without the parameter `name`."""
    text = f"{name} is required"
    return RefusedError(400, code="ARG10001", kind="argument", reason="missing", message=text)


def invalid(name: str, value: str) -> RefusedError:
    """Return the refusal of a parameter value."""
    text = f"{name} is invalid: {value}"
    return RefusedError(400, code="ARG10002", kind="argument", reason="invalid", message=text)


def wanted_fields(query: Mapping[str, str]) -> list[str]:
    """Return the asked-for field names; they must be named on every object and list route."""
    names = [name.strip() for name in query.get("fields", "").split(",")]
    names = [name for name in names if name]
    if not names:
        raise missing("fields")
    return names


def integer(query: Mapping[str, str], name: str, *, default: int | None = None) -> int | None:
    """Return a whole number, 1 or more, from the query."""
    text = query.get(name)
    if text is None:
        return default
    if not is_number(text) or int(text) < 1:
        raise invalid(name, text)
    return int(text)


def integers(query: Mapping[str, str], name: str) -> set[int] | None:
    """Return the numbers of a comma-separated parameter, or None when it is absent."""
    text = query.get(name)
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(map(is_number, parts)):
        raise invalid(name, text)
    return {int(part) for part in parts}


def refuse_unsupported(query: Mapping[str, str]) -> None:
    """Refuse parameters the service knows but this emulator does not, rather than ignore them."""
    for name in _NOT_EMULATED:
        if name in query:
            raise RefusedError(
                400,
                code="EMU10001",
                kind="emulator",
                reason="not_emulated",
                message=f"the emulator does not implement the parameter {name}",
            )


def narrow(items: Iterable[Item], model: str, query: Mapping[str, str]) -> list[Item]:
    """Apply the parameters every list understands: ``visibility``, ``filter``, ``q``, ordering."""
    visibility = query.get("visibility", "untrashed")
    if visibility not in ("untrashed", "in_trash_by_parent", "archived", "visible"):
        raise invalid("visibility", visibility)
    chosen = list(items) if visibility in ("untrashed", "visible") else []
    for condition in filter(None, (c.strip() for c in query.get("filter", "").split(","))):
        name, sign, value = (part.strip() for part in condition.partition("="))
        if not sign or (not name.endswith("_id") and name not in FIELDS[model]):
            raise invalid("filter", condition)
        chosen = [i for i in chosen if _filter_value(i, name) == value]
    if needle := query.get("q", "").casefold():
        chosen = [i for i in chosen if needle in str(i.value("name")).casefold()]
    return _ordered(chosen, model, query)


def page_of(items: list[Item], query: Mapping[str, str]) -> tuple[list[Item], dict[str, Any]]:
    """Return one page and its ``pagination``; a page beyond the last is empty."""
    page = integer(query, "page", default=1) or 1
    per_page = integer(query, "per_page", default=_PER_PAGE) or _PER_PAGE
    pages = -(-len(items) // per_page)
    pagination = {
        "total_entries": len(items),
        "total_pages": pages,
        "per_page": per_page,
        "previous_page": page - 1 if 1 < page <= pages else None,
        "current_page": page,
        "next_page": page + 1 if page < pages else None,
    }
    return items[(page - 1) * per_page : page * per_page], pagination


def _filter_value(item: Item, name: str) -> str:
    value = item.links.get(name) if name.endswith("_id") else item.value(name)
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value)


def _ordered(items: list[Item], model: str, query: Mapping[str, str]) -> list[Item]:
    name, sort = query.get("order_by", "id"), query.get("sort", "asc")
    if name not in FIELDS[model]:
        raise invalid("order_by", name)
    if sort not in ("asc", "desc"):
        raise invalid("sort", sort)
    items = sorted(items, key=lambda i: i.id)
    values = {i.id: _comparable(i.value(name)) for i in items}
    known = [i for i in items if values[i.id] is not None]
    known.sort(key=lambda i: values[i.id], reverse=sort == "desc")  # type: ignore[arg-type,return-value]
    return known + [i for i in items if values[i.id] is None]


def _comparable(value: Any) -> float | str | None:
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, str | int | float) else None
