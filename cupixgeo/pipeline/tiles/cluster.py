"""A dask cluster of this computer's own processes, for as long as it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from cupixgeo.errors import ArgumentError, MissingExtraError


@contextmanager
def local_workers(count: int | None) -> Iterator[Any]:
    """Start worker processes on this computer, and end them.

    Parameters
    ----------
    count : int or None
        How many, one core each; None starts none.

    Yields
    ------
    distributed.Client or None
        For ``merge(..., client=)``.

    Raises
    ------
    ArgumentError
        `count` is less than 1.
    MissingExtraError
        dask.distributed is not installed.
    """
    if count is None:
        yield None
        return
    if count < 1:
        raise ArgumentError(f"{count} workers cannot do anything. Give 1 or more.")
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        raise MissingExtraError(
            "worker processes need dask.distributed, which is not installed: "
            'pip install "cupixgeo[dask]"'
        ) from error
    with (
        distributed.LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs="ERROR",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client
