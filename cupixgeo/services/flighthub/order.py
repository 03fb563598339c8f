"""From what the user asked for to what the service is sent: kinds, flags, coordinate system.

Knows products by name and which kind of model makes them. Must not know requests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cupixgeo.errors import ArgumentError, CloudError
from cupixgeo.formats.polygon import read_polygons
from cupixgeo.geodesy.crs import as_crs, suggest_utm
from cupixgeo.geodesy.descriptor import OutputDescriptor
from cupixgeo.geodesy.operation import plan_operation
from cupixgeo.services.flighthub.parameters import KINDS, SIBLINGS, build
from cupixgeo.services.flighthub.settings import FlightHubSettings
from cupixgeo.services.job_values import JobRequest, Json

_CLOUD, _MESH = {"output_pointcloud": True}, {"output_mesh": True}
PRODUCTS: Mapping[str, tuple[str, Mapping[str, bool]]] = {
    "pointcloud": ("3d", {**_CLOUD, "generate_las": True}),
    "las": ("3d", {**_CLOUD, "generate_las": True}),
    "pnts": ("3d", {**_CLOUD, "generate_pnts": True}),
    "point_ply": ("3d", {**_CLOUD, "generate_point_ply": True}),
    "pcd": ("3d", {**_CLOUD, "generate_pcd": True}),
    "mesh": ("3d", {**_MESH, "generate_b3dm": True}),
    "b3dm": ("3d", {**_MESH, "generate_b3dm": True}),
    "osgb": ("3d", {**_MESH, "generate_osgb": True}),
    "obj": ("3d", {**_MESH, "generate_obj": True}),
    "ply": ("3d", {**_MESH, "generate_ply": True}),
    "orthophoto": ("2d", {}),
    "dsm": ("2d", {}),
    "splats": ("3dgs", {}),
    "lidar": ("lidar", {}),
}
"""Product → kind of model, and the flags that make it."""

_CUT_TO_AREA = ("2d", "3d")
DEFAULT_PRODUCTS = ("pointcloud", "mesh")

OTHER_ARGUMENTS = ("area", "delete_resource_if_finish", "lidar_files")

ALTITUDES_M = (-1000.0, 10_000.0)
"""[m] heights between which everything of an area counts: wide, because nobody asks for them."""


def read_order(request: JobRequest, settings: FlightHubSettings) -> dict[str, Json]:
    """Check a request and write it as JSON.

    Returns
    -------
    dict
        ``content``: kind → object that becomes the text of ``parameter_<kind>``;
        ``delete_resource_if_finish``; ``lidar_files``: paths; ``resource_name``.

    Raises
    ------
    ArgumentError
        If there is no such product or argument, or a value makes no sense.
    DescriptorError
        If results cannot be delivered in the CRS.
    """
    arguments = dict(request.parameters)
    area = _area(arguments.pop("area", None), request.crs)
    given = {kind: _given(kind, arguments.pop(f"parameter_{kind}", None)) for kind in KINDS}
    delete = arguments.pop("delete_resource_if_finish", False)
    lidar = _paths(arguments.pop("lidar_files", ()))
    if arguments:
        known = [*(f"parameter_{kind}" for kind in KINDS), *OTHER_ARGUMENTS]
        raise ArgumentError(
            f"flighthub plans know no {sorted(arguments)[0]!r}; they know {', '.join(known)}. What "
            "the algorithm takes goes into one of the first four, as a dict."
        )
    if not isinstance(delete, bool):
        raise ArgumentError(f"delete_resource_if_finish={delete!r} is not True or False.")
    flags = _flags(request.products, {k for k, v in given.items() if v is not None}, bool(lidar))
    content = {}
    for kind in KINDS:
        if kind not in flags:
            continue
        values = dict(given[kind] or {})
        siblings = {name: values.pop(name) for name in SIBLINGS if name in values}
        if area is not None and kind in _CUT_TO_AREA:
            siblings.setdefault(SIBLINGS[0], area)
        defaults: dict[str, Any] = dict(flags[kind])
        if area is not None and kind == "3d":
            defaults["cut_AOI"] = True
        if kind == "2d":
            defaults["map_mode"] = settings.map_mode
        if request.crs is not None:
            defaults["output_geo_desc"] = OutputDescriptor.from_crs(request.crs).to_dict()
        parameter = build(kind, values, defaults=defaults)
        if "output_geo_desc" in parameter:
            OutputDescriptor.from_dict(parameter["output_geo_desc"])
        content[kind] = {"parameter": parameter, **siblings}
    if area is not None and not set(content) & set(_CUT_TO_AREA):
        raise ArgumentError(f"area= is for 2D and 3D models, not for {', '.join(content)}.")
    if "lidar" in content and not lidar:
        raise ArgumentError(
            "a LiDAR model needs all LiDAR files of the flight: give them as lidar_files=[...]."
        )
    return {
        "content": content,
        "delete_resource_if_finish": delete,
        "lidar_files": [str(path) for path in lidar],
    }


def start_body(parameters: Mapping[str, Json], resource_uuid: str) -> dict[str, Any]:
    """Make the body of the start call; what is not asked for is an empty text, as documented."""
    content = parameters["content"]
    return {
        "resource_uuid": resource_uuid,
        **{
            f"parameter_{kind}": json.dumps(content[kind]) if kind in content else ""
            for kind in KINDS
        },
        "delete_resource_if_finish": parameters["delete_resource_if_finish"],
    }


def descriptor_of(parameters: Mapping[str, Json], kind: str) -> OutputDescriptor | None:
    """Give the descriptor a kind was asked for in; None where the engine decides."""
    parameter = parameters["content"].get(kind, {}).get("parameter", {})
    descriptor = OutputDescriptor.from_dict(parameter.get("output_geo_desc", {}))
    return descriptor if descriptor.cs_type else None


def _flags(
    products: tuple[str, ...], kinds: set[str], has_lidar: bool
) -> dict[str, dict[str, bool]]:
    """Give the kinds to make, with the flags of the products asked for."""
    if not products and not kinds and not has_lidar:
        products = DEFAULT_PRODUCTS
    flags: dict[str, dict[str, bool]] = {kind: {} for kind in kinds}
    if has_lidar:
        flags.setdefault("lidar", {})
    for product in products:
        if product not in PRODUCTS:
            raise ArgumentError(
                f"flighthub makes no product {product!r}; it makes {', '.join(PRODUCTS)}."
            )
        kind, wanted = PRODUCTS[product]
        flags.setdefault(kind, {}).update(wanted)
    return flags


def _given(kind: str, value: Any) -> dict[str, Any] | None:
    """Take the parameters of a kind: a mapping, also with ``parameter`` and its siblings in it."""
    if value is None:
        return None
    if isinstance(value, str):
        raise ArgumentError(f"parameter_{kind} is a dict here; it is made a text when it is sent.")
    if not isinstance(value, Mapping):
        raise ArgumentError(f"parameter_{kind}={value!r} is no dict.")
    inner = value.get("parameter")
    if isinstance(inner, Mapping):
        return {**inner, **{name: v for name, v in value.items() if name != "parameter"}}
    return dict(value)


def _area(area: Any, crs: Any) -> dict[str, Any] | None:
    """Write a polygon (longitude, latitude) as ``predefine_AOI``.

    In a projected CRS, that of the results or the UTM zone: the order of longitude and latitude is
    documented nowhere. Heights of the corners are 0 and mean nothing.

    References
    ----------
    TerraAPI's client types (``polygon_points``, ``min_altitude``, ``max_altitude``, ``geo_desc``).
    """
    if area is None:
        return None
    try:
        polygons = read_polygons(area)
    except CloudError as error:
        raise ArgumentError(f"area= is no area: {error}") from error
    if len(polygons) != 1 or len(polygons[0]) != 1:
        raise ArgumentError("area= has several polygons or a hole, and FlightHub takes one ring.")
    (outline,) = polygons[0]
    if np.abs(outline).max(axis=0)[0] > 180 or np.abs(outline).max(axis=0)[1] > 90:
        raise ArgumentError("area= holds corners that are no longitude and latitude in degrees.")
    wanted = None if crs is None else as_crs(crs).to_2d()
    usable = wanted is not None and wanted.to_epsg() is not None and wanted.is_projected
    plane = wanted if wanted is not None and usable else suggest_utm(*outline.mean(axis=0).tolist())
    corners = plan_operation(4326, plane).apply(np.column_stack([outline, 0.0 * outline[:, 0]]))
    return {
        "polygon_points": [[round(x, 3), round(y, 3), 0.0] for x, y, _ in corners.tolist()],
        "min_altitude": ALTITUDES_M[0],
        "max_altitude": ALTITUDES_M[1],
        "geo_desc": OutputDescriptor.from_crs(plane).to_dict(),
    }


def _paths(value: Any) -> list[Path]:
    items = [value] if isinstance(value, str | Path) else list(value)
    found: list[Path] = []
    for item in items:
        path = Path(item).expanduser().absolute()
        found += sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
    return found
