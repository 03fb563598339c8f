"""The OpenScanCloud wire: words for states, the meaning of 401, links to results, content hashes.

Knows how an answer is read. Must not know jobs or files.

Sources: OpenScan-org/OpenScanCloud README; the OpenScan2 and OpenScan3 clients (words of the
states, both shapes of ``dlink``); Dropbox HTTP documentation (*content hash*).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from cupixgeo.errors import ArgumentError, AuthenticationError, ResponseError
from cupixgeo.net.secret import Secret
from cupixgeo.net.session import Session
from cupixgeo.services.job_state import JobState

STATES: Mapping[str, JobState] = {
    "created": JobState.UPLOADING,
    "uploaded": JobState.QUEUED,
    "started": JobState.QUEUED,
    "initialized": JobState.QUEUED,
    "file approved": JobState.QUEUED,
    "approved": JobState.QUEUED,
    "processing started": JobState.RUNNING,
    "processing": JobState.RUNNING,
    "processing done": JobState.DONE,
    "processing failed": JobState.FAILED,
    "error": JobState.FAILED,
    "expired": JobState.FAILED,
}
"""The service's words in lower case; some are those of its unfinished successor."""

DONE_WITH_LINK = frozenset({
    "finished", "done", "complete", "completed", "processed", "ready",
})  # fmt: skip
"""Words clients take for done, without evidence that they are sent: so only with a link."""

NOT_STARTED = "created"
CREDENTIALS = "credentials"
"""Code of a 401 that is about the Basic credentials."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,120}\.zip")
_BLOCK_BYTES = 4 * 2**20


@dataclass(frozen=True)
class ProjectInfo:
    """What the service says about a project.

    Parameters
    ----------
    name : str
        Its name.
    status : str
        The service's own word, as it was sent.
    result : Secret or None
        Link to the result; None while there is none. As good as a key.
    uploads : tuple of Secret
        Upload links in the order of the parts.
    """

    name: str
    status: str
    result: Secret | None
    uploads: tuple[Secret, ...]

    @property
    def state(self) -> JobState:
        """State in the common words; `JobState.UNKNOWN` for a word nobody knows."""
        word = self.status.strip().lower()
        if word in DONE_WITH_LINK:
            return JobState.DONE if self.result is not None else JobState.UNKNOWN
        return STATES.get(word, JobState.UNKNOWN)


def read_error(body: Any) -> tuple[str | None, str | None]:
    """Find code and message in the body of an error; only wrong Basic credentials have any."""
    said = body.get("error") if isinstance(body, Mapping) else None
    return (CREDENTIALS, str(said)) if said else (None, None)


def as_name(value: object) -> str:
    """Check the name of a project: letters, digits, ``_`` and ``-``, and ``.zip`` at its end.

    Raises
    ------
    ArgumentError
        If it is none.
    """
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise ArgumentError(
        f"{value!r} is no name of a project at OpenScanCloud: up to 120 letters, digits, _ and -, "
        "then .zip."
    )


def ask_project(session: Session, name: str) -> ProjectInfo | None:
    """Ask about a project; None where the service has none of this name.

    A 401 with an ``error`` is about the credentials; any other, here, about the project. An older
    server answered with an empty object instead.

    Raises
    ------
    ServiceError
        If the service does not answer so.
    """
    try:
        answer = session.json("GET", "getProjectInfo", params={"project": as_name(name)})
    except AuthenticationError as error:
        if error.code == CREDENTIALS:
            raise
        return None
    if not isinstance(answer, Mapping):
        raise misunderstood(session, "GET /getProjectInfo", "no object")
    if not answer:
        return None
    links = answer.get("ulink")
    result = answer.get("dlink")
    return ProjectInfo(
        name=name,
        status=str(answer.get("status") or ""),
        result=Secret(result) if isinstance(result, str) and result.strip() else None,
        uploads=read_links(links),
    )


def read_links(value: Any) -> tuple[Secret, ...]:
    """Read a list of links."""
    rows = value if isinstance(value, list) else []
    return tuple(Secret(link) for link in rows if isinstance(link, str) and link)


def direct_link(link: Secret, own_origin: str) -> Secret:
    """Find the link that gives the file.

    Parameters
    ----------
    link : Secret
        ``dlink``: a share link (``dl=0`` becomes ``dl=1``), a page of OpenScan's whose parameter
        ``id`` holds the share link, or anything else, which is fetched as it is.
    own_origin : str
        Host of the service: its pages count as OpenScan's, too.

    References
    ----------
    OpenScan3 ``cloud_task.py``, which knows the same three shapes.
    """
    parts = urlsplit(link.reveal().strip())
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    host = (parts.hostname or "").lower()
    is_own = urlsplit(own_origin).netloc.lower() == _netloc(link)
    if ("openscan" in host or is_own) and _is_link(query.get("id", "")):
        return direct_link(Secret(query["id"]), own_origin)
    if "dropbox" in host or query.get("dl") == "0":
        query["dl"] = "1"
        return Secret(urlunsplit(parts._replace(query=urlencode(query))))
    return link


def content_hash(chunks: Iterable[bytes]) -> str:
    """Compute Dropbox's content hash: SHA-256 over the SHA-256 of each 4 MiB, hexadecimal.

    >>> content_hash([b""])[:16]
    'e3b0c44298fc1c14'
    """
    total, block, filled = hashlib.sha256(), hashlib.sha256(), 0
    for chunk in chunks:
        view = memoryview(chunk)
        while len(view):
            taken = view[: _BLOCK_BYTES - filled]
            block.update(taken)
            filled += len(taken)
            view = view[len(taken) :]
            if filled == _BLOCK_BYTES:
                total.update(block.digest())
                block, filled = hashlib.sha256(), 0
    if filled:
        total.update(block.digest())
    return total.hexdigest()


def misunderstood(session: Session, call: str, what: str) -> ResponseError:
    """Make the error for an answer of a shape nobody documents."""
    return ResponseError(
        f"{session.service} answered {call} with {what}. Check base_url; else the service may have "
        "changed: report it.",
        service=session.service,
        verb=call,
    )


def _is_link(text: str) -> bool:
    return text.startswith(("https://", "http://"))


def _netloc(link: Secret) -> str:
    """Give host and port as `origin_of` writes them, so that both can be compared."""
    parts = urlsplit(link.reveal())
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.hostname}:{port}".lower()
