"""The FlightHub wire: the envelope, its codes, and every call this toolkit makes.

Knows how a call is sent and its answer read. Must not know tables, jobs or files.

Sources: DJI FlightHub 2 OpenAPI, "Start reconstruction task"; flighthub2-cli 0.1.2 and the v2.0
client of xieyingtech/aerosight, which agree on paths, fields and numbers. Most refusals come as
HTTP 200 with a `code` that is not 0; empty lists come as null.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from cupixgeo.errors import (
    ArgumentError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ResponseError,
    ServerError,
    ServiceError,
)
from cupixgeo.net.session import Session
from cupixgeo.services.flighthub.auth import FlightHubAuth

Json = Any
Row = Mapping[str, Any]

EMPTY_STATE = 231011
"""Code some lists have where there is nothing to list; it is no error there."""

CODES: Mapping[int, tuple[type[ServiceError], str]] = {
    200401: (
        AuthenticationError,
        "The token is missing, wrong or of another region: check it and region=.",
    ),
    200403: (
        PermissionDeniedError,
        "The token's user has no rights in the project: check project=, or join it.",
    ),
    200404: (NotFoundError, "Check the id, and that it belongs to this organization."),
    200610: (BadRequestError, "A parameter or the project is missing or wrong: correct the call."),
    210429: (RateLimitError, "Try again later."),
    210500: (ServerError, "Try again later."),
}
"""Known codes of the envelope, what they mean here, and the remedy. There are many more."""

_UNKNOWN_CODE = "Look the code up in DJI's error guide."
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,127}")


def read_error(body: Json) -> tuple[str | None, str | None]:
    """Find code and message in the envelope of an error with an HTTP status of its own."""
    if not isinstance(body, Mapping):
        return None, None
    code, message = body.get("code"), body.get("message")
    known = isinstance(code, int) and not isinstance(code, bool)
    return str(code) if known else None, message if isinstance(message, str) else None


def as_id(value: Any, what: str) -> str:
    """Check an id before it goes into a path.

    Raises
    ------
    ArgumentError
        If it is none.
    """
    text = str(value).strip()
    if not _ID.fullmatch(text):
        raise ArgumentError(f"{value!r} is no id of a {what}.")
    return text


class Api:
    """The calls, over one session.

    Parameters
    ----------
    session : Session
        Connection to the gateway.
    auth : FlightHubAuth
        Its headers.
    code_texts : mapping of int to str
        What further codes mean, from DJI's error guide; shown in messages.
    """

    def __init__(
        self, session: Session, auth: FlightHubAuth, *, code_texts: Mapping[int, str] | None = None
    ) -> None:
        self.session = session
        self._auth = auth
        self.code_texts = dict(code_texts or {})

    # -- around ----------------------------------------------------------------------------------

    def system_status(self) -> None:
        """Ask whether the service works; raises where it does not."""
        self._call("GET", "system_status")

    def projects(self, *, q: str | None = None, joined: bool = False) -> list[Row]:
        """List projects, all pages at once."""
        params = {"usage": "simple"}
        if q is not None:
            params["q"] = q
        if joined:
            params["prj_authorized_status"] = "project-status-authorized"
        return self._list("project", params)

    # -- open modeling: files --------------------------------------------------------------------

    def obtain_token(self) -> Row:
        """Get an upload credential, with a folder of its own."""
        return self._call("POST", "open_model/stores/obtain_token", repeat=True)

    def upload_callback(
        self,
        resource_uuid: str,
        callback_param: str,
        files: Sequence[tuple[str, str]],
        *,
        name: str = "",
    ) -> Row:
        """Report uploaded files (name, ETag), at most 100."""
        body: dict[str, Any] = {
            "resource_uuid": resource_uuid,
            "callback_param": callback_param,
            "files": [{"name": file, "etag": etag} for file, etag in files],
        }
        if name:
            body["resource_name"] = name[:255]
        return self._call("POST", "open_model/stores/upload_callback", body)

    def resource(self, uuid: str) -> Row:
        """Get a resource."""
        return self._call("GET", f"open_model/resource/{as_id(uuid, 'resource')}")

    def delete_resource(self, uuid: str) -> None:
        """Delete a resource."""
        self._call("DELETE", f"open_model/resource/{as_id(uuid, 'resource')}", repeat=True)

    # -- open modeling: models -------------------------------------------------------------------

    def start(self, body: Mapping[str, Any]) -> Row:
        """Start reconstructions."""
        return self._call("POST", "open_model/models/reconstruction/start", dict(body))

    def running(self) -> list[Row]:
        """List the reconstructions in progress."""
        return self._list("open_model/models/running")

    def model(self, uuid: str) -> Row:
        """Get a model."""
        return self._call("GET", f"open_model/models/{as_id(uuid, 'model')}")

    def stop(self, uuid: str) -> None:
        """Stop a reconstruction."""
        self._call("POST", f"open_model/models/{as_id(uuid, 'model')}/reconstruction/stop")

    def delete_model(self, uuid: str) -> None:
        """Delete a model; one in progress is stopped."""
        self._call("DELETE", f"open_model/models/{as_id(uuid, 'model')}", repeat=True)

    # -- model management ------------------------------------------------------------------------

    def map_models(self) -> list[Row]:
        """List the models on the project's map."""
        return self._list("model")

    def map_model(self, id: int | str) -> Row:
        """Get a model of the map; its links are temporary."""
        return self._call("GET", f"model/{as_id(id, 'map model')}")

    def create_map_model(self, body: Mapping[str, Any]) -> Row:
        """Order a model of a flight task's media folder."""
        return self._call("POST", "model/create", dict(body))

    def download_url(self, id: int | str) -> str:
        """Get the signed link of a model's archive; empty while there is none."""
        url = self._call("GET", f"model/download-url/{as_id(id, 'model')}").get("url")
        return url if isinstance(url, str) else ""

    # -- how -------------------------------------------------------------------------------------

    def _list(self, path: str, params: Mapping[str, str] | None = None) -> list[Row]:
        data = self._call("GET", path, params=params, is_list=True)
        rows = data.get("list")
        rows = [] if rows is None else rows
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
            self._refuse(f"GET /{path}", "a list that is none")
        return rows

    def _call(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        params: Mapping[str, str] | None = None,
        repeat: bool = False,
        is_list: bool = False,
    ) -> Row:
        """Call and unwrap; a call with effects is sent once, unless `repeat`."""
        try:
            answer = self.session.json(
                method,
                path,
                params=params,
                body=body,
                safe_to_repeat=method == "GET" or repeat,
            )
        except ServiceError as error:
            error.request_id = error.request_id or self._auth.request_id
            raise
        call = f"{method} /{path}"
        code = answer.get("code") if isinstance(answer, Mapping) else None
        if isinstance(code, bool) or not isinstance(code, int):
            self._refuse(call, "JSON without a code")
        if code == EMPTY_STATE and is_list:
            return {}
        if code != 0:
            raise self._error(code, answer.get("message"), call)
        data = answer.get("data")
        if data is not None and not isinstance(data, Mapping):
            self._refuse(call, "data that is no object")
        return data or {}

    def _error(self, code: int, message: Any, call: str) -> ServiceError:
        kind, remedy = CODES.get(code, (BadRequestError, _UNKNOWN_CODE))
        said = self.session.redact(message)[:300] if isinstance(message, str) else ""
        meaning = self.code_texts.get(code, "")
        told = "; ".join(text for text in (said.rstrip("."), meaning.rstrip(".")) if text)
        request_id = self._auth.request_id
        return kind(
            f"{self.session.service} refuses {call} (code {code}){': ' if told else ''}{told}. "
            f"{remedy} Request id for DJI's support: {request_id}.",
            service=self.session.service,
            verb=call,
            status=200,
            code=str(code),
            request_id=request_id,
        )

    def _refuse(self, call: str, what: str) -> NoReturn:
        raise ResponseError(
            f"{self.session.service} answered {call} with {what}: that is not FlightHub's API. "
            f"Check base_url ({self.session.base_url}).",
            service=self.session.service,
            verb=call,
            status=200,
            request_id=self._auth.request_id,
        )
