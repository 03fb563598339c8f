"""Who does the work: this process, or the workers of a dask cluster. Same functions, same bytes.

A runner takes one call a job and hands out results as they come. Must not know what the calls do.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, Protocol, TypeVar

from cupixgeo.cloud.schema import BLOCK_POINTS
from cupixgeo.errors import ArgumentError, CancelledError, MergeError

T = TypeVar("T")

WAITING = 2
"""Jobs handed out for each worker thread: one it is at, one it need not wait for."""

PATIENCE_S = 0.5
"""[s] between two looks at whether the merge was cancelled, or a worker has come or gone."""

KEPT = "Tiles that are finished stay where they are; the same call goes on from there."


class Runner(Protocol):
    """Does jobs, somewhere. Use it as a context manager."""

    options: Mapping[str, Any]
    """How a tile is written here; see `write_tile`."""

    def share(self, value: Any) -> Any:
        """Hand over a value many jobs need; give it to `run` in place of the value."""
        ...

    def run(
        self, work: Callable[..., T], jobs: Sequence[tuple[Any, ...]], names: Sequence[str]
    ) -> Generator[tuple[int, T], None, None]:
        """Do all jobs; yield the number of a job and its result, as they finish.

        Whatever ends it, jobs under way come to their end first. Close it where you leave early.
        """
        ...

    def __enter__(self) -> Runner: ...

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None: ...


class HereRunner:
    """One job after the other, in the calling thread; each uses all cores.

    Parameters
    ----------
    cancel : threading.Event or None
        Stops it.
    """

    def __init__(self, cancel: threading.Event | None) -> None:
        self.options: Mapping[str, Any] = {"read_ahead": BLOCK_POINTS, "cancel": cancel}
        self._cancel = cancel

    def share(self, value: Any) -> Any:
        """Give the value itself."""
        return value

    def __enter__(self) -> HereRunner:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def run(
        self, work: Callable[..., T], jobs: Sequence[tuple[Any, ...]], names: Sequence[str]
    ) -> Generator[tuple[int, T], None, None]:
        """See `Runner.run`."""
        for number, job in enumerate(jobs):
            check_cancelled(self._cancel)
            yield number, work(*job)


class DaskRunner:
    """Jobs on the workers of a `dask.distributed` cluster.

    Values are tasks like all others, so that the scheduler makes them anew where a worker that
    held them is lost.

    Parameters
    ----------
    client : distributed.Client
        Connected to the cluster.
    cancel : threading.Event or None
        Stops it once the jobs under way are done.

    Raises
    ------
    ArgumentError
        `client` is none.
    """

    def __init__(self, client: Any, cancel: threading.Event | None) -> None:
        distributed: Any = import_module("distributed")
        if not isinstance(client, distributed.Client):
            raise ArgumentError(
                f"client={client!r} is not a client of a dask cluster. Give a distributed.Client, "
                "or leave it out to work here."
            )
        self.options: Mapping[str, Any] = {}
        self._client = client
        self._cancel = cancel

    def share(self, value: Any) -> Any:
        """Give a future of the value."""
        return self._client.submit(_itself, value, pure=False)

    def run(
        self, work: Callable[..., T], jobs: Sequence[tuple[Any, ...]], names: Sequence[str]
    ) -> Generator[tuple[int, T], None, None]:
        """See `Runner.run`."""
        distributed: Any = import_module("distributed")
        under_way: dict[Any, int] = {}
        numbers = iter(range(len(jobs)))
        try:
            while True:
                check_cancelled(self._cancel)
                room = WAITING * max(1, sum(self._client.nthreads().values()))
                while len(under_way) < room and (number := next(numbers, None)) is not None:
                    key = f"{names[number]}-{secrets.token_hex(4)}"
                    future = self._client.submit(
                        _in_worker, work, *jobs[number], key=key, pure=False
                    )
                    under_way[future] = number
                if not under_way:
                    return
                with suppress(TimeoutError):
                    distributed.wait(list(under_way), PATIENCE_S, "FIRST_COMPLETED")
                for future in [future for future in under_way if future.done()]:
                    number = under_way.pop(future)
                    yield number, future.result()
        finally:
            self._end(list(under_way))

    def _end(self, left: list[Any]) -> None:
        """Drop what has not begun, and wait for what has: nobody may write when this returns."""
        if not left or self._client.status != "running":
            return
        distributed: Any = import_module("distributed")
        begun = {key for stacks in self._client.call_stack(left).values() for key in stacks}
        self._client.cancel([future for future in left if future.key not in begun])
        distributed.wait([future for future in left if future.key in begun])

    def __enter__(self) -> DaskRunner:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Say in our words what went wrong with the cluster itself."""
        distributed: Any = import_module("distributed")
        if isinstance(error, distributed.KilledWorker):
            raise MergeError(
                f"several workers died while they were at work on one job ({error}). Most often "
                f"they run out of memory: give them more, or choose smaller tiles. {KEPT}"
            ) from error
        gone = (
            distributed.CancelledError,
            distributed.comm.CommClosedError,
            distributed.client.ClosedClientError,
        )
        if isinstance(error, gone):
            raise MergeError(f"the dask cluster is gone ({error!r}). {KEPT}") from error


def check_cancelled(cancel: threading.Event | None) -> None:
    """Stop where stopping was asked for."""
    if cancel is not None and cancel.is_set():
        raise CancelledError(f"the merge was cancelled. {KEPT}")


def _in_worker(work: Callable[..., T], *arguments: Any) -> T:
    """Do a job in a worker with no more threads than the worker has.

    The LAZ coder takes every core of the machine otherwise, those of other workers as well. It
    looks once, when it is first used; in a process of the user's nothing is changed.
    """
    distributed: Any = import_module("distributed")
    worker = distributed.get_worker()
    if worker.nanny is not None:
        os.environ.setdefault("RAYON_NUM_THREADS", str(worker.state.nthreads))
    return work(*arguments)


def _itself(value: T) -> T:
    return value
