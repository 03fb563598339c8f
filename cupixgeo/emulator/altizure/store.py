"""The state of the emulated Altizure, and time passing in it.

Knows every record and moves them on to the present. Knows no GraphQL and no HTTP. Everything is
called with the lock held.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

from cupixgeo.emulator.altizure import tasks, worker
from cupixgeo.emulator.altizure.buckets import BUCKETS, Bucket, Buckets
from cupixgeo.emulator.altizure.records import (
    FINISHED,
    Account,
    Download,
    Image,
    MetaFile,
    Model,
    Project,
    Task,
    Upload,
    object_id,
)
from cupixgeo.emulator.altizure.results import model_zip
from cupixgeo.emulator.altizure.rules import Rules
from cupixgeo.emulator.altizure.shelf import Shelf
from cupixgeo.emulator.stage import Stage
from cupixgeo.emulator.storage import StoredObject


class Store:
    """Accounts, projects and what is in them.

    Parameters
    ----------
    stage : Stage
        Seed, clock, storage, world.
    rules : Rules
        Settings of the service.
    """

    def __init__(self, stage: Stage, rules: Rules) -> None:
        self.stage = stage
        self.rules = rules
        self.lock = threading.RLock()
        self.shelf = Shelf()
        self.accounts: list[Account] = []
        self.projects: dict[str, Project] = {}
        self.buckets = Buckets(stage, rules, self._arrived)
        self._serials = itertools.count(1)
        self._keys: dict[str, Upload] = {}
        self._settled = -1.0

    @property
    def web_url(self) -> str:
        """Where the viewer pages would be; nothing answers there."""
        return f"{self.stage.storage.url}/altizure-web"

    @property
    def now(self) -> float:
        """The present, [s] since 1970-01-01 UTC."""
        return self.stage.clock.now()

    def new_id(self, at: float | None = None) -> str:
        """Make an id, of the present or of a time [s since 1970]."""
        return object_id(self.stage.seed, next(self._serials), self.now if at is None else at)

    def settle(self) -> None:
        """Bring every project to the present; nothing happens while the clock stands still."""
        if self.now == self._settled:
            return
        self._settled = self.now
        for project in list(self.projects.values()):
            self.settle_project(project)

    def visible(self, account: Account | None) -> Iterator[Project]:
        """Yield the projects an account may see in public lists: public ones and its own."""
        for project in self.projects.values():
            if project.visibility == "public" or project.owner is account:
                yield project

    def find(self, project_id: str, account: Account | None) -> Project | None:
        """Return a project that the account may see by its id, else None."""
        project = self.projects.get(project_id)
        if project is None or (project.visibility == "private" and project.owner is not account):
            return None
        return project

    def own(self, project_id: str, account: Account) -> Project | None:
        """Return a project of the account's own, else None."""
        project = self.projects.get(project_id)
        return project if project is not None and project.owner is account else None

    def image_owner(self, image_id: str, account: Account) -> tuple[Project, Image] | None:
        """Return an image of the account's own with its project, else None."""
        for project in self.projects.values():
            if image_id in project.images and project.owner is account:
                return project, project.images[image_id]
        return None

    def expect(self, bucket: Bucket, project: Project, upload: Upload) -> str:
        """Note which upload an object in a bucket belongs to; return the object's key."""
        key = f"{project.id}/{upload.filename}"
        self._keys[f"{bucket.name}/{key}"] = upload
        return key

    def start(self, project: Project, options: dict[str, Any]) -> Task:
        """Start a reconstruction that was not refused."""
        if project.is_imported:
            project.convert_due = self.now + self.rules.step_s
            project.imported_state = "Converting"
        return tasks.start(project, options, self.now, id=self.new_id(), rules=self.rules)

    def finish(self, project: Project, at: float) -> None:
        """Make the results of a project, packed some time after `at` [s since 1970]."""
        if project.type != "pro" or project.is_imported:
            return
        brighton = self.stage.world.brighton
        stored = StoredObject(
            key=f"altizure/{project.id}/model.zip",
            filename="model.zip",
            content_type="application/zip",
            load=lambda: model_zip(brighton),
        )
        project.downloads = [Download("model.zip", at + self.rules.package_s, stored)]

    def photo_object(self, image: Image) -> StoredObject | None:
        """Return the original photo as an object of the storage origin."""
        path = image.path
        if path is None:
            return None
        key = f"altizure/images/{image.id}/{image.filename}"
        return StoredObject(key, image.name, "image/jpeg", path.read_bytes)

    def settle_project(self, project: Project) -> None:
        """Bring one project to the present."""
        for image in list(project.open_images.values()):
            worker.advance_image(image, self.now, self.rules, self.shelf)
            if image.state in FINISHED:
                del project.open_images[image.id]
        for file in list(project.meta_files.values()):
            worker.advance_meta(project, file, self.now, self.shelf)
        if project.convert_due is not None and project.convert_due <= self.now:
            worker.convert_model(project, self.shelf)
        if project.pre_start is not None:
            self._start_waiting(project, project.pre_start)
        tasks.advance_task(
            project, self.now, self.rules, finish=lambda at: self.finish(project, at)
        )

    def _start_waiting(self, project: Project, options: dict[str, Any]) -> None:
        """Start what waited for its images; a refusal is told as the project's error."""
        if project.open_images:
            return
        refused = tasks.refuse_start(project, options, self.now, self.rules)
        project.pre_start = None
        if refused is None:
            self.start(project, options)
        else:
            project.error = tasks.START_ERRORS[refused][1]

    def _arrived(self, bucket: Bucket, key: str, data: bytes) -> None:
        """Take an object that was put into a bucket; one nobody expects is left lying there."""
        with self.lock:
            upload = self._keys.get(f"{bucket.name}/{key}")
            if upload is None:
                return
            if isinstance(upload, Image):
                early = self.rules.start_required and upload.state == "Pending"
                if early or upload.state not in ("Pending", "Uploading", "Uploaded"):
                    return
                upload.keep(data, self.shelf)
                self.uploaded(upload)
                return
            upload.keep(data, self.shelf)
            upload.modified = self.now
            if isinstance(upload, MetaFile):
                upload.due = self.now + self.rules.image_step_s

    def collect(self, project: Project, image: Image) -> None:
        """Fetch the object of an image out of its OSS bucket, if it is there."""
        for bucket in BUCKETS:
            if bucket.cloud == "OSS" and image.source == "OSS":
                data = self.buckets.take(bucket, f"{project.id}/{image.filename}")
                if data is not None:
                    image.keep(data, self.shelf)

    def uploaded(self, image: Image) -> None:
        """Hand an image to the worker."""
        image.state, image.modified = "Uploaded", self.now
        image.due = self.now + self.rules.image_step_s

    def done_models(self, project: Project, *, merge: bool) -> None:
        """Hand the uploaded parts of an imported model to the worker."""
        membership = project.owner.membership
        limit_gb = membership.asset_storage if membership is not None else 0.0
        project.merge = merge
        if worker.model_size(project) > limit_gb * 1e9:
            project.imported_state = "LimitExceeded"
            return
        project.imported_state = "Converting"
        project.convert_due = self.now + self.rules.step_s

    def new_model(self, project: Project, name: str, source: str) -> Model:
        """Register a file of an imported model; the project waits for it from now on."""
        if project.imported_state != "Pending":
            project.models.clear()
        for id in [id for id, model in project.models.items() if model.name == name]:
            del project.models[id]
        project.imported_state, project.convert_due = "Pending", None
        model = Model(self.new_id(), name, name, self.now, source)
        project.models[model.id] = model
        return model
