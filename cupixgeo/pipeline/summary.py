"""A point-cloud dataset in figures: statistics of its variables, and a short description."""

from __future__ import annotations

from html import escape

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.cloud.spatial_ref import AXES, POINT, dataset_crs
from cupixgeo.errors import EmptyCloudError
from cupixgeo.geodesy.crs import crs_label
from cupixgeo.pipeline.dataset_reader import DatasetReader
from cupixgeo.pipeline.quantities import size

POINTS_TO_SHOW = 2_000_000
"""Clouds up to this size are read for the bounds and the picture of their description."""

PICTURE_PIXELS = 260
"""Longest side of that picture [pixel]."""


class _Running:
    """Count, extremes, mean and spread of a variable, block after block (Chan et al., 1979)."""

    def __init__(self, width: int) -> None:
        self.count = np.zeros(width)
        self.low, self.high = np.full(width, np.inf), np.full(width, -np.inf)
        self.mean, self.squares = np.zeros(width), np.zeros(width)

    def add(self, values: npt.NDArray[np.generic]) -> None:
        table: FloatArray = values.reshape(len(values), -1).astype(np.float64)
        there = np.isfinite(table)
        count = there.sum(axis=0)
        known = np.maximum(count, 1)
        self.low = np.minimum(self.low, np.where(there, table, np.inf).min(axis=0))
        self.high = np.maximum(self.high, np.where(there, table, -np.inf).max(axis=0))
        mean = np.where(there, table, 0.0).sum(axis=0) / known
        squares = np.where(there, (table - mean) ** 2, 0.0).sum(axis=0)
        total = np.maximum(self.count + count, 1)
        step = mean - self.mean
        self.squares += squares + step**2 * self.count * count / total
        self.mean += step * count / total
        self.count += count


def stats(dataset: xr.Dataset) -> pd.DataFrame:
    """Count, extremes, mean and standard deviation of every numeric variable.

    Parameters
    ----------
    dataset : xarray.Dataset
        A point cloud of any size; it is read once, block by block.

    Returns
    -------
    pandas.DataFrame
        One row a variable (``name[0]``, ``name[1]``, ... for those of several elements), columns
        ``count``, ``min``, ``max``, ``mean``, ``std`` (of the whole population) and ``unit``.
        Values that are not finite do not count; scaled extra bytes are given as stored.
    """
    reader = DatasetReader(dataset)
    numeric = [a for a in reader.info.attributes if a.dtype.base.kind in "iufb"]
    running = {"xyz": _Running(3)}
    running |= {a.name: _Running(int(np.prod(a.dtype.shape))) for a in numeric}
    for block in reader.blocks(columns=[a.name for a in numeric]):
        running["xyz"].add(block.xyz)
        for attribute in numeric:
            running[attribute.name].add(block.column(attribute.name))
    labels, units = list(AXES), [str(dataset[axis].attrs.get("units", "")) for axis in AXES]
    for attribute in numeric:
        width = int(np.prod(attribute.dtype.shape))
        several = bool(attribute.dtype.shape)
        labels += [f"{attribute.name}[{i}]" if several else attribute.name for i in range(width)]
        units += [attribute.unit] * width
    count = np.concatenate([r.count for r in running.values()])
    columns = {
        "count": count.astype(np.int64),
        "min": np.concatenate([r.low for r in running.values()]),
        "max": np.concatenate([r.high for r in running.values()]),
        "mean": np.concatenate([r.mean for r in running.values()]),
        "std": np.sqrt(
            np.concatenate([r.squares for r in running.values()]) / np.maximum(count, 1)
        ),
    }
    table = pd.DataFrame(columns, index=pd.Index(labels, name="variable"))
    table.loc[count == 0, ["min", "max", "mean", "std"]] = np.nan
    table["unit"] = pd.Series(units, index=table.index, dtype="str")
    return table


def describe(dataset: xr.Dataset) -> list[tuple[str, str]]:
    """Describe a cloud in lines of name and value; reads points only where there are few."""
    info = DatasetReader(dataset).info
    lines = [
        ("Points", f"{info.point_count:,}"),
        ("CRS", crs_label(info.crs)),
        ("Size in memory", size(info.size_bytes)),
        ("Attributes", ", ".join(info.attribute_names) or "none"),
    ]
    if info.crs_source:
        lines.insert(2, ("CRS from", info.crs_source))
    if source := dataset.attrs.get("source"):
        kind = " ".join(str(dataset.attrs[k]) for k in ("format", "version") if k in dataset.attrs)
        lines.append(("Source", f"{source} ({kind})" if kind else str(source)))
    if _is_small(dataset):
        try:
            low, high = DatasetReader(dataset).bounds()
        except EmptyCloudError:
            return lines
        places = 7 if info.crs.is_geographic else 3
        box = (
            f"{axis} {a:.{places if axis != 'z' else 3}f} … {b:.{places if axis != 'z' else 3}f}"
            for axis, a, b in zip(AXES, low, high, strict=True)
        )
        lines.insert(2, ("Bounds", ", ".join(box)))
    return lines


def describe_html(dataset: xr.Dataset) -> str:
    """Return the description as HTML, with a picture from above where the cloud is small."""
    rows = "".join(
        f"<tr><th style='text-align:left;vertical-align:top'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(value)}</td></tr>"
        for name, value in describe(dataset)
    )
    return (
        "<div style='display:flex;gap:1em;align-items:flex-start'>"
        f"<table>{rows}</table>{_picture_html(dataset)}</div>"
    )


def describe_text(dataset: xr.Dataset) -> str:
    """Return one line: points, CRS, source."""
    source = dataset.attrs.get("source", "memory")
    points = dataset.sizes.get(POINT, 0)
    return f"<cloud {source}: {points:,} points, {crs_label(dataset_crs(dataset))}>"


def _picture_html(dataset: xr.Dataset) -> str:
    from cupixgeo.pipeline.picture import data_address, picture
    from cupixgeo.pipeline.raster import top_view

    if not _is_small(dataset):
        return ""
    try:
        view = top_view(DatasetReader(dataset), max_pixels=PICTURE_PIXELS)
    except EmptyCloudError:
        return ""
    return f"<img alt='the cloud from above' src='{data_address(picture(view))}'>"


def _is_small(dataset: xr.Dataset) -> bool:
    lazy = POINT in dataset.chunksizes
    return not lazy and 0 < dataset.sizes.get(POINT, 0) <= POINTS_TO_SHOW
