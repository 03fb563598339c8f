"""The routes of the emulated Teleport: who may call what, and what comes back.

Order of the refusals: unknown route 404, wrong method 405, bad token 401, no such capture 404,
bad arguments 422, everything else 400 or 403. Another organisation's capture does not exist.

References
----------
Teleport API specification page and documentation. Decided here, where they are silent: the body of
``/uploaded`` that contradicts what was stored answers 400; an upload link for a capture that is
uploaded answers 400; a file that is too large answers 422; the web application has the address of
the emulator.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cupixgeo.emulator.stage import Stage, fake_token
from cupixgeo.emulator.teleport.captures import FORMATS, Capture, make_ids
from cupixgeo.emulator.teleport.metadata import Metadata
from cupixgeo.emulator.teleport.refusal import Checked, RefusedError, read_body, refused
from cupixgeo.emulator.teleport.settings import TeleportSettings
from cupixgeo.emulator.teleport.tokens import Organisation, Tokens
from cupixgeo.emulator.teleport.training import check_training
from cupixgeo.emulator.teleport.uploads import Uploads
from cupixgeo.emulator.teleport.webhooks import Message, message_about
from cupixgeo.emulator.wire import Request, Response, empty_response, json_response

PREVIEWS = ("432x576", "897x1196")


@dataclass(frozen=True)
class Call:
    """One authorised request: who asks, what for, and the parts of the path."""

    request: Request
    owner: Organisation
    parts: Mapping[str, str]

    @property
    def zone(self) -> bool:
        """Whether times are to carry their offset."""
        query = Checked(self.request.query, "query")
        zone = query.truth("time_zone", default=False)
        query.done()
        return zone


class TeleportService:
    """The emulated service.

    Parameters
    ----------
    stage : Stage
        Seed, clock, options, storage, world.

    Attributes
    ----------
    settings : TeleportSettings
        What can be told otherwise.
    tokens : Tokens
        Developer keys and access tokens.
    metadata : Metadata
        Models and cameras; ``metadata.scene`` holds the ground truth.
    """

    def __init__(self, stage: Stage) -> None:
        self.settings = TeleportSettings()
        self.tokens = Tokens(stage.seed, stage.clock, self.settings)
        self.metadata = Metadata(stage, self.settings)
        self.webhook_secret = fake_token(stage.seed, "teleport", "webhook")
        self._stage = stage
        self._captures: dict[str, Capture] = {}
        self._lock = threading.RLock()
        self._serials = itertools.count(1)
        self._uploads = Uploads(stage, self.settings, self._is_open)
        routes: tuple[tuple[str, str, Callable[[Call], Response]], ...] = (
            ("/api/v1/captures", "GET", self._list),
            ("/api/v1/captures", "POST", self._create),
            ("/api/v1/captures/{eid}", "PUT", self._edit),
            ("/api/v1/captures/{eid}", "DELETE", self._delete),
            ("/api/v1/captures/{eid}/create-upload-url/{number}", "POST", self._upload_url),
            ("/api/v1/captures/{eid}/uploaded", "POST", self._uploaded),
            ("/api/v2/captures/{resource}/metadata", "GET", self._metadata_v2),
            ("/share/{sid}/metadata", "GET", self._metadata_v1),
        )
        self._routes = [
            (re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)), method, handler)
            for path, method, handler in routes
        ]

    @property
    def captures(self) -> tuple[Capture, ...]:
        """Every capture there is, oldest first."""
        with self._lock:
            return tuple(self._captures.values())

    def token(self, account: int) -> str:
        """Return the developer key of an organisation as ``client_id:client_secret``."""
        organisations = self.tokens.organisations
        if not 0 <= account < len(organisations):
            raise ValueError(
                f"the emulated teleport service has accounts 0 to {len(organisations) - 1}, "
                f"not {account}"
            )
        chosen = organisations[account]
        return f"{chosen.client_id}:{chosen.client_secret}"

    def webhooks(self) -> list[Message]:
        """Return the messages about captures that have ended since this was last asked."""
        now = self._stage.clock.now()
        messages = []
        with self._lock:
            for capture in self._captures.values():
                state = capture.state(now)
                if state in ("READY", "ERROR") and not capture.is_told:
                    capture.is_told = True
                    messages.append(message_about(capture, state, self.webhook_secret))
        return messages

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        try:
            with self._lock:
                return self._dispatch(request)
        except RefusedError as refusal:
            return json_response(refusal.status, refusal.content)

    def _dispatch(self, request: Request) -> Response:
        if request.path == "/oauth2/token":
            if request.method != "POST":
                return _wrong_method({"POST"})
            return json_response(200, self.tokens.give(request))
        allowed: set[str] = set()
        for pattern, method, handler in self._routes:
            match = pattern.fullmatch(request.path)
            if match is None:
                continue
            if method == request.method:
                return handler(Call(request, self._owner(request), match.groupdict()))
            allowed.add(method)
        return _wrong_method(allowed) if allowed else json_response(404, {"detail": "Not Found"})

    def _owner(self, request: Request) -> Organisation:
        is_share = request.path.startswith("/share/")
        if is_share and self.settings.share_is_public and "authorization" not in request.headers:
            return self.tokens.organisations[0]
        return self.tokens.owner(request)

    # -- captures ---------------------------------------------------------------------------------

    def _list(self, call: Call) -> Response:
        query = Checked(call.request.query, "query")
        limit = query.number("limit", low=1, needed=False)
        offset = query.number("offset", low=0, needed=False)
        query.done()
        zone, name = call.zone, call.request.query.get("name")
        mine = [c for c in self._captures.values() if c.organisation == call.owner.name]
        for capture in mine:
            capture.asked(self._stage.clock.now())
        if name is not None:
            equal = self.settings.name_filter == "equals"
            mine = [c for c in mine if c.name == name or (not equal and name in c.name)]
        if self.settings.newest_first:
            mine.reverse()
        start = int(offset or 0)
        shown = mine[start : start + int(limit or 25)]
        return json_response(200, [self._output(call, capture, zone=zone) for capture in shown])

    def _create(self, call: Call) -> Response:
        body = read_body(call.request)
        name = body.text("name")
        size = body.number("bytesize", low=1, high=self.settings.max_bytes)
        form = body.choice("input_data_format", FORMATS, needed=False) or "commonformat-ios"
        body.number("num_frames", low=0, needed=False)
        body.truth("guided_mode", default=False)
        body.text("ios_app_version", needed=False)
        training = body.part("training_parameters")
        if training is not None:
            check_training(training, may_use_modelv3=call.owner.may_use_modelv3)
        if not name and not body.problems:
            body.refuse("name", "ensure this value has at least 1 character")
        chunk = self.settings.chunk_size
        if size is not None and -(-int(size) // chunk) > self.settings.max_parts:
            body.refuse("bytesize", f"more than {self.settings.max_parts} parts")
        body.done()
        eid, sid, segment = make_ids(self._stage.seed, next(self._serials))
        capture = Capture(
            eid=eid, sid=sid, segment=segment, organisation=call.owner.name, name=name,
            size=int(size or 0), chunk_size=chunk, form=form, created=self._stage.clock.now(),
            parameters=None if training is None else dict(training.values),
        )  # fmt: skip
        self._captures[eid] = capture
        return json_response(
            200, {"eid": eid, "chunk_size": chunk, "num_parts": capture.part_count}
        )

    def _edit(self, call: Call) -> Response:
        capture = self._find(call)
        body = read_body(call.request)
        name = body.text("name")
        if not name and not body.problems:
            body.refuse("name", "ensure this value has at least 1 character")
        body.done()
        capture.name = name
        return json_response(200, self._output(call, capture, zone=call.zone))

    def _delete(self, call: Call) -> Response:
        capture = self._find(call)
        del self._captures[capture.eid]
        self._uploads.spool.discard(capture.eid)
        return empty_response(204)

    # -- uploading --------------------------------------------------------------------------------

    def _upload_url(self, call: Call) -> Response:
        capture = self._find(call)
        path = Checked({"part_no": call.parts["number"]}, "path")
        number = path.number("part_no", low=1, high=capture.part_count)
        path.done()
        body = read_body(call.request)
        self._check_eid(body, capture)
        body.number("bytesize", low=1)
        body.done()
        if capture.uploaded is not None:
            raise refused(400, "Capture is already uploaded")
        link = self._uploads.link(capture.eid, int(number or 1))
        return json_response(
            200, {"eid": capture.eid, "upload_url": link, "chunk_size": capture.chunk_size}
        )

    def _uploaded(self, call: Call) -> Response:
        capture = self._find(call)
        body = read_body(call.request)
        self._check_eid(body, capture)
        named = []
        for position, value in enumerate(body.listed("parts")):
            given = value if isinstance(value, dict) else {}
            part = Checked(given, "body", "parts", position, problems=body.problems)
            named.append((part.number("number", low=1), part.text("etag")))
        body.done()
        if capture.uploaded is None:
            self._complete(capture, named)
        return json_response(200, self._output(call, capture, zone=call.zone))

    def _complete(self, capture: Capture, named: list[tuple[float | None, str]]) -> None:
        numbers = list(range(1, capture.part_count + 1))
        if [number for number, _ in named] != numbers:
            raise refused(400, f"Parts must be 1 to {capture.part_count} in ascending order")
        stored = self._uploads.parts(capture.eid)
        for number, etag in zip(numbers, (etag for _, etag in named), strict=True):
            part = stored.get(number)
            if part is None or etag.strip('"').lower() != part.md5:
                raise refused(400, f"Part {number} was not uploaded, or its etag does not match")
            if part.size != capture.part_size(number):
                raise refused(400, f"Part {number} has {part.size} bytes")
        upload = self._uploads.spool.join(capture.eid, numbers)
        capture.take(upload, self._stage.clock.now(), self.settings)

    def _is_open(self, eid: str) -> bool:
        with self._lock:
            capture = self._captures.get(eid)
            return capture is not None and capture.uploaded is None

    # -- metadata ---------------------------------------------------------------------------------

    def _metadata_v1(self, call: Call) -> Response:
        sid = call.parts["sid"]
        return json_response(200, self.metadata.v1(self._shared(sid, call), call.request))

    def _metadata_v2(self, call: Call) -> Response:
        sid, dash, segment = call.parts["resource"].partition("-")
        capture = self._shared(sid, call)
        if dash and segment != capture.segment:
            raise refused(404, "No such segment")
        return json_response(200, self.metadata.v2(capture, call.request))

    def _shared(self, sid: str, call: Call) -> Capture:
        now = self._stage.clock.now()
        for capture in self._captures.values():
            mine = capture.organisation == call.owner.name or self.settings.share_is_public
            if capture.sid == sid and mine and capture.state(now) == "READY":
                return capture
        raise refused(404, "Not found")

    # -- pieces -----------------------------------------------------------------------------------

    def _find(self, call: Call) -> Capture:
        capture = self._captures.get(call.parts["eid"])
        if capture is None or capture.organisation != call.owner.name:
            raise refused(404, "Capture not found")
        return capture

    def _check_eid(self, body: Checked, capture: Capture) -> None:
        given = body.text("eid")
        if given and given != capture.eid:
            body.refuse("eid", "does not match the path")

    def _output(self, call: Call, capture: Capture, *, zone: bool) -> Any:
        now = self._stage.clock.now()
        previews = {}
        if capture.state(now) == "READY":
            previews = {size: self.metadata.preview(capture, size) for size in PREVIEWS}
        web = f"http://{call.request.headers.get('host', 'localhost')}/teleport"
        return capture.output(now, zone=zone, web=web, previews=previews)


def _wrong_method(allowed: set[str]) -> Response:
    allow = ("Allow", ", ".join(sorted(allowed)))
    return json_response(405, {"detail": "Method Not Allowed"}, headers=(allow,))
