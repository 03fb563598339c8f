"""How the emulated node was started: what its owner can configure, and how its tasks will go.

The first group are options of the server (``config.js``), the second is the emulator's own.
"""

from __future__ import annotations

from dataclasses import dataclass

_TWO_DAYS_S = 2880 * 60.0


@dataclass
class NodeodmSettings:
    """Switches of the emulated node; they may be changed while it runs.

    Parameters
    ----------
    version : str
        Version of the API. Before 2.0.0 ``orthophoto.tif`` can be downloaded by itself; before
        2.1.2 the help of options has defaults and choices filled in.
    requires_token : bool
        Whether the node was started with ``--token``; most are not.
    max_images : int or None
        Most files of a task; None for no limit.
    max_parallel_tasks : int
        Tasks that run at the same time; the others wait.
    max_concurrency : int or None
        Upper limit of the option ``max-concurrency``.
    cleanup_tasks_after_s, cleanup_uploads_after_s : float
        [s] after which tasks that have ended, and uploads nobody touched, are deleted.
    engine, engine_version : str
        What reconstructs.
    cpu_cores, total_memory, available_memory : int
        The computer: cores, and memory [byte].
    init_s, run_s : float
        [s] a task takes to be set up after the commit, and to be reconstructed.
    outcome : str
        Empty, or the error message with which tasks that are started from now on fail, for example
        ``"Not enough memory"``.
    """

    version: str = "2.2.4"
    requires_token: bool = True
    max_images: int | None = None
    max_parallel_tasks: int = 1
    max_concurrency: int | None = None
    cleanup_tasks_after_s: float = _TWO_DAYS_S
    cleanup_uploads_after_s: float = _TWO_DAYS_S
    engine: str = "odm"
    engine_version: str = "3.5.6"
    cpu_cores: int = 4
    total_memory: int = 16 * 2**30
    available_memory: int = 12 * 2**30

    init_s: float = 0.0
    run_s: float = 900.0
    outcome: str = ""

    def is_before(self, *version: int) -> bool:
        """Return whether the node's version is before this one."""
        return tuple(int(part) for part in self.version.split(".")) < version
