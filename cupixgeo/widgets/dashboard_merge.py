"""Placing, reprojecting and merging what was selected, by a button.

Knows `merge` and its arguments. Sources come from whoever knows the selection. Must not know any
service.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as w

from cupixgeo.cloud.source import Source
from cupixgeo.errors import ArgumentError, CupixGeoWarning
from cupixgeo.pipeline.merge import merge
from cupixgeo.pipeline.report import MergeReport
from cupixgeo.progress import ProgressFn
from cupixgeo.widgets.aoi import Aoi
from cupixgeo.widgets.crs_picker import CrsPicker
from cupixgeo.widgets.errand import Errand
from cupixgeo.widgets.form_field import Noted
from cupixgeo.widgets.repeat import Name, call
from cupixgeo.widgets.view import View

SUFFIXES = (".laz", ".las")
OWN_CRS = "the one the clouds share, or the site's UTM zone"


class MergeBar(w.VBox):
    """Output, CRS, area and a button.

    Parameters
    ----------
    view : View
        Says what goes wrong.
    to : str
        File to begin with.
    sources : callable
        Gives the sources of what is selected; called in a thread.
    area : callable
        Gives the area on the map, or None.
    done : callable
        Called with the report of a merge, in a thread.
    on_change : callable
        Called without arguments after a change.
    """

    def __init__(
        self,
        view: View,
        to: str,
        *,
        sources: Callable[[], list[Source]],
        area: Callable[[], Aoi | None],
        done: Callable[[MergeReport], None],
        on_change: Callable[[], None],
    ) -> None:
        self._view, self._sources, self._get_area, self._done = view, sources, area, done
        self._on_change = on_change
        self._count = 0
        self.to = w.Text(
            value=to,
            description="Output",
            tooltip="File the merged cloud is written to: .laz, .las or .copc.laz",
            continuous_update=False,
            layout=w.Layout(width="100%"),
            style={"description_width": "12.5em"},
        )
        self.to.add_class("cx-output")
        self._to = Noted([self.to])
        self.crs = CrsPicker("Output CRS", none=OWN_CRS, on_change=self._changed)
        self.cut = w.Checkbox(
            description="Only points within the area on the map",
            tooltip="Cut the result to the area drawn on the map",
            indent=False,
            layout=w.Layout(width="auto", display="none"),
        )
        self.button = w.Button(
            description="Place, reproject and merge",
            tooltip="Fetch the selected clouds and write them as one file",
            disabled=True,
        )
        self.button.add_class("cx-merge")
        self.button.add_class("mod-primary")
        self.button.on_click(lambda clicked: self.begin())
        self.words = w.HTML()
        self.words.add_class("cx-merge-words")
        self.errand = Errand(view, name="merge")
        fields = w.GridBox([self._to, self.crs])
        fields.add_class("cx-fields")
        row = w.HBox([self.button, self.cut, self.words, self.errand])
        row.add_class("cx-actions")
        super().__init__([fields, row])
        self.add_class("cx-merge-bar")
        for widget in (self.to, self.cut):
            widget.observe(lambda change: self._changed(), "value")
        self._tell()

    @property
    def area(self) -> Aoi | None:
        """The area the result is cut to, in the output CRS; None for all of it.

        Raises
        ------
        ArgumentError
            No output CRS is chosen, so that it is not known where the area is in it.
        """
        drawn = self._get_area() if self.cut.value else None
        if drawn is None:
            return None
        if self.crs.value is None:
            raise ArgumentError(
                "Choose an output CRS to cut the result to the area: it has to be known in it."
            )
        return drawn.to_crs(self.crs.value)

    def select(self, count: int, words: str) -> None:
        """Take note of what is selected."""
        self._count = count
        self.words.value = f'<span class="cx-help">{escape(words)}</span>'
        self._free()

    def tell_area(self) -> None:
        """Offer to cut to the area when there is one."""
        is_there = self._get_area() is not None
        self.cut.layout.display = None if is_there else "none"
        if not is_there:
            self.cut.value = False
        self._changed()

    def begin(self) -> bool:
        """Merge what is selected, in a thread."""
        if self._fault() or not self._count or self.crs.fault:
            return False
        self._view.hush()
        self.button.disabled = True
        with self._view.guard():
            area = self.area
            to, crs = self._path(), self.crs.value

            def work(progress: ProgressFn, stop: threading.Event) -> MergeReport:
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always", CupixGeoWarning)
                    sources = self._sources()
                doubts = [str(one.message) for one in caught]
                if doubts:
                    self._view.say("\n".join(doubts[:6]), kind="note")
                to.parent.mkdir(parents=True, exist_ok=True)
                return merge(sources, to, crs=crs, bounds=area, progress=progress, cancel=stop)

            return self.errand.begin("Merge", work, self._done, after=self._tell)
        self._free()
        return False

    def code(self, sources: str) -> str:
        """Write the call that does the same, with an expression for the sources."""
        keywords: dict[str, Any] = {}
        if self.crs.value is not None:
            keywords["crs"] = self.crs.value
        try:
            area = self.area
        except ArgumentError:
            area = None
        if area is not None:
            keywords["bounds"] = [[round(x, 4), round(y, 4)] for x, y in area.vertices]
        return f"report = {call('cx.merge', Name(sources), str(self._path()), **keywords)}\n"

    def _path(self) -> Path:
        return Path(str(self.to.value).strip()).expanduser()

    def _changed(self) -> None:
        self._tell()
        self._on_change()

    def _tell(self) -> None:
        """Say what will happen to the file, or what is wrong with its name."""
        self._to.fault = self._fault()
        path = self._path()
        if path.is_file() and not self._to.fault:
            self._to.help = f"It exists ({path.stat().st_size / 1e6:,.1f} MB) and is replaced."
        else:
            self._to.help = "" if self._to.fault else f"{path.absolute()}"
        self._free()

    def _fault(self) -> str:
        path = self._path()
        if not path.name or path.suffix.lower() not in SUFFIXES:
            return "Give a file name that ends in .laz, .las or .copc.laz."
        if path.is_dir():
            return f"{path} is a folder: give the name of a file in it."
        return ""

    def _free(self) -> None:
        is_wrong = bool(self._to.fault or self.crs.fault)
        self.button.disabled = not self._count or is_wrong or self.errand.is_busy


def selection_words(rows: Sequence[Any], points: float) -> str:
    """Say how much is selected."""
    if not rows:
        return "Select rows of the table, or points on the map."
    known = f", {points:,.0f} points by the list" if points else ""
    return f"{len(rows):,} {'pointcloud' if len(rows) == 1 else 'pointclouds'} selected{known}"
