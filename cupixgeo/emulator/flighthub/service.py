"""The routes of the emulated FlightHub: who may call what, and what comes back.

Order of the refusals: unknown route 404, bad token (200401), no such project or not joined
(200403), wrong method 405, then what the call itself refuses. The same routes answer below
``/openapi/v0.1`` and ``/openapi/v2.0``.

References
----------
FlightHub 2 OpenAPI, "Start reconstruction task"; flighthub2-cli 0.1.2, ``resources/open_model.py``,
``resources/organization.py``, ``resources/map_models.py``; aerosight, ``endpoints.tsv``.
Decided here, where they are silent: resources belong to the organization, whatever the project of
the call; unknown routes have the envelope with 200404; ``X-Request-Id`` is echoed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cupixgeo.emulator.flighthub import rules as numbers
from cupixgeo.emulator.flighthub.archive import archive_of
from cupixgeo.emulator.flighthub.maps import Maps, project_page
from cupixgeo.emulator.flighthub.organization import Directory, User
from cupixgeo.emulator.flighthub.parameters import check
from cupixgeo.emulator.flighthub.refusal import RefusedError, bad_parameter, done, not_found
from cupixgeo.emulator.flighthub.rules import Rules
from cupixgeo.emulator.flighthub.tasks import KINDS, Task, Tasks, read_order
from cupixgeo.emulator.flighthub.uploads import Resource, Uploads
from cupixgeo.emulator.stage import Stage
from cupixgeo.emulator.storage import StoredObject
from cupixgeo.emulator.wire import Request, Response, is_number

TOKEN = "x-user-token"
PROJECT = "x-project-uuid"
_ID = r"([^/]+)"


@dataclass(frozen=True)
class Call:
    """One authorised request: who asks, what for, and the ids in the path."""

    request: Request
    user: User
    ids: tuple[str, ...]

    @property
    def form(self) -> Mapping[str, Any]:
        """The JSON object in the body."""
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip()
        try:
            form = json.loads(self.request.body) if kind == "application/json" else None
        except ValueError:
            form = None
        if not isinstance(form, dict):
            raise bad_parameter("body", "must be a JSON object")
        return form


Handler = Callable[[Call], Response]


class FlightHubService:
    """The emulated service.

    Parameters
    ----------
    stage : Stage
        Seed, clock, options, storage and world.

    Attributes
    ----------
    rules : Rules
        Switches and limits; may be changed while the emulator runs.
    """

    def __init__(self, stage: Stage) -> None:
        self.rules = Rules()
        self.directory = Directory(stage.seed)
        self.uploads = Uploads(stage, self.rules)
        self.tasks = Tasks(stage.seed, stage.clock, self.rules)
        self._maps = Maps(stage, self.rules)
        self._stage = stage
        open_model = "/open_model"
        self._routes: list[tuple[str, dict[str, Handler]]] = [
            ("/system_status", {"GET": self._status}),
            ("/health", {"GET": self._status}),
            ("/project", {"GET": self._projects}),
            (f"{open_model}/stores/obtain_token", {"POST": self._obtain}),
            (f"{open_model}/stores/upload_callback", {"POST": self._callback}),
            (
                f"{open_model}/resource/{_ID}",
                {"GET": self._resource, "DELETE": self._delete_resource},
            ),
            (f"{open_model}/models/reconstruction/start", {"POST": self._start}),
            (f"{open_model}/models/running", {"GET": self._running}),
            (f"{open_model}/models/{_ID}/reconstruction/stop", {"POST": self._stop}),
            (f"{open_model}/models/{_ID}", {"GET": self._model, "DELETE": self._delete_model}),
            ("/model", {"GET": self._map_models}),
            ("/model/create", {"POST": self._create_map_model}),
            (f"/model/download-url/{_ID}", {"GET": self._download_url}),
            (f"/model/{_ID}", {"GET": self._map_model}),
        ]

    def token(self, account: int) -> str:
        """Return the organization key of an account."""
        if not 0 <= account < len(self.directory.users):
            raise ValueError(
                f"the emulated flighthub service has accounts 0 to "
                f"{len(self.directory.users) - 1}, not {account}"
            )
        return self.directory.users[account].token

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        try:
            response = self._dispatch(request)
        except RefusedError as refusal:
            response = refusal.response()
        asked = request.headers.get("x-request-id")
        if asked is None:
            return response
        return replace(response, headers=(*response.headers, ("X-Request-Id", asked)))

    def _dispatch(self, request: Request) -> Response:
        path = request.path.rstrip("/")
        for pattern, methods in self._routes:
            match = re.fullmatch(pattern, path)
            if match is None:
                continue
            user = self._user(request)
            self._check_project(request, user, path)
            if request.method not in methods:
                raise RefusedError(numbers.NOT_FOUND, "method not allowed", status=405)
            return methods[request.method](Call(request, user, match.groups()))
        raise not_found("route")

    def _user(self, request: Request) -> User:
        user = self.directory.user_of(request.headers.get(TOKEN))
        if user is None:
            status = self.rules.auth_status
            raise RefusedError(numbers.UNAUTHORIZED, "X-User-Token invalid", status=status)
        return user

    def _check_project(self, request: Request, user: User, path: str) -> None:
        uuid = request.headers.get(PROJECT)
        if path in ("/system_status", "/health", "/project"):
            return
        if uuid is None:
            if path.startswith("/model") or self.rules.strict_project:
                raise bad_parameter("X-Project-Uuid", "is required")
            return
        joined = any(p.uuid == uuid and user.user_id in p.users for p in self.directory.projects)
        if not joined:
            raise RefusedError(numbers.FORBIDDEN, "no permission in the project", status=403)

    # -- around ----------------------------------------------------------------------------------

    def _status(self, call: Call) -> Response:
        return done()

    def _projects(self, call: Call) -> Response:
        mine = [p for p in self.directory.projects if p.org_uuid == call.user.org_uuid]
        page = project_page(mine, call.user, call.request.query)
        return done(self._list([project.to_wire() for project in page]))

    def _list(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {"list": rows or (None if self.rules.null_lists else [])}

    # -- open modeling: files --------------------------------------------------------------------

    def _obtain(self, call: Call) -> Response:
        return done(self.uploads.obtain(call.user))

    def _callback(self, call: Call) -> Response:
        return done(self.uploads.report(call.user, call.form))

    def _resource(self, call: Call) -> Response:
        resource = self._found(call)
        in_use = self.tasks.uses(resource.uuid)
        return done(self.uploads.to_wire(resource, in_use=in_use))

    def _delete_resource(self, call: Call) -> Response:
        self._found(call).delete_asked = True
        return done({})

    def _found(self, call: Call) -> Resource:
        resource = self.uploads.resource(call.user, call.ids[0])
        self._settle(resource)
        return resource

    def _settle(self, resource: Resource) -> None:
        """Delete a resource whose last task has ended, where the start asked for that."""
        if resource.uuid in self.tasks.deletes_after and not self.tasks.uses(resource.uuid):
            resource.delete_asked = True

    # -- open modeling: models -------------------------------------------------------------------

    def _start(self, call: Call) -> Response:
        order = read_order(call.form)
        resource = self.uploads.resource(call.user, order.resource_uuid)
        self._settle(resource)
        if self.uploads.state(resource, in_use=self.tasks.uses(resource.uuid)) != 1:
            raise bad_parameter("resource_uuid", "is not a resource that can be used")
        for kind, parameter in order.parameters.items():
            check(kind, parameter)
        answer = {}
        for task in self.tasks.start(call.user, order, resource):
            answer[f"model_{task.kind}"] = {
                "uuid": task.uuid,
                "status": task.at(self._stage.clock.now()).status,
                "sub_error_code": 0,
            }
        return done(answer)

    def _running(self, call: Call) -> Response:
        return done(self._list([self._wire(task) for task in self.tasks.running(call.user)]))

    def _model(self, call: Call) -> Response:
        return done(self._wire(self.tasks.find(call.user, call.ids[0])))

    def _stop(self, call: Call) -> Response:
        self.tasks.stop(self.tasks.find(call.user, call.ids[0]))
        return done({})

    def _delete_model(self, call: Call) -> Response:
        self.tasks.delete(self.tasks.find(call.user, call.ids[0]))
        return done({})

    def _wire(self, task: Task) -> dict[str, Any]:
        now = task.at(self._stage.clock.now())
        if now.is_packed:
            self.uploads.bucket().publish(self._archive(task))
        return {
            "resource_uuid": task.resource_uuid,
            "model_uuid": task.uuid,
            "model_type": KINDS[task.kind],
            "model_status": now.status,
            "model_size": len(self._archive(task).content) if now.is_packed else 0,
            "reconstruction_progress": now.progress,
            "error_code": now.error_code,
            "zip_status": now.zip_status,
            "zip_progress": now.zip_progress,
            "zip_file_key": self._archive(task).key if now.is_packed else "",
        }

    def _archive(self, task: Task) -> StoredObject:
        return archive_of(task, self._stage, self.rules)

    # -- model management ------------------------------------------------------------------------

    def _map_models(self, call: Call) -> Response:
        return done(self._list(self._maps.rows(call.request.headers[PROJECT])))

    def _map_model(self, call: Call) -> Response:
        return done(self._maps.details(call.request.headers[PROJECT], call.ids[0]))

    def _create_map_model(self, call: Call) -> Response:
        return done({"id": self._maps.create(call.request.headers[PROJECT], call.form)})

    def _download_url(self, call: Call) -> Response:
        text = call.ids[0]
        if is_number(text) and (link := self._maps.link(call.request.headers[PROJECT], int(text))):
            return done({"id": int(text), "url": link})
        if is_number(text):
            task = self.tasks.by_number(call.user, int(text))
        else:
            task = self.tasks.find(call.user, text)
        ready = task.at(self._stage.clock.now()).is_packed
        url = self._stage.storage.link(self._archive(task)) if ready else ""
        return done({"id": task.number, "url": url})
