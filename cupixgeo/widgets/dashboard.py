"""What an account holds, at one glance: table, map, scene and jobs, linked; and one file of it.

Knows how the parts belong together. Lists come from the account, positions from `dashboard_places`,
merges from `dashboard_merge`. Must not know any service.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import Any

import ipywidgets as w
import numpy as np
import pandas as pd

from cupixgeo.cloud.source import Source
from cupixgeo.errors import ArgumentError, CupixGeoError
from cupixgeo.pipeline.report import MergeReport
from cupixgeo.progress import ProgressFn
from cupixgeo.services.base import Account, JobAccount
from cupixgeo.services.job import Job
from cupixgeo.services.jobs import jobs
from cupixgeo.services.results import Results
from cupixgeo.widgets import dashboard_places as places
from cupixgeo.widgets.aoi import Aoi
from cupixgeo.widgets.dashboard_merge import MergeBar, selection_words
from cupixgeo.widgets.errand import Errand
from cupixgeo.widgets.jobs_view import Jobs
from cupixgeo.widgets.map import Map
from cupixgeo.widgets.repeat import call, connect, written
from cupixgeo.widgets.result_view import HEIGHT_PX, ResultView
from cupixgeo.widgets.scene import Scene
from cupixgeo.widgets.table import Table
from cupixgeo.widgets.view import View, refuse_unknown

STYLE = (files("cupixgeo.widgets") / "frontend" / "panel.css").read_text("utf-8")

FIRST = (
    "id", "name", "kind", "facility_name", "record_name", "state", "points_count", "filesize",
    "pointcloud_type", "capture_name", "cluster_name", "created_at",
)  # fmt: skip
"""Columns of pointclouds people look at first; others are left to ``account.pointclouds()``."""

LAYER = "pointclouds"
JOB_COLUMNS = ("name", "service", "state", "fraction", "files", "bytes", "updated", "message")
LEAST_SPAN_DEG = 0.002
"""[deg] that a map shows at least, when it is zoomed to what is selected: some hundred metres."""

LIST_S = 1.5
"""[s] the cell waits for the list; a longer one comes into the widget when it is there."""


class Dashboard(View):
    """What an account holds as table and map, with scene, jobs, and a button to merge.

    Parameters
    ----------
    account : Account
        What ``cx.connect`` gives.
    table : pandas.DataFrame or None
        Rows to show, a selection of ``account.pointclouds()`` for example; None lists all.
    to : str
        File the merge writes to, unless another one is entered.

    Raises
    ------
    ArgumentError
        `account` is no account.

    Examples
    --------
    >>> import cupixgeo as cx
    >>> account = cx.connect("cupix")  # doctest: +SKIP
    >>> cx.widgets.Dashboard(account)  # doctest: +SKIP
    """

    def __init__(
        self,
        account: Account,
        *,
        table: pd.DataFrame | None = None,
        to: str = "site.laz",
        **unknown: Any,
    ) -> None:
        refuse_unknown(unknown, Dashboard.__init__, "Dashboard")
        if not isinstance(account, Account):
            raise ArgumentError(
                f"a {type(account).__name__} is no account: give what cx.connect gives."
            )
        self._account, self._given = account, table
        self._report: MergeReport | None = None
        self._lock = threading.RLock()
        self.table = Table(
            pd.DataFrame(),
            label=account.holdings or "jobs",
            columns=FIRST if account.holdings == LAYER else None,
            chips=("state",),
            rows=14,
            empty=f"{account.service} holds nothing that this account can see.",
        )
        self.table.observe(lambda change: self._selected(), "selection")
        self.listing = Errand(self, name="list")
        self._again = w.Button(description="List again", tooltip="Ask the service for its list")
        self._again.add_class("cx-list-again")
        self._again.on_click(lambda button: self.refresh())
        self._zoom = w.Button(
            description="Zoom to selected", tooltip="Bring the selected rows into view on the map"
        )
        self._zoom.add_class("cx-zoom")
        self._zoom.on_click(lambda button: self.zoom_to_selected())
        self._zoom.disabled = True
        self.map: Map | None = None
        self._placed = pd.DataFrame()
        self._map_place = w.VBox()
        self._map_place.add_class("cx-map-place")
        self.scene: Scene | None = None
        self._scene_place = w.VBox()
        self.merging = MergeBar(
            self,
            to,
            sources=self._sources,
            area=self._area,
            done=self._show_merged,
            on_change=self.changed,
        )
        self.result = ResultView(self)
        self.jobs: Jobs | None = None
        super().__init__(self._lay_out(), name="dashboard")
        if account.holdings or table is not None:
            self.refresh()
            self.listing.wait(LIST_S)

    def _lay_out(self) -> list[w.Widget]:
        account = self._account
        head = w.HTML(
            f"<h2>Dashboard</h2><p class='cx-help'>{escape(account.service)} at "
            f"{escape(account.base_url)}</p>"
        )
        head.add_class("cx-head")
        style = w.HTML(f"<style>{STYLE}</style>", layout=w.Layout(display="none"))
        bar = w.HBox([self._again, self._zoom, self.listing])
        bar.add_class("cx-actions")
        columns = w.HBox([self.table, self._map_place])
        columns.add_class("cx-columns")
        columns.add_class("cx-wide-first")
        parts: list[w.Widget] = [style, head]
        if account.holdings or self._given is not None:
            is_usual = account.holdings == LAYER
            title = LAYER.capitalize() if is_usual else f"What {account.service} holds"
            parts.append(_step(title, [bar, columns]))
        if self._can_merge:
            parts.append(_step("One file", [self.merging, self._scene_place]))
        parts += [self._jobs_step(), self.result]
        return parts

    def _jobs_step(self) -> w.VBox:
        """Show the account's jobs; for one that runs none, those of this machine, to look at."""
        if isinstance(self._account, JobAccount):
            self.jobs = Jobs(self, self._account, self._show_result)
            return _step("Jobs", [self.jobs])
        frame = jobs()
        words = w.HTML(
            f"<p class='cx-help'>{escape(self._account.service)} runs no reconstructions. Jobs of "
            "other services on this machine; cx.widgets.Launcher(account) goes on with them:</p>"
        )
        table = Table(
            frame,
            label="jobs",
            columns=JOB_COLUMNS,
            chips=("state",),
            rows=min(6, max(1, len(frame))),
            empty="No job was launched on this machine.",
        )
        return _step("Jobs", [words, table])

    @property
    def _can_merge(self) -> bool:
        return hasattr(self._account, "sources")

    # -- the list --------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Ask the service for its list, in a thread."""
        self.listing.begin("List", self._list, self._show_list, after=self._place)

    def _list(self, progress: ProgressFn, stop: threading.Event) -> pd.DataFrame:
        if self._given is not None:
            return self._given
        frame: pd.DataFrame = getattr(self._account, self._account.holdings)()
        return frame

    def _show_list(self, frame: pd.DataFrame) -> None:
        with self._lock:
            self.table.frame = frame
        self.changed()

    def _place(self) -> None:
        """Put the rows on the map: at their facility at once, where they are when that is known."""
        frame = self.table.frame
        if len(frame):
            self.listing.begin("Find places", self._find_places, self._show_map)

    def _find_places(self, progress: ProgressFn, stop: threading.Event) -> pd.DataFrame:
        frame = self.table.frame
        if places.has_places(frame):
            return frame
        placed = places.by_facility(self._account, frame)
        if placed[places.LON].notna().any():
            self._show_map(placed)
        return places.with_places(placed, places.by_record(self._account, frame))

    def _show_map(self, frame: pd.DataFrame) -> None:
        """Draw the map when the first places are known; later ones move the points."""
        if not frame[places.LON].notna().any():
            return
        with self._lock:
            if self.map is None:
                drawn = Map({LAYER: frame}, height_px=448)
                drawn.observe(lambda change: self._map_selected(), "selection")
                drawn.observe(lambda change: self.merging.tell_area(), "aoi")
                self.map = drawn
                self._map_place.children = (drawn,)
            else:
                self.map.add({LAYER: frame})
                self.map.zoom_to(LAYER)
            self._placed = frame
            self._suggest_crs()
            self._select_on_map()

    def _suggest_crs(self) -> None:
        """Suggest the UTM zone of what is selected; of all there is while nothing is."""
        chosen = self._placed.loc[list(self.table.selection)] if self.table.selection else None
        for frame in (chosen, self._placed):
            known = None if frame is None else frame[[places.LON, places.LAT]].dropna()
            if known is not None and len(known):
                lon, lat = (float(value) for value in known.median())
                self.merging.crs.suggest(lon, lat)
                return

    # -- selection -------------------------------------------------------------------------------

    @property
    def selected(self) -> pd.DataFrame:
        """The rows that are ticked."""
        return self.table.frame.loc[list(self.table.selection)]

    def select(self, labels: Sequence[Any]) -> None:
        """Tick rows, by their index labels."""
        self.table.selection = tuple(labels)

    def _selected(self) -> None:
        ids = self._ids()
        rows = self.table.frame[self.table.frame["id"].isin(ids)] if ids else self.selected
        count = rows["points_count"].sum() if "points_count" in rows else 0
        self.merging.select(len(ids), selection_words(ids, float(count)))
        self._zoom.disabled = self.map is None or not self.table.selection
        self._select_on_map()
        if self.map is not None:
            self._suggest_crs()
        self.changed()

    def zoom_to_selected(self) -> None:
        """Bring the selected rows into view on the map; all of them where none is selected."""
        if self.map is None:
            return
        chosen = self._placed.loc[list(self.table.selection)] if self.table.selection else None
        known = (self._placed if chosen is None else chosen)[[places.LON, places.LAT]].dropna()
        if len(known):
            (west, south), (east, north) = known.min(), known.max()
            span = max(float(east - west), 2.0 * float(north - south), LEAST_SPAN_DEG)
            self.map.map.center = [float(south + north) / 2, float(west + east) / 2]
            self.map.map.zoom = int(np.clip(np.floor(np.log2(360.0 / span)) + 1, 2, 20))

    def _ids(self) -> list[int]:
        """Pointclouds with a file among the selected rows."""
        frame = self.table.frame
        if not self._can_merge or "id" not in frame:
            return []
        return places.subs_of(frame, self.selected["id"].tolist())

    def _select_on_map(self) -> None:
        if self.map is not None and set(self.map.selection) != set(self.table.selection):
            self.map.select(self.table.selection, LAYER)

    def _map_selected(self) -> None:
        """Follow the map, as long as it is our rows that are selected there."""
        known = set(self.table.frame.index)
        labels = set(self.map.selection) if self.map is not None else set()
        if labels <= known and labels != set(self.table.selection):
            self.table.selection = tuple(x for x in self.table.frame.index if x in labels)

    def _area(self) -> Aoi | None:
        return None if self.map is None else self.map.aoi

    # -- one file --------------------------------------------------------------------------------

    def _sources(self) -> list[Source]:
        found: list[Source] = self._account.sources(ids=self._ids())  # type: ignore[attr-defined]
        return found

    def _show_merged(self, report: MergeReport) -> None:
        self._report = report
        words = w.HTML(report._repr_html_())
        words.add_class("cx-result-words")
        if self.map is not None:
            try:
                self.map.add({"merged": report.path})
                self.map.zoom_to("merged")
            except CupixGeoError as error:
                self.say(f"The merged file is whole, and not on the map: {error}")
        self.scene = Scene(report.path, height_px=HEIGHT_PX)
        self._scene_place.children = (words, self.scene)
        self.changed()

    def _show_result(self, job: Job, results: Results) -> None:
        self.result.show(job, results, None)
        self.changed()

    # -- what every widget answers ---------------------------------------------------------------

    def code(self) -> str:
        """Python that does the same: connect, list, merge what is selected."""
        lines = ["import cupixgeo as cx", "", connect(self._account), ""]
        ids = self._ids()
        if self._can_merge and ids:
            lines.append(f"sources = account.sources(ids={written(ids)})")
            merged = self.merging.code("sources")
            lines.append(merged.rstrip())
            if self._report is not None:
                lines.append("cx.widgets.Scene(report.path)")
        elif self._account.holdings:
            lines.append(f"table = account.{self._account.holdings}()")
        else:
            lines.append("table = cx.jobs()")
        if self.result.job_id:
            lines.append(f"job = {call('cx.resume', self.result.job_id)}")
        return "\n".join(lines) + "\n" + self.result.code()

    def summary(self) -> str:
        """Say in plain text what is shown."""
        what = self._account.holdings or "jobs"
        lines = [f"Dashboard of {self._account.service} ({self._account.base_url})"]
        lines.append(f"{len(self.table.frame):,} {what}, {len(self.table.selection):,} selected")
        if self._report is not None:
            lines.append(str(self._report))
        return "\n".join(lines)

    def figure(self) -> bytes | None:
        """Draw the scene, or the map."""
        still = self.result.figure()
        shown = self.scene or self.map
        return still if still is not None or shown is None else shown.figure()

    def close(self) -> None:
        """Take it off the page. Jobs go on."""
        watched = getattr(self, "jobs", None)  # none where it was never made whole
        if watched is not None:
            watched.close()
        super().close()


def _step(title: str, parts: list[w.Widget]) -> w.VBox:
    step = w.VBox([w.HTML(f"<h3>{escape(title)}</h3>"), *parts])
    step.add_class("cx-step")
    return step
