"""Processes that launch and resume jobs, so that a test can kill them.

One process imports everything once and forks for each order; what it forks has threads, sockets and
a process id of its own, and dies like any other.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Child:
    """A process at work; `outcome` is what it wrote when it was done."""

    def __init__(self, pid: int, report: Path) -> None:
        self.pid = pid
        self._report = report

    @property
    def is_alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> None:
        """End it as a power button would, and wait until it is gone."""
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        _until(lambda: not self.is_alive, 10.0)

    def wait(self, timeout_s: float = 60.0) -> dict[str, Any]:
        """Wait for its end and give what it wrote: ``state``, or ``error`` and ``message``."""
        _until(lambda: not self.is_alive, timeout_s)
        return self.outcome

    @property
    def outcome(self) -> dict[str, Any]:
        return json.loads(self._report.read_text()) if self._report.exists() else {}


class Children:
    """Starts children; close it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Child] = []
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.services.children"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def start(self, **order: Any) -> Child:
        """Start one: ``launch`` with service, connect, photos, options; or ``resume`` with job."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        report = self._folder / f"child-{len(self._started)}.json"
        order = {**order, "report": str(report), "state": os.environ["CUPIXGEO_STATE"]}
        self._parent.stdin.write(json.dumps(order, default=str) + "\n")
        self._parent.stdin.flush()
        self._started.append(Child(int(self._parent.stdout.readline()), report))
        return self._started[-1]

    def close(self) -> None:
        for child in self._started:
            child.kill()
        self._parent.communicate()


def _until(condition: Any, timeout_s: float) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"nothing happened in {timeout_s} s"
        time.sleep(0.005)


# -- inside the child ----------------------------------------------------------------------------


def _work(order: dict[str, Any]) -> dict[str, Any]:
    import cupixgeo as cx
    from cupixgeo.net.settings import NetSettings

    os.environ["CUPIXGEO_STATE"] = order["state"]
    os.environ.update(order.get("environment", {}))
    settings = NetSettings(backoff_s=0.01, sleep=lambda s: time.sleep(min(s, 0.01)))
    workers = order.get("workers", 2)
    if "job" in order:
        job = cx.resume(order["job"], settings=settings, workers=workers, **order["connect"])
    else:
        account: Any = cx.connect(order["service"], settings=settings, **order["connect"])
        plan = account.plan(order["photos"], name="child", **order["options"])
        job = plan.launch(workers=workers)
    return {"job": job.id, "state": str(job.wait(120).state)}


def _fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        outcome = _work(order)
    except BaseException as error:  # noqa: BLE001  the test sees it
        outcome = {"error": type(error).__name__, "message": str(error)}
        if order.get("loud"):
            traceback.print_exc()
    partial = Path(order["report"] + ".partial")
    partial.write_text(json.dumps(outcome))
    partial.replace(order["report"])
    os._exit(0)


def main() -> None:
    import cupixgeo as cx
    from cupixgeo.photos.preflight import preflight
    from cupixgeo.services import plan, registry

    for module in (cx.connect, cx.resume, preflight, plan):
        assert module is not None
    registry.SERVICES["fake"] = "tests.services.fakes.driver:FakeAccount"
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        sys.stdout.write(f"{_fork(json.loads(line))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
