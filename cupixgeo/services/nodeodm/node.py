"""What a node tells of itself and of its tasks, as values; and the requests that need no job.

Knows the shapes of answers and the status codes. Must not know jobs or photos.

Sources: NodeODM's API document, *Info*, *TaskInfo*; answers of a NodeODM 2.2.4 (processing time -1
before the start; progress above 90 while results are packed).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cupixgeo.errors import NotFoundError
from cupixgeo.net.session import Form, Session
from cupixgeo.net.wire import NoAnswerError, Wire
from cupixgeo.services.job_state import JobState
from cupixgeo.services.nodeodm import wire

QUEUED, RUNNING, FAILED, COMPLETED, CANCELED = 10, 20, 30, 40, 50
WORDS = {
    QUEUED: "queued",
    RUNNING: "running",
    FAILED: "failed",
    COMPLETED: "completed",
    CANCELED: "canceled",
}
"""Status codes in the words of the API document."""

PACKING_PERCENT = 90.0
"""Progress above which the node packs results; the engine's own fills what is below."""

_LARGEST = 1e14  # milliseconds of the year 5138; more is no number of anything here
_STATES = {
    QUEUED: JobState.QUEUED,
    RUNNING: JobState.RUNNING,
    FAILED: JobState.FAILED,
    COMPLETED: JobState.DONE,
    CANCELED: JobState.CANCELLED,
}


@dataclass(frozen=True)
class NodeInfo:
    """A node.

    Parameters
    ----------
    version : str
        Version of its API.
    engine, engine_version : str
        What reconstructs: ``"odm"`` and its version.
    max_images : int or None
        Most files of a task; None for no limit.
    max_parallel_tasks : int or None
        Tasks it runs at the same time.
    tasks_in_queue : int
        Tasks that wait or run.
    cpu_cores : int or None
        Cores of the computer.
    total_memory, available_memory : int or None
        Its memory, and what is free of it [byte].
    """

    version: str
    engine: str
    engine_version: str
    max_images: int | None
    max_parallel_tasks: int | None
    tasks_in_queue: int
    cpu_cores: int | None
    total_memory: int | None
    available_memory: int | None

    def is_before(self, *version: int) -> bool:
        """Say whether its version is before this one; one that cannot be read is not."""
        parts = self.version.split(".")
        return all(p.isdecimal() for p in parts) and tuple(map(int, parts)) < version


@dataclass(frozen=True)
class TaskInfo:
    """A task.

    Parameters
    ----------
    uuid, name : str
        Its id and name.
    created : datetime
        When it was made, or restarted last.
    code : int
        Status code; see `WORDS`.
    progress : float
        0 to 100.
    processing_s : float or None
        [s] since it was made, while it runs; None where it does not.
    images : int
        Images it has.
    error : str
        Why it failed.
    options : mapping
        Options it runs with.
    output : tuple of str
        Lines of the console, if asked for.
    """

    uuid: str
    name: str
    created: datetime
    code: int
    progress: float
    processing_s: float | None
    images: int
    error: str
    options: Mapping[str, Any]
    output: tuple[str, ...]

    @property
    def word(self) -> str:
        """The status in a word; the number where nobody documented it."""
        return WORDS.get(self.code, str(self.code))

    @property
    def state(self) -> JobState:
        """The status in the words of all services."""
        state = _STATES.get(self.code, JobState.UNKNOWN)
        is_packing = state is JobState.RUNNING and self.progress > PACKING_PERCENT
        return JobState.FINISHING if is_packing else state


def node_info(session: Session) -> NodeInfo:
    """Ask the node about itself."""
    call, answer = "GET /info", wire.ask(session, "GET", "info")
    if not isinstance(answer, Mapping) or not isinstance(answer.get("version"), str):
        wire.misunderstood(session, call, "no version")
    return NodeInfo(
        version=answer["version"],
        engine=str(answer.get("engine") or "odm"),
        engine_version=str(answer.get("engineVersion") or answer.get("odmVersion") or "?"),
        max_images=_whole(answer.get("maxImages")),
        max_parallel_tasks=_whole(answer.get("maxParallelTasks")),
        tasks_in_queue=_whole(answer.get("taskQueueCount")) or 0,
        cpu_cores=_whole(answer.get("cpuCores")),
        total_memory=_whole(answer.get("totalMemory")),
        available_memory=_whole(answer.get("availableMemory")),
    )


def task_info(session: Session, uuid: str, *, from_line: int | None = None) -> TaskInfo:
    """Ask how a task is.

    Parameters
    ----------
    session : Session
        Connection to the node.
    uuid : str
        The task.
    from_line : int or None
        First line of the console output to give along, negative from the end; None for none.

    Raises
    ------
    NotFoundError
        If there is no such task.
    """
    path = f"task/{uuid}/info"
    params = None if from_line is None else {"with_output": from_line}
    answer = wire.ask(session, "GET", path, params=params)
    status = answer.get("status") if isinstance(answer, Mapping) else None
    code = status.get("code") if isinstance(status, Mapping) else status
    if isinstance(code, bool) or not isinstance(code, int):
        wire.misunderstood(session, f"GET /{path}", "no status code")
    error = status.get("errorMessage") if isinstance(status, Mapping) else None
    took_ms = _number(answer.get("processingTime"))
    options = [row for row in answer.get("options") or () if isinstance(row, Mapping)]
    return TaskInfo(
        uuid=str(answer.get("uuid") or uuid),
        name=str(answer.get("name") or ""),
        created=datetime.fromtimestamp((_number(answer.get("dateCreated")) or 0) / 1000, UTC),
        code=code,
        progress=min(100.0, max(0.0, _number(answer.get("progress")) or 0.0)),
        processing_s=None if took_ms is None or took_ms < 0 else took_ms / 1000,
        images=_whole(answer.get("imagesCount")) or 0,
        error=str(error or ""),
        options={str(row.get("name")): row.get("value") for row in options},
        output=tuple(str(line) for line in answer.get("output") or ()),
    )


def has_task(session: Session, uuid: str) -> bool:
    """Say whether the node has a task; an upload that was not committed is none."""
    try:
        task_info(session, uuid)
    except NotFoundError:
        return False
    return True


def task_ids(session: Session) -> list[str]:
    """List the ids of all tasks of the node, its other users' included."""
    answer = wire.ask(session, "GET", "task/list")
    if not isinstance(answer, list):
        wire.misunderstood(session, "GET /task/list", "no list")
    return [str(row["uuid"]) for row in answer if isinstance(row, Mapping) and row.get("uuid")]


def output_lines(session: Session, uuid: str, line: int) -> list[str]:
    """Give the console output of a task, from a line on, negative from the end."""
    answer = wire.ask(session, "GET", f"task/{uuid}/output", params={"line": line})
    if not isinstance(answer, list):
        wire.misunderstood(session, f"GET /task/{uuid}/output", "no list of lines")
    return [str(text) for text in answer]


def command(session: Session, verb: str, uuid: str, **further: str) -> None:
    """Tell the node to cancel, restart or remove a task. Sent once.

    Raises
    ------
    NotFoundError, NotReadyError, BadRequestError
        If the node refuses.
    """
    form = Form({"uuid": uuid, **further})
    wire.ask(session, "POST", f"task/{verb}", body=form, safe_to_repeat=False)


def asset_size(session: Session, path: str) -> int | None:
    """Ask how large an asset is, without fetching it.

    Returns
    -------
    int or None
        [byte]; None where the node does not tell.

    Raises
    ------
    ServiceError
        If the node says that there is no such asset, or that it is not ready.
    """
    try:
        with (
            Wire(session.settings, use_proxies=session.is_encrypted) as connection,
            connection.open("HEAD", session.address(path), headers={}) as exchange,
        ):
            kind = exchange.header("content-type") or ""
            length = exchange.header("content-length") or ""
            status = exchange.status
    except NoAnswerError:
        return None
    if status == 200 and kind.startswith("application/json"):
        wire.ask(session, "GET", path)  # it holds the reason
    is_told = status == 200 and length.isdecimal() and not kind.startswith("text/html")
    return int(length) if is_told else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < _LARGEST else None
