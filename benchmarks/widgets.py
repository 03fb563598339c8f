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
from pathlib import Path

import widgets_dashboard
import widgets_map
import widgets_scene

RESULTS = Path(__file__).with_name("WIDGETS.md")
CAMERAS = 20_000
ROWS = 10_000


def cameras(rounds: int) -> list[str]:
    """Run the map's case and make the lines of its table of medians."""
    runs = []
    for _ in range(rounds):
        with widgets_scene.notebook() as page:
            runs.append(widgets_map.cameras(page, CAMERAS))
    names = list(runs[0])
    medians = [statistics.median(run[name] for run in runs) for name in names]
    return [
        f"| case | {' | '.join(names)} |",
        "|---" * (len(names) + 1) + "|",
        f"| cx.widgets.Map, {CAMERAS:,} cameras | {' | '.join(f'{m:.2f}' for m in medians)} |",
    ]


def dashboards(rounds: int) -> list[str]:
    """Run the dashboard's case and make the lines of its table of medians."""
    runs = []
    for _ in range(rounds):
        with widgets_scene.notebook() as page:
            runs.append(widgets_dashboard.dashboard(page, ROWS))
    names = list(runs[0])
    medians = [statistics.median(run[name] for run in runs) for name in names]
    return [
        f"| case | {' | '.join(names)} |",
        "|---" * (len(names) + 1) + "|",
        f"| cx.widgets.Dashboard, {ROWS:,} rows | {' | '.join(f'{m:.2f}' for m in medians)} |",
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
        *cameras(options.rounds),
        "",
        "## Dashboard",
        "",
        *dashboards(options.rounds),
    ]
    RESULTS.write_text("\n".join(lines) + "\n")
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
