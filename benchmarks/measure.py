"""Whole processes, measured: wall clock, processor time and peak memory, side by side.

A process is started by this file run as a script, which is small: the peak the system reports for
a process counts that of the process it was started from.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    wall_s: float
    cpu_s: float
    peak_mib: float


def run(command: list[str]) -> Run:
    """Run one command to its end; a failure ends the benchmark with its message."""
    os.sync()  # what the run before it wrote is not this one's to wait for
    figures = output([sys.executable, "-S", __file__, *command])
    wall_s, cpu_s, peak_mib = map(float, figures.split())
    return Run(wall_s, cpu_s, peak_mib)


def output(command: list[str]) -> str:
    """What a command prints; a failure ends the benchmark."""
    # Byte code is kept, as that of installed packages is.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=env)
    if done.returncode:
        sys.exit(f"failed with {done.returncode}: {' '.join(command)}")
    return done.stdout


def in_turn(commands: dict[str, list[str]], rounds: int) -> dict[str, list[Run]]:
    """Run the commands A B C, A B C, ... so that a slow minute of the machine hits all alike."""
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(run(command))
    return runs


def median(runs: list[Run]) -> Run:
    return Run(
        statistics.median(r.wall_s for r in runs),
        statistics.median(r.cpu_s for r in runs),
        statistics.median(r.peak_mib for r in runs),
    )


def ratios(first: list[Run], second: list[Run]) -> tuple[float, float]:
    """Median over the rounds of second/first: wall and processor time."""
    pairs = list(zip(first, second, strict=True))
    return (
        statistics.median(b.wall_s / a.wall_s for a, b in pairs),
        statistics.median(b.cpu_s / a.cpu_s for a, b in pairs),
    )


if __name__ == "__main__":
    started = time.perf_counter()
    process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    print(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
    sys.exit(process.returncode)
