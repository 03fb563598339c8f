"""The node's manners: errors that come with status 200, and the shapes of what it tells.

Knows how an answer becomes a value or one of our errors. Must not know jobs.

Sources: NodeODM's API document (docs/index.adoc, API 2.2.1); answers of a NodeODM 2.2.4; pyodm
1.5.13 for what clients rely on (401, and 403 with an error in the body).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from cupixgeo.errors import (
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    NotReadyError,
    ResponseError,
    ServiceError,
)
from cupixgeo.net.secret import excerpt
from cupixgeo.net.session import Session

SERVICE = "nodeodm"

_Refusal = tuple[type[ServiceError], str]
_REFUSALS: tuple[tuple[str, _Refusal], ...] = (
    (
        "Invalid authentication token",
        (
            AuthenticationError,
            "Give the node's token as token=, or set NODEODM_TOKEN; whoever started the node with "
            "--token knows it.",
        ),
    ),
    ("Invalid set-uuid", (BadRequestError, "A task with this id is at the node already.")),
    (
        "Invalid uuid",
        (
            NotFoundError,
            "The upload was committed, or the node has thrown it away: it keeps uploads for two "
            "days unless told otherwise.",
        ),
    ),
    (
        "Invalid asset",
        (NotFoundError, "This version of NodeODM gives out all.zip and nothing else."),
    ),
    (
        "Asset not ready",
        (NotReadyError, "Wait until the task is completed."),
    ),
    ("Task cannot be restarted", (NotReadyError, "Cancel it first, or wait until it has ended.")),
)
_NOT_FOUND: _Refusal = (
    NotFoundError,
    "Check the id. A node deletes tasks that have ended after two days unless told otherwise.",
)
_ANY: _Refusal = (BadRequestError, "Correct the arguments of the call.")


def ask(
    session: Session,
    method: str,
    path: str,
    *,
    params: Mapping[str, str | int] | None = None,
    body: Any = None,
    safe_to_repeat: bool | None = None,
) -> Any:
    """Call the node and give its answer, unless that is an error.

    Parameters
    ----------
    session : Session
        Connection to the node.
    method, path, params, body, safe_to_repeat
        As for `Session.json`.

    Raises
    ------
    ServiceError
        As for `Session.json`, and for an answer that holds an error: `AuthenticationError`,
        `NotFoundError`, `NotReadyError`, `BadRequestError` by what it says.
    """
    answer = session.json(method, path, params=params, body=body, safe_to_repeat=safe_to_repeat)
    return checked(session, f"{method} /{path}", answer)


def checked(session: Session, call: str, answer: Any) -> Any:
    """Give an answer, unless it is an error."""
    error = answer.get("error") if isinstance(answer, Mapping) else None
    if error:
        raise refusal(session, call, str(error))
    if isinstance(answer, Mapping) and answer.get("success") is False:
        raise refusal(session, call, "it was not done, and no reason is given")
    return answer


def decoded(session: Session, call: str, body: bytes) -> Any:
    """Decode the JSON body of an answer and give it, unless it is an error.

    Raises
    ------
    ResponseError
        If it is no JSON.
    ServiceError
        As for `ask`.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        what = session.redact(excerpt(body))
        misunderstood(session, call, f"{what!r}, which is no JSON")
    return checked(session, call, answer)


def refusal(session: Session, call: str, said: str) -> ServiceError:
    """Make the error for what the node says."""
    kind, remedy = next((found for start, found in _REFUSALS if said.startswith(start)), _ANY)
    if kind is BadRequestError and said.endswith("not found"):
        kind, remedy = _NOT_FOUND
    text = session.redact(_readable(said))[:500].rstrip(".")
    return kind(
        f"{SERVICE} at {session.origin} refuses {call}: {text}. {remedy}",
        service=SERVICE,
        verb=call,
        status=200,
        code=said.partition(":")[0][:60] or None,
    )


def misunderstood(session: Session, call: str, what: str) -> NoReturn:
    """Raise the error for an answer of a shape nobody documented."""
    raise ResponseError(
        f"{SERVICE} at {session.origin} answered {call} with {what}. Check that base_url is the "
        "address of a NodeODM node and that nothing stands between; else try again later.",
        service=SERVICE,
        verb=call,
    )


def read_error(body: Any) -> tuple[str | None, str | None]:
    """Find the error in the body of an answer with an error status."""
    said = body.get("error") if isinstance(body, Mapping) else None
    return None, str(said) if said else None


def _readable(said: str) -> str:
    """Write a list of refused options, which comes as JSON in a text, as a sentence."""
    try:
        entries = json.loads(said)
    except ValueError:
        return said
    if not isinstance(entries, list) or not all(isinstance(e, Mapping) for e in entries):
        return said
    return "; ".join(f"{entry.get('name')}: {entry.get('error')}" for entry in entries)
