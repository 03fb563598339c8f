"""The photos of a launch: chosen, looked at, listed with their verdicts, and on a map.

Knows preflight and the map. Must not know any service.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import ipywidgets as w
import pandas as pd

from cupixgeo.photos.preflight import Preflight, preflight
from cupixgeo.photos.rules import Rules
from cupixgeo.widgets.aoi import Aoi
from cupixgeo.widgets.errand import Errand
from cupixgeo.widgets.folder_picker import FolderPicker
from cupixgeo.widgets.map import Map
from cupixgeo.widgets.plan_text import PHOTO_COLUMNS, doubts_html, photos_table, verdicts_html
from cupixgeo.widgets.table import Table
from cupixgeo.widgets.view import View

WGS84 = "EPSG:4326"


class Photos(w.VBox):
    """A folder, what was found in it, and where that is.

    Parameters
    ----------
    view : View
        Says what goes wrong.
    start : str
        Folder to begin with; empty for the kernel's own.
    films : collection of str
        Suffixes of films the service takes as they are.
    wants_positions : bool
        Whether photos without a position are doubtful.
    on_look : callable
        Called without arguments when photos were looked at, or others were chosen.
    on_area : callable
        Called without arguments when an area was drawn, changed or removed.
    """

    def __init__(
        self,
        view: View,
        start: str,
        *,
        films: Collection[str],
        wants_positions: bool,
        on_look: Callable[[], None],
        on_area: Callable[[], None],
    ) -> None:
        self._view, self._rules = view, Rules(positions=wants_positions)
        self._on_look, self._on_area = on_look, on_area
        self.preflight: Preflight | None = None
        self.folder = FolderPicker(start, films=films, on_change=self._moved)
        self.look = w.Button(
            description="Look at photos", tooltip="Read each photo and judge it; sends nothing"
        )
        self.look.add_class("cx-look")
        self.look.add_class("mod-primary")
        self.look.on_click(lambda button: self.begin())
        self.errand = Errand(view, name="look")
        self.words = w.HTML()
        self.words.add_class("cx-verdicts")
        self.table = Table(
            pd.DataFrame(),
            label="photos",
            columns=PHOTO_COLUMNS,
            chips=("verdict",),
            rows=7,
            empty="No photo was looked at yet.",
        )
        self.map: Map | None = None
        self._place = w.VBox()
        self._place.add_class("cx-map-place")
        self._found = w.HBox([w.VBox([self.words, self.table]), self._place])
        self._found.add_class("cx-columns")
        self._found.layout.display = "none"
        actions = w.HBox([self.look, self.errand])
        actions.add_class("cx-actions")
        super().__init__([self.folder, actions, self._found])

    @property
    def source(self) -> str:
        """The folder or film, as it was entered; ``"."`` for the kernel's own folder."""
        return self.folder.value or "."

    @property
    def is_film(self) -> bool:
        """Whether it is a film, which is sent without a look."""
        return self.folder.path.is_file() and not self.folder.fault

    @property
    def is_ready(self) -> bool:
        """Whether there is something to send."""
        return self.is_film or (self.preflight is not None and self.preflight.count > 0)

    @property
    def area(self) -> dict[str, Any] | None:
        """The area on the map as a GeoJSON polygon, longitude and latitude; None without."""
        aoi = self.aoi
        return None if aoi is None else _rounded(aoi)

    @property
    def aoi(self) -> Aoi | None:
        """The area on the map; None without."""
        return None if self.map is None else self.map.aoi

    def clear_area(self) -> None:
        """Take the area off the map."""
        if self.map is not None:
            self.map.aoi = None

    def begin(self) -> bool:
        """Look at the photos, in a thread."""
        source = self.source
        if self.folder.fault or self.is_film:
            return False
        self._view.hush()
        return self.errand.begin(
            "Look at photos",
            lambda progress, stop: preflight(
                Path(source).expanduser(), rules=self._rules, progress=progress
            ),
            self._show,
        )

    def _moved(self) -> None:
        """Forget what was found elsewhere."""
        self.preflight = None
        self._found.layout.display = "none"
        self.look.disabled = self.is_film or bool(self.folder.fault)
        self._on_look()

    def _show(self, found: Preflight) -> None:
        self.preflight = found
        doubts = "" if found.centre is not None else doubts_html(found)  # else the map says them
        self.words.value = verdicts_html(found) + doubts
        self.table.frame = photos_table(found)
        self._draw(found)
        self._found.layout.display = None
        if not found.count:
            self.folder.fault = "There is no photo here that can be sent; see the table for why."
        self._on_look()

    def _draw(self, found: Preflight) -> None:
        """Put the photos on a map, linked with the table."""
        if found.centre is None:
            self.map = None
            self._place.children = ()
            return
        drawn = Map(found, height_px=420)
        drawn.observe(lambda change: self._on_area(), "aoi")
        w.link((drawn, "selection"), (self.table, "selection"))
        self.map = drawn
        self._place.children = (drawn,)


def _rounded(aoi: Aoi) -> dict[str, Any]:
    """Give the polygon to a tenth of a millimetre: nobody reads fifteen digits."""
    ((ring,),) = ([aoi.geojson()["geometry"]["coordinates"][0]],)
    return {
        "type": "Polygon",
        "coordinates": [[[round(lon, 9), round(lat, 9)] for lon, lat in ring]],
    }
