"""Where the processor time of a merge goes: stages.py JOB OUT prints one JSON object.

The merge runs as ever; the functions that do the stages are wrapped in clocks of their own thread.
What is left of the process is start-up (imports, headers, planning, fitting) and the rest.
"""

from __future__ import annotations

import functools
import json
import runpy
import sys
import threading
import time
from collections import Counter
from importlib import import_module
from typing import Any

STAGES = {
    "read": [("cupixgeo.pipeline.layers", "read_chunks")],
    "decode": [
        ("cupixgeo.formats.las.recode", "ChunkRecoder.decode"),
        ("cupixgeo.formats.las.reader", "decode_chunks"),
    ],
    "transform": [
        ("cupixgeo.pipeline.layers", "LayerTransform._place"),
        ("cupixgeo.pipeline.stream", "_RecordTransform.__call__"),
    ],
    "encode": [("cupixgeo.formats.las.recode", "ChunkRecoder.encode")],
    "write": [
        ("cupixgeo.formats.las.writer", "LasWriter.write_chunk"),
        ("cupixgeo.formats.las.writer", "LasWriter.write"),
        ("cupixgeo.formats.las.writer", "LasWriter.close"),
    ],
}
"""Functions by stage. On the way by records encoding is part of writing."""

spent: Counter[str] = Counter()
lock = threading.Lock()
inside = threading.local()


def clocked(function: Any, stage: str) -> Any:
    @functools.wraps(function)
    def run(*args: Any, **options: Any) -> Any:
        if getattr(inside, "stage", None):
            return function(*args, **options)
        inside.stage = stage
        started = time.thread_time()
        try:
            return function(*args, **options)
        finally:
            inside.stage = None
            with lock:
                spent[stage] += time.thread_time() - started

    return run


for stage, places in STAGES.items():
    for module_name, path in places:
        owner = import_module(module_name)
        *parents, name = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        setattr(owner, name, clocked(getattr(owner, name), stage))

sys.argv[0] = "run_project.py"
runpy.run_path(str(__file__).replace("stages.py", "run_project.py"), run_name="__main__")
result = {stage: spent[stage] for stage in STAGES if spent[stage]}
result["start-up and the rest"] = time.process_time() - sum(result.values())
print(json.dumps(result))
