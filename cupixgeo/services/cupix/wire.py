"""The Cupix envelope: objects, lists and their pages, errors, ids.

Knows how an answer is packed and how a list is read to its end. Must not know what the objects
mean.

Sources: CupixWorks pointcloud page (envelope, pagination, ids as text); the CupixWorks OpenAPI
files v1.9.4 and v1.13.3 (``fields`` required, error body).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cupixgeo.errors import ArgumentError, ResponseError
from cupixgeo.net.session import Session

Attributes = dict[str, Any]
Params = Mapping[str, str | int]

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def read_error(body: Any) -> tuple[str | None, str | None]:
    """Find code and message in the body of a 400: ``{"result": {"code", "message", ...}}``."""
    result = body.get("result") if isinstance(body, Mapping) else None
    if not isinstance(result, Mapping):
        return None, None
    code, said = result.get("code"), result.get("message") or result.get("reason")
    return (str(code) if code else None), (str(said) if said else None)


def as_id(value: object, what: str) -> int:
    """Read an id, given as a number or as text.

    Raises
    ------
    ArgumentError
        If it is neither.
    """
    if isinstance(value, str) and value.isascii() and value.strip().isdecimal():
        return int(value)
    if not isinstance(value, bool) and hasattr(value, "__index__"):
        number = int(value.__index__())
        if number >= 0:
            return number
    raise ArgumentError(f"{value!r} is not the id of a {what}: ids are numbers such as 5310.")


def as_key(value: object, what: str) -> str:
    """Read the text key some objects are addressed by.

    Raises
    ------
    ArgumentError
        If it is none.
    """
    if isinstance(value, str) and _KEY.fullmatch(value):
        return value
    raise ArgumentError(f"{value!r} is not the key of a {what}: letters, digits, - and _ only.")


def as_fields(fields: str | Iterable[str]) -> tuple[str, ...]:
    """Read a choice of fields: names, or one text with commas.

    Raises
    ------
    ArgumentError
        If there is none in it.
    """
    names = fields.split(",") if isinstance(fields, str) else list(fields)
    chosen = tuple(dict.fromkeys(name.strip() for name in names if name.strip()))
    if not chosen:
        raise ArgumentError("fields= names no field: leave it out for the usual ones.")
    return chosen


def get_object(session: Session, path: str, fields: Iterable[str]) -> Attributes:
    """Get one object with the chosen fields.

    Raises
    ------
    ServiceError
        If the service has it not or sends something else.
    """
    answer = session.json("GET", path, params={"fields": ",".join(fields)})
    result = answer.get("result") if isinstance(answer, Mapping) else None
    data = result.get("data") if isinstance(result, Mapping) else None
    return _attributes(data, session, f"GET /{path}")


def get_meta(session: Session, path: str) -> Attributes:
    """Get a meta object, which comes without an envelope of its own.

    Raises
    ------
    ServiceError
        If the service has it not or sends something else.
    """
    answer = session.json("GET", path)
    result = answer.get("result") if isinstance(answer, Mapping) else None
    if not isinstance(result, Mapping):
        raise _misunderstood(session, f"GET /{path}", f"{result!r} instead of an object")
    return dict(result)


def get_list(
    session: Session, path: str, params: Params, *, fields: Iterable[str], per_page: int
) -> list[Attributes]:
    """Get all objects of a list, page after page.

    Parameters
    ----------
    session : Session
        The connection.
    path : str
        The list, ``"pointclouds"``.
    params : mapping
        Filters.
    fields : iterable of str
        What to ask of each object.
    per_page : int
        Objects to ask for at a time; the service may send fewer.

    Returns
    -------
    list of dict
        The attributes of each, with ``id`` as a number.

    Raises
    ------
    ResponseError
        If a page is not a page, or pages go in a circle.
    """
    asked = {**params, "fields": ",".join(fields), "per_page": per_page}
    return [item for page in _pages(session, path, asked) for item in page]


def _pages(session: Session, path: str, params: Params) -> Iterator[list[Attributes]]:
    call = f"GET /{path}"
    seen: set[int] = set()
    number = 1
    while True:
        answer = session.json("GET", path, params={**params, "page": number})
        result = answer.get("result") if isinstance(answer, Mapping) else None
        data = result.get("data") if isinstance(result, Mapping) else None
        if not isinstance(result, Mapping) or not isinstance(data, list):
            raise _misunderstood(session, call, f"page {number} without a list of objects")
        page = [_attributes(item, session, call) for item in data]
        ids = {item["id"] for item in page}
        pagination = result.get("pagination")
        # Without pagination the end is where nothing new comes: the list is never cut short.
        if pagination is None and ids <= seen:
            return
        if len(ids) < len(page) or not seen.isdisjoint(ids):
            again = sorted((seen & ids) or ids)[:3]
            raise _misunderstood(session, call, f"objects twice (on page {number}: {again})")
        seen |= ids
        yield page
        following = (
            number + 1 if pagination is None else _next_page(pagination, session, call, number)
        )
        if following is None:
            return
        number = following


def _next_page(pagination: Any, session: Session, call: str, number: int) -> int | None:
    following = pagination.get("next_page", "") if isinstance(pagination, Mapping) else ""
    if following is None:
        return None
    if isinstance(following, int) and not isinstance(following, bool) and following > number:
        return following
    raise _misunderstood(session, call, f"{following!r} as the page after page {number}")


def _attributes(item: Any, session: Session, call: str) -> Attributes:
    """Unpack ``{"id", "type", "attributes"}``; the id may stand in one place or in both."""
    attributes = item.get("attributes") if isinstance(item, Mapping) else None
    if not isinstance(attributes, Mapping):
        raise _misunderstood(session, call, "an object without attributes")
    found = attributes.get("id", item.get("id"))
    try:
        return {**attributes, "id": as_id(found, "object")}
    except ArgumentError:
        pass
    raise _misunderstood(session, call, f"an object with the id {found!r}")


def _misunderstood(session: Session, call: str, what: str) -> ResponseError:
    return ResponseError(
        f"{session.service} answered {call} with {session.redact(what)}. The list may have "
        "changed while it was read: try again, and if it stays like this, report it.",
        service=session.service,
        verb=call,
        status=200,
    )
