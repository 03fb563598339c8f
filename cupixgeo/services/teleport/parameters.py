"""What a Teleport job can be told: focus area, model parameters, which files to fetch.

Knows documented values and ranges. Sends nothing.

Sources: Teleport API specification page (``focus_area``); API documentation, *training parameters*
(``modelv3``), *capture metadata* (profiles).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cupixgeo.errors import ArgumentError
from cupixgeo.services.job_values import Json
from cupixgeo.services.offer import Argument, Group, Offer

SPLAT_COUNT = (500_000, 10_000_000)
TRAINING_RESOLUTIONS = (1600, 2500, 3200)
HARMONICS = (0, 3)
MODEL_FIELDS = (
    "splat_count", "training_resolution", "spherical_harmonics_degrees", "level_of_detail",
)  # fmt: skip
"""The four fields of ``modelv3``; the service needs all of them."""

BOX = ("min_lat", "min_lng", "max_lat", "max_lng")
AREA_FIELDS = ("polylines", "buffer_meters", "crop_method", *BOX)

PROFILES: Mapping[str, str] = {"splats": "ply", "sogs": "sogs-sh0"}
"""Products by name, and the profile each is fetched as."""

CAMERAS = "cameras"
PRODUCTS = (*PROFILES, CAMERAS)
QUALITIES = ("sd", "hd")

_MODEL = "modelv3"
OFFER = Offer(
    products=PRODUCTS,
    usual_products=("splats", CAMERAS),
    arguments=(
        Argument("quality", "text", "which of the finished models is fetched", choices=QUALITIES),
        Argument("lod", "bool", "fetch models with levels of detail", False),
        Argument("num_frames", "int", "frames taken of a film", low=1, unit="frame"),
        Argument("crop_method", "text", "how the focus area cuts; the names are not public"),
        Argument(
            "splat_count", "int", "splats of the model; needs all four, and a plan by use",
            low=SPLAT_COUNT[0], high=SPLAT_COUNT[1], unit="splat", group=_MODEL,
        ),
        Argument(
            "training_resolution", "int", "longer edge of the photos it is trained with",
            choices=TRAINING_RESOLUTIONS, unit="pixel", group=_MODEL,
        ),
        Argument(
            "spherical_harmonics_degrees", "int", "0 for colours, 3 for colours that change with "
            "the view", choices=HARMONICS, group=_MODEL,
        ),
        Argument("level_of_detail", "bool", "make levels of detail", group=_MODEL),
        Argument("training_parameters", "object", "further parameters, passed on as they are"),
    ),
    groups=(Group(_MODEL, "Model (all four values)"),),
    area="focus_area",
    takes_others=True,
)  # fmt: skip
"""What can be chosen, the same for all products."""


def check_products(products: Iterable[str]) -> list[str]:
    """Check names of products; the splat PLY and the cameras where none is named.

    Raises
    ------
    ArgumentError
        If there is no such product.
    """
    chosen = list(dict.fromkeys(products)) or ["splats", CAMERAS]
    for name in chosen:
        if name not in PRODUCTS:
            known = ", ".join(repr(known) for known in PRODUCTS)
            raise ArgumentError(f"teleport makes no {name!r}: there is {known}.")
    return chosen


def check_frames(number: Any) -> int | None:
    """Check the number of frames to take of a film; None leaves it to the service.

    Raises
    ------
    ArgumentError
        If it is no whole number from 1.
    """
    if number is None or (isinstance(number, int) and number is not True and number >= 1):
        return number
    raise ArgumentError(f"num_frames={number!r} is no number of frames.")


def check_model(model: Mapping[str, Any]) -> dict[str, Json]:
    """Check ``modelv3`` parameters.

    Parameters
    ----------
    model : mapping
        ``splat_count`` (500,000 to 10,000,000), ``training_resolution`` (1600, 2500 or 3200 pixels
        along the longer edge), ``spherical_harmonics_degrees`` (0 or 3), ``level_of_detail``
        (bool). All four; others are passed on.

    Raises
    ------
    ArgumentError
        If one is missing or out of range.
    """
    missing = [name for name in MODEL_FIELDS if model.get(name) is None]
    if missing:
        raise ArgumentError(f"modelv3 needs all four of its values: {', '.join(missing)} missing.")
    low, high = SPLAT_COUNT
    count = model["splat_count"]
    if isinstance(count, bool) or not isinstance(count, int) or not low <= count <= high:
        raise ArgumentError(f"splat_count={count!r} is not a number from {low} to {high}.")
    for name, allowed in (
        ("training_resolution", TRAINING_RESOLUTIONS),
        ("spherical_harmonics_degrees", HARMONICS),
        ("level_of_detail", (True, False)),
    ):
        if not any(model[name] is value or model[name] == value for value in allowed):
            shown = ", ".join(str(value) for value in allowed)
            raise ArgumentError(f"{name}={model[name]!r} is none of {shown}.")
    return {**model, "level_of_detail": bool(model["level_of_detail"])}


def focus_area(area: Any, *, crs: Any = None, crop_method: str | None = None) -> dict[str, Json]:
    """Make the ``focus_area`` of a polygon: the box around it in WGS 84.

    Parameters
    ----------
    area : polygon or mapping
        Corners ``[(x, y), ...]``; a GeoJSON Polygon or MultiPolygon (bare or a Feature); anything
        with ``__geo_interface__``; or a mapping of the service's own fields, which is passed on.
    crs : CrsLike or None
        CRS of the corners, x before y; None is WGS 84, longitude before latitude.
    crop_method : str or None
        One of the service's methods; their names are not public.

    Returns
    -------
    dict
        ``min_lat``, ``min_lng``, ``max_lat``, ``max_lng`` [deg], and ``crop_method`` if given.

    Raises
    ------
    ArgumentError
        If it is no polygon, or the box crosses the 180° meridian, which the service has no way to
        say.

    References
    ----------
    Teleport API specification page, ``FocusArea``. That the box is what the reconstruction is
    limited to, and needs photos with positions, is inferred.
    """
    if isinstance(area, Mapping) and set(area) <= set(AREA_FIELDS) and area:
        fields = dict(area)
        _check_box(fields)
    else:
        lon, lat = _degrees(_corners(area), crs)
        low, high = (min(lon), min(lat)), (max(lon), max(lat))
        if high[0] - low[0] > 180:
            raise ArgumentError(
                "the focus area crosses the 180° meridian, which a box of longitudes cannot say: "
                "cut it there and make two captures."
            )
        fields = dict(zip(BOX, (low[1], low[0], high[1], high[0]), strict=True))
    if crop_method is not None:
        fields["crop_method"] = crop_method
    return fields


def _check_box(fields: Mapping[str, Any]) -> None:
    for name, most in (("lat", 90.0), ("lng", 180.0)):
        low, high = fields.get(f"min_{name}"), fields.get(f"max_{name}")
        for side, value in (("min", low), ("max", high)):
            if value is not None and not -most <= float(value) <= most:
                raise ArgumentError(f"{side}_{name}={value!r} is outside -{most:g} to {most:g}.")
        if low is not None and high is not None and float(low) > float(high):
            raise ArgumentError(f"min_{name}={low!r} is more than max_{name}={high!r}.")


def _corners(area: Any) -> list[tuple[float, float]]:
    """Read the outline's corners from whatever was given."""
    shape = getattr(area, "__geo_interface__", area)
    if isinstance(shape, Mapping):
        shape = shape.get("geometry") or shape
        rings = shape.get("coordinates")
        kind = shape.get("type")
        if kind not in ("Polygon", "MultiPolygon") or not rings:
            raise ArgumentError(f"a focus area is a polygon, not {kind!r}.")
        outlines = [rings[0]] if kind == "Polygon" else [polygon[0] for polygon in rings]
        shape = [corner for outline in outlines for corner in outline]
    corners = [_corner(value) for value in _as_sequence(shape)]
    if len(set(corners)) < 3:
        raise ArgumentError("a focus area has at least three corners.")
    return corners


def _as_sequence(shape: Any) -> Sequence[Any]:
    try:
        return list(shape)
    except TypeError:
        kind = type(shape).__name__
    raise ArgumentError(f"a focus area is a list of corners or a GeoJSON polygon, not {kind}.")


def _corner(value: Any) -> tuple[float, float]:
    try:
        x, y = (float(number) for number in list(value)[:2])
    except (TypeError, ValueError):
        x = y = math.nan
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ArgumentError(f"{value!r} is not a corner (x, y) of a focus area.")
    return x, y


def _degrees(corners: Sequence[tuple[float, float]], crs: Any) -> tuple[list[float], list[float]]:
    """Give longitudes and latitudes [deg] of the outline."""
    xs, ys = (list(values) for values in zip(*corners, strict=True))
    if crs is None:
        lon, lat = xs, ys
    else:
        import numpy as np

        from cupixgeo.geodesy.operation import plan_operation

        xyz = np.column_stack([xs, ys, np.zeros(len(xs))])
        lon, lat = plan_operation(crs, 4326).apply(xyz)[:, :2].T.tolist()
    if not all(-180 <= x <= 180 and -90 <= y <= 90 for x, y in zip(lon, lat, strict=True)):
        raise ArgumentError(
            "the focus area has corners that are no longitudes and latitudes in degrees: give "
            "(longitude, latitude), or focus_crs= for other coordinates."
        )
    return lon, lat
