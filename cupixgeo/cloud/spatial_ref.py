"""Where a dataset says it is: the CF ``spatial_ref`` coordinate and the attributes of x, y, z.

The layout is that of odc-geo and rioxarray, so that both understand it: a scalar integer
coordinate ``spatial_ref`` whose attributes hold the CRS. Must not know files.

Source: CF conventions 1.11, section 5.6 and appendix F.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from pyproj import CRS
from pyproj.exceptions import CRSError as ProjCrsError

from cupixgeo.cloud import accessor
from cupixgeo.errors import CloudError, CrsError
from cupixgeo.geodesy.crs import CrsLike, as_crs, frame_name

POINT = "point"
"""The dimension of a point cloud."""

SPATIAL_REF = "spatial_ref"
AXES = ("x", "y", "z")
_UNITS = {"metre": "m", "US survey foot": "US_survey_foot", "degree": "degree", "foot": "foot"}

accessor.register()


def dataset_crs(dataset: xr.Dataset) -> CRS:
    """CRS of a point-cloud dataset, from its ``spatial_ref`` coordinate.

    Raises
    ------
    CrsError
        It has none, or one PROJ does not understand.
    """
    if SPATIAL_REF not in dataset.coords:
        raise CrsError(
            "this dataset has no 'spatial_ref' coordinate, so nobody knows where it is. "
            "Say so with cupixgeo.cloud.spatial_ref.with_crs(dataset, 32650)."
        )
    attrs = dataset.coords[SPATIAL_REF].attrs
    text = attrs.get("crs_wkt") or attrs.get("spatial_ref")
    if not text:
        raise CrsError("the 'spatial_ref' coordinate of this dataset has no crs_wkt attribute.")
    return as_crs(text)


def with_crs(dataset: xr.Dataset, crs: CrsLike) -> xr.Dataset:
    """Return the dataset with another statement of where it is; coordinates stay as they are.

    Parameters
    ----------
    dataset : xarray.Dataset
        A point cloud; not changed.
    crs : CrsLike
        What its coordinates are in. To move them, use ``dataset.cloud.to_crs``.

    Raises
    ------
    CrsError
        `crs` is not a CRS.
    """
    used = as_crs(crs)
    check_cloud(dataset)
    result = dataset.assign_coords({SPATIAL_REF: ((), np.int64(0), crs_attrs(used))})
    for axis, attrs in axis_attrs(used).items():
        result[axis].attrs = attrs
    return result


def check_cloud(dataset: xr.Dataset) -> None:
    """Refuse a dataset that is not a point cloud.

    Raises
    ------
    CloudError
        ``x``, ``y`` or ``z`` is missing or not along the dimension ``point`` alone.
    """
    wrong = [a for a in AXES if a not in dataset.coords or dataset[a].dims != (POINT,)]
    if wrong:
        raise CloudError(
            f"this dataset is not a point cloud: {', '.join(wrong)} must be coordinates along "
            f"the dimension '{POINT}'. Open a file with cupixgeo.open, or use "
            "dataset.set_coords(['x', 'y', 'z'])."
        )


def crs_attrs(crs: CRS) -> dict[str, Any]:
    """Attributes of ``spatial_ref``: WKT, CF parameters, and the name of a local frame."""
    try:
        attrs = dict(crs.to_cf())
    except (ProjCrsError, KeyError):  # KeyError: a projection without a parameter it needs
        attrs = {"crs_wkt": crs.to_wkt()}
    name = frame_name(crs)
    if name is not None:
        attrs["frame"] = name
    return attrs


def axis_attrs(crs: CRS) -> dict[str, dict[str, str]]:
    """CF attributes of ``x``, ``y`` and ``z`` in a CRS, in x/y order whatever its own is."""
    horizontal, vertical = _parts(crs)
    axes = horizontal.axis_info
    unit = _unit(axes[0].unit_name) if axes else "m"
    if horizontal.is_geographic:
        x = {"standard_name": "longitude", "long_name": "longitude", "units": "degrees_east"}
        y = {"standard_name": "latitude", "long_name": "latitude", "units": "degrees_north"}
        up = _unit(axes[2].unit_name) if len(axes) > 2 else "m"
    elif horizontal.is_projected:
        x = {"standard_name": "projection_x_coordinate", "long_name": "easting", "units": unit}
        y = {"standard_name": "projection_y_coordinate", "long_name": "northing", "units": unit}
        up = unit
    else:
        kind = "geocentric" if horizontal.is_geocentric else "local"
        x, y = ({"long_name": f"{kind} {axis}", "units": unit} for axis in "xy")
        return {
            "x": {"axis": "X", **x},
            "y": {"axis": "Y", **y},
            "z": {"axis": "Z", "long_name": f"{kind} z", "units": unit},
        }
    z = {"long_name": "height, datum not stated", "units": up}
    if up != "m":  # whether heights are in the horizontal unit too, nobody said
        z = {"long_name": "height, datum and unit not stated"}
    if vertical is not None:
        z = {
            "standard_name": "height_above_geopotential_datum",
            "long_name": vertical.name,
            "units": _unit(vertical.axis_info[0].unit_name),
        }
    elif len(axes) > 2:
        z = {
            "standard_name": "height_above_reference_ellipsoid",
            "long_name": "ellipsoidal height",
            "units": up,
        }
    return {
        "x": {"axis": "X", **x},
        "y": {"axis": "Y", **y},
        "z": {"axis": "Z", "positive": "up", **z},
    }


def _parts(crs: CRS) -> tuple[CRS, CRS | None]:
    if crs.is_compound and len(crs.sub_crs_list) > 1:
        return crs.sub_crs_list[0], crs.sub_crs_list[1]
    if crs.is_bound and crs.source_crs is not None:
        return _parts(crs.source_crs)
    return crs, None


def _unit(name: str) -> str:
    return _UNITS.get(name, name.replace(" ", "_"))
