"""The clouds of a scene, and what its front end is told of them.

Knows sources, the frame they share, and what they can be coloured by. Must not know what a user
set or clicked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.cloud.spatial_ref import AXES, axis_attrs
from cupixgeo.geodesy.crs import crs_label
from cupixgeo.widgets.points import Frame, PointSource, step_m
from cupixgeo.widgets.points_paint import (
    CLOUD,
    HEIGHT,
    RGB,
    SERIES,
    Paint,
    brightest,
    choices,
    cloud_paint,
    height_paint,
    label_of,
    rgb_paint,
    variable_paint,
)
from cupixgeo.widgets.scene_clouds import check_crs
from cupixgeo.widgets.scene_server import SceneServer
from cupixgeo.widgets.scene_widget import SceneWidget
from cupixgeo.widgets.view import choose

OUTERMOST = (0.2, 99.8)
"""Per cents of the points between which the first view looks: a few far off spoil no view."""


class SceneState:
    """What is in a scene.

    Parameters
    ----------
    widget : SceneWidget
        Is told.
    server : SceneServer
        Gives the points of the clouds.
    """

    def __init__(self, widget: SceneWidget, server: SceneServer) -> None:
        self._widget = widget
        self._server = server
        widget.paint = height_paint(np.zeros(0), label="Height", unit="m").state()
        widget.frame = {"origin": [0.0] * 3, "metres": [1.0] * 3, "labels": [], "places": 2}

    @property
    def sources(self) -> dict[str, PointSource]:
        """The clouds by name."""
        return self._server.sources

    @property
    def frame(self) -> Frame | None:
        """Frame of the clouds; None while there is none."""
        return self._server.frame

    @property
    def axes(self) -> tuple[str, str, str]:
        """What coordinates are called, with their units."""
        assert self.frame is not None
        attrs = axis_attrs(self.frame.crs)
        x, y, z = (_axis(attrs[axis], axis) for axis in "xyz")
        return x, y, z

    def unit_note(self) -> str:
        """Say what heights are taken for where the CRS does not say it; empty where it does."""
        assert self.frame is not None
        if self.frame.metres[0] == self.frame.metres[2] or len(self.frame.crs.axis_info) > 2:
            return ""
        return (
            f"{crs_label(self.frame.crs)} does not say in which unit heights are: the scene takes "
            "them as metres. Where they are in feet, open the clouds in a compound CRS that says "
            "so, such as crs='EPSG:2225+6360' (NAVD88 height in US survey feet)."
        )

    @property
    def box(self) -> FloatArray:
        """Box of all clouds: shape (2, 3), float64 [CRS units]."""
        boxes = np.stack([source.box for source in self.sources.values()])
        return np.stack([boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)])

    def core(self, names: Iterable[str]) -> FloatArray:
        """Box of all but the outermost points of some clouds: shape (2, 3), float64 [m]."""
        assert self.frame is not None
        boxes = np.stack([self.frame.to_scene(_core(self.sources[name])) for name in names])
        return np.stack([boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)])

    def step_m(self) -> float:
        """Coarsest step of what is drawn [m]; every point is within half of it."""
        assert self.frame is not None
        return max(
            step_m(source.node_box(0), self.frame.metres) for source in self.sources.values()
        )

    def put(self, source: PointSource) -> None:
        """Take a cloud in; the first one makes the frame.

        Raises
        ------
        CrsError
            Nothing can be drawn to scale in its CRS, or it is not that of the scene.
        """
        if self._server.frame is None:
            self._server.frame = Frame.around(source.crs, source.box)
        check_crs(source, self._server.frame)
        self.sources[source.name] = source

    def take(self, name: str) -> None:
        """Let a cloud go; the frame stays."""
        source = self.sources.pop(name, None)
        if source is not None:
            source.close()

    def names(self) -> list[str]:
        """List what the clouds can be coloured by, the usual first."""
        variables = {k: v for source in self.sources.values() for k, v in source.variables.items()}
        return choices(variables, coloured=any(map(_is_coloured, self.sources.values())))

    def publish(self, color: str) -> None:
        """Tell the front end all there is.

        Parameters
        ----------
        color : str
            One of `names`.
        """
        frame = self.frame
        assert frame is not None
        with self._widget.hold_sync():
            self._widget.frame = {
                "origin": frame.origin.tolist(),
                "metres": frame.metres.tolist(),
                "labels": list(self.axes),
                "places": 2,
            }
            self._widget.colors = [[name, label_of(name)] for name in self.names()]
            self.repaint(color)
            self._widget.clouds = [
                self._told(index, source, frame)
                for index, source in enumerate(self.sources.values())
            ]
            self._widget.color = color

    def repaint(self, color: str) -> None:
        """Colour the points by something else.

        Raises
        ------
        ArgumentError
            It is not one of `names`.
        """
        paint = self.paint(choose(color, self.names(), "color"))
        self._server.paint = paint
        self._widget.paint = paint.state()

    def paint(self, color: str) -> Paint:
        """Say how points are coloured by one of `names`."""
        sources = list(self.sources.values())
        if color == "rgb":
            return rgb_paint()
        if color == CLOUD:
            return cloud_paint([source.name for source in sources])
        if color == HEIGHT:
            assert self.frame is not None
            heights = np.concatenate([source.sample(["z"])["z"] for source in sources])
            unit = axis_attrs(self.frame.crs)["z"]["units"]
            return height_paint(heights, label=label_of(HEIGHT), unit=unit)
        having = [source for source in sources if color in source.variables]
        sample = np.concatenate([source.sample([color])[color] for source in having])
        return variable_paint(having[0].variables[color], sample)

    def _told(self, index: int, source: PointSource, frame: Frame) -> dict[str, Any]:
        """Say what the front end must know of a cloud; lengths in metres from the origin."""
        told = source.describe()
        root = frame.to_scene(np.array(told.pop("root", source.box)))
        spacing = told.pop("spacing", 0.0) * float(frame.metres[0])
        return {
            **told,
            "id": source.name,
            "name": source.name,
            "total": source.point_count,
            "color": SERIES[index % len(SERIES)],
            "box": frame.to_scene(source.box).tolist(),
            "core": frame.to_scene(_core(source)).tolist(),
            "low": root[0].tolist(),
            "size": (root[1] - root[0]).tolist(),
            "spacing": spacing,
        }


def _core(source: PointSource) -> FloatArray:
    """Box of all but the outermost points: shape (2, 3), float64 [CRS units]."""
    columns = source.sample(AXES)
    ends = [np.percentile(columns[axis], OUTERMOST) for axis in AXES]
    return np.stack(ends, axis=1)


def _is_coloured(source: PointSource) -> bool:
    return set(RGB) <= set(source.variables) and brightest(source.sample(RGB)) > 0


def _axis(attrs: dict[str, str], axis: str) -> str:
    words = {"easting": "Easting", "northing": "Northing"}
    name = words.get(attrs.get("long_name", ""), "Height" if axis == "z" else axis)
    unit = {"US_survey_foot": "ftUS", "foot": "ft"}.get(attrs.get("units", ""), attrs.get("units"))
    return f"{name} [{unit}]" if unit else name
