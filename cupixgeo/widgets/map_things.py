"""What users put on a map, turned into layers: tables, clouds, reports, photos, rasters.

Knows where in each kind of thing its places are. What cannot be placed on earth is refused with
the remedy. Must not know widgets.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from pyproj import CRS

from cupixgeo.cloud.source import Source
from cupixgeo.errors import ArgumentError, CloudError
from cupixgeo.formats.registry import open_reader
from cupixgeo.geodesy.crs import as_crs
from cupixgeo.geodesy.units import metres_per_unit
from cupixgeo.photos.overlap import Overlap
from cupixgeo.photos.preflight import Preflight
from cupixgeo.photos.show import MAX_DRAWN
from cupixgeo.pipeline.dataset_reader import DatasetReader
from cupixgeo.pipeline.georaster import SUFFIXES, read_raster
from cupixgeo.pipeline.lonlat import LON_LAT, MapPicture, map_picture
from cupixgeo.pipeline.picture import colours
from cupixgeo.pipeline.raster import TopView
from cupixgeo.pipeline.report import MergeReport
from cupixgeo.progress import ProgressFn
from cupixgeo.widgets.map_clouds import (
    SHADED_POINTS,
    check_place,
    cloud_layers,
    report_layers,
    source_layers,
    view_picture,
)
from cupixgeo.widgets.map_layers import (
    VERDICT_COLOURS,
    Classes,
    Layer,
    Outlines,
    Picture,
    Points,
    Ramp,
    Shown,
)

PLACES = (("lon_deg", "lat_deg"), ("gps_lon_deg", "gps_lat_deg"))
"""Columns a table's places may be in, the best first."""

LABELS = ("name", "path", "id")
"""Columns a row's label may be in, the best first."""

OVERLAP_OPACITY = 110

QUICK_POINTS = 1_000_000
"""Points up to which a cloud is drawn at once: half a second."""

_KINDS = (
    "a table with columns lon_deg and lat_deg, a cloud (cx.open), a MergeReport, a Preflight, "
    "sources, a GeoTIFF, a point-cloud file, or {name: one of these}"
)


def named_things(things: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    """Give each thing a name of its own; lists and mappings are opened.

    Raises
    ------
    ArgumentError
        One of them is nothing a map can show.
    """
    taken: set[str] = set()
    for given, thing in _flat(things, None):
        wanted = given or own_name(thing)
        name = next(
            n
            for n in (wanted, *(f"{wanted} {i}" for i in range(2, len(taken) + 3)))
            if n not in taken
        )
        taken.add(name)
        yield name, thing


def _flat(thing: Any, name: str | None) -> Iterator[tuple[str | None, Any]]:
    if isinstance(thing, Mapping) and not isinstance(thing, xr.Dataset):
        for key, value in thing.items():
            yield from _flat(value, str(key))
    elif isinstance(thing, list | tuple) and thing and all(isinstance(s, Source) for s in thing):
        yield name, list(thing)
    elif isinstance(thing, list | tuple):
        for value in thing:
            yield from _flat(value, name)
    else:
        yield name, thing


def own_name(thing: Any) -> str:
    """Name of a thing that was given none.

    Raises
    ------
    ArgumentError
        It is nothing a map can show.
    """
    match thing:
        case pd.DataFrame():
            return str(thing.attrs.get("table", "table"))
        case xr.Dataset():
            return Path(
                str(thing.encoding.get("source") or thing.attrs.get("source", "cloud"))
            ).name
        case MergeReport():
            return Path(thing.path).name
        case Preflight():
            return "photos"
        case MapPicture():
            return "picture"
        case Picture():
            return thing.name
        case Source() | [Source(), *_]:
            return "sources"
        case str() | os.PathLike():
            return Path(thing).name
    raise ArgumentError(f"a map cannot show a {type(thing).__name__}. Give {_KINDS}.")


def read_thing(name: str, thing: Any, crs: CRS | None, progress: ProgressFn | None = None) -> Shown:
    """Turn one thing into layers.

    Parameters
    ----------
    name : str
        What the legend calls it.
    thing : object
        One of those of `named_things`.
    crs : pyproj.CRS or None
        What a raster's coordinates are in that does not say so itself.
    progress : callable or None
        Told while points are read.

    Raises
    ------
    CupixGeoError
        It has no place on a map; the message says how to give it one.
    """
    match thing:
        case pd.DataFrame():
            return _table(name, thing)
        case xr.Dataset():
            return cloud_layers(name, DatasetReader(thing), progress)
        case MergeReport():
            return report_layers(name, thing, progress)
        case Preflight():
            return _photos(name, thing)
        case MapPicture():
            return Shown((Picture(name, thing),))
        case Picture():
            return Shown((replace(thing, name=name),))
        case Source():
            return source_layers(name, [thing])
        case list():
            return source_layers(name, thing)
        case _:
            return _file(name, Path(thing), crs, progress)


def slow_crs(name: str, thing: Any) -> CRS | None:
    """Return the CRS of a cloud that takes long to draw; None of anything that does not.

    Raises
    ------
    CupixGeoError
        It has no place on a map, or cannot be read.
    """
    if isinstance(thing, MergeReport):
        thing = Path(thing.path)
        if not thing.is_file():
            return None
    if isinstance(thing, xr.Dataset):
        info = DatasetReader(thing).info
    elif isinstance(thing, str | os.PathLike) and Path(thing).suffix.lower() not in SUFFIXES:
        with open_reader(thing) as reader:
            info = reader.info
    else:
        return None
    check_place(name, info.crs)
    return info.crs if QUICK_POINTS < info.point_count <= SHADED_POINTS else None


def is_table(thing: Any) -> bool:
    """Say whether a thing brings a table of its own, with rows a user knows."""
    return isinstance(thing, pd.DataFrame | Preflight)


# -- tables ---------------------------------------------------------------------------------------


def _table(name: str, table: pd.DataFrame) -> Shown:
    columns = next((pair for pair in PLACES if set(pair) <= set(table.columns)), None)
    if columns is None:
        raise CloudError(
            f"the table {name!r} has no columns lon_deg and lat_deg, so its rows have no place on "
            "a map. Join them on: table.merge(account.facilities()[['id', 'lon_deg', 'lat_deg']], "
            "left_on='facility_id', right_on='id', suffixes=('', '_facility'))."
        )
    try:
        lon_lat = table[list(columns)].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise CloudError(
            f"the columns {columns[0]} and {columns[1]} of {name} do not hold numbers ({error}). "
            "Give longitude and latitude in degrees: pd.to_numeric(table['lon_deg'])."
        ) from error
    placed = np.isfinite(lon_lat).all(axis=1)
    notes = []
    if not len(table):
        notes.append(f"{name} has no rows.")
    if not placed.all():
        notes.append(
            f"{np.count_nonzero(~placed):,} of {len(table):,} rows of {name} have no position and "
            "are not on the map."
        )
    beyond = placed & ~((np.abs(lon_lat[:, 0]) <= 360) & (np.abs(lon_lat[:, 1]) <= 90))
    if beyond.any():
        row = table.index[int(np.flatnonzero(beyond)[0])]
        raise CloudError(
            f"row {row} of {name} has no longitude and latitude in degrees: "
            f"{lon_lat[beyond][0].tolist()}. Look at the columns {columns[0]} and {columns[1]}."
        )
    classes = _verdicts(table) if "verdict" in table else None
    layer = Points(name, name, lon_lat, row_labels(table), classes)
    return Shown((layer,), {name: table}, notes=tuple(notes))


def row_labels(table: pd.DataFrame) -> list[str]:
    """Label for each row: its name, file or id where there is one, else its index."""
    column = next((name for name in LABELS if name in table), None)
    if column is None:
        return [str(label) for label in table.index]
    values = table[column].tolist()
    if column == "path":
        return [Path(str(value)).name for value in values]
    known = pd.notna(table[column]).tolist()
    rows = zip(values, known, table.index, strict=True)
    return [str(value) if there else f"row {label}" for value, there, label in rows]


def _verdicts(table: pd.DataFrame) -> Classes:
    names = tuple(VERDICT_COLOURS)
    known = {name: code for code, name in enumerate(names)}
    codes = np.array([known.get(str(verdict), 0) for verdict in table["verdict"]], np.uint8)
    return Classes(codes, names, tuple(VERDICT_COLOURS.values()))


# -- photos ---------------------------------------------------------------------------------------


def _photos(name: str, preflight: Preflight) -> Shown:
    cameras = _table(name, preflight.table)
    outline = f"{name}: footprints"
    rings = [ring if np.isfinite(ring).all() else np.empty((0, 2)) for ring in preflight.footprints]
    labels = row_labels(preflight.table)
    layers: list[Layer] = []
    if preflight.overlap is not None:
        layers.append(_overlap(f"{name}: overlap", preflight.overlap))
    known = sum(map(len, rings)) // 4
    if known:
        layers.append(
            Outlines(outline, name, rings, labels, _verdicts(preflight.table), is_filled=False)
        )
    hidden = (outline,) if known > MAX_DRAWN else ()
    layers += cameras.layers
    return Shown(tuple(layers), cameras.tables, hidden, (*cameras.notes, *preflight.warnings))


def _overlap(name: str, overlap: Overlap) -> Picture:
    west, south, east, north = overlap.bounds_deg
    counts = overlap.counts[::-1].astype(np.int64)
    rows, columns = counts.shape
    most = max(2, int(counts.max()))
    crs = as_crs(LON_LAT)
    view = TopView(
        crs=crs,
        west=west,
        north=north,
        pixel=((east - west) / columns, (north - south) / rows),
        height=counts.astype(np.float64),
        colour=None,
        count=counts,
        metres=metres_per_unit(crs, np.array([west, (south + north) / 2, 0.0])),
    )
    shaded = colours((counts - 1) / (most - 1), "density")
    opacity = np.where(counts > 0, OVERLAP_OPACITY, 0).astype(np.uint8)
    image = np.concatenate([shaded, opacity[..., None]], axis=-1)
    return Picture(name, map_picture(view, image), Ramp("density", "1", f"{most}", "photos"))


# -- files ----------------------------------------------------------------------------------------


def _file(name: str, path: Path, crs: CRS | None, progress: ProgressFn | None) -> Shown:
    if path.suffix.lower() in SUFFIXES:
        view = read_raster(path, crs=crs)
        check_place(name, view.crs)
        return Shown((view_picture(name, view),), crs=view.crs)
    with open_reader(path) as reader:
        return cloud_layers(name, reader, progress)
