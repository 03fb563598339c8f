"""Two captures of one place: swiped on the map, and in the scene coloured by what has changed.

Knows how two clouds are brought together, and puts a `Map` and a `Scene` side by side. How far the
clouds are from each other is found by `pipeline.distance`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from threading import Thread
from typing import Any, Literal

import ipywidgets
import numpy as np
import xarray as xr
from traitlets.utils.bunch import Bunch

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.cloud.spatial_ref import POINT, dataset_crs
from cupixgeo.errors import ArgumentError, EmptyCloudError, FrameError
from cupixgeo.formats.registry import open_cloud
from cupixgeo.geodesy.crs import crs_label, is_local, same_crs, suggest_utm
from cupixgeo.pipeline.dataset_reader import DatasetReader
from cupixgeo.pipeline.distance import Change, change, distances_m
from cupixgeo.pipeline.lonlat import map_picture, to_lon_lat
from cupixgeo.pipeline.picture import height_range, picture
from cupixgeo.pipeline.place import to_crs
from cupixgeo.pipeline.raster import top_view
from cupixgeo.progress import Progress, ProgressFn
from cupixgeo.widgets.map import Map
from cupixgeo.widgets.map_layers import Picture, Ramp
from cupixgeo.widgets.reading import AT_ONCE_S, PAUSE_S
from cupixgeo.widgets.scene import Scene
from cupixgeo.widgets.view import View, name_of, refuse_unknown

DISTANCE = "distance"
"""Variable of both clouds: distance to the nearest point of the other [m]."""

BEFORE, AFTER = "before", "after"

Cloud = xr.Dataset | str | os.PathLike[str]


class Compare(View):
    """Compare two captures of the same place.

    Parameters
    ----------
    before, after : xarray.Dataset or path
        Point clouds. The second is brought to the CRS of the first where they differ.
    threshold_m : float
        Distance from which on a point counts as changed [m].
    max_distance_m : float
        How far to look for a neighbour [m]; what is further away is shown as this far.
    height_px : int
        Height of map and scene [pixel].

    Attributes
    ----------
    map : Map or None
        Swipe map; None for clouds in a local frame.
    scene : Scene or None
        Both clouds, coloured by distance; None until they are compared.
    clouds : dict of str to xarray.Dataset
        ``"before"`` and ``"after"`` in one CRS, once compared with a variable ``distance``.
    changes : dict of str to Change
        How much of ``"after"`` is new, and how much of ``"before"`` is gone.

    Raises
    ------
    ArgumentError
        A keyword is not known, a distance is none, or something is no cloud. What is wrong
        with the clouds is said in the widget.
    """

    def __init__(
        self,
        before: Cloud,
        after: Cloud,
        *,
        threshold_m: float = 0.1,
        max_distance_m: float = 2.0,
        height_px: int = 520,
        **unknown: Any,
    ) -> None:
        refuse_unknown(unknown, Compare.__init__, "Compare")
        check_numbers(threshold_m, max_distance_m)
        for name, cloud in ((BEFORE, before), (AFTER, after)):
            check_cloud(name, cloud)
        self._given = {BEFORE: before, AFTER: after}
        self._threshold_m, self._max_distance_m = threshold_m, max_distance_m
        self._height_px = height_px
        self._note = ""
        self.map: Map | None = None
        self.scene: Scene | None = None
        self.clouds: dict[str, xr.Dataset] = {}
        self.changes: dict[str, Change] = {}
        self._switch = ipywidgets.ToggleButtons(
            options=["Map", "Scene"], tooltips=["Swipe from above", "Change in three dimensions"]
        )
        self._switch.add_class("cx-compare-switch")
        self._switch.observe(self._switched, "value")
        self._figures = ipywidgets.HTML()
        self._figures.add_class("cx-figures")
        self._holder = ipywidgets.VBox()
        super().__init__([self._switch, self._figures, self._holder], name="compare")
        self._worker = Thread(target=self.guarded(self._work), daemon=True, name="cx-compare")
        self._worker.start()
        self._worker.join(AT_ONCE_S)

    def _work(self) -> None:
        opened = (open_cloud_of(name, cloud) for name, cloud in self._given.items())
        self.clouds, self._note = together(*opened)
        self._make_map()
        self._measure()

    @property
    def view(self) -> Literal["Map", "Scene"]:
        """What is shown, ``"Map"`` or ``"Scene"``; can be set."""
        shown: Literal["Map", "Scene"] = self._switch.value
        return shown

    @view.setter
    def view(self, name: Literal["Map", "Scene"]) -> None:
        self._switch.value = name

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the clouds are compared.

        Parameters
        ----------
        timeout_s : float or None
            How long at most [s].

        Returns
        -------
        bool
            Whether there is nothing left to wait for.
        """
        self._worker.join(timeout_s)
        return not self._worker.is_alive()

    def _make_map(self) -> None:
        if is_local(dataset_crs(self.clouds[BEFORE])):
            self._note += " They are in a local frame, which has no place on a map."
            self._switch.options = ["Scene"]
            return
        pictures = alike(self.clouds, self._progress("Drawing"))
        self.map = Map(*pictures, crs=dataset_crs(self.clouds[BEFORE]), height_px=self._height_px)
        self.map.swipe(BEFORE, AFTER)
        self._holder.children = (self.map,)

    def _measure(self) -> None:
        pairs, tell = ((AFTER, BEFORE), (BEFORE, AFTER)), self._progress("Comparing")
        found: dict[str, FloatArray] = {}
        for place, (cloud, reference) in enumerate(pairs):
            found[cloud] = distances_m(
                self.clouds[cloud],
                self.clouds[reference],
                max_distance_m=self._max_distance_m,
                progress=tell(place),
            )
        for cloud, distances in found.items():
            self.changes[cloud] = change(
                distances, threshold_m=self._threshold_m, max_distance_m=self._max_distance_m
            )
            self.clouds[cloud] = _with_distance(
                self.clouds[cloud], np.minimum(distances, self._max_distance_m)
            )
        scene = Scene(
            {AFTER: self.clouds[AFTER], BEFORE: self.clouds[BEFORE]},
            color=DISTANCE,
            height_px=self._height_px,
        )
        scene.shown = (AFTER,)
        self.scene = scene
        self._figures.value = _figures(self.changes)
        self._switched({"new": self.view})
        if all(found.beyond == found.points for found in self.changes.values()):
            self._note += (
                f" No point of the one lies within {self._max_distance_m:g} m of the other. Is it "
                "the same place, in the same height datum? Else give a larger max_distance_m."
            )
        self.say(self._note.strip(), kind="note")

    def _progress(self, what: str) -> Callable[[int], ProgressFn]:
        """Tell how far it is with the one cloud and the other, a few times a second."""
        last = time.monotonic()

        def watch(part: int) -> ProgressFn:
            def told(step: Progress) -> None:
                nonlocal last
                if time.monotonic() - last > PAUSE_S:
                    last = time.monotonic()
                    self.say(f"{what}: {(part + step.fraction) / 2:.0%}", kind="note")

            return told

        return watch

    def _switched(self, change: Bunch | dict[str, Any]) -> None:
        shown = self.map if change["new"] == "Map" else self.scene
        self._holder.children = () if shown is None else (shown,)
        self.changed()

    def code(self) -> str:
        """Python that makes this comparison again."""
        words = [
            repr(str(cloud)) if not isinstance(cloud, xr.Dataset) else name_of(cloud, name)
            for name, cloud in self._given.items()
        ]
        words.append(f"threshold_m={self._threshold_m:g}")
        words.append(f"max_distance_m={self._max_distance_m:g}")
        lines = ["import cupixgeo as cx", "", f"c = cx.widgets.Compare({', '.join(words)})"]
        if self.view != self._switch.options[0]:
            lines.append(f"c.view = {self.view!r}")
        return "\n".join([*lines, "c"])

    def summary(self) -> str:
        """Say how much has changed."""
        lines = ["Two captures compared."]
        lines += [f"{_WORDS[name]}: {found}." for name, found in self.changes.items()]
        return "\n".join([*lines, *([self.message] if self.message else [])])

    def figure(self) -> bytes | None:
        """Draw what is shown, as PNG."""
        shown = self.map if self.view == "Map" else self.scene
        return None if shown is None else shown.figure()


_WORDS = {AFTER: "New in after", BEFORE: "Gone from before"}


def check_numbers(threshold_m: float, max_distance_m: float) -> None:
    """Refuse distances with which nothing can be compared.

    Parameters
    ----------
    threshold_m, max_distance_m : float
        As of `Compare` [m].

    Raises
    ------
    ArgumentError
        One is no positive number, or they are the wrong way round.
    """
    for name, value in (("threshold_m", threshold_m), ("max_distance_m", max_distance_m)):
        if not isinstance(value, int | float) or not 0 < value < np.inf:
            raise ArgumentError(f"{name}={value!r} is no distance. Give metres, more than 0.")
    if threshold_m > max_distance_m:
        raise ArgumentError(
            f"threshold_m={threshold_m:g} is more than max_distance_m={max_distance_m:g}, up to "
            "which neighbours are looked for. Give a larger max_distance_m."
        )


def check_cloud(name: str, cloud: Any) -> None:
    """Refuse what is no cloud.

    Parameters
    ----------
    name : str
        ``"before"`` or ``"after"``, for the message.
    cloud : object
        As given.

    Raises
    ------
    ArgumentError
        It is none.
    """
    if not isinstance(cloud, xr.Dataset | str | os.PathLike):
        raise ArgumentError(
            f"{name} is a {type(cloud).__name__}, which is no cloud. Give a dataset of "
            "cupixgeo.open, or a path."
        )


def open_cloud_of(name: str, cloud: Cloud) -> xr.Dataset:
    """Open a cloud that was given as a path, and see that it holds something.

    Parameters
    ----------
    name : str
        ``"before"`` or ``"after"``, for the message.
    cloud : xarray.Dataset or path
        As given.

    Raises
    ------
    EmptyCloudError
        It has no points.
    """
    opened = cloud if isinstance(cloud, xr.Dataset) else open_cloud(cloud)
    if not opened.sizes[POINT]:
        raise EmptyCloudError(f"{name} holds no points, so there is nothing to compare.")
    return opened


def together(before: xr.Dataset, after: xr.Dataset) -> tuple[dict[str, xr.Dataset], str]:
    """Bring two clouds into one CRS with equal units along both axes.

    Parameters
    ----------
    before, after : xarray.Dataset

    Returns
    -------
    clouds : dict of str to xarray.Dataset
        ``"before"`` and ``"after"``.
    note : str
        What was done, for the user; empty where nothing was.

    Raises
    ------
    FrameError
        One is in a local frame and the other is not, or is in another.
    """
    first, second = dataset_crs(before), dataset_crs(after)
    notes = []
    if not same_crs(first, second):
        if is_local(first) or is_local(second):
            raise FrameError(
                f"the two cannot be compared: before is in {crs_label(first)}, after in "
                f"{crs_label(second)}, and a local frame is nowhere on earth. Place both first: "
                "cloud.cloud.place(account.placement(id)).cloud.to_crs(...)."
            )
        after = to_crs(after, first)
        notes.append(f"After was brought from {crs_label(second)} to {crs_label(first)}.")
    if first.is_geographic or first.is_geocentric:
        lon, lat = _middle(before)
        plane = suggest_utm(lon, lat)
        before, after = to_crs(before, plane), to_crs(after, plane)
        notes.append(f"Both were brought to {crs_label(plane)}, as distances are in metres.")
    return {BEFORE: before, AFTER: after}, " ".join(notes)


def _middle(cloud: xr.Dataset) -> tuple[float, float]:
    plane = to_crs(cloud, 4326) if dataset_crs(cloud).is_geocentric else cloud
    box = DatasetReader(plane).bounds()
    lon, lat = to_lon_lat(dataset_crs(plane), box.mean(axis=0)[None, :2])[0].tolist()
    return lon, lat


def alike(
    clouds: dict[str, xr.Dataset], tell: Callable[[int], ProgressFn] | None = None
) -> list[Picture]:
    """Draw clouds from above in the same way: in their colours if all have them, or by height.

    Parameters
    ----------
    clouds : dict of str to xarray.Dataset
        By name.
    tell : callable or None
        Makes a watcher of the progress of each, counted from 0.

    Raises
    ------
    EmptyCloudError
        One has no points with finite coordinates.
    """
    views = {}
    for place, (name, cloud) in enumerate(clouds.items()):
        try:
            views[name] = top_view(DatasetReader(cloud), progress=tell and tell(place))
        except EmptyCloudError as error:
            raise EmptyCloudError(
                f"{name}: none of its {cloud.sizes[POINT]:,} points has finite coordinates (they "
                "are NaN or infinite). Check how the cloud was placed or read."
            ) from error
    coloured = all(view.colour is not None for view in views.values())
    ranges = np.array([height_range(view) for view in views.values()])
    low, high = float(ranges[:, 0].min()), float(ranges[:, 1].max())
    ramp = None if coloured else Ramp("height", f"{low:.1f}", f"{high:.1f}", "m")
    by: Literal["colour", "height"] = "colour" if coloured else "height"
    return [
        Picture(name, map_picture(view, picture(view, by=by, heights=(low, high))), ramp)
        for name, view in views.items()
    ]


def _with_distance(cloud: xr.Dataset, distances: FloatArray) -> xr.Dataset:
    values = distances.astype(np.float32)
    attrs = {"units": "m", "long_name": "distance to the other capture"}
    return cloud.assign({DISTANCE: ((POINT,), values, attrs)})


def _figures(changes: dict[str, Change]) -> str:
    rows = (f"<b>{_WORDS[name]}</b><span>{found}</span>" for name, found in changes.items())
    return f"<div>{''.join(rows)}</div>"
