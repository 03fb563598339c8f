"""The node's tasks and their queue, moved by the emulator's clock.

Knows the status codes, what may follow what, and the arithmetic of progress. Knows no HTTP.

References
----------
NodeODM's API document (status codes); behaviour of NodeODM 2.2.4: a committed task is *running*
while it is set up, then *queued*; a cancelled task keeps its progress and loses its processing
time, also when it had ended before; a failed one shows 100; processing time counts from the
creation; the engine's progress fills 0 to 90, packing the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cupixgeo.emulator.nodeodm.settings import NodeodmSettings

QUEUED, RUNNING, FAILED, COMPLETED, CANCELED = 10, 20, 30, 40, 50
ENDED = frozenset({FAILED, COMPLETED, CANCELED})

_ENGINE_SHARE = 0.95
_NEVER = float("inf")


class RefusedError(ValueError):
    """A command is refused; the text is what the node answers."""


@dataclass
class Task:
    """One task.

    Parameters
    ----------
    uuid : str
        Its id.
    name : str or None
        None where the client gave none.
    created : float
        [s] since 1970-01-01; counted anew by a restart.
    options : list of dict
        As checked.
    count : int
        Number of images; before the setup, of everything that was uploaded.
    skips_postprocessing : bool
        Whether no tiles and overviews are to be made.
    outputs : tuple of str
        Paths to deliver; empty for all.
    ready : float
        [s] when the setup is done.
    """

    uuid: str
    name: str | None
    created: float
    options: list[dict[str, Any]]
    count: int
    skips_postprocessing: bool = False
    outputs: tuple[str, ...] = ()
    ready: float = 0.0
    status: int = RUNNING
    error: str = ""
    is_set_up: bool = False
    started: float | None = None
    ends: float = _NEVER
    outcome: str = ""
    images: list[str] = field(default_factory=list)
    has_archive: bool = False
    _share: float = 0.0
    _took_s: float | None = None

    def share(self, now: float) -> float:
        """Return the part of the work that is done at a time, 0 to 1."""
        if self.status == RUNNING and self.started is not None:
            return min(1.0, (now - self.started) / max(self.ends - self.started, 1e-9))
        return self._share

    def progress(self, now: float) -> float:
        """Return what the node shows, 0 to 100."""
        share = self.share(now)
        if self.status in (FAILED, COMPLETED) and self.started is not None:
            return 100
        if share < _ENGINE_SHARE:
            return round(90 * share / _ENGINE_SHARE, 2)
        return 93 if share < 0.98 else 97

    def processing_ms(self, now: float) -> int:
        """Return the processing time as the node shows it [ms]; -1 where there is none."""
        if self.status == RUNNING and self.started is not None:
            return int((now - self.created) * 1000)
        return -1 if self._took_s is None else int(self._took_s * 1000)

    def freeze(self, now: float, status: int, error: str = "") -> None:
        """Leave the running state at a time."""
        self._share = 1.0 if status == COMPLETED else self.share(now)
        self._took_s = None if status == CANCELED or self.started is None else now - self.created
        self.status, self.error, self.ends = status, error, _NEVER

    def begin_again(self, now: float) -> None:
        """Go back into the queue."""
        self.status, self.error = QUEUED, ""
        self.created, self.started, self.ends = now, None, _NEVER
        self._share, self._took_s = 0.0, None


class Tasks:
    """All tasks of the node; events happen in the order of their times.

    Parameters
    ----------
    settings : NodeodmSettings
        Times, number of parallel tasks, outcome.
    set_up : callable
        Sets up a task's images and returns what went wrong, or nothing.
    """

    def __init__(self, settings: NodeodmSettings, set_up: Callable[[Task], str]) -> None:
        self._settings = settings
        self._set_up = set_up
        self._tasks: dict[str, Task] = {}
        self._time = 0.0

    def __contains__(self, uuid: str) -> bool:
        return uuid in self._tasks

    def __iter__(self) -> Iterator[Task]:
        return iter(tuple(self._tasks.values()))

    def find(self, uuid: str) -> Task:
        """Return a task by its id.

        Raises
        ------
        RefusedError
            If there is none.
        """
        if uuid not in self._tasks:
            raise RefusedError(f"{uuid} not found")
        return self._tasks[uuid]

    @property
    def waiting_or_running(self) -> int:
        """Number of tasks that have not ended."""
        return sum(task.status in (QUEUED, RUNNING) for task in self._tasks.values())

    def add(self, task: Task, now: float) -> None:
        """Take a committed task."""
        task.ready = now + self._settings.init_s
        self._tasks[task.uuid] = task
        self.settle(now)

    def cancel(self, task: Task, now: float) -> None:
        """Cancel a task, whatever its state; one that is cancelled stays as it is."""
        if task.status != CANCELED:
            task.freeze(now, CANCELED)
        self.settle(now)

    def restart(self, task: Task, options: list[dict[str, Any]] | None, now: float) -> None:
        """Put a task that has ended back into the queue.

        Raises
        ------
        RefusedError
            If it has not.
        """
        if task.status not in ENDED:
            raise RefusedError("Task cannot be restarted")
        task.begin_again(now)
        if options is not None:
            task.options = options
        self.settle(now)

    def remove(self, task: Task, now: float) -> None:
        """Forget a task."""
        self.cancel(task, now)
        del self._tasks[task.uuid]

    def expired(self, now: float) -> list[Task]:
        """Return the tasks that have ended so long ago that the node deletes them."""
        oldest = now - self._settings.cleanup_tasks_after_s
        return [
            task
            for task in self._tasks.values()
            if task.status in ENDED
            and task.created + max(task.processing_ms(now), 0) / 1000 < oldest
        ]

    def settle(self, now: float) -> None:
        """Let everything happen that is due, in order."""
        while True:
            self._fill()
            due = [
                (task.ready if not task.is_set_up else task.ends, number, task)
                for number, task in enumerate(self._tasks.values())
                if not task.is_set_up or task.status == RUNNING
            ]
            if not due or min(due)[0] > now:
                self._time = max(self._time, now)
                return
            when, _, task = min(due)
            self._time = max(self._time, when)
            if task.is_set_up:
                self._end(task, when)
            else:
                self._ready(task)

    def _fill(self) -> None:
        running = sum(t.status == RUNNING and t.is_set_up for t in self._tasks.values())
        for task in self._tasks.values():
            if running >= self._settings.max_parallel_tasks:
                return
            if task.status == QUEUED and task.is_set_up:
                task.status, task.started = RUNNING, self._time
                task.ends = self._time + self._settings.run_s
                task.outcome = self._settings.outcome
                running += 1

    def _ready(self, task: Task) -> None:
        error = self._set_up(task)
        task.is_set_up = True
        if task.status == RUNNING:  # else it was cancelled meanwhile
            task.status, task.error = (FAILED, error) if error else (QUEUED, "")

    def _end(self, task: Task, when: float) -> None:
        error = task.outcome or ("" if len(task.images) > 1 else "Cannot process dataset")
        task.freeze(when, FAILED if error else COMPLETED, error)
        task.has_archive = task.has_archive or not error
