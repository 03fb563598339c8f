"""The algorithm parameters of open modeling: names, types, defaults, ranges, meanings.

Knows the contents of ``parameter_2d``, ``parameter_3d``, ``parameter_3dgs`` and
``parameter_lidar``. Parameters nobody documented are passed on untouched. Must not know requests.

Sources: R, the complete 3D object on DJI's page "Start reconstruction task" (its values are the
defaults here); T, the older TerraAPI (TypeScript client types and tutorials), assumed to hold for
FlightHub too; I, inferred from the name. No source lists the parameters of 3DGS.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cupixgeo.errors import ArgumentError
from cupixgeo.services.tables import ANY, NUMBER, TEXT, Column, TableSchema

KINDS = ("2d", "3d", "3dgs", "lidar")
"""Kinds of model, in the order of the request's fields."""

SIBLINGS = ("predefine_AOI", "export_parameter")
"""Objects beside ``parameter`` in the text; TerraAPI has them, here they are passed on."""

_NOT_SENT = object()


@dataclass(frozen=True)
class Parameter:
    """One documented parameter.

    Parameters
    ----------
    name : str
        As on the wire.
    type : str
        ``"bool"``, ``"int"``, ``"number"``, ``"text"`` or ``"object"``.
    default : JSON value
        What is sent unless given; `Parameter.is_sent` says whether anything is.
    meaning : str
        What it does.
    choices : tuple
        The values it may have; empty for any within the range.
    low, high : number or None
        Range, ends included.
    unit : str
        Unit of numbers.
    source : str
        ``"R"``, ``"T"`` or ``"I"``; see the module.
    needs : str
        A flag without which it does nothing.
    labels : tuple of str
        What people call the choices.
    """

    name: str
    type: str
    default: Any
    meaning: str
    choices: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    unit: str = ""
    source: str = "T"
    needs: str = ""
    labels: tuple[str, ...] = ()

    @property
    def is_sent(self) -> bool:
        """Whether it is sent when nobody asks for it."""
        return self.default is not _NOT_SENT

    def check(self, value: Any) -> Any:
        """Give the value as it is sent.

        Raises
        ------
        ArgumentError
            If it is of another type, or out of range.
        """
        if not _fits(value, self.type):
            raise ArgumentError(f"{self.name}={value!r} is no {self.type}: it is {self.meaning}.")
        if self.choices and value not in self.choices:
            raise ArgumentError(
                f"{self.name}={value!r} is none of {list(self.choices)}: it is {self.meaning}."
            )
        if (self.low is not None and value < self.low) or (
            self.high is not None and value > self.high
        ):
            most = "" if self.high is None else f" to {self.high:g}"
            unit = f" {self.unit}" if self.unit else ""
            raise ArgumentError(f"{self.name}={value!r} is not from {self.low:g}{most}{unit}.")
        return value


def _flag(
    name: str, meaning: str, default: Any = _NOT_SENT, *, needs: str = "", source: str = "T"
) -> Parameter:
    return Parameter(name, "bool", default, meaning, needs=needs, source=source)


_QUALITY = (1, 2, 3)
_QUALITIES = ("high", "medium", "low")
_MESH, _CLOUD = "output_mesh", "output_pointcloud"
_GEO = Parameter(
    "output_geo_desc", "object", _NOT_SENT, "the CRS of the results; set by crs=", source="R"
)
_COMMON = (
    Parameter(
        "SfM_method",
        "text",
        _NOT_SENT,
        "GLOBAL for RTK photos (the service's default), INCREMENTAL for photos without GPS",
        choices=("GLOBAL", "INCREMENTAL"),
    ),
    Parameter(
        "sfm_feature_quantity_level",
        "int",
        _NOT_SENT,
        "features a photo: 1 40,000, 2 20,000 (the service's default), 3 9,000",
        choices=_QUALITY,
        labels=("40,000", "20,000", "9,000"),
    ),
    _flag("use_image_position", "use the positions in the photos (the service's default)"),
    _flag("generate_blocks_exchange_xml", "write the cameras as BlocksExchange.xml"),
    Parameter(
        "blocks_exchange_xml_geo_desc",
        "object",
        _NOT_SENT,
        "CRS of that file; leave it out for photos without GPS",
        needs="generate_blocks_exchange_xml",
    ),
)
_CLOUD_FORMATS = (
    _flag("generate_point_s3mb", "point cloud for SuperMap", needs=_CLOUD),
    _flag("generate_pcd", "point cloud as PCD", needs=_CLOUD),
    _flag("merge_point", "merge the cloud into one file", needs=_CLOUD),
)

_2D = (
    Parameter(
        "map_mode",
        "int",
        1,
        "0 farmland, 1 city, 2 orchard",
        choices=(0, 1, 2),
        labels=("farmland", "city", "orchard"),
    ),
    Parameter(
        "quality_level", "int", 1, "1 high, 2 medium, 3 low", choices=_QUALITY, labels=_QUALITIES
    ),
    _flag("use_Wallis", "even out colours within photos"),
    _flag("use_Dehaze", "remove haze"),
    _flag("use_gcj02", "map tiles in GCJ-02"),
    Parameter(
        "dom_tile_size",
        "int",
        _NOT_SENT,
        "orthophoto in blocks of so many pixels, an even number; 0 for one file",
        low=0,
        unit="pixel",
    ),
    _flag(_CLOUD, "make a point cloud"),
    _flag("generate_pnts", "point cloud as 3D Tiles", needs=_CLOUD),
    _flag("generate_las", "point cloud as LAS", needs=_CLOUD),
    _flag("generate_point_ply", "point cloud as PLY", needs=_CLOUD),
    *_CLOUD_FORMATS,
    *_COMMON,
    _GEO,
)
_3D = (
    _flag(_MESH, "make a textured mesh", False, source="R"),
    _flag("generate_b3dm", "mesh as 3D Tiles", False, needs=_MESH, source="R"),
    _flag("generate_osgb", "mesh as OSGB with levels of detail", False, needs=_MESH, source="R"),
    _flag("generate_obj", "mesh as OBJ", False, needs=_MESH, source="R"),
    _flag("generate_ply", "mesh as PLY", False, needs=_MESH, source="R"),
    _flag("generate_s3mb", "mesh for SuperMap", needs=_MESH),
    _flag("generate_i3s", "mesh for ArcGIS", needs=_MESH),
    _flag(_CLOUD, "make a point cloud", False, source="R"),
    _flag("generate_pnts", "point cloud as 3D Tiles", False, needs=_CLOUD, source="R"),
    _flag("generate_las", "point cloud as LAS", False, needs=_CLOUD, source="R"),
    _flag("generate_point_ply", "point cloud as PLY", False, needs=_CLOUD, source="R"),
    _flag("output_ply_with_normals", "point PLY with normals", False, needs=_CLOUD, source="I"),
    Parameter("ply_with_normals_level", "int", 0, "level of that product", low=0, source="I"),
    *_CLOUD_FORMATS,
    Parameter(
        "model_simplify",
        "number",
        0.2,
        "share of the mesh's faces that is kept; below 1 for the web",
        low=0.05,
        high=1,
        source="R",
    ),
    Parameter(
        "quality_level",
        "int",
        3,
        "1 high, 2 medium, 3 low",
        choices=_QUALITY,
        source="R",
        labels=_QUALITIES,
    ),
    _flag("water_refine", "smooth water surfaces", False, source="R"),
    _flag("cut_AOI", "cut results to the area of interest", False, source="R"),
    Parameter(
        "global_min_depth",
        "number",
        -1,
        "shortest distance to the subject, -1 for automatic",
        low=-1,
        unit="m",
        source="R",
    ),
    _flag("stereo_mode", "a switch of the engine nobody documented", False, source="R"),
    Parameter(
        "usable_memory_GB", "int", 60, "memory the engine may use", low=1, unit="GB", source="R"
    ),
    *_COMMON,
    _GEO,
)
_3DGS = (
    Parameter(
        "quality_level",
        "int",
        _NOT_SENT,
        "1 high, 2 medium, 3 low",
        choices=_QUALITY,
        source="I",
        labels=_QUALITIES,
    ),
    Parameter(_GEO.name, _GEO.type, _NOT_SENT, _GEO.meaning, source="I"),
)
_LIDAR = (
    _flag(_CLOUD, "make a point cloud", True, source="I"),
    _flag("generate_las", "point cloud as LAS", True, needs=_CLOUD),
    _flag("generate_pnts", "point cloud as 3D Tiles", needs=_CLOUD),
    _flag("generate_point_ply", "point cloud as PLY", needs=_CLOUD),
    *_CLOUD_FORMATS,
    _flag("colorize_point", "colour points from the photos"),
    _flag("lpp_optimise", "optimise the cloud's accuracy"),
    Parameter("refine_calibrate", "number", _NOT_SENT, "refinement of the calibration"),
    Parameter("lidar_point_max_distance", "number", _NOT_SENT, "farthest point", low=0, unit="m"),
    _flag("smooth_point", "smooth the cloud"),
    Parameter(
        "sample_distance",
        "number",
        _NOT_SENT,
        "one point in so many metres; not together with quality_level",
        low=0,
        unit="m",
    ),
    Parameter(
        "quality_level",
        "int",
        _NOT_SENT,
        "share of points: 1 100 %, 2 25 %, 3 6.25 %; not together with sample_distance",
        choices=_QUALITY,
        labels=("100 %", "25 %", "6.25 %"),
    ),
    Parameter("output_height_offset", "number", _NOT_SENT, "added to heights", unit="m"),
    _flag("ground_extract", "find the ground (class 2)"),
    Parameter(
        "scene_type",
        "int",
        _NOT_SENT,
        "0 flat ground, 1 slope, 2 gentle slope",
        choices=(0, 1, 2),
        needs="ground_extract",
        labels=("flat ground", "slope", "gentle slope"),
    ),
    Parameter("max_size_building", "number", _NOT_SENT, "largest building", needs="ground_extract"),
    Parameter(
        "iter_dist", "number", _NOT_SENT, "step of the ground filter", needs="ground_extract"
    ),
    Parameter(
        "iter_angle", "number", _NOT_SENT, "angle of the ground filter", needs="ground_extract"
    ),
    _flag("generate_dem", "terrain model"),
    Parameter(
        "dem_resolution", "number", _NOT_SENT, "its pixel", low=0, unit="m", needs="generate_dem"
    ),
    Parameter(_GEO.name, _GEO.type, _NOT_SENT, _GEO.meaning),
)
PARAMETERS: Mapping[str, tuple[Parameter, ...]] = {
    "2d": _2D, "3d": _3D, "3dgs": _3DGS, "lidar": _LIDAR
}  # fmt: skip
"""Kind → its documented parameters."""

TABLE = TableSchema(
    "parameters",
    (
        Column("kind", TEXT, meaning="of model"),
        Column("name", TEXT, meaning="as in parameter_2d={...} and its siblings"),
        Column("type", TEXT, meaning="type of the value"),
        Column("default", ANY, meaning="what is sent; None where nothing is"),
        Column("choices", ANY, meaning="values it may have"),
        Column("low", NUMBER, meaning="smallest value"),
        Column("high", NUMBER, meaning="largest value"),
        Column("unit", TEXT, meaning="unit of the value"),
        Column("needs", TEXT, meaning="the flag without which it does nothing"),
        Column("meaning", TEXT, meaning="what it does"),
        Column("source", TEXT, meaning="R reference page, T TerraAPI, I inferred"),
    ),
)


def table() -> pd.DataFrame:
    """List all documented parameters."""
    rows = [
        {
            **{name: getattr(p, name) for name in ("name", "type", "low", "high", "unit", "needs")},
            "kind": kind,
            "default": p.default if p.is_sent else None,
            "choices": list(p.choices),
            "meaning": p.meaning,
            "source": p.source,
        }
        for kind, parameters in PARAMETERS.items()
        for p in parameters
    ]
    return TABLE.to_frame(rows)


def build(
    kind: str, given: Mapping[str, Any], *, defaults: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Make the ``parameter`` object of one kind.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    given : mapping
        What the user wants; what is not documented is passed on.
    defaults : mapping
        Instead of the documented defaults, where the user wants nothing.

    Returns
    -------
    dict
        Ready for JSON.

    Raises
    ------
    ArgumentError
        If a value is of the wrong type or out of range, or two contradict each other.
    """
    known = {parameter.name: parameter for parameter in PARAMETERS[kind]}
    values: dict[str, Any] = {p.name: p.default for p in known.values() if p.is_sent}
    values |= {**(defaults or {}), **given}
    for name, value in values.items():
        if name in known:
            values[name] = known[name].check(value)
    _check_pairs(kind, values, given, known)
    try:
        json.dumps(values, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"parameter_{kind} holds something that is no JSON: {error}.") from None
    return values


def _check_pairs(
    kind: str, values: Mapping[str, Any], given: Mapping[str, Any], known: Mapping[str, Parameter]
) -> None:
    for name in given:
        flag = known[name].needs if name in known else ""
        if flag and values[name] not in (False, None) and not values.get(flag):
            raise ArgumentError(
                f"{name} does nothing without {flag}: set {flag}=True in parameter_{kind} too."
            )
    if "sample_distance" in values and "quality_level" in values:
        raise ArgumentError("sample_distance and quality_level exclude each other: give one.")
    if values.get("dom_tile_size", 0) % 2:
        raise ArgumentError(f"dom_tile_size={values['dom_tile_size']} is odd: it has to be even.")


def _fits(value: Any, type: str) -> bool:
    if type == "bool":
        return isinstance(value, bool)
    if type == "text":
        return isinstance(value, str)
    if type == "object":
        return isinstance(value, Mapping)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return type == "number" or isinstance(value, int)
