"""From what the user asked for to what the service is sent: kinds, flags, coordinate system.

Knows products by name and which kind of model makes them. Must not know requests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cupixgeo.errors import ArgumentError
from cupixgeo.geodesy.descriptor import OutputDescriptor
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

DEFAULT_PRODUCTS = ("pointcloud", "mesh")

OTHER_ARGUMENTS = ("delete_resource_if_finish", "lidar_files")


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
        defaults: dict[str, Any] = dict(flags[kind])
        if kind == "2d":
            defaults["map_mode"] = settings.map_mode
        if request.crs is not None:
            defaults["output_geo_desc"] = OutputDescriptor.from_crs(request.crs).to_dict()
        parameter = build(kind, values, defaults=defaults)
        if "output_geo_desc" in parameter:
            OutputDescriptor.from_dict(parameter["output_geo_desc"])
        content[kind] = {"parameter": parameter, **siblings}
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


def _paths(value: Any) -> list[Path]:
    items = [value] if isinstance(value, str | Path) else list(value)
    found: list[Path] = []
    for item in items:
        path = Path(item).expanduser().absolute()
        found += sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
    return found
