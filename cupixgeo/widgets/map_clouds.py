"""Clouds, merge reports and sources of a merge, turned into layers of a map.

Knows how a cloud is drawn from above and where its outline is. What cannot be placed on earth is
refused with the remedy. Must not know widgets.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from pyproj import CRS

from cupixgeo.cloud.schema import FloatArray, PointReader
from cupixgeo.cloud.source import Source
from cupixgeo.errors import EmptyCloudError, FrameError
from cupixgeo.formats.registry import open_reader
from cupixgeo.geodesy.crs import as_crs, crs_label, frame_name
from cupixgeo.geodesy.operation import plan_operation
from cupixgeo.pipeline.lonlat import box_outline, map_picture, to_lon_lat
from cupixgeo.pipeline.picture import height_range, picture
from cupixgeo.pipeline.raster import TopView, close_gaps, top_view
from cupixgeo.pipeline.report import MergeReport
from cupixgeo.pipeline.sitemap import footprints
from cupixgeo.progress import ProgressFn
from cupixgeo.widgets.map_layers import Layer, Outlines, Picture, Points, Ramp, Shown

SHADED_POINTS = 25_000_000
"""Points up to which a cloud is read for its picture; of larger ones the box is drawn."""


def check_place(name: str, crs: CRS) -> None:
    """Refuse a CRS that has no place on a map.

    Raises
    ------
    FrameError
        It is a local frame, or geocentric.
    """
    local = frame_name(crs)
    if local is not None:
        raise FrameError(
            f"{name} is not on the map: it is in the local frame {local}, which is nowhere on "
            "earth yet. Place it first: cloud.cloud.place(account.placement(id)).cloud.to_crs(...)."
        )
    if crs.is_geocentric:
        raise FrameError(
            f"{name} is not on the map: it is in geocentric coordinates ({crs_label(crs)}). Bring "
            "it to a projected CRS first: cloud.cloud.to_crs(32650)."
        )


def cloud_layers(name: str, reader: PointReader, progress: ProgressFn | None = None) -> Shown:
    """Draw an open cloud from above, with the convex outline of what it covers.

    Parameters
    ----------
    name : str
        What the legend calls it.
    reader : PointReader
        The cloud.
    progress : callable or None
        Told while points are read.

    Raises
    ------
    FrameError
        It has no place on a map.
    EmptyCloudError
        It has no points, or none with finite coordinates.
    """
    info = reader.info
    check_place(name, info.crs)
    facts = pd.DataFrame(
        {"name": [name], "points": [info.point_count], "crs": [crs_label(info.crs)]}
    )
    outline = f"{name}: outline"
    if info.point_count > SHADED_POINTS:
        (west, south, _), (east, north, _) = reader.bounds()
        ring = to_lon_lat(info.crs, box_outline(west, south, east, north))
        note = (
            f"{name} has {info.point_count:,} points: only its box is drawn. For its picture thin "
            "it (cloud.cloud.thin(0.2)), or open a COPC file with spacing_m=."
        )
        box = Outlines(outline, outline, [ring], [name])
        return Shown((box,), {outline: facts}, notes=(note,), crs=info.crs)
    view, lost = _view(name, reader, progress)
    ring = to_lon_lat(info.crs, _hull(view))
    layers = (view_picture(name, view), Outlines(outline, outline, [ring], [name]))
    return Shown(layers, {outline: facts}, notes=lost, crs=info.crs)


def _view(
    name: str, reader: PointReader, progress: ProgressFn | None
) -> tuple[TopView, tuple[str, ...]]:
    """View from above, and what is to be said of points that are nowhere."""
    count = reader.info.point_count
    if not count:
        raise EmptyCloudError(f"{name} holds no points, so there is nothing to show.")
    try:
        view = top_view(reader, progress=progress)
    except EmptyCloudError as error:
        raise EmptyCloudError(
            f"{name}: none of its {count:,} points has finite coordinates (they are NaN or "
            "infinite). Check how the cloud was placed or read."
        ) from error
    lost = count - int(view.count.sum())
    said = f"{name}: {lost:,} of {count:,} points have no finite coordinates and are not shown."
    return view, (said,) if lost else ()


def view_picture(name: str, view: TopView) -> Picture:
    """Draw a top view for the map: its colours, or heights with their range."""
    ramp = None
    if view.colour is None:
        low, high = height_range(view)
        unit = view.crs.axis_info[-1].unit_name if len(view.crs.axis_info) > 2 else "metre"
        ramp = Ramp("height", f"{low:.1f}", f"{high:.1f}", "m" if unit == "metre" else unit)
    return Picture(name, map_picture(view, picture(view)), ramp)


def _hull(view: TopView) -> FloatArray:
    """Convex outline of what a view covers, shape (n, 2), in its CRS (Andrew's monotone chain)."""
    seen = close_gaps(view.height, view.seen)[1]
    rows = np.flatnonzero(seen.any(axis=1))
    first = seen[rows].argmax(axis=1)
    last = seen.shape[1] - seen[rows, ::-1].argmax(axis=1)
    columns = np.concatenate([first, first, last, last])
    lines = np.concatenate([rows, rows + 1, rows, rows + 1])
    corners = np.unique(np.column_stack([columns, lines]), axis=0).tolist()

    def chain(points: list[list[int]]) -> list[list[int]]:
        kept: list[list[int]] = []
        for x, y in points:
            while len(kept) > 1:
                (xa, ya), (xb, yb) = kept[-2:]
                if (xb - xa) * (y - ya) - (yb - ya) * (x - xa) > 0:
                    break
                kept.pop()
            kept.append([x, y])
        return kept[:-1]

    ring = np.array(chain(corners) + chain(corners[::-1]), np.float64)
    return np.array([view.west, view.north]) + ring * [view.pixel[0], -view.pixel[1]]


def report_layers(name: str, report: MergeReport, progress: ProgressFn | None = None) -> Shown:
    """Draw the cloud a merge wrote, with the boxes of its sources.

    Parameters
    ----------
    name : str
        What the legend calls it.
    report : MergeReport
        Of the merge.
    progress : callable or None
        Told while points are read.

    Raises
    ------
    FrameError
        It has no place on a map.
    """
    crs = CRS.from_wkt(report.crs_wkt)
    check_place(name, crs)
    sources = [source for source in report.sources if source.bounds is not None]
    table = pd.DataFrame(
        {
            "name": [source.name for source in sources],
            "points": [source.points_kept for source in sources],
            "format": [source.format for source in sources],
            "crs": [source.crs for source in sources],
        }
    )
    key = f"{name}: sources"
    rings = [footprint.outline for footprint in footprints(report)]
    outlines = Outlines(key, key, rings, table["name"].tolist())
    if not Path(report.path).is_file():
        note = f"{report.path} is not there any more, so only its sources' boxes are drawn."
        return Shown((outlines,), {key: table}, notes=(note,), crs=crs)
    with open_reader(report.path) as reader:
        cloud = cloud_layers(name, reader, progress)
    pictures = tuple(layer for layer in cloud.layers if isinstance(layer, Picture))
    return Shown((*pictures, outlines), {key: table}, notes=cloud.notes, crs=crs)


def source_layers(name: str, sources: list[Source]) -> Shown:
    """Show where sources are: the box of files that are here, the origin of those that are not."""
    rings, places, notes = [], np.full((len(sources), 2), np.nan), []
    for row, source in enumerate(sources):
        ring = np.empty((0, 2))
        try:
            ring, places[row] = _source(source)
        except FrameError as error:
            notes.append(str(error))
        rings.append(ring)
    table = pd.DataFrame(
        {"name": [s.label for s in sources], "here": [bool(len(ring)) for ring in rings]}
    )
    labels = table["name"].tolist()
    layers: list[Layer] = []
    if any(map(len, rings)):
        layers.append(Outlines(f"{name}: boxes", name, rings, labels))
    layers.append(Points(name, name, places, labels))
    return Shown(tuple(layers), {name: table}, notes=tuple(notes))


def _source(source: Source) -> tuple[FloatArray, FloatArray]:
    """Outline of a source's box (empty where its file is not here) and the middle of it."""
    corners, crs = np.zeros((1, 3)), None if source.crs is None else as_crs(source.crs)
    here = source.path is not None and Path(source.path).is_file()
    if here and source.path is not None:
        with open_reader(source.path) as reader:
            (west, south, low), (east, north, high) = reader.bounds()
            crs = crs or reader.info.crs
        flat = box_outline(west, south, east, north)[:-1]
        corners = np.column_stack([flat, np.full(len(flat), (low + high) / 2)])
    if source.transform is not None:
        corners, crs = source.transform.apply(corners), source.transform.target
    elif not here:
        raise FrameError(f"{source.label} has no placement, and its file is not here to look at.")
    if crs is None:
        raise FrameError(f"{source.label} is in no CRS that is known. Give crs=.")
    if crs.is_geocentric:
        lon_lat = plan_operation(crs, 4979).apply(corners)[:, :2]
    else:
        check_place(source.label, crs)
        lon_lat = to_lon_lat(crs, corners[:, :2])
    return lon_lat if here else np.empty((0, 2)), lon_lat.mean(axis=0)
