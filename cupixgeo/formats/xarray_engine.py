"""The xarray backend ``engine="cupixgeo"``: any format of the registry as a dataset.

Must not know any format.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from typing import Any

import xarray as xr
from xarray.backends import BackendEntrypoint

from cupixgeo.cloud.dataset import to_dataset
from cupixgeo.errors import CloudError
from cupixgeo.formats.extent import AreaLike
from cupixgeo.formats.opening import is_address
from cupixgeo.formats.registry import can_open, open_reader
from cupixgeo.geodesy.crs import CrsLike, as_crs
from cupixgeo.net.secret import redact


class CupixGeoBackend(BackendEntrypoint):
    """Open LAS, LAZ, COPC, PLY and virtual point clouds with ``xarray.open_dataset``."""

    description = "Point clouds: LAS, LAZ, COPC, PLY and VPC"

    def open_dataset(  # type: ignore[override]
        self,
        filename_or_obj: str | os.PathLike[str],
        *,
        drop_variables: str | Iterable[str] | None = None,
        crs: CrsLike | None = None,
        bounds: AreaLike | None = None,
        spacing_m: float | None = None,
    ) -> xr.Dataset:
        """Open a point-cloud file; nothing is read but its header, unless a part is asked for.

        Parameters
        ----------
        filename_or_obj : path or str
            The file, or its http(s) address.
        drop_variables : str or iterable of str
            Attributes to leave out.
        crs : CrsLike or None
            CRS of its coordinates, overriding what the file states.
        bounds : AreaLike or None
            Area to keep, in the file's CRS [CRS units]; see `open_cloud`.
        spacing_m : float or None
            Distance between points that is fine enough [m]; see `open_cloud`.

        Raises
        ------
        CloudError
            The file cannot be read (see `cupixgeo.formats.registry.open_cloud`).
        ServiceError, TransferError
            The server does not give it, or not in parts.
        """
        given = None if crs is None else as_crs(crs)
        path = os.fspath(filename_or_obj)
        where = path if is_address(path) else os.path.abspath(path)
        if bounds is None and spacing_m is None:
            dataset = to_dataset(partial(open_reader, where, crs=given))
        else:
            from cupixgeo.formats.parting import PartOpener

            opener = PartOpener(where, crs=given, bounds=bounds, spacing_m=spacing_m)
            dataset = to_dataset(opener)
            dataset.attrs["history"] = str(opener)
        dataset.encoding["source"] = redact(where)
        dropped = [drop_variables] if isinstance(drop_variables, str) else drop_variables
        if not dropped:
            return dataset
        result = dataset.drop_vars(list(dropped), errors="ignore")
        result.set_close(dataset._close)
        return result

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Say whether the content of a file is of a known format."""
        if not isinstance(filename_or_obj, str | os.PathLike):
            return False
        try:
            return can_open(filename_or_obj)
        except CloudError:
            return False
