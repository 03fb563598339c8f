"""The routes of the emulated node: what is called how, and what comes back.

Errors come with status 200 and ``{"error": …}``, as the node sends them; a path it does not know is
an HTML page with 404. Every route but those below ``/auth`` wants the token, if the node has one.

References
----------
NodeODM's API document, and the answers of a NodeODM 2.2.4. Decided here: a ``zipurl`` is refused,
because the emulator fetches nothing; a webhook is taken and not called.
"""

from __future__ import annotations

import re
import threading
import uuid as uuids
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from cupixgeo.emulator.multipart import FormError
from cupixgeo.emulator.nodeodm import log, options
from cupixgeo.emulator.nodeodm.bodies import (
    creation_time,
    fields_of,
    first_line,
    output_paths,
    read_form_of,
)
from cupixgeo.emulator.nodeodm.folders import BadArchiveError, Folders
from cupixgeo.emulator.nodeodm.results import Order, write_archive, write_orthophoto
from cupixgeo.emulator.nodeodm.settings import NodeodmSettings
from cupixgeo.emulator.nodeodm.tasks import COMPLETED, FAILED, RefusedError, Task, Tasks
from cupixgeo.emulator.stage import Stage, fake_token
from cupixgeo.emulator.wire import Request, Response, json_response

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.I)
_SENT = "images"


@dataclass(frozen=True)
class Upload:
    """A task that was announced and not committed: its form, and when it was last touched [s]."""

    fields: Mapping[str, str]
    touched: float


class NodeodmService:
    """The emulated service.

    Parameters
    ----------
    stage : Stage
        Seed, clock, options, storage, world.

    Attributes
    ----------
    settings : NodeodmSettings
        How the node was started, and how its tasks go.
    """

    def __init__(self, stage: Stage) -> None:
        self.settings = NodeodmSettings()
        self._stage = stage
        self._folders = Folders()
        self._tasks = Tasks(self.settings, self._set_up)
        self._uploads: dict[str, Upload] = {}
        self._archives: dict[str, bytes] = {}
        self._lock = threading.RLock()
        routes: tuple[tuple[str, str, Callable[..., Response]], ...] = (
            ("GET", "/info", self._info),
            ("GET", "/options", self._options),
            ("POST", "/task/new/init", self._init),
            ("POST", "/task/new/upload/{uuid}", self._upload),
            ("POST", "/task/new/commit/{uuid}", self._commit),
            ("POST", "/task/new", self._new),
            ("GET", "/task/list", self._list),
            ("GET", "/task/{uuid}/info", self._task_info),
            ("GET", "/task/{uuid}/output", self._output),
            ("GET", "/task/{uuid}/download/{asset}", self._download),
            ("POST", "/task/cancel", self._cancel),
            ("POST", "/task/remove", self._remove),
            ("POST", "/task/restart", self._restart),
        )
        self._routes = [
            (method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)), answer)
            for method, path, answer in routes
        ]

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Every task there is, oldest first."""
        with self._lock:
            self._settle()
            return tuple(self._tasks)

    @property
    def pending(self) -> dict[str, list[str]]:
        """Names of the uploaded files of every task that was announced and not committed."""
        with self._lock:
            self._settle()
            return {uuid: self._folders.uploads(uuid) for uuid in self._uploads}

    def image(self, uuid: str, name: str) -> bytes:
        """Return one image of a task, as the engine would read it."""
        return self._folders.image(uuid, name)

    def ground_files(self, uuid: str) -> list[str]:
        """Return the names of a task's text files: ground control points and the like."""
        return self._folders.ground_files(uuid)

    def token(self, account: int) -> str:
        """Return the node's token; a node has only one."""
        if account != 0:
            raise ValueError(f"the emulated nodeodm service has account 0 only, not {account}")
        return fake_token(self._stage.seed, "nodeodm")

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        method = "GET" if request.method == "HEAD" else request.method
        with self._lock:
            self._settle()
            if request.path.startswith("/auth/"):
                return _auth(method, request.path)
            for wanted, pattern, answer in self._routes:
                match = pattern.fullmatch(request.path)
                if match is None or wanted != method:
                    continue
                if self.settings.requires_token and request.query.get("token") != self.token(0):
                    return _error("Invalid authentication token: token does not match.")
                try:
                    return answer(request, **match.groupdict())
                except (RefusedError, options.OptionsError, FormError) as refused:
                    return _error(str(refused))
        return _page(404, f"Cannot {request.method} {request.path}")

    # -- the node --------------------------------------------------------------------------------

    def _info(self, request: Request) -> Response:
        settings = self.settings
        return json_response(
            200,
            {
                "version": settings.version,
                "taskQueueCount": self._tasks.waiting_or_running,
                "totalMemory": settings.total_memory,
                "availableMemory": settings.available_memory,
                "cpuCores": settings.cpu_cores,
                "maxImages": settings.max_images,
                "maxParallelTasks": settings.max_parallel_tasks,
                "engineVersion": settings.engine_version,
                "engine": settings.engine,
            },
        )

    def _options(self, request: Request) -> Response:
        return json_response(200, options.listed(fills_help=self.settings.is_before(2, 1, 2)))

    # -- new tasks -------------------------------------------------------------------------------

    def _init(self, request: Request) -> Response:
        uuid, form = self._new_uuid(request), read_form_of(request)
        if form.files:
            raise RefusedError("Unexpected field")
        self._checked(form.fields)
        self._folders.announce(uuid)
        self._uploads[uuid] = Upload(form.fields, self._now())
        return json_response(200, {"uuid": uuid})

    def _upload(self, request: Request, uuid: str) -> Response:
        pending = self._pending(uuid)
        form = read_form_of(request)
        if any(file.field != _SENT for file in form.files):
            raise RefusedError("Unexpected field")
        if not form.files:
            return json_response(200, {"error": "Need at least 1 file.", "noRetry": True})
        for file in form.files:
            self._folders.put(uuid, file.name, file.content)
        self._uploads[uuid] = replace(pending, touched=self._now())
        return json_response(200, {"success": True})

    def _commit(self, request: Request, uuid: str) -> Response:
        fields = self._pending(uuid).fields
        del self._uploads[uuid]
        return self._create(uuid, fields)

    def _new(self, request: Request) -> Response:
        uuid, form = self._new_uuid(request), read_form_of(request)
        most = self.settings.max_images
        if form.fields.get("zipurl"):
            raise RefusedError("The emulator fetches nothing: upload the images instead of zipurl")
        if any(file.field != _SENT for file in form.files):
            raise RefusedError("Unexpected field")
        if not form.files:
            raise RefusedError("Need at least 1 file or a zip file url.")
        if most and len(form.files) > most:
            raise RefusedError(_too_many(len(form.files), most))
        self._uploads.pop(uuid, None)
        self._folders.discard_uploads(uuid)
        self._folders.announce(uuid)
        for file in form.files:
            self._folders.put(uuid, file.name, file.content)
        return self._create(uuid, form.fields)

    def _create(self, uuid: str, fields: Mapping[str, str]) -> Response:
        """Make a task of what was uploaded; a refusal throws the uploads away."""
        uploaded = self._folders.uploads(uuid)
        try:
            if not uploaded:
                raise RefusedError("Need at least 1 file.")
            chosen = self._checked(fields)
        except (RefusedError, options.OptionsError):
            self._folders.discard_uploads(uuid)
            raise
        skips = fields.get("skipPostProcessing") == "true"
        task = Task(
            uuid=uuid,
            name=f"Task of {self._stage.clock.iso()}"
            if fields.get("name") == ""
            else fields.get("name"),
            created=creation_time(fields.get("dateCreated"), self._now()),
            options=chosen if skips else options.with_postprocessing(chosen),
            count=len(uploaded),
            skips_postprocessing=skips,
            outputs=output_paths(fields.get("outputs")),
        )
        self._tasks.add(task, self._now())
        return json_response(200, {"uuid": uuid})

    def _set_up(self, task: Task) -> str:
        """Move the uploads to their place; return what went wrong, or nothing."""
        most = self.settings.max_images
        try:
            self._folders.commit(task.uuid)
        except BadArchiveError as error:
            self._folders.discard(task.uuid)
            return str(error)
        number = len(self._folders.images(task.uuid))
        if most and number > most:
            self._folders.discard(task.uuid)
            return _too_many(number, most)
        self._folders.settle(task.uuid)
        task.count = len(self._folders.images(task.uuid))
        task.images = self._folders.readable_images(task.uuid)
        return ""

    # -- tasks -----------------------------------------------------------------------------------

    def _list(self, request: Request) -> Response:
        return json_response(200, [{"uuid": task.uuid} for task in self._tasks])

    def _task_info(self, request: Request, uuid: str) -> Response:
        task, now = self._tasks.find(uuid), self._now()
        status: dict[str, Any] = {"code": task.status}
        if task.status == FAILED:
            status["errorMessage"] = task.error
        info: dict[str, Any] = {
            "uuid": task.uuid,
            "name": task.name,
            "dateCreated": int(task.created * 1000),
            "processingTime": task.processing_ms(now),
            "status": status,
            "options": task.options,
            "imagesCount": task.count,
            "progress": task.progress(now),
        }
        if task.name is None:
            del info["name"]
        if "with_output" in request.query:
            info["output"] = self._lines(task, request.query["with_output"])
        return json_response(200, info)

    def _output(self, request: Request, uuid: str) -> Response:
        return json_response(
            200, self._lines(self._tasks.find(uuid), request.query.get("line", "0"))
        )

    def _download(self, request: Request, uuid: str, asset: str) -> Response:
        task = self._tasks.find(uuid)
        singles = {"orthophoto.tif"} if self.settings.is_before(2) else set()
        if asset not in {"all.zip", *singles}:
            raise RefusedError("Invalid asset")
        if not task.has_archive:
            raise RefusedError("Asset not ready")
        site = self._stage.world.brighton
        content = write_orthophoto(site) if asset in singles else self._archive(task)
        kind = "image/tiff" if asset in singles else "application/zip"
        headers = (("Content-Disposition", f"attachment; filename={asset}"), ("Content-Type", kind))
        return Response(200, headers, content)

    def _cancel(self, request: Request) -> Response:
        return self._command(request, lambda task, form: self._tasks.cancel(task, self._now()))

    def _remove(self, request: Request) -> Response:
        return self._command(request, lambda task, form: self._forget(task))

    def _restart(self, request: Request) -> Response:
        def restart(task: Task, form: Mapping[str, str]) -> None:
            chosen = self._checked(form) if form.get("options") else None
            if chosen is not None and not task.skips_postprocessing:
                chosen = options.with_postprocessing(chosen)
            self._tasks.restart(task, chosen, self._now())
            self._archives.pop(task.uuid, None)

        return self._command(request, restart)

    def _command(
        self, request: Request, act: Callable[[Task, Mapping[str, str]], None]
    ) -> Response:
        """Do something to a task named in the body; a refusal also says that it is no success."""
        form = fields_of(request)
        if not form.get("uuid"):
            raise RefusedError("uuid param missing.")
        try:
            act(self._tasks.find(form["uuid"]), form)
        except RefusedError as refused:
            return json_response(200, {"success": False, "error": str(refused)})
        return json_response(200, {"success": True})

    # -- what they need --------------------------------------------------------------------------

    def _now(self) -> float:
        return self._stage.clock.now()

    def _settle(self) -> None:
        """Let everything happen that is due, and clean up as the node does every hour."""
        now = self._now()
        self._tasks.settle(now)
        for task in self._tasks.expired(now):
            self._forget(task)
        oldest = now - self.settings.cleanup_uploads_after_s
        for uuid in [u for u, pending in self._uploads.items() if pending.touched < oldest]:
            del self._uploads[uuid]
            self._folders.discard_uploads(uuid)

    def _forget(self, task: Task) -> None:
        self._tasks.remove(task, self._now())
        self._folders.discard(task.uuid)
        self._archives.pop(task.uuid, None)

    def _new_uuid(self, request: Request) -> str:
        wanted = request.headers.get("set-uuid")
        if not wanted:
            return str(uuids.uuid4())
        if _UUID.fullmatch(wanted) is None or wanted in self._tasks:
            raise RefusedError(f"Invalid set-uuid: {wanted}")
        return wanted

    def _pending(self, uuid: str) -> Upload:
        if uuid not in self._uploads:
            raise RefusedError("Invalid uuid (not found)")
        return self._uploads[uuid]

    def _checked(self, fields: Mapping[str, str]) -> list[dict[str, Any]]:
        return options.checked(fields.get("options"), max_concurrency=self.settings.max_concurrency)

    def _lines(self, task: Task, start: str) -> list[str]:
        share = task.share(self._now())
        if task.status == FAILED and task.started is None:
            return []
        begun = task.started is not None
        printed = log.lines(
            task.images,
            engine=f"{self.settings.engine.upper()} {self.settings.engine_version}",
            percent=100 if task.status == COMPLETED else 100 * min(1.0, share / 0.95),
            error=task.error,
        )
        return printed[first_line(start) :] if begun else []

    def _archive(self, task: Task) -> bytes:
        if task.uuid not in self._archives:
            chosen = {option["name"]: option["value"] for option in task.options}
            order = Order(chosen, tuple(task.images), task.outputs, tuple(self._lines(task, "0")))
            self._archives[task.uuid] = write_archive(self._stage.world.brighton, order)
        return self._archives[task.uuid]


def _auth(method: str, path: str) -> Response:
    """Answer what is asked about logging in: this node has no users."""
    if (method, path) == ("GET", "/auth/info"):
        message = "Authentication not available on this node"
        return json_response(200, {"message": message, "loginUrl": None, "registerUrl": None})
    if (method, path) in (("POST", "/auth/login"), ("POST", "/auth/register")):
        return _error("Not available")
    return _page(404, f"Cannot {method} {path}")


def _error(message: str) -> Response:
    return json_response(200, {"error": message})


def _page(status: int, text: str) -> Response:
    page = f"<!DOCTYPE html>\n<html><body><pre>{escape(text)}</pre></body></html>\n"
    return Response(status, (("Content-Type", "text/html; charset=utf-8"),), page.encode())


def _too_many(number: int, most: int) -> str:
    return f"{number} images uploaded, but this node can only process up to {most}."
