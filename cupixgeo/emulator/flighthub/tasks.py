"""Reconstruction tasks: what may be started, and how a task moves with the clock.

Knows the numbers of `model_status` and `zip_status`, limits, quota and the timeline. Knows no HTTP.
Decided here: a start that would exceed an edition's tasks or the quota is refused as a whole; a
task whose images cannot be read ends with status 8.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from cupixgeo.emulator.clock import Clock
from cupixgeo.emulator.flighthub import rules as numbers
from cupixgeo.emulator.flighthub.organization import User, made_uuid
from cupixgeo.emulator.flighthub.pictures import is_readable
from cupixgeo.emulator.flighthub.refusal import RefusedError, bad_parameter, not_found
from cupixgeo.emulator.flighthub.rules import Outcome, Rules
from cupixgeo.emulator.flighthub.uploads import Resource

KINDS = {"2d": 1, "3d": 2, "3dgs": 3, "lidar": 4}
"""Kind of model → `model_type`."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".tif", ".tiff", ".png", ".dng"})

FAILED, MAPPED, QUEUED, NO_MACHINE, RUNNING, DONE, CANCELLED = 8, 9, 12, 13, 14, 15, 16
FINAL = frozenset({FAILED, MAPPED, NO_MACHINE, DONE, CANCELLED})
SUCCESS = frozenset({MAPPED, DONE})
_ZIP_WAIT_S = 5.0


@dataclass(frozen=True)
class Snapshot:
    """A task at one moment: the numbers of the model details."""

    status: int
    progress: int = 0
    error_code: int = 0
    zip_status: int = 0
    zip_progress: int = 0

    @property
    def is_packed(self) -> bool:
        """Whether the result archive is there."""
        return self.zip_status == 2


@dataclass
class Task:
    """One model that is made of a resource.

    Parameters
    ----------
    uuid, number : str, int
        Its ids; the number is for the download link.
    kind : str
        One of `KINDS`.
    org_uuid, resource_uuid : str
        Whose, and of which resource.
    parameter : dict
        The decoded ``parameter`` object.
    images : int
        Images it counts against the quota.
    started_at : float
        [s] since 1970-01-01 UTC.
    outcome : Outcome
        How it ends.
    times : tuple of float
        [s] of waiting, computing and packing.
    stopped_at : float or None
        [s] when it was stopped.
    is_deleted : bool
        Whether it was deleted.
    """

    uuid: str
    number: int
    kind: str
    org_uuid: str
    resource_uuid: str
    parameter: dict[str, Any]
    images: int
    started_at: float
    outcome: Outcome
    times: tuple[float, float, float]
    stopped_at: float | None = None
    is_deleted: bool = False

    def at(self, now: float) -> Snapshot:
        """Return the task's numbers at a time [s]."""
        queue_s, run_s, zip_s = self.times
        age = (now if self.stopped_at is None else self.stopped_at) - self.started_at - queue_s
        if self.stopped_at is not None:
            return Snapshot(CANCELLED, _percent(age / run_s if run_s else 0.0))
        if age < 0:
            return Snapshot(QUEUED)
        if self.outcome.status == NO_MACHINE:
            return Snapshot(NO_MACHINE, error_code=self.outcome.error_code)
        if age < run_s:
            odd = self.outcome.odd_status
            status = odd if odd is not None and age < run_s / 2 else RUNNING
            return Snapshot(status, _percent(age / run_s))
        if self.outcome.status == FAILED:
            return Snapshot(FAILED, 99, error_code=self.outcome.error_code)
        packing = age - run_s - _ZIP_WAIT_S
        if packing < 0:
            return Snapshot(self.outcome.status, 100)
        if packing < zip_s:
            share = int(99 * packing / zip_s)
            return Snapshot(self.outcome.status, 100, zip_status=1, zip_progress=share)
        if self.outcome.zip_status == 3:
            return Snapshot(self.outcome.status, 100, zip_status=3)
        return Snapshot(self.outcome.status, 100, zip_status=2, zip_progress=100)


@dataclass
class Order:
    """What one start call asks for."""

    resource_uuid: str
    parameters: dict[str, dict[str, Any]]
    delete_resource: bool


@dataclass
class Tasks:
    """The tasks of all organizations."""

    seed: int
    clock: Clock
    rules: Rules
    tasks: dict[str, Task] = field(default_factory=dict)
    deletes_after: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._serials = itertools.count(1)
        self._lock = threading.RLock()

    def start(self, user: User, order: Order, resource: Resource) -> list[Task]:
        """Start what was ordered, or refuse all of it."""
        images = [name for name in resource.files if _suffix(name) in IMAGE_SUFFIXES]
        kinds = list(order.parameters)
        for kind in kinds:
            self._check_count(kind, len(images), resource)
        with self._lock:
            busy = len(self.running(user))
            most = numbers.CONCURRENT[user.edition]
            if busy + len(kinds) > most:
                raise RefusedError(
                    numbers.TOO_MANY_TASKS,
                    f"{busy} tasks are running; the {user.edition} edition allows {most}",
                )
            left = self.rules.quota_images - self.used(user)
            if left < len(images) * len(kinds):
                raise RefusedError(
                    numbers.NO_QUOTA,
                    f"{len(images) * len(kinds)} images are needed and the quota has {left} left",
                )
            outcome = self._outcome(resource, images)
            if order.delete_resource:
                self.deletes_after.add(resource.uuid)
            return [
                self._start(user, kind, order, images=len(images), outcome=outcome)
                for kind in kinds
            ]

    def find(self, user: User, uuid: str) -> Task:
        """Return a task of the user's organization that was not deleted."""
        task = self.tasks.get(uuid)
        if task is None or task.org_uuid != user.org_uuid or task.is_deleted:
            raise not_found("model")
        return task

    def by_number(self, user: User, number: int) -> Task:
        """Return a task by its number."""
        for task in self.tasks.values():
            if task.number == number:
                return self.find(user, task.uuid)
        raise not_found("model")

    def running(self, user: User) -> list[Task]:
        """Return the tasks in progress, oldest first."""
        return [t for t in self._of(user) if not t.is_deleted and not self.is_final(t)]

    def is_final(self, task: Task) -> bool:
        """Return whether a task has come to its end."""
        return task.at(self.clock.now()).status in FINAL

    def uses(self, resource_uuid: str) -> bool:
        """Return whether a task in progress needs the resource."""
        return any(
            t.resource_uuid == resource_uuid and not t.is_deleted and not self.is_final(t)
            for t in list(self.tasks.values())
        )

    def used(self, user: User) -> int:
        """Return the images counted against the quota; failed and stopped tasks give back."""
        now = self.clock.now()
        return sum(
            t.images
            for t in self._of(user)
            if t.at(now).status not in (FAILED, NO_MACHINE, CANCELLED)
        )

    def stop(self, task: Task) -> None:
        """Stop a task in progress."""
        with self._lock:
            if self.is_final(task):
                raise RefusedError(numbers.NOT_RUNNING, "the reconstruction is not running")
            task.stopped_at = self.clock.now()

    def delete(self, task: Task) -> None:
        """Delete a model, stopping it where it is in progress."""
        with self._lock:
            if not self.is_final(task):
                task.stopped_at = self.clock.now()
            task.is_deleted = True

    def _of(self, user: User) -> list[Task]:
        return [task for task in list(self.tasks.values()) if task.org_uuid == user.org_uuid]

    def _start(self, user: User, kind: str, order: Order, *, images: int, outcome: Outcome) -> Task:
        number = next(self._serials)
        task = Task(
            uuid=made_uuid(self.seed, "model", number),
            number=number,
            kind=kind,
            org_uuid=user.org_uuid,
            resource_uuid=order.resource_uuid,
            parameter=order.parameters[kind],
            images=images,
            started_at=self.clock.now(),
            outcome=outcome,
            times=(self.rules.queue_s, self.rules.run_s, self.rules.zip_s),
        )
        self.tasks[task.uuid] = task
        return task

    def _check_count(self, kind: str, count: int, resource: Resource) -> None:
        least, most = self.rules.min_images[kind], self.rules.max_images[kind]
        if count < least:
            raise RefusedError(
                numbers.TOO_FEW_IMAGES, f"{kind} needs at least {least} images, got {count}"
            )
        if count > most:
            raise RefusedError(
                numbers.TOO_MANY_IMAGES, f"{kind} takes at most {most} images, got {count}"
            )
        if kind == "lidar" and count == len(resource.files):
            raise RefusedError(numbers.PARAMETER, "the resource holds no LiDAR data")

    def _outcome(self, resource: Resource, images: Iterable[str]) -> Outcome:
        if all(is_readable(resource.files[name].content) for name in images):
            return self.rules.outcome
        return Outcome(status=FAILED, error_code=numbers.BROKEN_IMAGES)


def read_order(form: Mapping[str, Any]) -> Order:
    """Read the body of a start call.

    Each ``parameter_*`` is a text that holds JSON; absent and empty mean "not requested".
    """
    uuid = form.get("resource_uuid")
    if not isinstance(uuid, str) or not uuid:
        raise bad_parameter("resource_uuid", "is required")
    delete = form.get("delete_resource_if_finish", False)
    if not isinstance(delete, bool):
        raise bad_parameter("delete_resource_if_finish", "must be a boolean")
    parameters = {}
    for kind in KINDS:
        text = form.get(f"parameter_{kind}", "")
        if not isinstance(text, str):
            raise bad_parameter(f"parameter_{kind}", "must be a string")
        if text:
            parameters[kind] = _parameter(kind, text)
    if not parameters:
        raise bad_parameter("parameter_2d, parameter_3d, parameter_3dgs, parameter_lidar",
                            "must not all be empty")  # fmt: skip
    return Order(uuid, parameters, delete)


def _parameter(kind: str, text: str) -> dict[str, Any]:
    name = f"parameter_{kind}"
    try:
        content = json.loads(text)
    except ValueError:
        raise bad_parameter(name, "is not JSON") from None
    if not isinstance(content, dict) or not isinstance(content.get("parameter"), dict):
        raise bad_parameter(name, 'must be an object with an object "parameter"')
    parameter: dict[str, Any] = content["parameter"]
    return parameter


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _percent(share: float) -> int:
    return max(1, min(99, int(100 * share)))
