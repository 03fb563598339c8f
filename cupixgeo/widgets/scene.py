"""Point clouds in three dimensions, in the notebook: turn, colour, clip, pick, measure.

Coordinates are true: the scene subtracts a float64 origin before anything is rounded, and a picked
point is looked up in the cloud itself. Datasets are shown from memory; a COPC file or address is
streamed, whatever its size.

Knows what a user sets and reads. How points are packed, coloured and sent is in ``points*.py`` and
``scene_*.py``; what is drawn is in ``frontend/src``.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import RLock, Thread
from typing import Any

import numpy as np
import traitlets
from pyproj import CRS
from traitlets.utils.bunch import Bunch

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.errors import CupixGeoError
from cupixgeo.formats.extent import BoxLike
from cupixgeo.geodesy.crs import crs_label
from cupixgeo.widgets.points import PointSource
from cupixgeo.widgets.points_paint import HEIGHT, label_of
from cupixgeo.widgets.reading import AT_ONCE_S, in_words
from cupixgeo.widgets.repeat import Name
from cupixgeo.widgets.scene_cameras import pyramids
from cupixgeo.widgets.scene_clouds import Cloud, Clouds, check_count, named, open_source
from cupixgeo.widgets.scene_code import (
    POINT_SIZE,
    check_size,
    say_viewpoint,
    tell_clip,
    tell_viewpoint,
    write_code,
)
from cupixgeo.widgets.scene_picks import make_pick, measure, tell_pick
from cupixgeo.widgets.scene_server import SceneServer
from cupixgeo.widgets.scene_state import SceneState
from cupixgeo.widgets.scene_still import Eye, still_picture
from cupixgeo.widgets.scene_widget import SceneWidget
from cupixgeo.widgets.view import View, choose, name_of, refuse_unknown, size_px

MAX_POINTS = 10_000_000
"""Points the browser holds at most, unless told: 110 MB."""


class Scene(View):
    """A 3-D scene of point clouds.

    Parameters
    ----------
    clouds : xarray.Dataset, path, address, mapping of str to these, sequence of these, or None
        What to show, all in one projected CRS or local frame. A COPC file is streamed: only what
        the view needs is read.
    color : str or None
        ``"rgb"``, ``"height"``, ``"cloud"`` or a variable; None is ``"rgb"`` where there are
        colours, else ``"height"``.
    point_size : float
        Diameter of a point on the screen [pixel].
    shading : bool
        Darken edges by depth, so that shapes show.
    cameras : pandas.DataFrame, Preflight, array_like, shape (n, 4, 4), or None
        Photos to show as pyramids; see `read_cameras`.
    max_points : int
        Most points in the browser at a time.
    height_px : int
        Of the scene on the page [pixel].

    Attributes
    ----------
    color, point_size, shading
        As above; they can be set at any time, and follow what is clicked.
    shown : tuple of str
        Names of the clouds that are switched on.
    clip_bounds : ndarray, shape (2, 3), float64 [CRS units], or None
        Lowest and highest corner of the clipping box. Set it to what `read_area` takes as a box.
    picked : Pick or None
        The point picked last, as its cloud stores it.
    measured : Distance or None
        The distance measured last.

    Raises
    ------
    ArgumentError
        A keyword or a value is not known; the message names the nearest that is.

    Notes
    -----
    What is wrong with a cloud (no points, no finite coordinates, degrees, a missing file) is said
    in the widget, and the other clouds are shown.
    """

    color = traitlets.Unicode()
    point_size = traitlets.Float(POINT_SIZE)
    shading = traitlets.Bool(True)
    shown = traitlets.Tuple()
    picked = traitlets.Any(None)
    measured = traitlets.Any(None)

    def __init__(
        self,
        clouds: Clouds = None,
        *,
        color: str | None = None,
        point_size: float = POINT_SIZE,
        shading: bool = True,
        cameras: Any = None,
        max_points: int = MAX_POINTS,
        height_px: int = 560,
        **unknown: Any,
    ) -> None:
        refuse_unknown(unknown, Scene.__init__, "Scene")
        found = named(clouds)
        self._given: dict[str, Cloud] = {}
        self._cameras = cameras
        self._wanted = color
        self._lock = RLock()
        self._problems: dict[str, str] = {}
        self._notes: dict[str, str] = {}
        self.widget = SceneWidget(max_points=check_count(max_points), height=size_px(height_px))
        self._server = SceneServer(self.widget, picked=self._take_pick, failed=self._failed)
        self._state = SceneState(self.widget, self._server)
        super().__init__([self.widget], name="scene")
        self.widget.observe(self._clicked, ["color", "shown", "clip", "viewpoint", "mode"])
        for name, value in (("point_size", point_size), ("shading", shading)):
            setattr(self, name, value)
            traitlets.link((self, name), (self.widget, name))
        self.observe(self._was_set, ["color", "shown", "point_size", "shading"])
        for name, cloud in found.items():
            self.add(name, cloud)
        if color is not None and self._state.sources:
            choose(color, self._state.names(), "color")

    # -- clouds and cameras -----------------------------------------------------------------------

    @property
    def crs(self) -> CRS | None:
        """CRS of the scene; None while there is no cloud."""
        return None if self._state.frame is None else self._state.frame.crs

    @property
    def precision_m(self) -> float:
        """Distance within which points are drawn where they are [m]; picks are exact."""
        return self._state.step_m() / 2 if self._state.sources else 0.0

    def add(self, name: str, cloud: Cloud) -> None:
        """Show one more cloud; what is wrong with it is said in the widget.

        Parameters
        ----------
        name : str
            What to call it; a cloud of the same name is replaced.
        cloud : xarray.Dataset, path or address
            In the CRS of the scene.
        """
        if name in self._given:
            self.remove(name)
        self._given[name] = cloud
        self._aside(self._open, name, cloud)

    def remove(self, name: str) -> None:
        """Take a cloud away.

        Parameters
        ----------
        name : str
            Of a cloud that was given.

        Raises
        ------
        ArgumentError
            There is none of that name.
        """
        choose(name, self._given, "cloud")
        with self._lock:
            del self._given[name]
            self._problems.pop(name, None)
            self._notes.pop(name, None)
            self._state.take(name)
            self.shown = tuple(n for n in self.shown if n != name)
            if self._state.sources:
                names = self._state.names()
                self._state.publish(self.color if self.color in names else names[0])
            else:
                self.widget.clouds = []
        self._say_problems()

    def show_cameras(self, cameras: Any) -> None:
        """Show where photos were taken, as pyramids; None takes them away.

        Parameters
        ----------
        cameras : pandas.DataFrame, Preflight, array_like, shape (n, 4, 4), or None
            See `read_cameras`.

        Raises
        ------
        ArgumentError, GeodesyError
            As `read_cameras`.
        """
        self._cameras = cameras
        frame = self._state.frame
        self._notes.pop("cameras", None)
        frusta = b""
        if cameras is not None and frame is not None:
            frusta, self._notes["cameras"] = pyramids(cameras, frame, self._state.box)
        self.widget.frusta = frusta
        self._say_problems()

    def _aside(self, work: Any, *args: Any) -> None:
        """Work on a thread; what is quick is done when this returns."""
        thread = Thread(target=self.guarded(work), args=args, daemon=True, name="cx-scene-work")
        thread.start()
        thread.join(AT_ONCE_S)

    def _open(self, name: str, cloud: Cloud) -> None:
        try:
            source = open_source(
                name,
                cloud,
                frame=self._state.frame,
                color=self._wanted,
                max_points=self.widget.max_points,
                progress=in_words(name, self._say_status),
            )
            self._arrived(name, cloud, source)
        except CupixGeoError as error:
            self._problems[name] = str(error)
        finally:
            self.widget.status = ""
            self._say_problems()

    def _say_status(self, words: str) -> None:
        self.widget.status = words

    def _arrived(self, name: str, cloud: Cloud, source: PointSource) -> None:
        with self._lock:
            if self._given.get(name) is not cloud:  # taken away meanwhile
                source.close()
                return
            first = self._state.frame is None
            self._state.put(source)
            self._notes[name] = source.note
            names = self._state.names()
            usual = "rgb" if "rgb" in names else HEIGHT
            color = self.color or self._wanted or usual
            if color not in names:
                self._problems["color"] = (
                    f"color={color!r} is not known. There is: {', '.join(names)}."
                )
                color = usual
            self._state.publish(color)
            self._notes["unit of heights"] = self._state.unit_note()
            self.shown = tuple(n for n in self._given if n in self.shown or n == name)
            if first and self._cameras is not None:
                self.show_cameras(self._cameras)

    def _failed(self, text: str) -> None:
        self._problems["reading"] = text
        self._say_problems()

    def _say_problems(self) -> None:
        said = {**self._problems, **self._notes}
        self.say(
            "\n".join(filter(None, said.values())), kind="problem" if self._problems else "note"
        )

    # -- what is set and clicked ------------------------------------------------------------------

    @traitlets.validate("color")
    def _known_color(self, proposal: Bunch) -> str:
        return choose(proposal["value"], self._state.names(), "color")

    @traitlets.validate("point_size")
    def _visible_size(self, proposal: Bunch) -> float:
        return check_size(proposal["value"])

    @traitlets.validate("shown")
    def _known_clouds(self, proposal: Bunch) -> tuple[str, ...]:
        return tuple(choose(name, self._given, "cloud") for name in proposal["value"])

    def _was_set(self, change: Bunch) -> None:
        """Bring to the screen what was set in Python."""
        if change["name"] == "color":
            self.widget.color = self.color
        elif change["name"] == "shown":
            self.widget.shown = list(self.shown)
        self.changed()

    def _clicked(self, change: Bunch) -> None:
        """Take over what was clicked on the screen."""
        name, value = change["name"], change["new"]
        if name == "color" and value:
            self.color = value
            if self._server.paint is None or self._server.paint.name != value:
                self._aside(self._state.repaint, value)
        elif name == "shown":
            self.shown = tuple(value)
        elif name == "mode":
            self._take_pick("", {})
        self.changed()

    def _take_pick(self, cloud: str, values: Mapping[str, float]) -> None:
        """Take a point that was picked; an empty name takes all picks away."""
        frame = self._state.frame
        if not cloud or frame is None:
            self.picked = self.measured = None
            self.widget.picked = self.widget.measured = {}
            return
        before, pick = self.picked, make_pick(values, cloud=cloud, crs=frame.crs)
        told = tell_pick(pick, frame, axes=self._state.axes, several=len(self._given) > 1)
        self.picked, self.widget.picked = pick, told
        if self.widget.mode == "measure":
            start = None if self.measured is not None else before
            self.measured, self.widget.measured = measure(start, pick, frame, told)

    # -- the clipping box, and where the view is from ---------------------------------------------

    @property
    def clip_bounds(self) -> FloatArray | None:
        """Clipping box, shape (2, 3), float64 [CRS units]; None where all is shown."""
        told, frame = self.widget.clip, self._state.frame
        return frame.to_crs(np.array(told).reshape(2, 3)) if told and frame is not None else None

    @clip_bounds.setter
    def clip_bounds(self, bounds: BoxLike | None) -> None:
        frame = self._state.frame
        if bounds is None or frame is None:
            self.widget.clip = []
            return
        self.widget.clip = tell_clip(bounds, frame, self._state.box)

    @property
    def viewpoint(self) -> dict[str, Any]:
        """Where the scene is looked at from; empty for the usual view. It can be set.

        ``target`` (3 float, CRS units) is in the middle of the view, ``distance_m`` [m] away;
        ``azimuth_deg`` [deg] is the direction of view, clockwise from the CRS's north;
        ``elevation_deg`` [deg] is the height of the eye above the horizon of the target.
        """
        told, frame = self.widget.viewpoint, self._state.frame
        return say_viewpoint(told, frame) if told and frame is not None else {}

    @viewpoint.setter
    def viewpoint(self, value: Mapping[str, Any]) -> None:
        frame = self._state.frame
        self.widget.viewpoint = tell_viewpoint(value, frame) if value and frame is not None else {}

    def reset_view(self) -> None:
        """Look at everything again."""
        self.viewpoint = {}

    # -- what every widget answers ----------------------------------------------------------------

    def code(self) -> str:
        """Python that makes this scene again, as it stands now."""
        keywords = {
            "color": self.color or self._wanted,
            "point_size": self.point_size,
            "shading": self.shading,
            "cameras": None if self._cameras is None else Name(name_of(self._cameras, "photos")),
        }
        clip = self.clip_bounds
        after = {
            "shown": () if self.shown == tuple(self._given) else self.shown,
            "clip_bounds": () if clip is None else tuple(map(tuple, clip.round(3).tolist())),
            "viewpoint": self.viewpoint,
        }
        return write_code(self._given, keywords, after)

    def summary(self) -> str:
        """Say in plain text what is shown."""
        sources = self._state.sources
        said = [self.message] if self.message else []
        if not sources:
            return "\n".join(["3-D scene without a cloud", *said])
        clouds = ", ".join(f"{n} ({s.point_count:,} points)" for n, s in sources.items())
        crs = "" if self.crs is None else f", {crs_label(self.crs)}"
        text = f"3-D scene: {clouds}{crs}, coloured by {label_of(self.color).lower()}"
        return "\n".join([text, *said])

    def figure(self) -> bytes | None:
        """Draw a sample of what is shown, as PNG."""
        frame, paint = self._state.frame, self._server.paint
        shown = {n: s for n, s in self._state.sources.items() if n in self.shown}
        if frame is None or paint is None or not shown:
            return None
        eye = Eye.of(self.widget.viewpoint, self._state.core(shown))
        return still_picture(shown.values(), frame, paint, self.clip_bounds, eye)

    def close(self) -> None:
        """Take the scene off the page and let go of its clouds."""
        if "_server" in self.__dict__:  # else it was refused
            self._server.close()
            self.widget.close()
        super().close()
