"""What a user waits for in the notebook: scenes and maps, from running the cell to shown.

    python benchmarks/widgets.py [--rounds 3]

Runs `widgets_scene.py` (beside k3d, where that is installed: it is no dependency), `widgets_map.py`
and `widgets_dashboard.py` in turn, and writes ``benchmarks/WIDGETS.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import widgets_dashboard
import widgets_map
import widgets_scene

RESULTS = Path(__file__).with_name("WIDGETS.md")
CAMERAS = 20_000
ROWS = 10_000


def table(case: str, measure: Callable[[Any], dict[str, float]], rounds: int) -> list[str]:
    """Run a case, each round in a notebook of its own; give the lines of its table of medians."""
    runs = []
    for _ in range(rounds):
        with widgets_scene.notebook() as page:
            runs.append(measure(page))
    names = list(runs[0])
    medians = [statistics.median(run[name] for run in runs) for name in names]
    return [
        f"| case | {' | '.join(names)} |",
        "|---" * (len(names) + 1) + "|",
        f"| {case} | {' | '.join(f'{m:.2f}' for m in medians)} |",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    points = [1_000_000, 10_000_000]
    load = ", ".join(f"{n:.1f}" for n in os.getloadavg())
    lines = [
        "# Widgets benchmark",
        "",
        f"`python benchmarks/widgets.py --rounds {options.rounds}`: {os.cpu_count()} cores, no "
        f"graphics card (SwiftShader), Python {platform.python_version()}, load before the run "
        f"{load}. Medians.",
        "",
        "## Scene",
        "",
        *widgets_scene.table(points, rounds=options.rounds, against_k3d=True),
        "",
        "## Map",
        "",
        *table(
            f"cx.widgets.Map, {CAMERAS:,} cameras",
            lambda page: widgets_map.cameras(page, CAMERAS),
            options.rounds,
        ),
        "",
        "## Dashboard",
        "",
        *table(
            f"cx.widgets.Dashboard, {ROWS:,} rows",
            lambda page: widgets_dashboard.dashboard(page, ROWS),
            options.rounds,
        ),
    ]
    RESULTS.write_text("\n".join(lines) + "\n")
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
