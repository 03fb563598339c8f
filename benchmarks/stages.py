"""Where the processor time of a merge goes: stages.py JOB OUT prints one JSON object.

The merge runs as ever; the functions that do the stages are wrapped in clocks of their own thread,
each counting only what it does itself. lazrs works in threads of its own, which are counted as
they are. Start-up is what the process took before the first of them: imports, headers, planning.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import runpy
import threading
import time
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

STAGES = {
    "read": ["pipeline.layers:_read"],
    "decode": [
        "formats.las.recode:ChunkRecoder.decode",
        "formats.las.recode_points:PointRecoder.decode",
        "formats.las.pointcodec:PointCodec.decode",
        "formats.las.reader:LasReader.blocks",
    ],
    "move": ["pipeline.steps:StepMover.__call__", "pipeline.blocks:BlockTransform._by_coordinates"],
    "choose": ["pipeline.sieve:Sieve.take"],
    "encode": [
        "formats.las.recode:ChunkRecoder.encode",
        "formats.las.recode_points:PointRecoder.encode",
        "formats.las.pointcodec:PointCodec.encode",
        "formats.las.writer:LasWriter._compress_chunks",
    ],
    "octree": [
        "formats.copc.store:PointStore.add",
        "formats.copc.store:PointStore.finish",
        "formats.copc.store:PointStore.cells",
        "formats.copc.writer:divide",
    ],
    "write": [
        "formats.las.writer:LasWriter.write_chunk",
        "formats.las.writer:LasWriter.write",
        "formats.las.writer:LasWriter.close",
    ],
}

spent: Counter[str] = Counter()
started_up: list[float] = []
lock = threading.Lock()
running = threading.local()


def enter(stage: str) -> None:
    if not started_up:
        started_up.append(time.process_time())
    stack = running.__dict__.setdefault("stack", [])
    now = time.thread_time()
    if stack:
        charge(stack[-1], now)
    stack.append([stage, now])


def leave() -> None:
    stack = running.stack
    now = time.thread_time()
    charge(stack.pop(), now)
    if stack:
        stack[-1][1] = now


def charge(entry: list[Any], now: float) -> None:
    with lock:
        spent[entry[0]] += now - entry[1]


def clocked(function: Any, stage: str) -> Any:
    """The function, its own time counted; a generator is clocked while it makes an item."""

    @functools.wraps(function)
    def run(*args: Any, **options: Any) -> Any:
        enter(stage)
        try:
            return function(*args, **options)
        finally:
            leave()

    @functools.wraps(function)
    def generate(*args: Any, **options: Any) -> Iterator[Any]:
        items = function(*args, **options)
        while True:
            enter(stage)
            try:
                item = next(items)
            except StopIteration:
                return
            finally:
                leave()
            yield item

    return generate if inspect.isgeneratorfunction(function) else run


def lazrs_threads() -> float:
    """Processor time of the threads that Python did not start [s]."""
    ours = {thread.native_id for thread in threading.enumerate()}
    ticks = 0
    for task in Path("/proc/self/task").iterdir():
        if int(task.name) not in ours:
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


for stage, places in STAGES.items():
    for place in places:
        module, _, path = place.partition(":")
        owner: Any = import_module(f"cupixgeo.{module}")
        *parents, name = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        setattr(owner, name, clocked(getattr(owner, name), stage))

runpy.run_path(str(Path(__file__).with_name("run_project.py")), run_name="__main__")
result = {"start-up": started_up[0]}
result |= {stage: spent[stage] for stage in STAGES if spent[stage] > 0.005}
result["lazrs"] = lazrs_threads()
result["rest"] = max(0.0, time.process_time() - sum(result.values()))
print(json.dumps({stage: seconds for stage, seconds in result.items() if seconds > 0.005}))
