"""The accessor ``.cloud`` of `xarray.Dataset`: every method is a function of this package.

Importing this module costs no more than importing xarray: what a method needs is loaded by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import xarray as xr

if TYPE_CHECKING:
    import os
    from pathlib import Path

    import pandas as pd
    from matplotlib.axes import Axes
    from pyproj import CRS

    from cupixgeo.cloud.schema import FloatArray
    from cupixgeo.formats.extent import AreaLike
    from cupixgeo.geodesy.crs import CrsLike
    from cupixgeo.geodesy.transform import Transform


class CloudAccessor:
    """What a point-cloud dataset can do: ``dataset.cloud``.

    Parameters
    ----------
    dataset : xarray.Dataset
        Dimension ``point``, coordinates ``x``, ``y``, ``z`` and ``spatial_ref``.
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    @property
    def crs(self) -> CRS:
        """CRS of the coordinates; they are in x/y (lon/lat) order whatever its axis order.

        Raises
        ------
        CrsError
            The dataset has no ``spatial_ref`` coordinate.
        """
        from cupixgeo.cloud.spatial_ref import dataset_crs

        return dataset_crs(self._dataset)

    @property
    def bounds(self) -> FloatArray:
        """Smallest box of all points: shape (2, 3), float64 [CRS units]. Reads x, y and z.

        Raises
        ------
        EmptyCloudError
            There are no points.
        """
        from cupixgeo.pipeline.dataset_reader import DatasetReader

        return DatasetReader(self._dataset).bounds()

    def place(self, transform: Transform) -> xr.Dataset:
        """Move the cloud from its frame to where it belongs; see `cupixgeo.pipeline.place.place`.

        Parameters
        ----------
        transform : Transform
            Its placement, from the frame the cloud is in.

        Raises
        ------
        FrameError
            The cloud is not in ``transform.source``.
        """
        from cupixgeo.pipeline.place import place

        return place(self._dataset, transform)

    def to_crs(self, crs: CrsLike, *, assume: str | Iterable[str] = ()) -> xr.Dataset:
        """Bring the cloud to another CRS; see `cupixgeo.pipeline.place.to_crs`.

        Parameters
        ----------
        crs : CrsLike
            Wanted CRS.
        assume : str or iterable of str
            Declared assumptions where PROJ has no operation to be trusted.

        Raises
        ------
        FrameError
            The cloud is in a local frame: place it first.
        OperationError, CrsError
            No operation can be trusted, or `crs` is not a CRS.
        """
        from cupixgeo.pipeline.place import to_crs

        return to_crs(self._dataset, crs, assume=assume)

    def crop(
        self,
        bounds: AreaLike | None = None,
        *,
        z: tuple[float | None, float | None] | None = None,
    ) -> xr.Dataset:
        """Keep the points inside a box or polygon; see `cupixgeo.pipeline.place.crop`.

        Parameters
        ----------
        bounds : 4 numbers; array_like, shape (2, 2), (2, 3) or (n, 2); mapping; or None
            West, south, east, north, or the lowest and the highest corner, edges included; the
            vertices of a polygon, or GeoJSON, in the cloud's CRS [CRS units].
        z : tuple of 2 (float or None) or None
            Lowest and highest z, both included [CRS units].

        Raises
        ------
        CloudError
            `bounds` is not an area, or not in the cloud's CRS.
        """
        from cupixgeo.pipeline.place import crop

        return crop(self._dataset, bounds, z=z)

    def thin(self, spacing_m: float | None = None, *, every: int | None = None) -> xr.Dataset:
        """Keep one point in each cube, or every n-th; see `cupixgeo.pipeline.place.thin`.

        Parameters
        ----------
        spacing_m : float or None
            Edge of the cubes [m].
        every : int or None
            Keep every n-th point instead.

        Raises
        ------
        CloudError
            Neither or both are given, or the CRS is in degrees.
        """
        from cupixgeo.pipeline.place import thin

        return thin(self._dataset, spacing_m, every=every)

    def stats(self) -> pd.DataFrame:
        """Count, extremes, mean and spread of every variable; see `cupixgeo.pipeline.summary`."""
        from cupixgeo.pipeline.summary import stats

        return stats(self._dataset)

    def plot(self, by: str = "best", *, ax: Axes | None = None) -> Axes:
        """Draw the cloud from above; see `cupixgeo.pipeline.plot.plot`.

        Parameters
        ----------
        by : str
            ``"rgb"``, ``"z"``, ``"best"`` of the two, or the name of an attribute.
        ax : matplotlib.axes.Axes or None
            Where to draw; a new figure unless given.

        Raises
        ------
        MissingExtraError
            matplotlib is not installed.
        CloudError
            There is nothing to draw by that name.
        """
        from cupixgeo.pipeline.plot import plot

        return plot(self._dataset, by, ax=ax)

    def write(
        self, to: str | os.PathLike[str], *, scale: float | Sequence[float] | None = None
    ) -> Path:
        """Write the cloud to a LAZ, LAS, COPC or PLY file; see `cupixgeo.pipeline.write.write`.

        Parameters
        ----------
        to : path
            Output; replaced when the new file is whole.
        scale : float, sequence of 3 float or None
            Step of the stored integers [CRS units]; None is never coarser than the cloud's file.

        Raises
        ------
        OutputError
            The file cannot be written.
        CloudError, GridOverflowError
            The cloud does not fit the format, or the scale.
        """
        from cupixgeo.pipeline.write import write

        return write(self._dataset, to, scale=scale)

    def __repr__(self) -> str:
        from cupixgeo.pipeline.summary import describe_text

        return describe_text(self._dataset)

    def _repr_html_(self) -> str:
        from cupixgeo.pipeline.summary import describe_html

        return describe_html(self._dataset)


def register() -> None:
    """Register the accessor on `xarray.Dataset`; a second call does nothing."""
    registered: Any = getattr(xr.Dataset, "cloud", None)
    if registered is not CloudAccessor:
        xr.register_dataset_accessor("cloud")(CloudAccessor)  # type: ignore[no-untyped-call]
