"""How the command line speaks: results on stdout, progress and reasons on stderr.

Knows rich and the terminal. Must not know what a command does.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from cupixgeo.progress import Progress, ProgressFn

if TYPE_CHECKING:
    import pandas as pd
    from rich.progress import Progress as Bars

_WIDE = 10_000
_VERBS = {
    "list": "Listing",
    "download": "Downloading",
    "open": "Opening",
    "index": "Indexing",
    "merge": "Merging",
    "picture": "Drawing",
    "check": "Checking",
}


def say(text: str = "") -> None:
    """Write a line for people to stderr, as it is."""
    from rich.console import Console

    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(text)


@contextmanager
def progress_bars() -> Iterator[ProgressFn | None]:
    """Draw progress on stderr while the block runs; yields None where that is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=32),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[item]}", style="dim"),
    )
    with Bars(*columns, console=Console(stderr=True), transient=False) as bars:
        yield _Watcher(bars)


class _Watcher:
    """One bar a stage, in the order the stages begin."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}

    def __call__(self, progress: Progress) -> None:
        stage = progress.stage
        if stage not in self._tasks:
            name = _VERBS.get(stage, stage.capitalize())
            self._tasks[stage] = self._bars.add_task(name, total=None, item="")
        self._bars.update(
            self._tasks[stage],
            total=progress.total or None,
            completed=progress.done,
            item=progress.item,
        )


def print_frame(frame: pd.DataFrame) -> None:
    """Print a DataFrame to stdout for people.

    Columns without any value are left out. On a terminal, so are columns that say the same in
    every row, and those that do not fit; both are named on stderr.
    """
    shown = frame.dropna(axis="columns", how="all") if len(frame) else frame
    cells = {str(name): [_cell(value) for value in shown[name]] for name in shown.columns}
    if sys.stdout.isatty():
        same = {n: v[0] for n, v in cells.items() if len(v) > 1 and len(set(v)) == 1}
        cells = {name: values for name, values in cells.items() if name not in same}
        cells = dict(sorted(cells.items(), key=lambda item: _is_second_name(item[0], cells)))
        fitting = _fitting(cells, shutil.get_terminal_size().columns)
        _print_cells({name: cells[name] for name in fitting})
        if same:
            say("The same in all: " + ", ".join(f"{n} {v}" for n, v in same.items()))
        if len(fitting) < len(cells):
            left_out = ", ".join(list(cells)[len(fitting) :])
            say(f"Not shown: {left_out}; --format csv has them all.")
    else:
        _print_cells(cells)


def _print_cells(cells: Mapping[str, Sequence[str]]) -> None:
    columns = []
    for name, values in cells.items():
        width = _width(name, values)
        side = str.rjust if values and all(map(_is_number, values)) else str.ljust
        columns.append([side(text, width) for text in (name, "-" * width, *values)])
    for line in zip(*columns, strict=True):
        typer.echo("  ".join(line).rstrip())


def _fitting(cells: Mapping[str, Sequence[str]], width: int) -> list[str]:
    """Return the first columns that fit side by side, one at least."""
    fitting: list[str] = []
    used = 0
    for name, values in cells.items():
        used += _width(name, values) + 2
        if fitting and used > width + 2:
            break
        fitting.append(name)
    return fitting


def _is_second_name(name: str, cells: Mapping[str, object]) -> bool:
    """Say whether a column only names what another one already gives the id of."""
    return name.endswith("_name") and f"{name.removesuffix('_name')}_id" in cells


def _width(name: str, values: Sequence[str]) -> int:
    return max(map(len, (name, *values)))


def print_facts(facts: Mapping[str, str]) -> None:
    """Print names and values to stdout, long values folded to the terminal's width."""
    indent = max(map(len, facts)) + 2
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDE
    for name, value in facts.items():
        for number, line in enumerate(value.split("\n")):
            typer.echo(
                textwrap.fill(
                    line,
                    max(width, indent + 20),
                    initial_indent=f"{'' if number else name:<{indent}}",
                    subsequent_indent=" " * indent,
                )
            )


def _cell(value: Any) -> str:
    import pandas as pd

    missing = pd.isna(value)
    if isinstance(missing, bool) and missing:
        return ""
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d %H:%M")
    text = f"{value:.10g}" if isinstance(value, float) else " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_number(text: str) -> bool:
    return not text or text.replace(".", "", 1).lstrip("-").isdigit()
