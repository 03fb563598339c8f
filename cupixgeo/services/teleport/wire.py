"""The Teleport wire: captures and their pages, words for states, errors.

Knows how an answer is read. Must not know tables, jobs or files.

Sources: Teleport API specification page; API documentation, *manage captures* and *webhooks*;
public clients for state words beyond the documented ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cupixgeo.errors import ArgumentError, ResponseError
from cupixgeo.net.session import Session
from cupixgeo.services.job_state import JobState

Json = Any

STATES: Mapping[str, JobState] = {
    "CREATED": JobState.UPLOADING,
    "UPLOAD_PENDING": JobState.UPLOADING,
    "UPLOADING": JobState.UPLOADING,
    "UPLOADED": JobState.QUEUED,
    "QUEUED": JobState.QUEUED,
    "PROCESSING": JobState.RUNNING,
    "READY": JobState.DONE,
    "ERROR": JobState.FAILED,
    "FAILED": JobState.FAILED,
}
"""The service's words. CREATED, PROCESSING, READY, ERROR were seen; clients expect the others."""

NOT_UPLOADED = frozenset({"CREATED", "UPLOAD_PENDING", "UPLOADING"})
"""Words for a capture whose upload is not complete."""

REASONS: Mapping[str, str] = {
    "NOT_ENOUGH_FRAMES": "too few usable photos; take more of them, with more overlap",
    "INPUT_VALIDATION_FAILED": "the upload was not accepted; see whether all photos can be opened",
    "CONVERSION_FAILED": "the upload could not be converted; check its format",
    "POSE_REFINEMENT_FAILED": "camera poses could not be recovered; more overlap helps",
}
"""Documented reasons, what they mean and what helps. More may follow; the list is open."""

_ID = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)?")
_ETAG = re.compile(r"[0-9A-Fa-f]{32,64}(-[1-9][0-9]*)?")
_MOST_PAGES = 4000


def read_error(body: Json) -> tuple[str | None, str | None]:
    """Find code and message in the body of an error.

    A 422 lists what is wrong with which field; all of it is told.
    """
    detail = body.get("detail") if isinstance(body, Mapping) else None
    if isinstance(detail, str):
        return None, detail
    if not isinstance(detail, list):
        return None, None
    problems = [item for item in detail if isinstance(item, Mapping)]
    said = "; ".join(f"{_place(item.get('loc'))}: {item.get('msg')}" for item in problems)
    kinds = {str(item["type"]) for item in problems if item.get("type")}
    return (kinds.pop() if len(kinds) == 1 else None), (said or None)


def as_id(value: object, what: str = "capture") -> str:
    """Check an id before it becomes part of a path.

    Raises
    ------
    ArgumentError
        If it is none.
    """
    if isinstance(value, str) and _ID.fullmatch(value):
        return value
    raise ArgumentError(f"{value!r} is not the id of a {what}: ids are letters and digits.")


def is_etag(text: str) -> bool:
    """Say whether a text is an ETag that can be handed back, without quotes."""
    return _ETAG.fullmatch(text) is not None


def list_captures(
    session: Session, *, name: str | None = None, per_page: int
) -> Iterator[dict[str, Any]]:
    """Yield all captures, page after page.

    Parameters
    ----------
    session : Session
        The connection.
    name : str or None
        Only those with this name; whether the service compares whole names is not known.
    per_page : int
        Captures to ask for at a time.

    Raises
    ------
    ServiceError
        If the service does not answer with a list, or with the same page for ever.
    """
    seen: set[str] = set()
    offset = 0
    for _ in range(_MOST_PAGES):
        params: dict[str, str | int] = {"limit": per_page, "offset": offset}
        if name is not None:
            params["name"] = name
        page = session.json("GET", "api/v1/captures", params=params)
        if page is None:
            page = []
        if not isinstance(page, list) or not all(isinstance(row, Mapping) for row in page):
            raise misunderstood(session, "GET /api/v1/captures", "something else than a list")
        fresh = [row for row in page if str(row.get("eid")) not in seen]
        seen.update(str(row.get("eid")) for row in fresh)
        yield from (dict(row) for row in fresh)
        if len(page) < per_page or not fresh:
            return
        offset += len(page)
    raise misunderstood(session, "GET /api/v1/captures", f"more than {_MOST_PAGES} pages")


def find_capture(
    session: Session, eid: str, *, name: str | None = None, per_page: int
) -> dict[str, Any] | None:
    """Find one capture in the list, which is the only place to read it; None if it is not there.

    Parameters
    ----------
    session : Session
        The connection.
    eid : str
        Which one.
    name : str or None
        Its name as far as is known: makes the list short. It is looked for in all of them, too,
        because somebody may have renamed it.
    per_page : int
        Captures to ask for at a time.
    """
    for narrowed in dict.fromkeys((name, None)):
        for row in list_captures(session, name=narrowed, per_page=per_page):
            if row.get("eid") == eid:
                return row
    return None


def word_of(capture: Mapping[str, Any]) -> str:
    """Give the service's word for a capture's state."""
    return str(capture.get("state") or "").upper()


def state_of(capture: Mapping[str, Any]) -> JobState:
    """Give a capture's state in the common words; `JobState.UNKNOWN` for a word nobody knows."""
    if capture.get("error_reason") or capture.get("error_reason_slug"):
        return JobState.FAILED
    return STATES.get(word_of(capture), JobState.UNKNOWN)


def failure_of(capture: Mapping[str, Any]) -> tuple[str, str]:
    """Give the reason of a failed capture: the service's slug, and what it means."""
    slug = str(capture.get("error_reason_slug") or capture.get("error_reason") or "")
    told = str(capture.get("state_description") or capture.get("error_reason") or "")
    meaning = REASONS.get(slug, "")
    parts = [part.rstrip(".") for part in (told, meaning) if part and part != slug]
    return slug, "; ".join(parts) or "the service gives no reason"


def misunderstood(session: Session, call: str, what: str) -> ResponseError:
    """Make the error for an answer of a shape nobody documents."""
    return ResponseError(
        f"{session.service} answered {call} with {what}. Check that base_url is the address of "
        "the API; else the service may have changed: report it.",
        service=session.service,
        verb=call,
    )


def _place(loc: Any) -> str:
    parts = loc if isinstance(loc, list) else [loc]
    return ".".join(str(part) for part in parts if part not in ("body", "query", "path", None))
