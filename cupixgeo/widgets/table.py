"""A DataFrame as a table of any length: sorted, searched, with rows to tick.

Knows columns, their units and meanings (``attrs["columns"]``), and which rows the browser looks
at: only those are sent. Must not know what the rows are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any

import anywidget
import numpy as np
import pandas as pd
import traitlets

FIRST = 60
"""Rows sent at once, before anybody scrolls."""

_FRONTEND = files("cupixgeo.widgets") / "frontend"


class Table(anywidget.AnyWidget):
    """A table with rows to tick.

    Parameters
    ----------
    frame : pandas.DataFrame
        What it shows; the index labels name the rows.
    label : str
        What it lists, in the plural.
    columns : sequence of str or None
        Columns to show; None for all.
    chips : sequence of str
        Columns of words that are shown as coloured chips.
    rows : int
        Rows in sight.
    empty : str
        What stands there when there are no rows.

    Attributes
    ----------
    selection : tuple
        Index labels of the rows that are ticked, in the order of the frame; observable, and can be
        set. Labels that are no rows are dropped.
    """

    _esm = (_FRONTEND / "table.js").read_text("utf-8")
    _css = (_FRONTEND / "table.css").read_text("utf-8")

    label = traitlets.Unicode().tag(sync=True)
    empty = traitlets.Unicode().tag(sync=True)
    rows = traitlets.Int(10).tag(sync=True)
    columns: Any = traitlets.List().tag(sync=True)
    length = traitlets.Int(0).tag(sync=True)
    total = traitlets.Int(0).tag(sync=True)
    window = traitlets.Dict({"start": 0, "rows": []}).tag(sync=True)
    order = traitlets.Dict({"column": "", "descending": False}).tag(sync=True)
    words = traitlets.Unicode("").tag(sync=True)
    picked: Any = traitlets.List().tag(sync=True)
    selection: Any = traitlets.Tuple()

    def __init__(
        self,
        frame: pd.DataFrame,
        *,
        label: str,
        columns: Sequence[str] | None = None,
        chips: Sequence[str] = (),
        rows: int = 10,
        empty: str = "There is nothing yet.",
    ) -> None:
        self._lock = threading.RLock()
        self._wanted, self._chips = columns, frozenset(chips)
        self._frame = frame
        self._texts: pd.DataFrame | None = None
        self._found = np.arange(len(frame))
        self._range = (0, FIRST)
        super().__init__(label=label, rows=rows, empty=empty)
        self.add_class("cx-table-widget")
        self._shown: list[str] = []
        self.frame = frame
        self.observe(lambda change: self._arrange(), ["order", "words"])
        self.observe(lambda change: self._was_picked(), "picked")
        self.observe(lambda change: self._was_selected(), "selection")
        self.on_msg(self._answer)

    @property
    def frame(self) -> pd.DataFrame:
        """What it shows; another one may be set. What was ticked stays so, by its label."""
        return self._frame

    @frame.setter
    def frame(self, frame: pd.DataFrame) -> None:
        with self._lock:
            kept = self.selection
            self._frame, self._texts = frame, None
            shown = list(frame.columns if self._wanted is None else self._wanted)
            self._shown = [name for name in shown if name in frame.columns]
            self._range = (0, FIRST)
            with self.hold_sync():
                self.columns = [self._column(name) for name in self._shown]
                self.length = len(frame)
                self._arrange()
                self.picked = self._places(kept)
            self._was_picked()

    @property
    def found(self) -> pd.DataFrame:
        """The rows that hold the words that are looked for, in the order they are shown."""
        return self._frame.iloc[self._found]

    # -- how -------------------------------------------------------------------------------------

    def _places(self, labels: Iterable[Hashable]) -> list[int]:
        wanted = set(labels)
        return [place for place, label in enumerate(self._frame.index) if label in wanted]

    def _was_picked(self) -> None:
        with self._lock:
            self.selection = tuple(self._frame.index[sorted(self.picked)].tolist())

    def _was_selected(self) -> None:
        with self._lock:
            places = self._places(self.selection)
            if places != sorted(self.picked):
                self.picked = places

    def _column(self, name: str) -> dict[str, Any]:
        known = self._frame.attrs.get("columns", {}).get(name, {})
        unit = known.get("unit", "")
        words = str(name).removesuffix("_deg").removesuffix("_m").replace("_", " ")
        shown = "MB" if unit == "byte" else unit
        is_number = pd.api.types.is_numeric_dtype(self._frame[name].dtype)
        is_truth = pd.api.types.is_bool_dtype(self._frame[name].dtype)
        return {
            "name": str(name),
            "label": f"{words} [{shown}]" if shown and shown not in words else words,
            "help": known.get("meaning", ""),
            "align": "right" if is_number and not is_truth else "left",
            "chip": name in self._chips,
        }

    def _arrange(self) -> None:
        """Find the rows that hold the words, in the order that was asked for."""
        with self._lock:
            found = np.arange(len(self._frame))
            asked = str(self.words).lower().split()
            if asked:
                texts = self._search_texts()
                found = found[[all(word in text for word in asked) for text in texts]]
            name = str(self.order.get("column", ""))
            if name in self._frame.columns:
                keys = self._frame[name].iloc[found]
                if keys.dtype == object:
                    keys = keys.astype("string")
                is_up = not self.order.get("descending", False)
                ranks = keys.reset_index(drop=True).sort_values(ascending=is_up, kind="stable")
                found = found[ranks.index.to_numpy()]
            self._found = found
            self._range = (0, FIRST)
            with self.hold_sync():
                self.total = len(found)
                self._send_window()

    def _search_texts(self) -> list[str]:
        if self._texts is None:
            self._texts = _as_texts(self._frame, self._shown)
        if not len(self._texts.columns):
            return [""] * len(self._frame)
        return [" ".join(row).lower() for row in self._texts.itertuples(index=False)]

    def _send_window(self) -> None:
        start, end = self._range
        places = self._found[start:end]
        texts = _as_texts(self._frame.iloc[places], self._shown)
        rows = [
            [int(place), *row]
            for place, row in zip(places, texts.itertuples(index=False), strict=True)
        ]
        self.window = {"start": int(start), "rows": rows}

    def _answer(self, widget: Any, content: dict[str, Any], buffers: Any) -> None:
        """Do what the browser asks for: other rows, all rows, a range of rows."""
        with self._lock:
            if "range" in content:
                start, end = (int(number) for number in content["range"])
                self._range = (max(0, start), min(end, start + 400))
                self._send_window()
            elif "all" in content:
                others = set(self.picked) - set(self._found.tolist())
                self.picked = sorted(
                    others | (set(self._found.tolist()) if content["all"] else set())
                )
            elif "between" in content:
                start, end = (int(number) for number in content["between"])
                self.picked = sorted(set(self.picked) | set(self._found[start:end].tolist()))


def _as_texts(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Write cells as people read them; missing ones are empty."""
    units = frame.attrs.get("columns", {})
    written = {name: _as_text(frame[name], units.get(name, {}).get("unit", "")) for name in names}
    return pd.DataFrame(written, index=frame.index)


def _as_text(column: pd.Series[Any], unit: str) -> list[str]:
    write: Callable[[Any], str] = _megabytes if unit == "byte" else _cell
    if str(column.name).endswith("id"):
        write = str
    return [
        "" if is_missing else value if type(value) is str else write(value)
        for value, is_missing in zip(column.tolist(), column.isna().tolist(), strict=True)
    ]


def _megabytes(value: float) -> str:
    return f"{value / 1e6:,.1f}"


def _cell(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.6g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return str(value)
